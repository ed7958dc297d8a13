//! True time, and the clocks of a box that has no battery.

use gatewayd::{Clock, Discipline};
use record::{BootNo, ClockSet, ClockSource, MonoMs, Stamp, UnixMs};

/// When the world begins (2026-11-15).
const EPOCH_MS: i64 = 1_794_700_800_000;
/// How fast an undisciplined clock drifts: the kernel's own assumption, 500 ppm.
const DRIFT_PPM: u64 = 500;
/// What a time source is good for.
const SYNCHRONISED_ERROR_MS: u32 = 20;

/// The kernel of one boot, and the gateway's clock on it.
#[derive(Debug)]
pub(crate) struct BoxClock {
    pub(crate) boot: BootNo,
    /// True time of the boot, in the world's milliseconds.
    booted_ms: u64,
    /// What the wall clock is wrong by.
    error_ms: i64,
    /// Since when a time source disciplines it, or did last.
    disciplined: Disciplined,
    clock: Clock,
}

#[derive(Debug, Clone, Copy)]
enum Disciplined {
    Never,
    Now,
    Until(u64),
}

/// What the clock truly shows at a time of the world.
pub(crate) fn true_ms(now: u64) -> UnixMs {
    UnixMs(EPOCH_MS + i64::try_from(now).expect("a time of the world"))
}

impl BoxClock {
    /// A boot at `now`, with a clock that is wrong by `error_ms`.
    pub(crate) fn boot(boot: BootNo, now: u64, error_ms: i64, newest: Option<UnixMs>) -> BoxClock {
        BoxClock { boot, booted_ms: now, error_ms, disciplined: Disciplined::Never, clock: Clock::new(boot, newest) }
    }

    /// The gateway starts again on the same boot.
    pub(crate) fn restart(&mut self, newest: Option<UnixMs>) {
        self.clock = Clock::new(self.boot, newest);
    }

    pub(crate) fn mono(&self, now: u64) -> MonoMs {
        MonoMs(now - self.booted_ms)
    }

    /// What is to be journaled of it with this stamp, the newest one.
    pub(crate) fn news(&self, stamp: &Stamp) -> Option<ClockSet> {
        self.clock.news(stamp)
    }

    /// That is durable.
    pub(crate) fn told(&mut self, told: &ClockSet, now: u64) {
        self.clock.told(told, self.mono(now));
    }

    /// A time source answers.
    pub(crate) fn synchronise(&mut self) {
        (self.error_ms, self.disciplined) = (0, Disciplined::Now);
    }

    /// It does not any more.
    pub(crate) fn let_go(&mut self, now: u64) {
        if matches!(self.disciplined, Disciplined::Now) {
            self.disciplined = Disciplined::Until(now);
        }
    }

    /// Somebody sets it, wrong by so much. A time source corrects that at once.
    pub(crate) fn set_by_hand(&mut self, error_ms: i64) {
        if !matches!(self.disciplined, Disciplined::Now) {
            // The kernel forgets what it was disciplined by (`do_settimeofday64` resets `ntp`): its own bound holds.
            (self.error_ms, self.disciplined) = (error_ms, Disciplined::Never);
        }
    }

    pub(crate) fn stamp(&mut self, now: u64) -> Stamp {
        let drift = |since: u64| (now - since) * DRIFT_PPM / 1_000_000;
        let drifted_ms = match self.disciplined {
            Disciplined::Never | Disciplined::Now => 0,
            Disciplined::Until(since) => drift(since),
        };
        let wall = UnixMs(true_ms(now).0 + self.error_ms + i64::try_from(drifted_ms).expect("a drift"));
        let (disciplined, mono) = (self.disciplined, self.mono(now));
        self.clock.stamp_at(mono, wall, || {
            let (synchronised, error_ms) = match disciplined {
                // The kernel's own bound where nobody ever corrected it: 16 s.
                Disciplined::Never => (false, 16_000),
                Disciplined::Now => (true, SYNCHRONISED_ERROR_MS),
                Disciplined::Until(since) => {
                    (false, SYNCHRONISED_ERROR_MS + u32::try_from(drift(since)).unwrap_or(u32::MAX) + 1)
                }
            };
            Some(Discipline { synchronised, error_ms, source: ClockSource::Ntp, leap_second: false })
        })
    }
}
