//! `weir evidence`: what was recorded in some hours as one file that convinces without this box.

mod choice;
mod error;
mod file;
mod pin;
mod receipts;
mod window;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use record::{OutfallCode, OutfallCodeError};
use serde_json::json;

use crate::cli::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};
pub(crate) use error::EvidenceError;
pub(crate) use file::{Made, make};
use pin::{PinArgs, ReleaseArgs};

/// Before an alarm's cause.
const BEFORE: &str = "1h";
/// After an alarm.
const AFTER: &str = "30min";

/// `weir evidence`
#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Write the records of some hours with all that proves them, a report and a table: a file for `weir verify FILE`.
    Export(EvidenceArgs),
    /// Keep the records of some hours from being taken away for age or room, until they are released.
    Pin(PinArgs),
    /// What is pinned.
    Pins(Output),
    /// Take a pin away: its records go when their time has come.
    Release(ReleaseArgs),
}

/// Which hours.
#[derive(Debug, Clone, Args)]
pub(crate) struct WindowArgs {
    /// From this time on, as 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME", required_unless_present = "alarm")]
    pub(crate) from: Option<Timestamp>,
    /// Before this time; without it, up to now.
    #[arg(long, value_name = "TIME", requires = "from")]
    pub(crate) to: Option<Timestamp>,
    /// Around this alarm: the number of its record, as `weir tail` shows it.
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["from", "to"])]
    pub(crate) alarm: Option<u64>,
    /// So long before the cause of the alarm.
    #[arg(long, value_name = "TIME", default_value = BEFORE, requires = "alarm")]
    pub(crate) before: SignedDuration,
    /// So long after the alarm.
    #[arg(long, value_name = "TIME", default_value = AFTER, requires = "alarm")]
    pub(crate) after: SignedDuration,
    /// Only the devices of this outfall, with its dossier; may be repeated.
    #[arg(long, value_name = "CODE", value_parser = |text: &str| -> Result<OutfallCode, OutfallCodeError> { OutfallCode::new(text) })]
    pub(crate) outfall: Vec<OutfallCode>,
}

/// `weir evidence export`
#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    #[command(flatten)]
    pub(crate) window: WindowArgs,
    /// Only this device; may be repeated. Without it all devices, so that it can be seen that nothing was left out.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) source: Vec<String>,
    /// What it is for. It stands in the file and is signed.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    /// The file, which must not be there yet.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Does what was typed.
pub(crate) fn run(
    command: &EvidenceCommand,
    (state_dir, run_dir): (&Path, &Path),
    lang: Lang,
) -> Result<Exit, CommandError> {
    let args = match command {
        EvidenceCommand::Export(args) => args,
        EvidenceCommand::Pin(args) => return pin::pin(args, (state_dir, run_dir), lang),
        EvidenceCommand::Pins(output) => return pin::list(state_dir, output.json, lang),
        EvidenceCommand::Release(args) => return pin::release(args, run_dir, lang),
    };
    let Made { records, receipts, bytes, unsigned, .. } = make(args, state_dir, run_dir)?;
    let mut out = output::stdout();
    if args.json {
        let shown = json!({
            "file": args.out, "records": records, "receipts": receipts, "bytes": bytes, "unsigned": unsigned,
        });
        line(&mut out, &shown.to_string())?;
    } else {
        let (written, with) = (lang.pick("records written", "已写入记录"), lang.pick("receipts", "平台回执"));
        line(&mut out, &format!("{}: {written}: {records} · {with}: {receipts}", args.out.display()))?;
        if unsigned > 0 {
            let text = lang.pick(
                "newer records that no tree head covers yet are not in it; repeat this in some minutes if they matter",
                "较新的记录尚无签名树头覆盖，未写入；如有需要请几分钟后重做",
            );
            line(&mut out, &format!("! {text}: {unsigned}"))?;
        }
        let text = lang.pick("keys: weir identity, and each platform", "公钥：weir identity 及各平台");
        let next = format!("weir verify {} --key HEX --platform NAME=HEX", args.out.display());
        line(&mut out, &format!("· try: {next} ({text})"))?;
    }
    std::io::Write::flush(&mut out).map_err(CommandError::output)?;
    Ok(Exit::Good)
}
