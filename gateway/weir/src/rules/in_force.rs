//! Which rules are in force: those of rules.toml and rules.d, or those that a platform put in their place.

use std::io::Write;
use std::path::{Path, PathBuf};

use ::rules::RuleSet;
use batch::{Command, Order};
use gatewayd::config::versions_in;
use journal::Reader;
use record::{Act, Audit, Body, ConfigFile, Seq, SeqRange};
use serde_json::json;
use versions::Versions;

use super::{CheckArgs, GATEWAY_TOML, RulesError, ShowArgs, load};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};
use crate::status::ask_gateway;

/// An order is read alone, whatever its size.
const ONE_RECORD: usize = 1;

/// Where rules come from.
enum Origin {
    Files(Vec<PathBuf>),
    /// The files as the gateway read them, and whether they were changed since.
    Read {
        text: String,
        changed: bool,
    },
    /// A platform's, in the record with this number.
    Platform(String, Seq),
}

/// The rules of what was named, else those in force.
pub(super) fn rules(named: &[PathBuf], (state_dir, run_dir): (&Path, &Path)) -> Result<RuleSet, RulesError> {
    let parsed = |text: &str| RuleSet::from_toml(text).map_err(|error| RulesError::Rules(error.to_string()));
    match origin(named, (state_dir, run_dir)) {
        Origin::Files(paths) => Ok(load(&paths)?.set),
        Origin::Read { text, .. } => parsed(&text),
        Origin::Platform(_, seq) => parsed(&text(state_dir, seq)?),
    }
}

/// Says whether rules can work, and how many they are.
pub(super) fn check(args: &CheckArgs, lang: Lang) -> Result<Exit, CommandError> {
    let count = load(&args.rules)?.set.iter().len();
    let mut out = output::stdout();
    let text = match (args.output.json, lang) {
        (true, _) => json!({ "ok": true, "rules": count }).to_string(),
        (false, Lang::En) => format!("ok, {count} rules"),
        (false, Lang::Zh) => format!("通过，共 {count} 条规则"),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// Prints the rules in force, as TOML.
pub(super) fn show(args: &ShowArgs, (state_dir, run_dir): (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let origin = origin(&[], (state_dir, run_dir));
    let toml = match &origin {
        Origin::Files(paths) => load(paths)?.text,
        Origin::Read { text, .. } => text.clone(),
        Origin::Platform(_, seq) => text(state_dir, *seq)?,
    };
    let mut out = output::stdout();
    if args.output.json {
        let (platform, record) = match &origin {
            Origin::Files(_) | Origin::Read { .. } => (None, None),
            Origin::Platform(platform, seq) => (Some(platform), Some(seq)),
        };
        line(&mut out, &json!({ "platform": platform, "record": record, "toml": toml }).to_string())?;
    } else {
        let whose = match &origin {
            Origin::Files(_) | Origin::Read { changed: false, .. } => {
                lang.pick("rules.toml and rules.d", "rules.toml 与 rules.d").to_owned()
            }
            Origin::Read { .. } => lang
                .pick(
                    "the files have other rules by now, which are not in force · try: weir rules reload --reason TEXT",
                    "文件已修改，尚未生效；以下为当前规则 · try: weir rules reload --reason 理由",
                )
                .to_owned(),
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
fn origin(named: &[PathBuf], (state_dir, run_dir): (&Path, &Path)) -> Origin {
    let files = || Origin::Files(named.to_vec());
    if !named.is_empty() {
        return files();
    }
    let Ok(gateway) = ask_gateway(run_dir) else { return files() };
    match gateway.rules {
        Some(rules) => Origin::Platform(rules.platform, Seq(rules.command)),
        None => as_read(state_dir, &gateway.rules_sha256).unwrap_or_else(files),
    }
}

/// The text with this hash, among those that are kept.
fn as_read(state_dir: &Path, sha256: &str) -> Option<Origin> {
    let is_it = |hash: [u8; 32]| hex::encode(hash) == sha256;
    let kept = Versions::open(&versions_in(state_dir)).ok()?;
    let version = kept.iter().find(|version| version.file == ConfigFile::Rules && is_it(version.sha256))?;
    let text = kept.text(version).ok()?;
    let changed = match load(&[]) {
        Ok(rules) => !is_it(versions::sha256(&rules.text)),
        Err(_) => Path::new(GATEWAY_TOML).exists(),
    };
    Some(Origin::Read { text, changed })
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
