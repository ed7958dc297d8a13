//! Why a configuration verb was not carried out.

use std::io;
use std::path::PathBuf;

use record::{ConfigFile, Seq};
use versions::{VersionId, VersionsError};

/// Why not. Unless it says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    /// The kept versions cannot be read or written.
    #[error(transparent)]
    Versions(#[from] VersionsError),
    /// No such version is kept.
    #[error("no version {0} is kept · try: weir config history")]
    Unknown(VersionId),
    /// What a file is cannot be told.
    #[error(
        "what `{path}` is cannot be told, or no versions of it are kept · try: a name with one of gateway, devices, rules, sync"
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("failed to read `{path}` · try: sudo, or ls -l {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A reason that says nothing.
    #[error("a change of the configuration needs a reason · try: --reason TEXT")]
    NoReason,
    /// The file has that text already.
    #[error("`{path}` has this text already · try: weir config history")]
    Same {
        /// The file.
        path: PathBuf,
    },
    /// The daemon would not start with it.
    #[error("this {file} would be refused: {why}")]
    Refused {
        /// Which.
        file: ConfigFile,
        /// Why, with what to do.
        why: String,
    },
    /// A kept version of the rules is that of all their files.
    #[error(
        "a kept version of the rules is the text of all their files, and `{folder}` has some that would count beside it \
         · try: weir config show VERSION, and mend those files; or mv them away, then the same again"
    )]
    RulesBeside {
        /// The folder.
        folder: PathBuf,
    },
    /// What stands there has no place to stay.
    #[error("failed to put what stands there aside as `{path}` · try: sudo, or df -h")]
    PutAside {
        /// Where.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is journaled, and could not be written.
    #[error(
        "failed to write `{path}`, which is as before, though record {seq} says otherwise · try: sudo, df -h, then the same again"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The record.
        seq: Seq,
        /// The cause.
        source: io::Error,
    },
}
