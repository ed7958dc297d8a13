//! `weir outfall`: the dossiers of the outfalls (一口一档). They are read from the journal; a change is ordered of the gateway,
//! which journals it in the name of whoever typed it.

mod change;
mod form;
mod show;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use journal::{Reader, Register};
use record::dossier::Day;
use record::{Dossier, OutfallCode, OutfallCodeError};

use crate::cli::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;
pub(crate) use change::{one, register as add};
pub(crate) use form::FormError;

use form::Form;

/// `weir outfall`
#[derive(Debug, Subcommand)]
pub(crate) enum OutfallCommand {
    /// Register an outfall: its data are taken from then on.
    Add(ChangeArgs),
    /// Give an outfall another dossier, whole: `weir outfall show CODE --toml > FILE`, change the file, then this.
    Edit(EditArgs),
    /// The dossier in force, or an older version, with what is to be mended in it.
    Show(ShowArgs),
    /// Every version: when, who, why, and what changed.
    History(HistoryArgs),
    /// All outfalls, their states and devices, and what is to be mended.
    List(Output),
    /// Add or edit many, all or none; what a file does not change stays as it is.
    Import(ImportArgs),
    /// The dossiers in force as a file.
    Export(ExportArgs),
}

/// `weir outfall add`
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// A dossier as TOML or JSON; `config/outfall.toml` is an example.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Why. It is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// `weir outfall edit`
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// Only if version N is in force, of which the file was made: another one who edits at the same time is not undone.
    #[arg(long, value_name = "N")]
    based_on: Option<u32>,
}

/// `weir outfall show`
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[arg(value_name = "CODE", value_parser = code)]
    code: OutfallCode,
    /// Version N instead of the one in force.
    #[arg(long, value_name = "N")]
    number: Option<u32>,
    /// As the file that `weir outfall edit` takes.
    #[arg(long, conflicts_with = "json")]
    toml: bool,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// `weir outfall history`
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[arg(value_name = "CODE", value_parser = code)]
    code: OutfallCode,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// `weir outfall import`
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Dossiers as JSON, CSV, GeoJSON or TOML.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is, where its name does not say.
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// Why. It is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// `weir outfall export`
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// These outfalls alone.
    #[arg(value_name = "CODE", value_parser = code)]
    codes: Vec<OutfallCode>,
    /// What to write; JSON, unless the file's name says another.
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// As the public may have it: of river chiefs no number that the sign does not show, and no contact of anyone else.
    #[arg(long)]
    public: bool,
    /// Into this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Why a verb about outfalls failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutfallError {
    /// A file.
    #[error(transparent)]
    Form(#[from] FormError),
    /// Nobody registered it.
    #[error("outfall {0} has no dossier · try: weir outfall list, or weir outfall add FILE --reason TEXT")]
    Unknown(OutfallCode),
    /// It never had that version, or the journal has it no more.
    #[error("the journal has no version {version} of outfall {code} · try: weir outfall history {code}")]
    Version {
        /// The outfall.
        code: OutfallCode,
        /// The version.
        version: u32,
    },
    /// TOML holds one.
    #[error("a TOML file holds one dossier, and {0} were to be written · try: --format json, or name one outfall")]
    OneForToml(usize),
    /// More than the gateway takes at a time.
    #[error("the dossiers have {0} bytes together, more than the gateway takes at a time · try: several files")]
    Long(usize),
}

fn code(text: &str) -> Result<OutfallCode, OutfallCodeError> {
    OutfallCode::new(text)
}

/// Does what was typed.
pub(crate) fn run(command: &OutfallCommand, dirs: (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let (state_dir, run_dir) = dirs;
    match command {
        OutfallCommand::Add(args) => change::add(args, run_dir, lang),
        OutfallCommand::Edit(args) => change::edit(args, run_dir, lang),
        OutfallCommand::Import(args) => change::import(args, run_dir, lang),
        OutfallCommand::Show(args) => show::show(args, state_dir, lang),
        OutfallCommand::History(args) => show::history(args, state_dir, lang),
        OutfallCommand::List(output) => show::list(state_dir, output.json, lang),
        OutfallCommand::Export(args) => export(args, state_dir, lang),
    }
}

/// Whether an outfall has a dossier.
pub(crate) fn has(code: &OutfallCode, state_dir: &Path) -> Result<bool, CommandError> {
    Ok(register(state_dir)?.1.dossier(code).is_some())
}

/// The outfalls as the journal tells of them.
pub(crate) fn register(state_dir: &Path) -> Result<(Reader, Register), CommandError> {
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let mut register = Register::default();
    register.catch_up(&reader).map_err(CommandError::Store)?;
    Ok((reader, register))
}

/// Whether a file of dossiers would be taken.
pub(crate) fn check(path: &Path) -> Result<(), FormError> {
    Form::of(path, None)?.read(path).map(drop)
}

/// Today in Beijing, by whose days permits run.
pub(crate) fn today() -> Option<Day> {
    Day::new(&jiff::tz::offset(8).to_datetime(jiff::Timestamp::now()).date().to_string()).ok()
}

fn export(args: &ExportArgs, state_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let (_, register) = register(state_dir)?;
    let wanted: BTreeSet<&OutfallCode> = args.codes.iter().collect();
    if let Some(unknown) = wanted.iter().find(|code| register.dossier(code).is_none()) {
        return Err(OutfallError::Unknown((*unknown).clone()).into());
    }
    let chosen = register.iter().filter(|(code, _)| wanted.is_empty() || wanted.contains(code));
    let dossiers = chosen.filter_map(|(code, _)| register.dossier(code)).map(|version| &version.dossier);
    let dossiers: Vec<Dossier> =
        dossiers.map(|dossier| if args.public { dossier.public() } else { dossier.clone() }).collect();
    let form = match (&args.out, args.format) {
        (_, Some(form)) => form,
        (Some(path), None) => Form::of(path, None).map_err(OutfallError::from)?,
        (None, None) => Form::Json,
    };
    if form == Form::Toml && dossiers.len() != 1 {
        return Err(OutfallError::OneForToml(dossiers.len()).into());
    }
    let text = form.write(&dossiers, lang);
    match &args.out {
        Some(path) => {
            std::fs::write(path, text).map_err(|source| CommandError::Write { path: path.clone(), source })?;
        }
        None => {
            let mut out = output::stdout();
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CommandError::output)?;
        }
    }
    Ok(Exit::Good)
}
