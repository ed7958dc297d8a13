//! `weir tail`: the newest records, and those to come.

pub(crate) mod line;
mod link;

use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use journal::Reader;
use record::{RecordAt, Seq, SeqRange, SourceId};

use crate::cli::TailArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;
use crate::times::time_line;

/// Bytes read at once.
const PAGE_BYTES: usize = 1024 * 1024;
/// Looking back for records of one device ends after this many.
const LOOK_BACK_MAX: u64 = 200_000;
/// How often a follower looks.
const LOOK_EVERY_MS: u64 = 200;

/// Prints them.
pub(crate) fn run(state_dir: &Path, args: &TailArgs, lang: Lang) -> Result<Exit, CommandError> {
    let mut reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let source = args.source.as_deref().map(SourceId::new).transpose();
    let source = source.map_err(|error| CommandError::BadName(error.to_string()))?;
    let wanted = |record: &RecordAt| source.is_none() || record.record.body.source() == source.as_ref();
    let mut out = output::stdout();
    let mut next = start(&reader, args.lines, &wanted)?;
    let mut times = time_line(&reader, next).map_err(CommandError::Store)?;
    loop {
        let end = reader.position().map_err(CommandError::Store)?.end;
        while let Some(range) = SeqRange::new(next, Seq(end.0.saturating_sub(1))).filter(|_| next < end) {
            let records = reader.read(range, PAGE_BYTES).map_err(CommandError::Store)?;
            let Some(last) = records.last() else { break };
            next = last.seq.next();
            for record in &records {
                // Behind the end of the first look a follower learns as it reads.
                times.take(&record.record);
                if wanted(record) {
                    output::line(&mut out, &line::show(record, &times, args.json, lang))?;
                }
            }
        }
        out.flush().map_err(CommandError::output)?;
        if !args.follow {
            return Ok(Exit::Good);
        }
        sleep(Duration::from_millis(LOOK_EVERY_MS));
        reader.refresh().map_err(CommandError::Store)?;
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
