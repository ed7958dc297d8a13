//! The former version in the place of the new one. Each step may be the first after a power cut.
//!
//! Both daemons stop, and nobody opens their files while it is seen whether the former program can read them. Then they run by that
//! program, out of the folder where it is kept, and only then dpkg is asked, which may be busy for others for as long as it likes.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use control::chain;
use journal::{Standstill, StoreError};

use super::error::UpgradeError;
use super::state::{Daemon, Upgrade};
use super::trial::Look;
use super::{Places, daemons, package};

/// Of units for this boot, in the order of which this one is the last.
const UNITS: &str = "/run/systemd/system";
const STAND_IN: &str = "zz-weir-former.conf";
/// A sensor that knocks between the stop and the lock has the daemon started again.
const STOPS_MAX: u32 = 10;
/// From one try of dpkg to the next; apt may hold its lock for an hour.
const RETRY: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];

/// What it came to.
#[derive(Debug)]
pub(super) enum Outcome {
    IsBack,
    /// The new version stays; the daemons run by it.
    Hindered(String),
}

/// Puts the former version back.
pub(super) fn carry_out(places: &Places, upgrade: &Upgrade) -> Result<Outcome, UpgradeError> {
    if package::installed()?.as_ref() == Some(&upgrade.from) {
        no_stand_in()?;
        return Ok(Outcome::IsBack);
    }
    // Whoever stopped one wants it to stay so.
    let wanted: Vec<Daemon> =
        Daemon::ALL.into_iter().filter(|daemon| daemon.look(&places.run_dir) != Look::Stopped).collect();
    let hindered = match stand_still(places, &wanted)? {
        Ok(still) => {
            stand_in(places, &wanted)?;
            // What somebody started meanwhile is the new program still, and could not open anything.
            stop(&wanted)?;
            drop(still);
            None
        }
        Err(why) => Some(why),
    };
    daemons::order(&["start", "--no-block"], &wanted)?;
    if let Some(why) = hindered {
        return Ok(Outcome::Hindered(why));
    }
    let (mut pause, mut told) = (RETRY[0], String::new());
    while let Err(error) = by_dpkg(places) {
        let why = chain(&error);
        if why != told {
            log::warn!(why = why.as_str(); "dpkg does not put the former version back yet; its program runs meanwhile");
        }
        told = why;
        sleep(pause);
        pause = (pause * 2).min(RETRY[1]);
    }
    Ok(Outcome::IsBack)
}

fn by_dpkg(places: &Places) -> Result<(), UpgradeError> {
    package::unpack(&places.package())?;
    // Its postinst has systemd read the units again, and starts the daemons by the installed program.
    no_stand_in()?;
    package::configure()
}

/// Nobody writes; or why the former program must not.
fn stand_still(places: &Places, wanted: &[Daemon]) -> Result<Result<Standstill, String>, UpgradeError> {
    let files = ["journal/journal.db", "outbox/outbox.db"].map(|path| places.state_dir.join(path));
    let mut stops = 1;
    loop {
        stop(wanted)?;
        match Standstill::begin(&files[0], &files[1]) {
            Ok(still) => return Ok(Ok(still)),
            Err(StoreError::AlreadyOpen { .. }) if stops < STOPS_MAX => stops += 1,
            Err(error) => return Ok(Err(chain(&error))),
        }
    }
}

/// Waits until they have stopped.
fn stop(daemons: &[Daemon]) -> Result<(), UpgradeError> {
    daemons::order(&["stop"], daemons)
}

/// From their next start on the daemons run by the kept program, until dpkg has the real one in its place. A reboot ends it.
fn stand_in(places: &Places, wanted: &[Daemon]) -> Result<(), UpgradeError> {
    for daemon in wanted {
        let path = drop_in(*daemon);
        let failed = |source| UpgradeError::File { doing: "write", path: path.clone(), source };
        fs::create_dir_all(path.parent().unwrap_or(Path::new(UNITS))).map_err(failed)?;
        let text = format!("[Service]\nExecStart=\nExecStart={} {}\n", places.program().display(), daemon.words());
        fs::write(&path, text).map_err(failed)?;
    }
    package::systemctl(&["daemon-reload"]).map(drop)
}

/// The installed program is the daemons' again; systemd has to be told so afterwards.
pub(super) fn no_stand_in() -> Result<(), UpgradeError> {
    for path in Daemon::ALL.map(drop_in) {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(UpgradeError::File { doing: "remove", path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn drop_in(daemon: Daemon) -> PathBuf {
    Path::new(UNITS).join(format!("{}.d", daemon.unit())).join(STAND_IN)
}
