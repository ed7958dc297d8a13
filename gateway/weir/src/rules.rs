//! `weir rules`: whether rules can be trusted, before they are.

mod backtest;
mod explain;
mod in_force;
mod reload;
mod trial;

use std::path::{Path, PathBuf};

use ::rules::ScenarioError;
use clap::{Args, Subcommand};
use control::chain;
use gatewayd::config::{Rules, RulesPlace, load_rules};
use jiff::Timestamp;

pub(crate) use reload::after as reload_after;

use crate::cli::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;

/// Where a box's own are, as the package has it.
const GATEWAY_TOML: &str = "/etc/weir/gateway.toml";

/// `weir rules`
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Whether rules can work: those of these files and folders together; without any, those of /etc/weir.
    Check(CheckArgs),
    /// The rules in force: those of rules.toml, or those that a platform put in their place.
    Show(ShowArgs),
    /// Read rules.toml and rules.d again and put them in force at once; nothing is started again, and no connection is lost.
    Reload(ReloadArgs),
    /// Play the tests of a file to the rules: samples, and which alarms they must make.
    Test(TestArgs),
    /// Play the journal of this box to rules: which alarms they would have made, beside those that were.
    Backtest(BacktestArgs),
    /// What stands behind an alarm: its cause as received and decoded, the clock, what was before, and the rule as it is now.
    Explain(ExplainArgs),
}

/// `weir rules check`
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Files of rules, or folders with them.
    #[arg(value_name = "PATH")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// `weir rules show`
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    output: Output,
}

/// `weir rules reload`
#[derive(Debug, Args)]
pub(crate) struct ReloadArgs {
    /// Why; it is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    output: Output,
}

/// `weir rules test`
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The tests, or a folder with them (*.test.toml); config/rules.test.toml is an example.
    #[arg(value_name = "PATH")]
    tests: PathBuf,
    /// The rules, a file or a folder; several times for more of them. Without it, those in force.
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// `weir rules backtest`
#[derive(Debug, Args)]
pub(crate) struct BacktestArgs {
    /// The rules, a file or a folder; several times for more of them. Without it, those in force.
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// From this time on, as 2026-11-23T08:00:00Z; without it, from the first record.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this time; without it, to the newest record.
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    #[command(flatten)]
    output: Output,
}

/// `weir rules explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The number of the alarm's record, as `weir tail` shows it.
    #[arg(value_name = "ALARM")]
    seq: u64,
    /// The rules, a file or a folder; several times for more of them. Without it, those in force.
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Why rules were not tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    /// The rules.
    #[error("the rules were not read: {0} · try: weir rules check PATH")]
    Rules(String),
    /// A file of tests.
    #[error("failed to read `{path}` · try: another path")]
    Read {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// What stands in it.
    #[error("`{path}` is no file of tests · try: config/rules.test.toml is an example")]
    Tests {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: ScenarioError,
    },
    /// The journal.
    #[error("failed to look into the journal · try: weir journal check")]
    Store(#[source] journal::StoreError),
    /// No such alarm.
    #[error("record {0} is no alarm that can be read · try: weir tail -n 1000")]
    NoAlarm(u64),
}

/// Does what was typed.
pub(crate) fn run(command: &RulesCommand, dirs: (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    match command {
        RulesCommand::Check(args) => in_force::check(args, lang),
        RulesCommand::Show(args) => in_force::show(args, dirs, lang),
        RulesCommand::Reload(args) => reload::run(args, dirs.1, lang),
        RulesCommand::Test(args) => trial::run(args, dirs, lang),
        RulesCommand::Backtest(args) => backtest::run(args, dirs, lang),
        RulesCommand::Explain(args) => explain::run(args, dirs, lang),
    }
}

/// The rules of these files and folders; without any, of those that a gateway here would start with.
fn load(paths: &[PathBuf]) -> Result<Rules, RulesError> {
    let installed = || RulesPlace::of(Path::new(GATEWAY_TOML)).unwrap_or_else(|_| RulesPlace::installed()).load();
    let loaded = if paths.is_empty() { installed() } else { load_rules(paths) };
    loaded.map_err(|error| RulesError::Rules(chain(&error)))
}
