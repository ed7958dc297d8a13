//! The far ends, as far as a connection shows them, and the certificates that stand for them.

use std::net::SocketAddr;
use std::path::PathBuf;

use record::UnixMs;

use super::Fact;

/// One destination from here.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct FarEnd {
    pub(in crate::doctor) name: String,
    pub(in crate::doctor) host: String,
    /// What its name means.
    pub(in crate::doctor) addresses: Fact<Vec<SocketAddr>>,
    /// How long the connection took to the first of them that answered. ms.
    pub(in crate::doctor) connect_ms: Fact<u64>,
}

/// Whom a certificate stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) enum Whose {
    /// A platform: its CA, or what the box shows to it.
    Platform,
    /// The box, towards MQTT sensors.
    Mqtt,
}

/// A certificate in a file.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Certificate {
    pub(in crate::doctor) whose: Whose,
    pub(in crate::doctor) path: PathBuf,
    /// From and until when it is valid: of several in the file, the shortest time.
    pub(in crate::doctor) valid: Fact<(UnixMs, UnixMs)>,
}
