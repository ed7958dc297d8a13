//! `weir evidence pin | pins | release`: keeping records from being taken away.

use std::io::Write;
use std::path::Path;

use clap::Args;
use evidence::moment;
use journal::{Pins, Reader};
use record::{Act, Body, RecordAt, Seq, SeqRange, TimeLine};
use serde_json::{Value, json};

use super::choice::{clocks, for_each};
use super::window::{bounds, devices_of_all, read_one};
use super::{EvidenceError, WindowArgs};
use crate::audit;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};

/// `weir evidence pin`
#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    #[command(flatten)]
    window: WindowArgs,
    /// Why. It is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// `weir evidence release`
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The pin, by the number that `weir evidence pins` shows.
    #[arg(value_name = "PIN")]
    pin: u64,
    /// Why. It is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// Has the gateway journal a pin.
pub(super) fn pin(args: &PinArgs, (state_dir, run_dir): (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let records = window_records(&args.window, &reader)?;
    let pin = audit::order(run_dir, &Act::Pinned { records }, &args.reason)?;
    let shown = json!({ "pin": pin, "records": records });
    let text = match lang {
        Lang::En => {
            format!("{records:?} kept until they are released · try: weir evidence release {pin} --reason TEXT")
        }
        Lang::Zh => {
            format!("记录 {records:?} 已锁定保存，解除前不删除 · try: weir evidence release {pin} --reason TEXT")
        }
    };
    tell(args.json, &shown, &text)
}

/// Has it journal the end of one.
pub(super) fn release(args: &ReleaseArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let seq = audit::order(run_dir, &Act::Released { pin: Seq(args.pin) }, &args.reason)?;
    let text = match lang {
        Lang::En => format!("pin {} released, journaled as record {seq}", args.pin),
        Lang::Zh => format!("锁定 {} 已解除，记录号 {seq}", args.pin),
    };
    tell(args.json, &json!({ "released": args.pin, "seq": seq }), &text)
}

fn tell(json: bool, shown: &Value, text: &str) -> Result<Exit, CommandError> {
    let mut out = output::stdout();
    line(&mut out, &if json { shown.to_string() } else { text.to_owned() })?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// Lists what is pinned, with who pinned it and why.
pub(super) fn list(state_dir: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let mut pins = Pins::default();
    pins.catch_up(&reader).map_err(CommandError::Store)?;
    let mut all = Vec::new();
    for (pin, records) in pins.iter() {
        if let Some(at) = read_one(&reader, pin)?
            && let Body::Audit(audit) = at.record.body
        {
            all.push((pin, records, at.record.stamp.wall_ms, audit));
        }
    }
    let mut out = output::stdout();
    if json {
        let shown: Vec<Value> = all
            .iter()
            .map(|(pin, records, at, audit)| {
                json!({ "pin": pin, "records": records, "at_ms": at, "by": audit.by, "reason": audit.reason })
            })
            .collect();
        line(&mut out, &json!({ "pins": shown }).to_string())?;
    } else if all.is_empty() {
        line(
            &mut out,
            lang.pick(
                "nothing is pinned · try: weir evidence pin --help",
                "没有锁定的记录 · try: weir evidence pin --help",
            ),
        )?;
    } else {
        let heading = match lang {
            Lang::En => ["pin", "records", "since", "reason"],
            Lang::Zh => ["锁定", "记录", "时间", "理由"],
        };
        let row = |(pin, records, at, audit): &(Seq, SeqRange, _, record::Audit)| {
            vec![pin.to_string(), format!("{records:?}"), output::time(*at), audit.reason.clone()]
        };
        let rows: Vec<Vec<String>> =
            std::iter::once(heading.map(str::to_owned).to_vec()).chain(all.iter().map(row)).collect();
        table(&mut out, &rows)?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// From the first record of that time to its last, whoever sent those between; where outfalls are named, the first and the
/// last of their devices.
fn window_records(window: &WindowArgs, reader: &Reader) -> Result<SeqRange, CommandError> {
    let end = reader.position().map_err(CommandError::Store)?.end;
    let mut times = TimeLine::new();
    clocks(reader, end)?.iter().for_each(|at| times.take(&at.record));
    let (from_ms, to_ms) = bounds(window, reader, &times)?;
    let devices = devices_of_all(&window.outfall, reader)?;
    let is_wanted =
        |at: &RecordAt| devices.is_empty() || at.record.body.source().is_some_and(|source| devices.contains(source));
    let mut found: Option<SeqRange> = None;
    for_each(reader, end, |at| {
        let made = moment(&at, times.time(&at.record.stamp));
        if from_ms <= made && made < to_ms && is_wanted(&at) {
            found = SeqRange::new(found.map_or(at.seq, |range| range.first), at.seq);
        }
        Ok(())
    })?;
    Ok(found.ok_or(EvidenceError::Unrecorded)?)
}
