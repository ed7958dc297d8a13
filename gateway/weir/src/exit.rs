//! Exit statuses: scripts and systemd rely on them, so they never change their meaning.

use std::process::ExitCode;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and all is well.
    Good,
    /// Done, and something is not well: an alarm stands, a proof does not hold, a demo's promise was broken.
    NotWell,
    /// Nobody understood what was typed; as clap ends.
    Usage,
    /// Could not be done.
    Failed,
    /// A part died that only a restart brings back (`EX_SOFTWARE`).
    Restart,
    /// The configuration is refused: starting again will not help, so systemd does not (`RestartPreventExitStatus`).
    Config,
}

impl Exit {
    /// Of another process of this program.
    pub(crate) fn of(code: i32) -> Exit {
        match code {
            0 => Exit::Good,
            1 => Exit::NotWell,
            2 => Exit::Usage,
            70 => Exit::Restart,
            255 => Exit::Config,
            _ => Exit::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Good => 0,
            Exit::NotWell => 1,
            Exit::Usage => 2,
            Exit::Failed => 3,
            Exit::Restart => 70,
            Exit::Config => 255,
        })
    }
}
