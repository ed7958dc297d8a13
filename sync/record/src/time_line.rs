//! When a record really was made: stamps corrected by what their boot learned before or after them (design §5).
//!
//! ```text
//! boot 3   mono ──unset──unset──ClockSet──synchronised────holdover──►   each stamp of it: its mono + (wall - mono there)
//! boot 4   mono ──unset──unset──►                                      nobody told it the time: between 3 and 5
//! boot 5   mono ──ClockSet──►
//! ```
//! Nothing that is stored changes; who reads corrects. Error bounds grow by [`DRIFT_PPM`] of the monotonic time between a
//! stamp and the moment that corrects it.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::Serialize;

use crate::{Body, BootNo, ClockQuality, MonoMs, Record, Stamp, UnixMs};

/// How fast a clock that nobody corrects may run away, in millionths: the kernel's own figure (`MAXFREQ`), five times the
/// tolerance of a cheap crystal.
pub const DRIFT_PPM: u64 = 500;
/// No stamp is called synchronised if its error may be greater: what a daemon that asks every half hour keeps to.
pub const SYNCHRONISED_ERROR_MS: u64 = 2_000;
/// The two clocks of a stamp are read one after the other.
const READ_APART_MS: u64 = 20;
/// Most stretches kept of one boot; then the newest takes the place of the one before.
const STRETCHES_MAX: usize = 64;
/// Most boots kept, a stretch of each some 100 bytes; then the oldest are forgotten.
const BOOTS_MAX: usize = 65_536;

/// When a record was made, as far as anybody can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "basis")]
pub enum TrueTime {
    /// As it is stamped.
    Stamped {
        /// Wall time.
        at_ms: UnixMs,
        /// Bound of its error, ± milliseconds.
        error_ms: u64,
    },
    /// Computed from another moment of the same boot, at which the time was known.
    Corrected {
        /// Wall time.
        at_ms: UnixMs,
        /// Bound of its error, ± milliseconds.
        error_ms: u64,
    },
    /// Nobody told that boot the time; its neighbours bound it.
    Unknown {
        /// After what an earlier boot knew.
        not_before_ms: Option<UnixMs>,
        /// Before a later boot began.
        not_after_ms: Option<UnixMs>,
    },
}

impl TrueTime {
    /// The stable name of how it is known.
    pub fn as_str(self) -> &'static str {
        match self {
            TrueTime::Stamped { .. } => "stamped",
            TrueTime::Corrected { .. } => "corrected",
            TrueTime::Unknown { .. } => "unknown",
        }
    }

    /// The time with the bound of its error in milliseconds, if it is known.
    pub fn known(self) -> Option<(UnixMs, u64)> {
        match self {
            TrueTime::Stamped { at_ms, error_ms } | TrueTime::Corrected { at_ms, error_ms } => Some((at_ms, error_ms)),
            TrueTime::Unknown { .. } => None,
        }
    }

    /// Whether this may be said of a record that was made at `truth`: the definition of **T1** for readers.
    pub fn allows(self, truth: UnixMs) -> bool {
        match self {
            TrueTime::Stamped { at_ms, error_ms } | TrueTime::Corrected { at_ms, error_ms } => {
                at_ms.0.abs_diff(truth.0) <= error_ms
            }
            TrueTime::Unknown { not_before_ms, not_after_ms } => {
                not_before_ms.is_none_or(|bound| bound <= truth) && not_after_ms.is_none_or(|bound| truth <= bound)
            }
        }
    }
}

/// What each boot knew of the time. Records are shown to it in any order; the more of them, the closer the bounds, but the
/// [`Body::Clock`] records alone are enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimeLine {
    boots: BTreeMap<BootNo, Vec<Stretch>>,
}

/// A stretch of a boot at both ends of which its wall clock was right, with the same distance to its monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    first: Moment,
    last: Moment,
    /// Wall time minus monotonic time: when the boot began.
    began: UnixMs,
}

/// A moment at which the time was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    mono_ms: MonoMs,
    error_ms: u64,
}

impl TimeLine {
    /// Nothing is known.
    pub fn new() -> TimeLine {
        TimeLine::default()
    }

