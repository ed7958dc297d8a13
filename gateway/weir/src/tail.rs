//! `weir tail`: the newest records, and those to come.

mod aggregate;
mod audit;
pub(crate) mod line;
mod link;
pub(crate) mod manual;
mod outfall;
mod terms;

use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use journal::{Reader, Stage};
use record::{RecordAt, Seq, SeqRange, SourceId};

use crate::cli::TailArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;
use crate::times::time_line;
pub(crate) use audit::{actor, refusal};

/// Bytes read at once.
const PAGE_BYTES: usize = 1024 * 1024;
/// Looking back for records of one device ends after this many.
const LOOK_BACK_MAX: u64 = 200_000;
/// Records that are looked at in one step, at least.
const LOOK_BACK_STEP: u64 = 64;
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

/// The record from which `lines` wanted ones follow. Numbers that were jumped over, as a restored box does by thousands of
/// millions, are not looked at.
fn start(reader: &Reader, lines: u64, wanted: &impl Fn(&RecordAt) -> bool) -> Result<Seq, CommandError> {
    let end = reader.position().map_err(CommandError::Store)?.end;
    let (mut from, mut missing, mut looked) = (end, lines, 0);
    let segments = reader.segments().map_err(CommandError::Store)?;
    let written = segments.iter().rev().filter(|segment| !matches!(segment.stage, Stage::Gone | Stage::Void));
    for segment in written {
        let mut before = segment.last.map_or(end, Seq::next).min(end);
        while before > segment.first && missing > 0 && looked < LOOK_BACK_MAX {
            let step = missing.max(LOOK_BACK_STEP).min(before.0 - segment.first.0);
            let range = SeqRange { first: Seq(before.0 - step), last: Seq(before.0 - 1) };
            let found = find(reader, range, wanted)?;
            let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
            from = range.first;
            if count >= missing {
                let at = usize::try_from(count - missing).unwrap_or(0);
                from = found.get(at).copied().unwrap_or(from);
            }
            missing = missing.saturating_sub(count);
            (before, looked) = (range.first, looked + step);
        }
    }
    Ok(from)
}

/// The wanted records of a range.
fn find(reader: &Reader, range: SeqRange, wanted: &impl Fn(&RecordAt) -> bool) -> Result<Vec<Seq>, CommandError> {
    let (mut found, mut rest) = (Vec::new(), Some(range));
    while let Some(range) = rest {
        let records = reader.read(range, PAGE_BYTES).map_err(CommandError::Store)?;
        found.extend(records.iter().filter(|record| wanted(record)).map(|record| record.seq));
        rest = records.last().and_then(|last| SeqRange::new(last.seq.next(), range.last));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use journal::{Journal, Transaction, salvage};
    use record::{Body, Boot, BootNo, ClockQuality, MonoMs, Record, Stamp, UnixMs};

    use super::*;

    #[test]
    fn it_looks_back_over_numbers_that_were_jumped_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let boot = |version: &str| Record {
            stamp: Stamp { boot: BootNo(1), mono_ms: MonoMs(1), wall_ms: UnixMs(1), clock: ClockQuality::Unset },
            body: Body::Boot(Boot { boot_id: "b".into(), version: version.into() }),
        };
        let records = |version, count| (0..count).map(|_| boot(version)).collect();
        let commit = |journal: &mut Journal, records| {
            journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
        };
        commit(&mut Journal::open(&path, "box-1").unwrap(), records("old", 300));
        let floor = Seq(1 << 40);
        let (mut journal, _) = salvage::open(&path, "box-1", floor).unwrap();
        assert!(journal.end() >= floor);
        commit(&mut journal, records("new", 100));
        let (reader, end) = (Reader::open(&path).unwrap(), journal.end().0);
        let all = |_: &RecordAt| true;
        let old = |record: &RecordAt| matches!(&record.record.body, Body::Boot(boot) if boot.version == "old");
        assert_eq!(start(&reader, 0, &all).unwrap(), Seq(end));
        assert_eq!(start(&reader, 7, &all).unwrap(), Seq(end - 7));
        assert_eq!(start(&reader, 5, &old).unwrap(), Seq(295), "far back, and at once");
        assert_eq!(start(&reader, 1_000, &old).unwrap(), Seq(0));
        let seen = find(&reader, SeqRange { first: start(&reader, 150, &all).unwrap(), last: Seq(end - 1) }, &all);
        assert_eq!(seen.unwrap().len(), 150);
    }
}
