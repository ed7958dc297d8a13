//! Files and folders whose rights matter.

use std::path::PathBuf;

use super::Fact;

/// What a file is for; it decides how bad other rights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) enum Duty {
    /// A folder or database: others than the two daemons have no business there.
    State,
    /// A key: who reads it can speak as the box or as a device.
    Secret,
}

/// One of them.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct WatchedFile {
    pub(in crate::doctor) path: PathBuf,
    pub(in crate::doctor) duty: Duty,
    /// The widest rights that it may have.
    pub(in crate::doctor) widest: u32,
    /// User and group that the package gives it; none where it is not the package's.
    pub(in crate::doctor) belongs_to: Option<(&'static str, &'static str)>,
    pub(in crate::doctor) found: Fact<FileFacts>,
}

/// What it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) struct FileFacts {
    pub(in crate::doctor) mode: u32,
    pub(in crate::doctor) user: String,
    pub(in crate::doctor) group: String,
}
