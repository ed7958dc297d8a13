//! The invariants that belong to no single part, as predicates: one definition for the code, its tests and the
//! simulation.

use crate::{ClockQuality, SYNCHRONISED_ERROR_MS, Stamp, UnixMs};

/// **T1**: a stamp that claims a good time was made at that time, within the error that it admits.
pub fn t1_no_false_good_time(stamp: &Stamp, true_ms: UnixMs) -> bool {
    let error_ms = stamp.wall_ms.0.abs_diff(true_ms.0);
    match stamp.clock {
        ClockQuality::Synchronised => error_ms <= SYNCHRONISED_ERROR_MS,
        ClockQuality::Holdover { error_ms: admitted } => error_ms <= u64::from(admitted),
        ClockQuality::Unset => true,
    }
}

/// **B1**: a queue, table or list has no more than its bound.
pub fn b1_within(len: usize, max: usize) -> bool {
    len <= max
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BootNo, MonoMs};

    fn holds(clock: ClockQuality, wrong_by_ms: i64) -> bool {
        let stamp = Stamp { boot: BootNo(0), mono_ms: MonoMs(0), wall_ms: UnixMs(1_000_000 + wrong_by_ms), clock };
        t1_no_false_good_time(&stamp, UnixMs(1_000_000))
    }

    #[test]
    fn t1_is_about_what_is_claimed() {
        assert!(holds(ClockQuality::Unset, -86_400_000));
        assert!(holds(ClockQuality::Synchronised, 2_000) && !holds(ClockQuality::Synchronised, 2_001));
        let held = ClockQuality::Holdover { error_ms: 40 };
        assert!(holds(held, -40) && !holds(held, -41));
    }

    #[test]
    fn b1_counts_the_bound_in() {
        assert!(b1_within(4, 4) && !b1_within(5, 4));
    }
}
