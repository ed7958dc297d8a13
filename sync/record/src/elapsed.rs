//! How long it was from one record to another, as far as anybody can know.

use crate::{ClockQuality, Stamp};

/// Milliseconds that surely passed between two stamps, in the order of the journal.
///
/// Within a boot the monotonic clock tells. Across boots only wall time can, with the bounds of both errors taken off;
/// if either clock was never set, or wall time went back, nothing is known: `None`. A delay then starts anew, because
/// an alarm that comes late is a nuisance and one that accuses without proof is worse.
pub fn elapsed_ms(from: &Stamp, to: &Stamp) -> Option<u64> {
    if from.boot == to.boot {
        return Some(to.mono_ms.0.saturating_sub(from.mono_ms.0));
    }
    let uncertain_ms = error_ms(from.clock)?.checked_add(error_ms(to.clock)?)?;
    let wall_ms = to.wall_ms.0.checked_sub(from.wall_ms.0).and_then(|ms| u64::try_from(ms).ok())?;
    Some(wall_ms.saturating_sub(uncertain_ms))
}

/// How far wall time may be wrong, in milliseconds.
fn error_ms(clock: ClockQuality) -> Option<u64> {
    match clock {
        ClockQuality::Synchronised => Some(0),
        ClockQuality::Holdover { error_ms } => Some(u64::from(error_ms)),
        ClockQuality::Unset => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BootNo, MonoMs, UnixMs};

    fn stamp(boot: u32, mono_ms: u64, wall_ms: i64, clock: ClockQuality) -> Stamp {
        Stamp { boot: BootNo(boot), mono_ms: MonoMs(mono_ms), wall_ms: UnixMs(wall_ms), clock }
    }

    #[test]
    fn only_what_surely_passed_counts() {
        use ClockQuality::{Holdover, Synchronised, Unset};
        let from = stamp(0, 5_000, 100_000, Synchronised);
        // Within a boot the wall clock may jump as it likes.
        assert_eq!(elapsed_ms(&from, &stamp(0, 6_500, 0, Unset)), Some(1_500));
        assert_eq!(elapsed_ms(&from, &stamp(0, 4_000, 0, Unset)), Some(0));
        assert_eq!(elapsed_ms(&from, &stamp(1, 10, 103_000, Synchronised)), Some(3_000));
        assert_eq!(elapsed_ms(&from, &stamp(1, 10, 103_000, Holdover { error_ms: 400 })), Some(2_600));
        assert_eq!(elapsed_ms(&from, &stamp(1, 10, 103_000, Holdover { error_ms: 4_000 })), Some(0));
        assert_eq!(elapsed_ms(&from, &stamp(1, 10, 103_000, Unset)), None);
        assert_eq!(elapsed_ms(&from, &stamp(1, 10, 99_999, Synchronised)), None);
        assert_eq!(elapsed_ms(&stamp(0, 0, i64::MIN, Synchronised), &stamp(1, 0, i64::MAX, Synchronised)), None);
    }
}
