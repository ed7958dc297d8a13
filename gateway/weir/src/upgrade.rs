//! `weir upgrade`: a new version of the package is on trial until it has proved itself; else the former one comes back.
//!
//! ```text
//! apt ─► prerm of the former: keep ─► new files ─► postinst ─► weir-upgraded.service: judge ─┬─► well for a while: kept
//!           its package, its program                                                         ├─► not well in time: rolled back
//!                                                                                            └─► not readable by the former: stuck
//! ```
//! The judge is the former version's program, kept aside: a new one that does not even start is judged all the same. It asks what
//! served before apt began, and nothing else: whether a platform answers is no matter of the program. What it decided stands in
//! a file, so that a power cut in the middle of it changes nothing.
//!
//! Invariants: a version is rolled back at most once for each time that somebody installs it; a journal is never given to a
//! program that cannot read it.

mod daemons;
mod error;
mod former;
mod judge;
mod package;
mod roll_back;
mod settings;
mod state;
mod told;
mod trial;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rustix::process::getuid;
use serde_json::json;

use crate::cli::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};
pub(crate) use error::UpgradeError;
pub(crate) use settings::Settings;
use state::Phase;
pub(crate) use state::Upgrade;
pub(crate) use told::{Weight, told};

/// `weir upgrade`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct UpgradeArgs {
    #[command(subcommand)]
    command: Option<UpgradeCommand>,
    /// How it is printed.
    #[command(flatten)]
    output: Output,
}

/// What can be done about an upgrade.
#[derive(Debug, Subcommand)]
enum UpgradeCommand {
    /// Keep the new version, whatever its trial would find, and end the trial.
    Accept(Because),
    /// Put the former version back, which is kept until the next upgrade.
    Rollback(Because),
    /// Keep this version's package and program, before another one takes its place; the package's prerm calls it.
    #[command(hide = true)]
    Keep {
        /// Of the package that is to come.
        #[arg(id = "to", value_name = "VERSION")]
        version: String,
    },
    /// Judge the new version; weir-upgraded.service calls it.
    #[command(hide = true)]
    Judge,
}

/// Why somebody decides.
#[derive(Debug, Args)]
struct Because {
    /// Why, in your words.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Where everything is.
#[derive(Debug, Clone)]
struct Places {
    state_dir: PathBuf,
    run_dir: PathBuf,
    /// What is kept of the former version. It is root's, unlike the daemons' own folder: programs are started out of it.
    folder: PathBuf,
}

impl Places {
    fn of((state_dir, run_dir): (&Path, &Path)) -> Places {
        Places { state_dir: state_dir.into(), run_dir: run_dir.into(), folder: folder(state_dir) }
    }

    /// The former version's program. It is there for as long as something is to be judged: the unit's condition.
    fn program(&self) -> PathBuf {
        self.folder.join("weir")
    }

    /// The former version's package.
    fn package(&self) -> PathBuf {
        self.folder.join("former.deb")
    }
}

/// Beside the folder of the daemons, `/var/lib/weir-upgrade`.
fn folder(state_dir: &Path) -> PathBuf {
    let mut name = state_dir.file_name().map(std::ffi::OsString::from).unwrap_or_default();
    name.push("-upgrade");
    state_dir.with_file_name(name)
}

/// The last upgrade of this box, if there was one, or what hinders to know it.
pub(crate) fn last(state_dir: &Path) -> Result<Option<Upgrade>, UpgradeError> {
    Upgrade::load(&folder(state_dir))
}

/// `weir upgrade …`
pub(crate) fn run(args: &UpgradeArgs, dirs: (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let places = Places::of(dirs);
    match &args.command {
        None => show(&places, args.output.json, lang),
        Some(UpgradeCommand::Accept(because)) => accept(&places, because, lang),
        Some(UpgradeCommand::Rollback(because)) => roll_back_by_hand(&places, because, lang),
        Some(UpgradeCommand::Keep { version }) => former::keep(&places, version),
        Some(UpgradeCommand::Judge) => judge::run(&places),
    }
}

/// [`Exit::NotWell`] if somebody has to look at it.
fn show(places: &Places, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let upgrade = Upgrade::load(&places.folder)?;
    let shown = upgrade.as_ref().map(|upgrade| told(upgrade, lang));
    let mut out = output::stdout();
    if json {
        line(&mut out, &json!({ "upgrade": upgrade }).to_string())?;
    } else {
        let none = lang.pick("no upgrade was judged yet", "尚无升级记录");
        line(&mut out, shown.as_ref().map_or(none, |(_, text)| text))?;
        if let Some(upgrade) = upgrade.filter(|_| places.package().exists()) {
            let kept = lang.pick("kept to go back to, until the next upgrade", "保留可回退的版本（至下次升级）");
            line(&mut out, &format!("{kept}: {} · try: sudo weir upgrade rollback --reason TEXT", upgrade.from))?;
        }
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if shown.is_some_and(|(weight, _)| weight != Weight::Note) { Exit::NotWell } else { Exit::Good })
}

/// Ends the trial. What was rolled back stays so: the package is installed again for that.
fn accept(places: &Places, because: &Because, lang: Lang) -> Result<Exit, CommandError> {
    let reason = reason(because)?;
    let mut upgrade = Upgrade::load(&places.folder)?.ok_or(UpgradeError::NoneYet)?;
    if !matches!(upgrade.phase, Phase::Waiting | Phase::Stuck { .. }) {
        return Err(UpgradeError::NotOnTrial { to: upgrade.to }.into());
    }
    // It decides nothing between these lines.
    package::systemctl(&["stop", judge::UNIT])?;
    if matches!(Upgrade::load(&places.folder)?, Some(Upgrade { phase: Phase::RollingBack { .. }, .. })) {
        package::systemctl(&["start", "--no-block", judge::UNIT])?;
        return Err(UpgradeError::NotOnTrial { to: upgrade.to }.into());
    }
    upgrade.phase = Phase::Accepted { at_ms: state::now_ms(), by: getuid().as_raw(), reason };
    upgrade.save(&places.folder)?;
    judge::end(places)?;
    say(&upgrade, lang)
}

/// The judge does it, who can be asked for it again after a power cut.
fn roll_back_by_hand(places: &Places, because: &Because, lang: Lang) -> Result<Exit, CommandError> {
    let reason = reason(because)?;
    let mut upgrade = Upgrade::load(&places.folder)?.ok_or(UpgradeError::NoneYet)?;
    if package::installed()?.as_deref() == Some(&upgrade.from) {
        return Err(UpgradeError::IsThere { version: upgrade.from }.into());
    }
    if !places.package().exists() {
        return Err(UpgradeError::NothingKept { version: upgrade.from }.into());
    }
    package::systemctl(&["stop", judge::UNIT])?;
    upgrade.phase = Phase::RollingBack { why: reason, by: Some(getuid().as_raw()) };
    upgrade.save(&places.folder)?;
    former::program_again(places)?;
    package::systemctl(&["start", "--no-block", judge::UNIT])?;
    say(&upgrade, lang)
}

fn reason(because: &Because) -> Result<String, UpgradeError> {
    let reason = because.reason.trim();
    match reason.is_empty() || reason.len() > state::REASON_BYTES_MAX {
        true => Err(UpgradeError::NoReason { bytes_max: state::REASON_BYTES_MAX }),
        false => Ok(reason.to_owned()),
    }
}

fn say(upgrade: &Upgrade, lang: Lang) -> Result<Exit, CommandError> {
    let mut out = output::stdout();
    line(&mut out, &lang.told(&told(upgrade, lang).1))?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}
