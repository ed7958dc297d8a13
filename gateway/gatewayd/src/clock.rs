//! The box's two clocks, and what can be said of the wall one (design §5, T1).

mod kernel;

use record::{BootNo, ClockQuality, MonoMs, Stamp, UnixMs};
use rustix::time::{ClockId, clock_gettime};

pub use kernel::Discipline;

/// The kernel is asked this seldom whether its clock is disciplined: often enough that a change is told within a second.
const ASK_EVERY_MS: u64 = 1_000;

/// No honest clock is below this: when the program was written (2026-11-01).
const BUILD_FLOOR: UnixMs = UnixMs(1_793_491_200_000);

/// Makes stamps.
#[derive(Debug)]
pub struct Clock {
    boot: BootNo,
    /// Wall time never goes below the newest journaled time and the build date.
    floor: UnixMs,
    quality: ClockQuality,
    asked_at: Option<MonoMs>,
}

/// Milliseconds since boot, sleep included.
pub(crate) fn mono_ms() -> MonoMs {
    let now = clock_gettime(ClockId::Boottime);
    let ms = now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000);
    MonoMs(u64::try_from(ms).unwrap_or(0))
}

/// Milliseconds since 1970 as the kernel has it, right or wrong.
pub(crate) fn wall_ms() -> UnixMs {
    let now = clock_gettime(ClockId::Realtime);
    UnixMs(now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000))
}

impl Clock {
    /// For this boot of the box, with the newest wall time in the journal.
    pub fn new(boot: BootNo, newest: Option<UnixMs>) -> Clock {
        let floor = newest.map_or(BUILD_FLOOR, |newest| newest.max(BUILD_FLOOR));
        Clock { boot, floor, quality: ClockQuality::Unset, asked_at: None }
    }

    /// Now.
    pub(crate) fn stamp(&mut self) -> Stamp {
        self.stamp_at(mono_ms(), wall_ms(), kernel::discipline)
    }

    /// At a moment when the kernel's two clocks show this; it is asked for the discipline of its wall clock now and then.
    pub fn stamp_at(&mut self, mono_ms: MonoMs, wall: UnixMs, ask: impl FnOnce() -> Option<Discipline>) -> Stamp {
        if self.asked_at.is_none_or(|at| mono_ms.0.saturating_sub(at.0) >= ASK_EVERY_MS) {
            self.asked_at = Some(mono_ms);
            self.quality = judge(self.quality, ask());
        }
        // A clock behind what was already journaled cannot be right, whatever the kernel believes of it.
        let (wall_ms, clock) = if wall < self.floor { (self.floor, ClockQuality::Unset) } else { (wall, self.quality) };
        Stamp { boot: self.boot, mono_ms, wall_ms, clock }
    }
}

/// What the kernel's word makes of what we knew: without discipline a clock that once had it holds over, with the
/// kernel's own error bound; one that never had it is unset.
fn judge(before: ClockQuality, now: Option<Discipline>) -> ClockQuality {
    match (now, before) {
        (Some(discipline), _) if discipline.synchronised => ClockQuality::Synchronised,
        (Some(discipline), ClockQuality::Synchronised | ClockQuality::Holdover { .. }) => {
            ClockQuality::Holdover { error_ms: discipline.error_ms }
        }
        _ => ClockQuality::Unset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_time_is_never_claimed_without_the_kernels_word() {
        let free = Some(Discipline { synchronised: false, error_ms: 16_000 });
        let held = Some(Discipline { synchronised: true, error_ms: 3 });
        assert_eq!(judge(ClockQuality::Unset, free), ClockQuality::Unset);
        assert_eq!(judge(ClockQuality::Unset, None), ClockQuality::Unset);
        assert_eq!(judge(ClockQuality::Unset, held), ClockQuality::Synchronised);
        assert_eq!(judge(ClockQuality::Synchronised, free), ClockQuality::Holdover { error_ms: 16_000 });
        assert_eq!(judge(ClockQuality::Synchronised, None), ClockQuality::Unset);
    }

    #[test]
    fn wall_time_stays_above_what_was_journaled_and_says_so() {
        let ahead = UnixMs(wall_ms().0 + 3_600_000);
        let stamp = Clock::new(BootNo(0), Some(ahead)).stamp();
        assert_eq!((stamp.wall_ms, stamp.clock), (ahead, ClockQuality::Unset));
        assert!(Clock::new(BootNo(0), None).stamp().wall_ms >= BUILD_FLOOR);
    }
}
