//! `weir doctor`: what is not well on this box, from the power supply to the platforms, with cause, evidence and the command
//! that mends it.
//!
//! ```text
//! /sys, /proc, files, systemd ─┐
//! both control sockets ────────┼─► probes ─► Facts ─► checks (pure) ─► Finding { verdict, evidence, cause, cure } ─► text, JSON
//! journal, outbox, platforms ──┘  all at once, each with a bound
//! ```
//! It needs no daemon, and no rights: what could not be seen is said, and how to see it.

mod check;
mod checks;
mod facts;
mod print;
mod probes;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};
use check::Finding;
use facts::Places;

/// `weir doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Show also what is well and what could not be seen.
    #[arg(long)]
    all: bool,
    /// Name every check and what it looks at, and look at nothing.
    #[arg(long, conflicts_with = "all")]
    list: bool,
    /// The gateway's configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/weir/gateway.toml")]
    config: PathBuf,
    /// The upload daemon's configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/weir/sync.toml")]
    sync_config: PathBuf,
    /// One JSON object instead of text for people; it has every finding.
    #[arg(long)]
    json: bool,
}

/// Looks at the box. [`Exit::NotWell`] if something has to be done.
pub(crate) fn run(args: &DoctorArgs, (state_dir, run_dir): (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let mut out = output::stdout();
    if args.list {
        list(&mut out, args.json, lang)?;
        out.flush().map_err(CommandError::output)?;
        return Ok(Exit::Good);
    }
    let findings = examine(&args.config, &args.sync_config, (state_dir, run_dir), lang);
    if args.json {
        line(&mut out, &shown(&findings).to_string())?;
    } else {
        print::findings(&mut out, &findings, args.all, lang)?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if is_well(&findings) { Exit::Good } else { Exit::NotWell })
}

/// Every finding as `--json` prints it.
pub(crate) fn report(
    (config, sync_config): (&Path, &Path),
    (state_dir, run_dir): (&Path, &Path),
    lang: Lang,
) -> serde_json::Value {
    shown(&examine(config, sync_config, (state_dir, run_dir), lang))
}

fn shown(findings: &[Finding]) -> serde_json::Value {
    json!({"well": is_well(findings), "findings": findings})
}

fn is_well(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.verdict.is_well())
}

/// What is found on this box now.
fn examine(config: &Path, sync_config: &Path, (state_dir, run_dir): (&Path, &Path), lang: Lang) -> Vec<Finding> {
    let places = Places {
        config: config.into(),
        sync_config: sync_config.into(),
        state_dir: state_dir.into(),
        run_dir: run_dir.into(),
    };
    checks::examine(&probes::gather(&places), lang)
}

fn list(out: &mut impl Write, json: bool, lang: Lang) -> Result<(), CommandError> {
    if !json {
        return print::list(out, checks::all(), lang);
    }
    let all: Vec<_> = checks::all().map(|check| json!({"check": check.id, "title": check.title.told(lang)})).collect();
    line(out, &json!({"checks": all}).to_string())
}