    /// Learns what a record tells.
    pub fn take(&mut self, record: &Record) {
        let Stamp { boot, mono_ms, clock, .. } = record.stamp;
        let error_ms = match (&record.body, clock) {
            (_, ClockQuality::Unset) => return,
            (Body::Clock(set), _) => u64::from(set.error_ms),
            (_, ClockQuality::Synchronised) => SYNCHRONISED_ERROR_MS,
            // Says nothing that its boot had not known before.
            (_, ClockQuality::Holdover { .. }) => return,
        };
        let (began, moment) = (began(&record.stamp), Moment { mono_ms, error_ms });
        let stretches = self.boots.entry(boot).or_default();
        // Only what does not fit is new: a year of synchronised stamps is one stretch.
        let known = stretches.iter_mut().find(|known| known.began.0.abs_diff(began.0) <= READ_APART_MS);
        match known {
            Some(known) if mono_ms < known.first.mono_ms => known.first = moment,
            Some(known) if mono_ms > known.last.mono_ms => known.last = moment,
            Some(_) => {}
            None => {
                stretches.truncate(STRETCHES_MAX - 1);
                stretches.push(Stretch { first: moment, last: moment, began });
            }
        }
        while self.boots.len() > BOOTS_MAX {
            self.boots.pop_first();
        }
    }

    /// When a record with this stamp was made.
    pub fn time(&self, stamp: &Stamp) -> TrueTime {
        let stamped = match stamp.clock {
            ClockQuality::Synchronised => {
                return TrueTime::Stamped { at_ms: stamp.wall_ms, error_ms: SYNCHRONISED_ERROR_MS };
            }
            ClockQuality::Holdover { error_ms } => Some((stamp.wall_ms, u64::from(error_ms))),
            ClockQuality::Unset => None,
        };
        let stretches = self.boots.get(&stamp.boot).into_iter().flatten();
        let corrected = stretches.map(|stretch| stretch.at(stamp.mono_ms)).min_by_key(|(_, error_ms)| *error_ms);
        match (stamped, corrected) {
            (Some((at_ms, error_ms)), other) if other.is_none_or(|(_, other_ms)| error_ms <= other_ms) => {
                TrueTime::Stamped { at_ms, error_ms }
            }
            (_, Some((at_ms, error_ms))) => TrueTime::Corrected { at_ms, error_ms },
            (_, None) => self.between(stamp),
        }
    }

    /// What the boots around it leave over.
    fn between(&self, stamp: &Stamp) -> TrueTime {
        let before = self.boots.range(..stamp.boot).next_back().into_iter().flat_map(|(_, stretches)| stretches);
        let later = (Bound::Excluded(stamp.boot), Bound::Unbounded);
        let after = self.boots.range(later).next().into_iter().flat_map(|(_, stretches)| stretches);
        // The boot began after the last moment that an earlier one knew, and ended before a later one began.
        let not_before_ms = before.max_by_key(|stretch| stretch.last.mono_ms).map(|stretch| {
            let (at, error_ms) = stretch.at(stretch.last.mono_ms);
            let least_ms = stamp.mono_ms.0 - drift_ms(stamp.mono_ms.0).min(stamp.mono_ms.0);
            UnixMs(at.0.saturating_sub_unsigned(error_ms).saturating_add_unsigned(least_ms))
        });
        let not_after_ms = after.min_by_key(|stretch| stretch.first.mono_ms).map(|stretch| {
            let (at, error_ms) = stretch.at(MonoMs(0));
            UnixMs(at.0.saturating_add_unsigned(error_ms))
        });
        TrueTime::Unknown { not_before_ms, not_after_ms }
    }
}

impl Stretch {
    /// The wall time at a moment of this boot, and the bound of its error: from the nearer end.
    fn at(&self, mono_ms: MonoMs) -> (UnixMs, u64) {
        let error_ms = |end: Moment| end.error_ms.saturating_add(drift_ms(end.mono_ms.0.abs_diff(mono_ms.0)));
        let at = UnixMs(self.began.0.saturating_add_unsigned(mono_ms.0));
        (at, error_ms(self.first).min(error_ms(self.last)).saturating_add(READ_APART_MS))
    }
}

fn began(stamp: &Stamp) -> UnixMs {
    UnixMs(stamp.wall_ms.0.saturating_sub_unsigned(stamp.mono_ms.0))
}

