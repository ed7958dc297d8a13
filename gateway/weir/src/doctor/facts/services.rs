//! What systemd says.

/// The units, and the services that set the clock.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) struct Services {
    /// Ours that are installed.
    pub(in crate::doctor) units: Vec<Unit>,
    /// Of others, those that set the clock and run.
    pub(in crate::doctor) time_services: Vec<String>,
}

/// A unit, by the names of systemd's properties.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::doctor) struct Unit {
    pub(in crate::doctor) id: String,
    /// `enabled`, `disabled`, `masked`.
    pub(in crate::doctor) unit_file_state: String,
    /// `active`, `inactive`, `failed`, `activating`.
    pub(in crate::doctor) active_state: String,
    /// `success`, `exit-code`, `oom-kill`, `watchdog`.
    pub(in crate::doctor) result: String,
    pub(in crate::doctor) restarts: u64,
    pub(in crate::doctor) watchdog: bool,
}
