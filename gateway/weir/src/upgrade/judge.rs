//! The judge, as weir-upgraded.service runs it: looks, decides, and is done.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use control::chain;
use journal::StoreError;

use super::error::UpgradeError;
use super::roll_back::{self, Outcome};
use super::settings::{self, Settings};
use super::state::{Phase, Upgrade, now_ms};
use super::trial::{Look, Trial, Verdict};
use super::{Places, package};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::{logging, self_test};

/// Its unit.
pub(super) const UNIT: &str = "weir-upgraded.service";
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the former version, when it is back, is waited for until it stores the record that says so.
const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// Judges what is to be judged, and ends.
pub(super) fn run(places: &Places) -> Result<Exit, CommandError> {
    logging::start();
    let Some(upgrade) = Upgrade::load(&places.folder)? else {
        end(places)?;
        return Ok(Exit::Good);
    };
    match &upgrade.phase {
        Phase::Waiting => on_trial(places, upgrade),
        Phase::Stuck { .. } => until_well(places, upgrade),
        Phase::RollingBack { why, by } => {
            let (why, by) = (why.clone(), *by);
            back(places, upgrade, why, by)
        }
        // The power was cut before this.
        Phase::Kept { .. } | Phase::Accepted { .. } | Phase::RolledBack { .. } => {
            end(places)?;
            Ok(Exit::Good)
        }
    }
}

/// Nothing is to be judged any more; its package stays to go back to, unless it is the installed one.
pub(super) fn end(places: &Places) -> Result<(), UpgradeError> {
    package::remove(&places.program())
}

fn on_trial(places: &Places, upgrade: Upgrade) -> Result<Exit, CommandError> {
    let settings = Settings::load(Path::new(settings::PATH)).unwrap_or_else(|error| {
        log::error!(error = chain(&error).as_str(); "the defaults count for this upgrade");
        Settings::default()
    });
    log::info!(
        to = upgrade.to.as_str(), from = upgrade.from.as_str(), deadline_s = settings.deadline_s;
        "a new version is on trial"
    );
    let trial = Trial::begin(settings.deadline(), settings.hold());
    let Some(why) = watch(places, &upgrade, trial) else { return proved(places, upgrade) };
    if package::version()? == upgrade.from {
        log::warn!("apt did not end what it began, the former version is there");
        Upgrade::forget(&places.folder)?;
        end(places)?;
        return Ok(Exit::Good);
    }
    match settings.rollback {
        true => back(places, upgrade, why, None),
        false => stuck(places, upgrade, why, "rollback = false in upgrade.toml".into()),
    }
}

/// Looks until it is well (none), or why it was not in time.
fn watch(places: &Places, upgrade: &Upgrade, mut trial: Trial) -> Option<String> {
    let (begun, mut told) = (Instant::now(), String::new());
    loop {
        let looks: Vec<Look> = upgrade.judged.iter().map(|daemon| daemon.look(&places.run_dir)).collect();
        let mut verdict = trial.see(begun.elapsed(), &looks);
        if verdict == Verdict::Well && upgrade.tested {
            let reason = format!("weir {} has replaced {} and works", upgrade.to, upgrade.from);
            if let Err(why) = test(places, &reason) {
                log::warn!(why = why.as_str(); "the new version does not store a test frame");
                verdict = trial.disprove(why);
            }
        }
        match verdict {
            Verdict::Well => return None,
            Verdict::NotWell(why) => return Some(why),
            Verdict::Waiting => {}
        }
        let why = looks.iter().find_map(|look| if let Look::Unwell(why) = look { Some(why.as_str()) } else { None });
        let why = why.unwrap_or_default();
        if why != told && !why.is_empty() {
            log::warn!(why; "the new version is not well yet");
        }
        told = why.to_owned();
        sleep(LOOK_EVERY);
    }
}

fn proved(places: &Places, mut upgrade: Upgrade) -> Result<Exit, CommandError> {
    if package::version()? == upgrade.from {
        Upgrade::forget(&places.folder)?;
    } else {
        log::info!(to = upgrade.to.as_str(); "the new version works, and stays");
        upgrade.phase = Phase::Kept { at_ms: now_ms() };
        upgrade.save(&places.folder)?;
    }
    end(places)?;
    Ok(Exit::Good)
}

fn back(places: &Places, mut upgrade: Upgrade, why: String, by: Option<u32>) -> Result<Exit, CommandError> {
    log::error!(
        to = upgrade.to.as_str(), from = upgrade.from.as_str(), why = why.as_str(); "the former version is put back"
    );
    upgrade.phase = Phase::RollingBack { why: why.clone(), by };
    upgrade.save(&places.folder)?;
    match roll_back::carry_out(places, &upgrade)? {
        Outcome::Hindered(hinders) => stuck(places, upgrade, why, hinders),
        Outcome::IsBack => {
            package::avoid(&upgrade.to)?;
            upgrade.phase = Phase::RolledBack { at_ms: now_ms(), why: why.clone(), by };
            upgrade.save(&places.folder)?;
            package::remove(&places.package())?;
            end(places)?;
            let reason = format!("weir {} was taken back, {} works again: {why}", upgrade.to, upgrade.from);
            tell_the_journal(places, &upgrade, &reason);
            Ok(Exit::Good)
        }
    }
}

/// The new version goes on as well as it can, and is told loudly until it is well.
fn stuck(places: &Places, mut upgrade: Upgrade, why: String, hinders: String) -> Result<Exit, CommandError> {
    log::error!(
        to = upgrade.to.as_str(), from = upgrade.from.as_str(), why = why.as_str(), hinders = hinders.as_str();
        "the new version is not well and stays, because the former one cannot take its place"
    );
    upgrade.phase = Phase::Stuck { at_ms: now_ms(), why, hinders };
    upgrade.save(&places.folder)?;
    until_well(places, upgrade)
}

fn until_well(places: &Places, upgrade: Upgrade) -> Result<Exit, CommandError> {
    let trial = Trial::begin(Duration::MAX, Settings::default().hold());
    watch(places, &upgrade, trial);
    proved(places, upgrade)
}

/// A frame of the box's own, through the port of the sensors into the journal, where it stays and says why it came.
pub(super) fn test(places: &Places, reason: &str) -> Result<(), String> {
    match self_test::store(reason, (&places.state_dir, &places.run_dir)) {
        // It was acknowledged, and this program cannot look for it: the new one's journal is a newer one.
        Ok(_) | Err(CommandError::Store(StoreError::Schema { .. })) => Ok(()),
        Err(error) => Err(chain(&error)),
    }
}

/// Platforms read it there.
fn tell_the_journal(places: &Places, upgrade: &Upgrade, reason: &str) {
    if !upgrade.tested {
        return;
    }
    let begun = Instant::now();
    loop {
        match test(places, reason) {
            Ok(()) => return log::info!(from = upgrade.from.as_str(); "the former version works again"),
            Err(why) if begun.elapsed() > TOLD_WITHIN => {
                return log::error!(why = why.as_str(); "the former version is back, and does not work either");
            }
            Err(_) => sleep(LOOK_EVERY),
        }
    }
}
