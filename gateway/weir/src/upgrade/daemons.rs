//! Both daemons as the judge sees them, and starts and stops them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use control::{AskError, ask_within};
use serde_json::{Value, json};

use super::error::UpgradeError;
use super::package::systemctl;
use super::state::Daemon;
use super::trial::Look;

/// A commit on a card that collects its garbage takes seconds.
const ANSWER: Duration = Duration::from_secs(10);

impl Daemon {
    pub(super) const ALL: [Daemon; 2] = [Daemon::Gateway, Daemon::Sync];

    pub(super) fn unit(self) -> &'static str {
        match self {
            Daemon::Gateway => "weir-gateway.service",
            Daemon::Sync => "weir-sync.service",
        }
    }

    /// How the unit calls the program.
    pub(super) fn words(self) -> &'static str {
        match self {
            Daemon::Gateway => "gateway run --config /etc/weir/gateway.toml",
            Daemon::Sync => "sync run --config /etc/weir/sync.toml",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Daemon::Gateway => "gateway",
            Daemon::Sync => "sync",
        }
    }

    /// How it is: by systemd's word, whether its program is the installed one, and by its own word whether it does what it is for.
    pub(super) fn look(self, run_dir: &Path) -> Look {
        let Ok(shown) = systemctl(&["show", "--property=ActiveState,MainPID,Job", self.unit()]) else {
            return self.unwell("systemd does not say how it is");
        };
        let value = |key: &str| shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let (state, pid) = (value("ActiveState").unwrap_or_default(), value("MainPID").unwrap_or_default());
        match state {
            // The upload daemon starts after the other one: it waits where that never becomes ready.
            "inactive" if matches!(value("Job"), None | Some("" | "0")) => return Look::Stopped,
            "inactive" => return self.unwell("its start waits"),
            "active" => {}
            other => return self.unwell(&format!("its unit is {other}")),
        }
        let Ok(pid) = pid.parse() else { return self.unwell("it has no process") };
        if is_former(&fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()) {
            return self.unwell("the former program runs on, the new one was not started");
        }
        match self.works(run_dir) {
            Ok(()) => Look::Well(pid),
            Err(why) => self.unwell(&why),
        }
    }

    fn unwell(self, why: &str) -> Look {
        Look::Unwell(format!("{}: {why}", self.name()))
    }

    fn works(self, run_dir: &Path) -> Result<(), String> {
        let socket = run_dir.join(format!("{}.sock", self.name()));
        let ask = |what: &str| ask_within(&socket, &json!({ "do": what }), ANSWER).map_err(|error| why(&error));
        if self == Daemon::Gateway {
            ask("probe")?;
        }
        let status = ask("status")?;
        match hinders(self, &status["status"]) {
            Some(what) => Err(what.to_owned()),
            None => Ok(()),
        }
    }
}

/// What keeps it from its work, by its own status. Whether a platform answers is no matter of the program.
fn hinders(daemon: Daemon, status: &Value) -> Option<&str> {
    match daemon {
        Daemon::Gateway => status["journal"]["failing"].as_str(),
        Daemon::Sync => status["waiting_for"].as_str(),
    }
}

/// Without the next command: nobody has to type one.
fn why(error: &AskError) -> String {
    match error {
        AskError::Connect { .. } => "it does not answer".into(),
        AskError::Exchange { .. } => "it does not answer in time".into(),
        AskError::NotJson { .. } => "it answers what nobody understands".into(),
        AskError::Refused { why, .. } => format!("it stores nothing: {why}"),
    }
}

/// dpkg has put another file in the place of the program that runs.
fn is_former(program: &Path) -> bool {
    program.to_string_lossy().ends_with(" (deleted)")
}

/// Those that work now, as far as somebody wants them to run.
pub(super) fn working(run_dir: &Path) -> Vec<Daemon> {
    Daemon::ALL.into_iter().filter(|daemon| matches!(daemon.look(run_dir), Look::Well(_))).collect()
}

/// Has systemd do this to each of them.
pub(super) fn order(verb: &[&str], daemons: &[Daemon]) -> Result<(), UpgradeError> {
    if daemons.is_empty() {
        return Ok(());
    }
    let units: Vec<&str> = daemons.iter().map(|daemon| daemon.unit()).collect();
    systemctl(&[verb, &units].concat()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_dpkg_replaced_is_the_former_one() {
        assert!(
            is_former(Path::new("/usr/bin/weir.dpkg-tmp (deleted)")) && is_former(Path::new("/usr/bin/weir (deleted)"))
        );
        assert!(!is_former(Path::new("/usr/bin/weir")));
    }

    #[test]
    fn only_what_the_daemon_itself_lacks_hinders_it() {
        let failing = json!({"journal": {"failing": "the disk is full"}});
        assert_eq!(hinders(Daemon::Gateway, &failing), Some("the disk is full"));
        assert_eq!(hinders(Daemon::Gateway, &json!({"journal": {"failing": null}})), None);
        let offline =
            json!({"waiting_for": null, "destinations": [{"name": "city", "last_error": {"what": "no route"}}]});
        assert_eq!(hinders(Daemon::Sync, &offline), None);
        assert_eq!(hinders(Daemon::Sync, &json!({"waiting_for": "the journal"})), Some("the journal"));
    }
}
