//! The two daemons as processes.

use super::Fact;

/// An answer on a control socket.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Answered<T> {
    pub(in crate::doctor) status: T,
    /// The system's clock when it came. ms since 1970 UTC.
    pub(in crate::doctor) at_ms: i64,
    pub(in crate::doctor) handles: Fact<Handles>,
}

/// Open files of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) struct Handles {
    pub(in crate::doctor) open: u64,
    pub(in crate::doctor) open_max: u64,
}

/// Who listens on this machine.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) struct Ports {
    pub(in crate::doctor) tcp: Vec<Listener>,
    pub(in crate::doctor) udp: Vec<Listener>,
}

/// A port that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) struct Listener {
    pub(in crate::doctor) port: u16,
    /// Datagrams that the kernel let go because nobody took them in time.
    pub(in crate::doctor) drops: u64,
}
