//! When records really were made, for every verb that shows times.

use journal::{Reader, StoreError};
use record::{Kind, RecordAt, Seq, SeqRange, TimeLine, TrueTime};

use crate::lang::Lang;
use crate::output;

/// Bytes of one record, as far as one is read alone.
const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Clock records read before the first record that is shown: enough to pass those of its own boot, some four a day.
const BEFORE_MAX: usize = 1_000;

/// What the journal knows of the times of records from `from` on: every clock record there, and those before it back to
/// the last boot that knew the time.
pub(crate) fn time_line(reader: &Reader, from: Seq) -> Result<TimeLine, StoreError> {
    let mut line = TimeLine::new();
    let Some(last) = reader.position()?.end.0.checked_sub(1) else { return Ok(line) };
    let marks =
        |first, last| SeqRange::new(first, last).map_or(Ok(Vec::new()), |range| reader.marks(Kind::Clock, range));
    for seq in marks(from, Seq(last))? {
        read_one(reader, seq)?.iter().for_each(|at| line.take(&at.record));
    }
    let Some(before) = from.0.checked_sub(1) else { return Ok(line) };
    let own = read_one(reader, from)?.map(|at| at.record.stamp.boot);
    for seq in marks(Seq(0), Seq(before))?.into_iter().rev().take(BEFORE_MAX) {
        let Some(at) = read_one(reader, seq)? else { continue };
        line.take(&at.record);
        if own.is_some_and(|own| at.record.stamp.boot < own) {
            break;
        }
    }
    Ok(line)
}

fn read_one(reader: &Reader, seq: Seq) -> Result<Option<RecordAt>, StoreError> {
    Ok(reader.read(SeqRange { first: seq, last: seq }, RECORD_BYTES_MAX)?.pop())
}

/// A time that is not the stamp's own, in a few words: `(2026-11-28T09:00:00.000Z ±43.2 s)`.
pub(crate) fn show(time: TrueTime, lang: Lang) -> String {
    match time {
        TrueTime::Stamped { .. } => String::new(),
        TrueTime::Corrected { at_ms, error_ms } => format!("  ({} ±{})", output::time(at_ms), output::age(error_ms)),
        TrueTime::Unknown { not_before_ms, not_after_ms } => {
            let unknown = lang.pick("time unknown", "时间未知");
            let after = not_before_ms.map(|at| format!("{} {}", lang.pick("not before", "不早于"), output::time(at)));
            let before = not_after_ms.map(|at| format!("{} {}", lang.pick("not after", "不晚于"), output::time(at)));
            let bounds: Vec<String> = [Some(unknown.to_owned()), after, before].into_iter().flatten().collect();
            format!("  ({})", bounds.join(lang.pick(", ", "，")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::{Journal, Transaction};
    use record::{
        Body, Boot, BootNo, ClockQuality, ClockSet, ClockSource, CodecId, CodecText, MonoMs, Record, Stamp, UnixMs,
    };

    #[test]
    fn a_window_is_corrected_by_what_came_before_and_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal/journal.db");
        let mut journal = Journal::open(&path, "outfall-1").unwrap();
        let stamp = |boot: u32, seq: u64, clock| {
            let wall_ms = UnixMs(if clock == ClockQuality::Unset { 5 } else { 1_800_000_000_000 + seq.cast_signed() });
            Stamp { boot: BootNo(boot), mono_ms: MonoMs(seq * 1_000), wall_ms, clock }
        };
        let boot = Body::Boot(Boot { boot_id: "b".into(), version: "1".into() });
        let set = ClockSet { source: ClockSource::Ntp, before: ClockQuality::Unset, step_ms: 0, error_ms: 10 };
        let codec = Body::Codec(CodecText { id: CodecId([0; 8]), text: String::new() });
        let record = |boot_no, seq, body: &Body| {
            let clock = if matches!(body, Body::Clock(_)) { ClockQuality::Synchronised } else { ClockQuality::Unset };
            Record { stamp: stamp(boot_no, seq, clock), body: body.clone() }
        };
        let set = Body::Clock(set);
        let records = vec![
            record(0, 0, &boot),
            record(0, 1, &set),
            record(1, 2, &boot),
            record(2, 3, &boot),
            record(2, 4, &codec),
            record(2, 5, &set),
        ];
        let times: Vec<Stamp> = records.iter().map(|record| record.stamp).collect();
        journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
        let reader = Reader::open(&path).unwrap();
        for from in 0..6 {
            let line = time_line(&reader, Seq(from)).unwrap();
            let basis = |seq: usize| line.time(&times[seq]).as_str();
            assert_eq!((basis(4), basis(5)), ("corrected", "stamped"), "from {from}");
            let TrueTime::Unknown { not_before_ms, not_after_ms } = line.time(&times[2]) else { panic!("{line:?}") };
            assert!(from > 2 || (not_before_ms.is_some() && not_after_ms.is_some()), "from {from}: {line:?}");
        }
    }

    #[test]
    fn a_time_says_how_it_is_known() {
        let at_ms = UnixMs(1_800_000_000_000);
        assert_eq!(show(TrueTime::Stamped { at_ms, error_ms: 9 }, Lang::En), "");
        let corrected = TrueTime::Corrected { at_ms, error_ms: 43_250 };
        assert_eq!(show(corrected, Lang::Zh), "  (2027-01-15T08:00:00.000Z ±43 s)");
        let unknown = TrueTime::Unknown { not_before_ms: Some(at_ms), not_after_ms: None };
        assert_eq!(show(unknown, Lang::En), "  (time unknown, not before 2027-01-15T08:00:00.000Z)");
        assert_eq!(show(unknown, Lang::Zh), "  (时间未知，不早于 2027-01-15T08:00:00.000Z)");
    }
}
