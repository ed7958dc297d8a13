//! Keeping a version before another one takes its place. The package's prerm calls it, with the program that is about to go.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use super::error::UpgradeError;
use super::state::{Daemon, Phase, Upgrade, now_ms};
use super::{Places, daemons, judge, package, roll_back};
use crate::error::CommandError;
use crate::exit::Exit;

/// The daemons' users run the former program out of it, while dpkg is at work.
const FOLDER_MODE: u32 = 0o755;
const PROGRAM_MODE: u32 = 0o755;

/// Keeps the installed version until `to` has proved itself.
pub(super) fn keep(places: &Places, to: &str) -> Result<Exit, CommandError> {
    // Nothing is judged, or taken back, from here on until everything is kept.
    package::systemctl(&["stop", judge::UNIT])?;
    roll_back::no_stand_in()?;
    package::remove(&places.program())?;
    package::avoid_none()?;
    let copy = places.folder.join("weir.kept");
    let is_unproven = |upgrade: &Upgrade| matches!(upgrade.phase, Phase::Waiting | Phase::RollingBack { .. });
    // What cannot be read tells nothing that would be worth to stop an upgrade for.
    let last = Upgrade::load(&places.folder).unwrap_or_default().filter(is_unproven);
    let upgrade = match last.filter(|_| places.package().exists()) {
        // Somebody takes it back by hand, or the same once more: the one before it is what the box came from.
        Some(upgrade) if upgrade.from == to => None,
        // What is there has not proved itself: the one before it stays the one to go back to.
        Some(upgrade) => {
            package::extract_program(&places.package(), &copy)?;
            Some(Upgrade { to: to.into(), begun_ms: now_ms(), phase: Phase::Waiting, ..upgrade })
        }
        None => fresh(places, to, &copy)?,
    };
    let Some(upgrade) = upgrade else {
        Upgrade::forget(&places.folder)?;
        return Ok(Exit::Good);
    };
    upgrade.save(&places.folder)?;
    // The last step: what is there from now on is complete.
    package::settle(&copy, &places.program())?;
    Ok(Exit::Good)
}

/// None where nothing works: then nothing can become worse, and the new version may be the cure.
fn fresh(places: &Places, to: &str, copy: &Path) -> Result<Option<Upgrade>, CommandError> {
    let judged = daemons::working(&places.run_dir);
    let from = package::version()?;
    if judged.is_empty() || from == to {
        return Ok(None);
    }
    let folder = &places.folder;
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
    made.map_err(|source| UpgradeError::File { doing: "make", path: folder.clone(), source })?;
    package::remove(&places.package())?;
    package::pack(&places.package())?;
    let failed = |source| UpgradeError::File { doing: "write", path: copy.into(), source };
    let program = std::env::current_exe().map_err(failed)?;
    fs::copy(program, copy).map_err(failed)?;
    fs::set_permissions(copy, Permissions::from_mode(PROGRAM_MODE)).map_err(failed)?;
    let tested = judged.contains(&Daemon::Gateway)
        && judge::test(places, &format!("weir {from} is to be replaced by {to}")).is_ok();
    Ok(Some(Upgrade { from, to: to.into(), judged, tested, begun_ms: now_ms(), phase: Phase::Waiting }))
}

/// The kept version's program as the judge needs it, out of its package.
pub(super) fn program_again(places: &Places) -> Result<(), UpgradeError> {
    package::extract_program(&places.package(), &places.program())
}
