//! `weir manual` and `weir patrol`: what people found at an outfall, entered by hand. The gateway journals it in the name of whoever
//! typed it; it is no reading, and nothing judges it.

mod add;
mod list;

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use record::{Decimal, OutfallCode, OutfallCodeError, PatrolState, Quantity, Unit};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
pub(crate) use list::replaced;

/// `weir manual`
#[derive(Debug, Subcommand)]
pub(crate) enum ManualCommand {
    /// Enter a sample and what a laboratory found in it. It is journaled at once and cannot be changed, only replaced.
    Add(Box<SampleArgs>),
    /// The samples that were entered, the newest last, and which of them were replaced.
    List(ListArgs),
}

/// `weir patrol`
#[derive(Debug, Subcommand)]
pub(crate) enum PatrolCommand {
    /// Enter what a patrol found. It is journaled at once and cannot be changed, only replaced.
    Add(Box<PatrolArgs>),
    /// The patrols that were entered, the newest last, and which of them were replaced.
    List(ListArgs),
}

/// What every entry has.
#[derive(Debug, Args)]
pub(crate) struct EntryArgs {
    /// The outfall's code; it has a dossier.
    #[arg(long, value_name = "CODE", value_parser = code)]
    outfall: OutfallCode,
    /// Who was there: whoever took the sample, or went on the patrol.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// A file that belongs to it, a report or a photograph: its name and SHA-256 are journaled, and not what is in it; may be
    /// repeated.
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// The record of the entry that counts no more because of this one; that stays, and is shown as replaced.
    #[arg(long, value_name = "SEQ", requires = "reason")]
    replaces: Option<u64>,
    /// Why it is replaced. It is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT", requires = "replaces")]
    reason: Option<String>,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// `weir manual add`
#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    #[command(flatten)]
    entry: EntryArgs,
    /// When the sample was taken, as 2026-11-23T08:00+08:00.
    #[arg(long, value_name = "TIME")]
    taken: Timestamp,
    /// What was found, as cod=35.2, or 'nh3_n=<0.025' below the detection limit; in the unit of that quantity, which may be
    /// named ('cod=35.2 mg/L'); may be repeated.
    #[arg(long, value_name = "QUANTITY=VALUE", required = true, value_parser = typed_value)]
    value: Vec<TypedValue>,
    /// By which method, as 'cod=HJ 828-2017'; may be repeated.
    #[arg(long, value_name = "QUANTITY=METHOD", value_parser = method)]
    method: Vec<(Quantity, String)>,
    /// The laboratory.
    #[arg(long, value_name = "NAME")]
    lab: Option<String>,
    /// The sample's number.
    #[arg(long, value_name = "TEXT")]
    number: Option<String>,
    /// What else is to be known.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// `weir patrol add`
#[derive(Debug, Args)]
pub(crate) struct PatrolArgs {
    #[command(flatten)]
    entry: EntryArgs,
    /// When the patrol was there, as 2026-11-23T08:00+08:00.
    #[arg(long, value_name = "TIME")]
    at: Timestamp,
    /// What was found.
    #[arg(long, value_name = "TEXT")]
    finding: String,
    /// How the outfall was.
    #[arg(long, value_parser = PossibleValuesParser::new(PatrolState::ALL.iter().map(|state| state.as_str())))]
    state: Option<String>,
}

/// `weir manual list`, `weir patrol list`
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Of this outfall alone.
    #[arg(long, value_name = "CODE", value_parser = code)]
    outfall: Option<OutfallCode>,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// `nh3_n=<0.025 mg/L`
#[derive(Debug, Clone)]
struct TypedValue {
    quantity: Quantity,
    value: Decimal,
    is_below: bool,
    unit: Option<Unit>,
}

/// Why nothing was entered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManualError {
    /// A method of nothing.
    #[error("--method {0}: no value of it is entered · try: --value {0}=35.2")]
    MethodOfNothing(Quantity),
    /// A file of which nobody would know the name.
    #[error("`{0}` has no name that can be journaled · try: a file with a name in UTF-8")]
    NoName(PathBuf),
}

/// Does what was typed after `weir manual`.
pub(crate) fn run(command: &ManualCommand, dirs: (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let (state_dir, run_dir) = dirs;
    match command {
        ManualCommand::Add(args) => add::sample(args, run_dir, lang),
        ManualCommand::List(args) => list::samples(args, state_dir, lang),
    }
}

/// Does what was typed after `weir patrol`.
pub(crate) fn run_patrol(command: &PatrolCommand, dirs: (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let (state_dir, run_dir) = dirs;
    match command {
        PatrolCommand::Add(args) => add::patrol(args, run_dir, lang),
        PatrolCommand::List(args) => list::patrols(args, state_dir, lang),
    }
}

fn code(text: &str) -> Result<OutfallCode, OutfallCodeError> {
    OutfallCode::new(text)
}

fn typed_value(text: &str) -> Result<TypedValue, String> {
    let form = "write QUANTITY=VALUE, as cod=35.2 or 'nh3_n=<0.025'";
    let (quantity, rest) = text.split_once('=').ok_or(form)?;
    let quantity = Quantity::new(quantity.trim()).map_err(|error| error.to_string())?;
    let rest = rest.trim();
    let (is_below, rest) = rest.strip_prefix('<').map_or((false, rest), |limit| (true, limit.trim_start()));
    let (number, unit) = rest.split_once(' ').map_or((rest, None), |(number, unit)| (number, Some(unit.trim())));
    let value = Decimal::parse(number).map_err(|error| format!("{error}: {form}"))?;
    let unit = unit.map(Unit::new).transpose().map_err(|error| error.to_string())?;
    Ok(TypedValue { quantity, value, is_below, unit })
}

fn method(text: &str) -> Result<(Quantity, String), String> {
    let (quantity, method) = text.split_once('=').ok_or("write QUANTITY=METHOD, as 'cod=HJ 828-2017'")?;
    Ok((Quantity::new(quantity.trim()).map_err(|error| error.to_string())?, method.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_typed_with_or_without_its_unit() {
        let check = |text: &str, expected: &str| {
            let shown = match typed_value(text) {
                Ok(TypedValue { quantity, value, is_below, unit }) => format!("{quantity} {is_below} {value} {unit:?}"),
                Err(why) => why,
            };
            assert!(shown.contains(expected), "{text}: {shown}");
        };
        check("cod=35.2", "cod false 35.2 None");
        check("nh3_n=<0.025", "nh3_n true 0.025 None");
        check(" tp = < 0.01 mg/L ", "tp true 0.01 Some(\"mg/L\")");
        check("cod=35.2 mg/L", "cod false 35.2 Some(\"mg/L\")");
        check("cod", "write QUANTITY=VALUE");
        check("COD=3", "is not a quantity name");
        check("cod=much", "`much` is not a decimal number: write QUANTITY=VALUE");
        check("cod=", "is not a decimal number");
        check("cod=1 m g", "is not a unit");
    }
}
