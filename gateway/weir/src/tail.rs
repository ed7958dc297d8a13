//! `weir tail`: the newest records, and those to come.

use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use journal::Reader;
use record::{Body, Decimal, Link, Quality, RecordAt, Seq, SeqRange, SourceId};

use crate::cli::TailArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output;

/// Bytes read at once.
const PAGE_BYTES: usize = 1024 * 1024;
/// Looking back for records of one device ends after this many.
const LOOK_BACK_MAX: u64 = 200_000;
/// How often a follower looks.
const LOOK_EVERY_MS: u64 = 200;

/// Prints them.
pub(crate) fn run(state_dir: &Path, args: &TailArgs) -> Result<Exit, CommandError> {
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let source = args.source.as_deref().map(SourceId::new).transpose();
    let source = source.map_err(|error| CommandError::BadName(error.to_string()))?;
    let wanted = |record: &RecordAt| source.is_none() || record.record.body.source() == source.as_ref();
    let mut out = output::stdout();
    let mut next = start(&reader, args.lines, &wanted)?;
    loop {
        let end = reader.position().map_err(CommandError::Store)?.end;
        while let Some(range) = SeqRange::new(next, Seq(end.0.saturating_sub(1))).filter(|_| next < end) {
            let records = reader.read(range, PAGE_BYTES).map_err(CommandError::Store)?;
            let Some(last) = records.last() else { break };
            next = last.seq.next();
            for record in records.iter().filter(|record| wanted(record)) {
                output::line(&mut out, &show(record, args.json))?;
            }
        }
        out.flush().map_err(CommandError::output)?;
        if !args.follow {
            return Ok(Exit::Good);
        }
        sleep(Duration::from_millis(LOOK_EVERY_MS));
    }
}

/// The record from which `lines` wanted ones follow.
fn start(reader: &Reader, lines: u64, wanted: &impl Fn(&RecordAt) -> bool) -> Result<Seq, CommandError> {
    let end = reader.position().map_err(CommandError::Store)?.end;
    let floor = end.0.saturating_sub(LOOK_BACK_MAX);
    let (mut from, mut missing) = (end.0, lines);
    while missing > 0 && from > floor {
        let first = from.saturating_sub(missing.max(64)).max(floor);
        let range = SeqRange { first: Seq(first), last: Seq(from - 1) };
        let mut found = Vec::new();
        let mut next = range.first;
        while let Some(rest) = SeqRange::new(next, range.last) {
            let records = reader.read(rest, PAGE_BYTES).map_err(CommandError::Store)?;
            let Some(last) = records.last() else { break };
            next = last.seq.next();
            found.extend(records.iter().filter(|record| wanted(record)).map(|record| record.seq.0));
        }
        let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
        if count >= missing {
            let at = usize::try_from(count - missing).unwrap_or(0);
            return Ok(Seq(found.get(at).copied().unwrap_or(first)));
        }
        missing -= count;
        from = first;
    }
    Ok(Seq(if lines == 0 { end.0 } else { from }))
}

/// One record in one line.
pub(crate) fn show(record: &RecordAt, json: bool) -> String {
    if json {
        return serde_json::to_string(record).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    }
    let stamp = &record.record.stamp;
    let doubt = match stamp.clock {
        record::ClockQuality::Synchronised => "",
        _ => "?",
    };
    let place = format!("{:>8}  {}{doubt}", record.seq.0, output::time(stamp.wall_ms));
    match &record.record.body {
        Body::Boot(boot) => format!("{place}  boot {} weir {}", boot.boot_id, boot.version),
        Body::Frame(frame) => {
            let readings: Vec<String> = frame.readings.iter().map(reading).collect();
            format!("{place}  {}  {}{}", frame.source, readings.join("  "), link(&frame.link))
        }
        Body::Rejected(rejected) => {
            let source = rejected.source.as_ref().map_or("?", SourceId::as_str);
            let (why, bytes) = (rejected.why.as_str(), rejected.raw.len());
            format!("{place}  {source}  REJECTED {why}: {} ({bytes} B){}", rejected.detail, link(&rejected.link))
        }
        Body::Alarm(step) => {
            let value = step.value.map_or_else(String::new, |value: Decimal| format!(" at {value}"));
            let (from, to) = (step.from.as_str(), step.to.as_str());
            format!(
                "{place}  {}  ALARM {} {}: {from} -> {to}{value}, limit {}",
                step.source, step.rule, step.quantity, step.limit
            )
        }
    }
}

fn reading(reading: &record::Reading) -> String {
    let value = reading.value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let doubt = match reading.quality {
        Quality::Good => String::new(),
        quality => format!(" ({})", quality.as_str()),
    };
    format!("{} {value} {}{doubt}", reading.quantity, reading.unit)
}

fn link(link: &Link) -> String {
    match link {
        Link::Mqtt { qos, level, .. } => format!("  [mqtt{level} qos{qos}]"),
        Link::Lora { gateway, f_cnt, rssi_dbm, .. } => {
            let rssi = rssi_dbm.map_or_else(String::new, |rssi| format!(" {rssi} dBm"));
            format!("  [lora fcnt {f_cnt} gw {gateway}{rssi}]")
        }
    }
}
