//! Reading the journal's tail back: at start, and after a commit that failed (R2).

use std::collections::VecDeque;

use journal::{Reader, Segment, Stage, StoreError, for_each_outfall};
use record::{RecordAt, Seq, SeqRange, Stamp};

/// Records read back at least, so that redeliveries are recognised: at one frame a second about five hours, read in well
/// under a second.
pub(crate) const REPLAY_RECORDS: u64 = 20_000;
/// Records read back at most, where rules that reach far back ask for more: some seconds of a Raspberry Pi.
const REPLAY_RECORDS_MAX: u64 = 10 * REPLAY_RECORDS;
/// Bytes of records in memory at one time.
const READ_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Newest alarm records before those, read back so that each alarm starts in its true state.
const REPLAY_ALARMS_MAX: usize = 10_000;
/// Alarm numbers asked for at one time.
const ALARMS_PAGE: usize = 4_096;

/// Hands the newest alarms and all that is told of outfalls, and then the tail of the journal to `take`, each in order.
/// `reach_ms`: how far rules and aggregates look back.
pub(super) fn replay(reach_ms: u64, reader: &Reader, mut take: impl FnMut(&RecordAt)) -> Result<(), StoreError> {
    let end = reader.position()?.end;
    let tail = tail(reach_ms, reader, end)?;
    for seq in alarms_before(reader, tail)? {
        read_one(reader, seq)?.iter().for_each(&mut take);
    }
    if let Some(before) = tail.0.checked_sub(1) {
        for_each_outfall(reader, SeqRange { first: Seq(0), last: Seq(before) }, |at, _| take(at))?;
    }
    let mut next = tail;
    while next < end {
        let records = reader.read(SeqRange { first: next, last: Seq(end.0 - 1) }, READ_BYTES_MAX)?;
        let Some(last) = records.last() else { break };
        next = last.seq.next();
        records.iter().for_each(&mut take);
    }
    Ok(())
}

/// The number from which on no frame was taken away. What is left of earlier ones must not be judged again: a run of samples
/// would seem unbroken over those that are gone, and raise an alarm that never was.
pub(super) fn whole_from(reader: &Reader) -> Result<Seq, StoreError> {
    // The file of one that is condemned may have been reduced already.
    let thin = |segment: &Segment| {
        segment.condemned.is_some() || matches!(segment.stage, Stage::Thinned | Stage::Remnant | Stage::Gone)
    };
    let thin = reader.segments()?.into_iter().filter(thin);
    Ok(thin.filter_map(|segment| segment.last).max().map_or(Seq(0), Seq::next))
}

/// Where reading back begins: [`REPLAY_RECORDS`] before the end, or further back where a rule or an aggregate reaches further.
fn tail(reach_ms: u64, reader: &Reader, end: Seq) -> Result<Seq, StoreError> {
    let mut tail = Seq(end.0.saturating_sub(REPLAY_RECORDS));
    // Twice as far as they reach: once to be within it, once before to know that it began (rules::Engine).
    let reach_ms = reach_ms.saturating_mul(2);
    let Some(newest) = newest(reader, end)? else { return Ok(tail) };
    while tail > Seq(0) && end.0 - tail.0 < REPLAY_RECORDS_MAX {
        let Some(oldest) = read_one(reader, tail)? else { break };
        if reaches(&oldest.record.stamp, &newest.record.stamp, reach_ms) {
            break;
        }
        tail = Seq(tail.0.saturating_sub(REPLAY_RECORDS));
    }
    Ok(tail)
}

fn reaches(oldest: &Stamp, newest: &Stamp, ms: u64) -> bool {
    if oldest.boot == newest.boot {
        return newest.mono_ms.0.saturating_sub(oldest.mono_ms.0) >= ms;
    }
    u64::try_from(newest.wall_ms.0.saturating_sub(oldest.wall_ms.0)).is_ok_and(|passed| passed >= ms)
}

/// The newest [`REPLAY_ALARMS_MAX`] alarm records before `tail`.
fn alarms_before(reader: &Reader, tail: Seq) -> Result<VecDeque<Seq>, StoreError> {
    let mut newest = VecDeque::new();
    let mut from = Seq(0);
    loop {
        let page = reader.alarms(from, ALARMS_PAGE)?;
        let full = page.len() == ALARMS_PAGE;
        for seq in page {
            if seq >= tail {
                return Ok(newest);
            }
            if newest.len() == REPLAY_ALARMS_MAX {
                newest.pop_front();
            }
            newest.push_back(seq);
            from = seq.next();
        }
        if !full {
            return Ok(newest);
        }
    }
}

/// The newest record, if there is one before `end`.
pub(crate) fn newest(reader: &Reader, end: Seq) -> Result<Option<RecordAt>, StoreError> {
    match end.0.checked_sub(1) {
        Some(last) => read_one(reader, Seq(last)),
        None => Ok(None),
    }
}

pub(crate) fn read_one(reader: &Reader, seq: Seq) -> Result<Option<RecordAt>, StoreError> {
    Ok(reader.read(SeqRange { first: seq, last: seq }, READ_BYTES_MAX)?.pop())
}
