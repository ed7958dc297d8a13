//! Starting the daemons: by systemd, where this is an installed box under it; else whoever types does it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::error::SetupError;

/// The field daemon's unit.
pub(super) const GATEWAY: &str = "weir-gateway";
/// The upload daemon's unit.
pub(super) const SYNC: &str = "weir-sync";

/// Longest part of systemctl's words that is repeated, in characters.
const SAID_MAX: usize = 300;

/// Who starts daemons here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Units {
    /// systemd.
    Systemd,
    /// Nobody but whoever types.
    ByHand,
}

impl Units {
    /// The units are those of the installed box: with other folders they are not meant.
    pub(super) fn of(config_dir: &Path, run_dir: &Path) -> Units {
        let installed = config_dir == Path::new("/etc/weir") && run_dir == Path::new("/run/weir");
        match installed && Path::new("/run/systemd/system").is_dir() {
            true => Units::Systemd,
            false => Units::ByHand,
        }
    }

    /// Whether it starts with the machine; by hand nothing does.
    pub(super) fn is_enabled(self, unit: &'static str) -> bool {
        match self {
            Units::ByHand => true,
            Units::Systemd => systemctl(&["is-enabled", unit]).is_ok_and(|output| output.status.success()),
        }
    }

    /// Starts it, now and with the machine. Does nothing by hand.
    pub(super) fn enable(self, unit: &'static str) -> Result<(), SetupError> {
        self.order(&["enable", "--now"], unit)
    }

    /// Starts it anew. Does nothing by hand.
    pub(super) fn restart(self, unit: &'static str) -> Result<(), SetupError> {
        self.order(&["restart"], unit)
    }

    fn order(self, verb: &[&str], unit: &'static str) -> Result<(), SetupError> {
        if self == Units::ByHand {
            return Ok(());
        }
        let output = systemctl(&[verb, &[unit]].concat())?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        Err(SetupError::Unit { doing: verb.join(" "), unit, said: said.chars().take(SAID_MAX).collect() })
    }
}

fn systemctl(words: &[&str]) -> Result<std::process::Output, SetupError> {
    Command::new("systemctl").args(words).stdin(Stdio::null()).output().map_err(SetupError::Systemctl)
}
