//! `weir setup`: from a fresh package to the first receipt, by questions or by one file of answers for many boxes.
//!
//! Nothing remembers how far it came. Each step looks at the files, the journal, the daemons and the receipts themselves, so
//! that the same command goes on after a power cut, and changes nothing on a box that is finished.

mod answers;
mod ask;
mod error;
mod examples;
mod site;
mod step;
mod told;
mod units;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use batch::BoxId;
use clap::Args;
use rustix::system::uname;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use answers::Answers;
pub(crate) use error::SetupError;
use site::Site;
use step::{Came, Found, steps};
use told::{Console, State, Tally};
use units::Units;

/// `weir setup`
#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    /// Ask nothing: everything stands in this file, as `weir config template setup` explains it. One file serves many boxes.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Which box of that file this is; without it the file's `name`, else the [box.NAME] that is called as this machine.
    #[arg(long = "box", value_name = "NAME", requires = "answers")]
    box_id: Option<BoxId>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    plan: bool,
    /// So many seconds are waited for each daemon to be well, and for the platforms' receipts, 1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    wait: u64,
    /// Where gateway.toml and sync.toml are.
    #[arg(long, env = "WEIR_CONFIG_DIR", default_value = "/etc/weir", value_name = "DIR")]
    config_dir: PathBuf,
    /// One JSON object a line, for each step and at the end.
    #[arg(long, requires = "answers")]
    json: bool,
}

/// Asks or reads, then does what is not done yet.
pub(crate) fn run(args: &SetupArgs, dirs: (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let (state_dir, run_dir) = dirs;
    let site = Site {
        config_dir: &args.config_dir,
        state_dir,
        run_dir,
        units: Units::of(&args.config_dir, run_dir),
        patience: Duration::from_secs(args.wait),
    };
    let answers = match &args.answers {
        Some(file) => answers::read(file, args.box_id.as_ref(), &uname().nodename().to_string_lossy())?,
        None => ask::ask(&site, lang)?,
    };
    carry_out(&answers, &site, args.plan, &Console::new(args.json, lang), lang)
}

fn carry_out(
    answers: &Answers,
    site: &Site<'_>,
    plan: bool,
    console: &Console,
    lang: Lang,
) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let (mut tally, mut exit) = (Tally::default(), Exit::Good);
    for step in steps(answers) {
        let since = Instant::now();
        let title = (step.title(lang), step.as_str());
        let facts = match step.look(site, lang)? {
            Found::Done(facts) => {
                console.row(title, &facts, State::Already, since.elapsed())?;
                tally.already += 1;
                continue;
            }
            Found::Todo(facts) => facts,
        };
        if plan {
            tally.planned += 1;
            console.row(title, &facts, State::Planned, since.elapsed())?;
            continue;
        }
        let (facts, state) = match step.carry_out(site, console, lang) {
            Ok(Came::Done(facts)) => (facts, State::Done),
            Ok(Came::NotWell(facts)) => (facts, State::NotWell),
            Err(error) => {
                console.row(title, &facts, State::Failed, since.elapsed())?;
                if !step.is_optional() {
                    return Err(error);
                }
                console.failed(&error)?;
                tally.failed += 1;
                exit = Exit::NotWell;
                continue;
            }
        };
        tally.done += 1;
        if state == State::NotWell {
            exit = Exit::NotWell;
        }
        console.row(title, &facts, state, since.elapsed())?;
    }
    console.end(&tally, begun.elapsed())?;
    if exit == Exit::NotWell {
        console.note(lang.pick(
            "What is done stays; the same command goes on from here.",
            "已完成的步骤保留；再次执行同一命令即从此处继续。",
        ))?;
    }
    Ok(exit)
}
