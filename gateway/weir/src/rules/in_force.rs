//! Which rules are in force: those of rules.toml, or those that a platform put in their place.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use ::rules::RuleSet;
use batch::{Command, Order};
use journal::Reader;
use record::{Act, Audit, Body, Seq, SeqRange};
use serde_json::json;

use super::{INSTALLED, RulesError, ShowArgs, load};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};
use crate::status::ask_gateway;

/// An order is read alone, whatever its size.
const ONE_RECORD: usize = 1;

/// Where rules come from.
enum Origin {
    File(PathBuf),
    /// A platform's, in the record with this number.
    Platform(String, Seq),
}

/// The rules of a file that was named, else those in force.
pub(super) fn rules(named: Option<&Path>, (state_dir, run_dir): (&Path, &Path)) -> Result<RuleSet, RulesError> {
    match origin(named, run_dir) {
        Origin::File(path) => load(&path),
        Origin::Platform(_, seq) => {
            RuleSet::from_toml(&text(state_dir, seq)?).map_err(|error| RulesError::Rules(error.to_string()))
        }
    }
}

/// Prints the rules in force, as TOML.
pub(super) fn show(args: &ShowArgs, (state_dir, run_dir): (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let origin = origin(None, run_dir);
    let toml = match &origin {
        Origin::File(path) => {
            fs::read_to_string(path).map_err(|source| RulesError::Read { path: path.clone(), source })?
        }
        Origin::Platform(_, seq) => text(state_dir, *seq)?,
    };
    let mut out = output::stdout();
    if args.output.json {
        let (platform, record) = match &origin {
            Origin::File(_) => (None, None),
            Origin::Platform(platform, seq) => (Some(platform), Some(seq)),
        };
        line(&mut out, &json!({ "platform": platform, "record": record, "toml": toml }).to_string())?;
    } else {
        let whose = match &origin {
            Origin::File(path) => path.display().to_string(),
            Origin::Platform(platform, seq) => {
                format!("{} {platform}, {seq}", lang.pick("platform, record", "平台，记录"))
            }
        };
        line(&mut out, &format!("# {whose}\n{}", toml.trim_end()))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// A gateway that does not answer has no rules in force: then it is those that it would start with, as far as one can see.
fn origin(named: Option<&Path>, run_dir: &Path) -> Origin {
    let file = || Origin::File(named.unwrap_or(Path::new(INSTALLED)).to_owned());
    if named.is_some() {
        return file();
    }
    let told = ask_gateway(run_dir).ok().and_then(|gateway| gateway.rules);
    told.map_or_else(file, |rules| Origin::Platform(rules.platform, Seq(rules.command)))
}

fn text(state_dir: &Path, seq: Seq) -> Result<String, RulesError> {
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(RulesError::Store)?;
    let found = reader.read(SeqRange { first: seq, last: seq }, ONE_RECORD).map_err(RulesError::Store)?.pop();
    let order = found.and_then(|at| match at.record.body {
        Body::Audit(Audit { act: Act::Commanded { command, .. }, .. }) => Command::claimed(&command).ok(),
        _ => None,
    });
    match order.map(|command| command.order) {
        Some(Order::Rules { toml }) => Ok(toml),
        _ => Err(RulesError::Rules(format!("record {seq} has none any more"))),
    }
}
