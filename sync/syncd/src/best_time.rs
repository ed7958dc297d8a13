//! What time it is, as far as this box can say. Certificates are judged by it, and not by the system's clock, which may
//! stand at 1970 or years ahead: then no platform could be reached, and nothing would be left that sets it right.
//!
//! The gateway journals what its clock is worth. While that is synchronised, or carried on from a synchronised one, the
//! newest record and the time since it tell the time. Else only this is sure: it is not before the last moment that was, nor
//! before this program was written.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use journal::{Reader, StoreError};
use record::{BUILD_FLOOR, Body, ClockQuality, Kind, MonoMs, Seq, SeqRange, Stamp, UnixMs};

/// A time, and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is this time.
    Is(UnixMs),
    /// It is this time or later.
    NotBefore(UnixMs),
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, later) = match self {
            Known::Is(ms) => (ms, ""),
            Known::NotBefore(ms) => (ms, " or later"),
        };
        match jiff::Timestamp::from_millisecond(ms.0) {
            Ok(time) => write!(f, "it is {time:.0}{later}"),
            Err(_) => write!(f, "the time is unknown"),
        }
    }
}

/// The best known time, shared by all who need it. Until it is told something it knows when the program was written.
#[derive(Debug, Clone, Default)]
pub struct BestTime(Arc<Mutex<Option<Told>>>);

/// What was known at a moment of this boot.
#[derive(Debug, Clone, Copy)]
struct Told {
    known: Known,
    at: MonoMs,
}

impl BestTime {
    /// Takes what was known at a moment of this boot.
    pub fn tell(&self, known: Known, at: MonoMs) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Told { known, at });
    }

    /// What is known now.
    pub fn now(&self, now: MonoMs) -> Known {
        let Some(Told { known, at }) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) else {
            return Known::NotBefore(BUILD_FLOOR);
        };
        let passed = i64::try_from(now.0.saturating_sub(at.0)).unwrap_or(i64::MAX);
        let later = |ms: UnixMs| UnixMs(ms.0.saturating_add(passed));
        match known {
            Known::Is(ms) => Known::Is(later(ms)),
            Known::NotBefore(ms) => Known::NotBefore(later(ms)),
        }
    }
}

/// What the journal says of the time at `now`, in the boot that the kernel calls `boot_id`.
///
/// # Errors
/// [`StoreError`] where records cannot be read.
pub fn read(reader: &Reader, boot_id: &str, now: MonoMs) -> Result<Known, StoreError> {
    let stamp_of = |seq: Seq| -> Result<Option<Stamp>, StoreError> {
        let found = reader.read(SeqRange { first: seq, last: seq }, usize::MAX)?.pop();
        Ok(found.map(|at| at.record.stamp))
    };
    let this_boot = reader.last_boot()?.and_then(|at| match at.record.body {
        Body::Boot(boot) if boot.boot_id == boot_id => Some(at.record.stamp.boot),
        _ => None,
    });
    let end = reader.position()?.end;
    let newest = end.0.checked_sub(1).map(Seq).map(stamp_of).transpose()?.flatten();
    let all = SeqRange { first: Seq(0), last: Seq(i64::MAX.cast_unsigned()) };
    let was_set = reader.marks(Kind::Clock, all)?.last().copied().map(stamp_of).transpose()?.flatten();
    // A moment of this boot has moved on since.
    let carried = |stamp: &Stamp| {
        let passed = if Some(stamp.boot) == this_boot { now.0.saturating_sub(stamp.mono_ms.0) } else { 0 };
        UnixMs(stamp.wall_ms.0.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX)))
    };
    Ok(match newest.filter(|stamp| stamp.clock != ClockQuality::Unset) {
        Some(stamp) if Some(stamp.boot) == this_boot => Known::Is(carried(&stamp)),
        Some(stamp) => Known::NotBefore(carried(&stamp).max(BUILD_FLOOR)),
        None => Known::NotBefore(was_set.as_ref().map_or(BUILD_FLOOR, carried).max(BUILD_FLOOR)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::{Journal, Transaction};
    use record::{Boot, BootNo, ClockSet, ClockSource, Record};

    fn record(boot: u32, mono: u64, wall: i64, clock: ClockQuality, body: Body) -> Record {
        Record { stamp: Stamp { boot: BootNo(boot), mono_ms: MonoMs(mono), wall_ms: UnixMs(wall), clock }, body }
    }

    fn check(records: Vec<Record>, expected: Known) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let mut journal = Journal::open(&path, "box-1").unwrap();
        journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
        assert_eq!(read(&Reader::open(&path).unwrap(), "this", MonoMs(10_000)).unwrap(), expected);
    }

    #[test]
    fn the_journal_tells_the_time_as_well_as_the_gateway_knows_it() {
        use ClockQuality::{Holdover, Synchronised, Unset};
        let ms = |after: i64| UnixMs(BUILD_FLOOR.0 + after);
        let boot = |boot, id: &str, after, clock| {
            let body = Body::Boot(Boot { boot_id: id.into(), version: "1".into() });
            record(boot, 1_000, ms(after).0, clock, body)
        };
        let set = |boot, mono, after| {
            let body = ClockSet { source: ClockSource::Ntp, before: Unset, step_ms: 0, error_ms: 5 };
            record(boot, mono, ms(after).0, Synchronised, Body::Clock(body))
        };
        check(vec![], Known::NotBefore(BUILD_FLOOR));
        check(vec![boot(0, "this", 70_000, Synchronised)], Known::Is(ms(79_000)));
        check(vec![boot(0, "this", 70_000, Holdover { error_ms: 9 })], Known::Is(ms(79_000)));
        // Years ahead, and nobody vouches for it.
        check(vec![boot(0, "this", 1 << 50, Unset)], Known::NotBefore(BUILD_FLOOR));
        check(vec![set(0, 5, 50_000), boot(1, "this", 1 << 50, Unset)], Known::NotBefore(ms(50_000)));
        // The gateway has not started since this boot.
        check(vec![boot(0, "other", 70_000, Synchronised)], Known::NotBefore(ms(70_000)));
        // Known for a while in this boot, and then no more.
        let lost = vec![boot(0, "this", 7, Unset), set(0, 4_000, 90_000), boot(0, "this", 8, Unset)];
        check(lost, Known::NotBefore(ms(96_000)));
        // Of a time that cannot have been.
        check(vec![boot(0, "other", -70_000, Synchronised)], Known::NotBefore(BUILD_FLOOR));
    }

    #[test]
    fn what_is_known_moves_on() {
        let time = BestTime::default();
        assert_eq!(time.now(MonoMs(5)), Known::NotBefore(BUILD_FLOOR));
        time.tell(Known::Is(UnixMs(1_000)), MonoMs(5));
        assert_eq!(time.clone().now(MonoMs(25)), Known::Is(UnixMs(1_020)));
        time.tell(Known::NotBefore(UnixMs(2_000)), MonoMs(30));
        assert_eq!(time.now(MonoMs(31)), Known::NotBefore(UnixMs(2_001)));
    }
}