/// How far a clock may run away in this time, in milliseconds, rounded up.
pub fn drift_ms(passed_ms: u64) -> u64 {
    passed_ms.div_ceil(1_000_000 / DRIFT_PPM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Boot, ClockSet, ClockSource};

    const DAY_MS: u64 = 86_400_000;

    fn stamp(boot: u32, mono_ms: u64, wall_ms: i64, clock: ClockQuality) -> Stamp {
        Stamp { boot: BootNo(boot), mono_ms: MonoMs(mono_ms), wall_ms: UnixMs(wall_ms), clock }
    }

    fn unset(boot: u32, mono_ms: u64) -> Stamp {
        stamp(boot, mono_ms, 5, ClockQuality::Unset)
    }

    fn set(line: &mut TimeLine, stamp: Stamp) {
        let body = ClockSet { source: ClockSource::Ntp, before: ClockQuality::Unset, step_ms: 0, error_ms: 10 };
        line.take(&Record { stamp, body: Body::Clock(body) });
    }

    fn seen(line: &mut TimeLine, stamp: Stamp) {
        line.take(&Record { stamp, body: Body::Boot(Boot { boot_id: String::new(), version: String::new() }) });
    }

    fn corrected(at_ms: i64, error_ms: u64) -> TrueTime {
        TrueTime::Corrected { at_ms: UnixMs(at_ms), error_ms }
    }

    #[test]
    fn a_stamp_is_corrected_by_the_nearer_end_of_what_its_boot_knew() {
        let mut line = TimeLine::new();
        let began = 1_800_000_000_000;
        let at = |days: u64| stamp(3, days * DAY_MS, began + (days * DAY_MS).cast_signed(), ClockQuality::Synchronised);
        set(&mut line, at(2));
        let drift = |days: u64| days * DAY_MS / 2_000;
        assert_eq!(line.time(&unset(3, 0)), corrected(began, 10 + drift(2) + READ_APART_MS));
        seen(&mut line, at(9));
        assert_eq!(
            line.time(&unset(3, 0)),
            corrected(began, 10 + drift(2) + READ_APART_MS),
            "the first counts before it"
        );
        let end = line.time(&unset(3, 10 * DAY_MS));
        let expected = began + (10 * DAY_MS).cast_signed();
        assert_eq!(end, corrected(expected, SYNCHRONISED_ERROR_MS + drift(1) + READ_APART_MS), "the last behind it");
        let stamped = TrueTime::Stamped { at_ms: at(5).wall_ms, error_ms: SYNCHRONISED_ERROR_MS };
        assert_eq!(line.time(&at(5)), stamped, "its own word");
    }

    #[test]
    fn a_holdover_stamp_takes_the_closer_bound() {
        let mut line = TimeLine::new();
        let held = |error_ms| stamp(0, DAY_MS, 7_000, ClockQuality::Holdover { error_ms });
        assert_eq!(line.time(&held(90)), TrueTime::Stamped { at_ms: UnixMs(7_000), error_ms: 90 });
        set(&mut line, stamp(0, DAY_MS + 2_000, 9_500, ClockQuality::Synchronised));
        assert_eq!(line.time(&held(20)), TrueTime::Stamped { at_ms: UnixMs(7_000), error_ms: 20 });
        assert_eq!(line.time(&held(90)), corrected(7_500, 31), "it had drifted by half a second");
    }

    #[test]
    fn a_boot_that_never_knew_lies_between_its_neighbours() {
        let mut line = TimeLine::new();
        let unknown = |before: Option<i64>, after: Option<i64>| TrueTime::Unknown {
            not_before_ms: before.map(UnixMs),
            not_after_ms: after.map(UnixMs),
        };
        assert_eq!(line.time(&unset(4, 50)), unknown(None, None));
        set(&mut line, stamp(1, 1_000, 100_000, ClockQuality::Synchronised));
        assert_eq!(line.time(&unset(4, 50)), unknown(Some(100_000 - 30 + 49), None), "two such boots in a row");
        set(&mut line, stamp(6, 2_000, 900_000, ClockQuality::Synchronised));
        assert_eq!(line.time(&unset(4, 50)), unknown(Some(100_019), Some(898_000 + 31)), "before the next one began");
        assert_eq!(line.time(&unset(0, 50)), unknown(None, Some(99_000 + 31)));
    }

    #[test]
    fn two_truths_of_one_boot_each_count_where_they_are_near() {
        let mut line = TimeLine::new();
        set(&mut line, stamp(0, 1_000, 50_000, ClockQuality::Synchronised));
        set(&mut line, stamp(0, 900_000, 49_000 + 900_000 - 1_000, ClockQuality::Synchronised));
        assert_eq!(line.time(&unset(0, 0)).known(), Some((UnixMs(49_000), 31)));
        assert_eq!(line.time(&unset(0, 900_000)).known(), Some((UnixMs(948_000), 30)), "after a leap second");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut line = TimeLine::new();
        for step in 0..200 {
            set(&mut line, stamp(0, step, 10_000 * step.cast_signed(), ClockQuality::Synchronised));
        }
        assert_eq!(line.boots[&BootNo(0)].len(), STRETCHES_MAX);
        assert_eq!(line.time(&unset(0, 199)).known(), Some((UnixMs(1_990_000), 30)), "the newest is kept");
        for boot in 1..=u32::try_from(BOOTS_MAX).unwrap() {
            set(&mut line, stamp(boot, 0, 0, ClockQuality::Synchronised));
        }
        assert_eq!((line.boots.len(), line.boots.contains_key(&BootNo(0))), (BOOTS_MAX, false));
    }
}
