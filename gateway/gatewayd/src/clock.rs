//! The box's two clocks, and what can be said of the wall one (design §5, **T1**).
//!
//! ```text
//! CLOCK_BOOTTIME ─┐                                   ┌─► Stamp { mono, wall, quality }
//! CLOCK_REALTIME ─┼─► Clock (pure: everything given) ─┼─► ClockSet, when the time became known or was set: a record
//! adjtimex, RTC ──┘                                   └─► SavedTime, for the next boot
//! ```
//! Duties: no stamp claims a good time without somebody's word for it; stamps are ordered by (boot, mono); untrusted wall
//! time never runs back below what was shown before.
//!
//! States: *synchronised* while the kernel's clock is disciplined to within 2 s; *holdover* afterwards, with a bound that
//! grows by 500 ppm; *unset* when nobody told the time, or somebody moved the clock by hand. A hand on the clock shows as a
//! changed distance of the two clocks, because a daemon that slews moves both; the kernel is then asked at once, not at the
//! next second.
//!
//! A source that the kernel believes is believed, also where it takes back what an earlier one said: a single wrong server
//! would else lock the box into the future for ever. Readers see both truths as records, and each corrects what is near it.

mod kernel;
mod rtc;
mod saved;
#[cfg(test)]
mod tests;

use record::{
    BUILD_FLOOR, Body, BootNo, ClockQuality, ClockSet, ClockSource, MonoMs, Record, SYNCHRONISED_ERROR_MS, Stamp,
    TimeLine, UnixMs, drift_ms, invariant,
};
use rustix::time::{ClockId, clock_gettime};

pub use kernel::{Discipline, discipline};
pub use rtc::Rtc;
pub(crate) use saved::STATE;
pub use saved::SavedTime;
use saved::{Good, SavedKnown};

/// The kernel is asked this seldom whether its clock is disciplined: often enough that a change is told within a second.
const ASK_EVERY_MS: u64 = 1_000;
/// The two clocks are read one after the other, perhaps with another process between: a smaller change of their distance
/// is none.
const READ_APART_MS: u64 = 20;
/// The time is saved this seldom while nothing is journaled: a commit each, so that an idle box writes 96 a day.
const SAVE_EVERY_MS: u64 = 15 * 60_000;
/// A source that comes and goes is told this seldom, unless it moves the clock.
const TELL_EVERY_MS: u64 = 6 * 3_600_000;
/// A leap second makes one second of wall time ambiguous.
const LEAP_MS: u32 = 1_000;

/// Makes stamps.
#[derive(Debug)]
pub struct Clock {
    boot: BootNo,
    quality: ClockQuality,
    /// When the time was known last, if nobody moved the clock since.
    known: Option<Known>,
    /// What was shown last; before the first stamp, what earlier boots leave as the least.
    shown: Shown,
    asked: Option<Asked>,
    /// The real-time clock as it stood at the start, until it was looked at.
    rtc: Option<Rtc>,
    /// The end of what the boot before knew; none once it is clear that this one does not go on from there.
    good: Option<Good>,
    news: Option<ClockSet>,
    told_at: Option<MonoMs>,
    saved_at: Option<MonoMs>,
    ask: Ask,
}

/// How the kernel is asked; `None` if it refuses.
pub(crate) type Ask = fn() -> Option<Discipline>;

/// A moment at which somebody told the time.
#[derive(Debug, Clone, Copy)]
struct Known {
    mono_ms: MonoMs,
    wall_ms: UnixMs,
    error_ms: u32,
    source: ClockSource,
}

/// The wall time of a stamp. Before the first one it has no moment, and stands.
#[derive(Debug, Clone, Copy)]
struct Shown {
    wall_ms: UnixMs,
    mono_ms: Option<MonoMs>,
}

/// The last time the kernel was asked.
#[derive(Debug, Clone, Copy)]
struct Asked {
    mono_ms: MonoMs,
    /// The distance of the two clocks then.
    began: UnixMs,
}

/// What is known of the clock at this moment, for who shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockView {
    /// Now.
    pub(crate) stamp: Stamp,
    /// Who told the time, while that counts.
    pub(crate) source: Option<ClockSource>,
    /// Bound of the error, ± ms, while it is known.
    pub(crate) error_ms: Option<u64>,
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
        let wall_ms = newest.map_or(BUILD_FLOOR, |newest| newest.max(BUILD_FLOOR));
        Clock {
            boot,
            quality: ClockQuality::Unset,
            known: None,
            shown: Shown { wall_ms, mono_ms: None },
            asked: None,
            rtc: None,
            good: None,
            news: None,
            told_at: None,
            saved_at: None,
            ask: kernel::discipline,
        }
    }

    /// With another to ask than this machine's kernel.
    #[must_use]
    pub(crate) fn asking(mut self, ask: Ask) -> Clock {
        self.ask = ask;
        self
    }

    /// With what the last run saved.
    #[must_use]
    pub fn with_saved(mut self, saved: SavedTime) -> Clock {
        self.shown.wall_ms = self.shown.wall_ms.max(saved.shown_ms);
        self.good = saved.good;
        if let Some(saved) = saved.known.filter(|known| known.boot == self.boot) {
            let SavedKnown { mono_ms, wall_ms, error_ms, source, .. } = saved;
            // Until the first look tells whether somebody moved the clock meanwhile.
            self.known = Some(Known { mono_ms, wall_ms, error_ms, source });
        }
        self
    }

    /// With a real-time clock as it stands at the start. It is believed only if it goes on from what an earlier boot knew.
    #[must_use]
    pub fn with_rtc(mut self, rtc: Option<Rtc>) -> Clock {
        self.rtc = rtc;
        self
    }

    /// Now.
    pub(crate) fn stamp(&mut self) -> Stamp {
        self.stamp_at(mono_ms(), wall_ms(), self.ask)
    }

    /// At a moment when the kernel's two clocks show this; it is asked for the discipline of its wall clock now and then.
    pub fn stamp_at(&mut self, mono_ms: MonoMs, wall_ms: UnixMs, ask: impl FnOnce() -> Option<Discipline>) -> Stamp {
        let began = began(mono_ms, wall_ms);
        let current = self.asked.is_some_and(|asked| {
            mono_ms.0.saturating_sub(asked.mono_ms.0) < ASK_EVERY_MS && asked.began.0.abs_diff(began.0) <= READ_APART_MS
        });
        if !current {
            if self.asked.is_none() {
                // What earlier boots left is still stored.
                self.saved_at = Some(mono_ms);
            }
            self.judge(mono_ms, wall_ms, ask());
            self.asked = Some(Asked { mono_ms, began });
        }
        let wall_ms = match self.quality {
            ClockQuality::Unset => wall_ms.max(self.at_least(mono_ms)),
            ClockQuality::Synchronised | ClockQuality::Holdover { .. } => wall_ms,
        };
        self.shown = Shown { wall_ms, mono_ms: Some(mono_ms) };
        let stamp = Stamp { boot: self.boot, mono_ms, wall_ms, clock: self.quality };
        debug_assert!(self.keeps_t1(&stamp), "T1: {stamp:?} by {:?}", self.known);
        stamp
    }

    /// What is to be journaled of the clock, in a record with this stamp, the newest one. It stays until [`Clock::told`].
    pub fn news(&self, stamp: &Stamp) -> Option<ClockSet> {
        let error_ms = u32::try_from(self.error_ms(stamp)?).unwrap_or(u32::MAX);
        self.news.clone().map(|news| ClockSet { error_ms, ..news })
    }

    /// That is durable.
    pub fn told(&mut self, told: &ClockSet, mono_ms: MonoMs) {
        self.told_at = Some(mono_ms);
        // Something newer may have come while it was written.
        self.news.take_if(|news| (news.before, news.step_ms, news.source) == (told.before, told.step_ms, told.source));
    }

    /// What the next boot must know, if it is time to save that.
    pub fn to_save(&self, mono_ms: MonoMs) -> Option<SavedTime> {
        let due = self.saved_at.is_none_or(|at| mono_ms.0.saturating_sub(at.0) >= SAVE_EVERY_MS);
        (due || self.news.is_some()).then(|| self.saved(mono_ms))
    }

    /// What the next boot must know.
    pub fn saved(&self, mono_ms: MonoMs) -> SavedTime {
        let good = self.known.map(|known| {
            let (wall_ms, error_ms) = known.at(mono_ms);
            Good { wall_ms, error_ms }
        });
        let known = self.known.map(|known| {
            let Known { mono_ms, wall_ms, error_ms, source } = known;
            SavedKnown { boot: self.boot, mono_ms, wall_ms, error_ms, source }
        });
        SavedTime { shown_ms: self.at_least(mono_ms), good: good.or(self.good), known }
    }

    /// It is durable.
    pub fn was_saved(&mut self, mono_ms: MonoMs) {
        self.saved_at = Some(mono_ms);
    }

    /// What is known now, for who shows it.
    pub(crate) fn view(&mut self) -> ClockView {
        let stamp = self.stamp();
        let error_ms = self.error_ms(&stamp);
        ClockView { stamp, source: self.known.map(|known| known.source).filter(|_| error_ms.is_some()), error_ms }
    }

    /// What is known now about earlier stamps of this boot.
    pub(crate) fn line(&self) -> TimeLine {
        let mut line = TimeLine::new();
        if let Some(Known { mono_ms, wall_ms, error_ms, source }) = self.known {
            let stamp = Stamp { boot: self.boot, mono_ms, wall_ms, clock: ClockQuality::Synchronised };
            let set = ClockSet { source, before: ClockQuality::Unset, step_ms: 0, error_ms };
            line.take(&Record { stamp, body: Body::Clock(set) });
        }
        line
    }

    /// Bound of the error of the newest stamp, if there is one.
    fn error_ms(&self, stamp: &Stamp) -> Option<u64> {
        match stamp.clock {
            ClockQuality::Unset => None,
            ClockQuality::Holdover { error_ms } => Some(u64::from(error_ms)),
            ClockQuality::Synchronised => {
                self.known.map(|known| known.at(stamp.mono_ms).1.saturating_add(READ_APART_MS))
            }
        }
    }

    /// What the kernel's word makes of what was known.
    fn judge(&mut self, mono_ms: MonoMs, wall_ms: UnixMs, word: Option<Discipline>) {
        let before = (self.quality, wall_ms.0.saturating_sub(self.expected(mono_ms, wall_ms).0));
        let told = word.filter(|word| word.synchronised && wall_ms >= BUILD_FLOOR).map(|word| {
            let leap_ms = if word.leap_second { LEAP_MS } else { 0 };
            Known { mono_ms, wall_ms, error_ms: word.error_ms.saturating_add(leap_ms), source: word.source }
        });
        let rtc = self.rtc.take().and_then(|rtc| rtc.error_ms(self.good, wall_ms));
        let rtc = rtc.map(|error_ms| Known { mono_ms, wall_ms, error_ms, source: ClockSource::Rtc });
        let unmoved = self.known.filter(|known| known.deviation_ms(mono_ms, wall_ms) <= known.slack_ms(mono_ms));
        self.known = told.or(unmoved).or(rtc);
        if self.known.is_none() && self.good.take().is_some() {
            // Whoever moves the system's clock may move the real-time clock with it: the next boot must not believe it.
            self.saved_at = None;
        }
        self.quality = match self.known {
            None => ClockQuality::Unset,
            Some(known) => {
                let passed = known.at(mono_ms).1.saturating_add(known.deviation_ms(mono_ms, wall_ms));
                let held = told.is_none() || passed > SYNCHRONISED_ERROR_MS;
                // The bound must hold until the next question, a change that passes for none included.
                let bound_ms = passed.saturating_add(2 * READ_APART_MS);
                match held {
                    true => ClockQuality::Holdover { error_ms: u32::try_from(bound_ms).unwrap_or(u32::MAX) },
                    false => ClockQuality::Synchronised,
                }
            }
        };
        self.note_news(mono_ms, before);
    }

    /// Keeps what a record must tell: the time became known, a source came back, or it moved the clock.
    fn note_news(&mut self, mono_ms: MonoMs, (before, step_ms): (ClockQuality, i64)) {
        let Some(known) = self.known.filter(|known| known.mono_ms == mono_ms) else { return };
        let moved = step_ms.unsigned_abs() > READ_APART_MS;
        let quiet = self.told_at.is_some_and(|at| mono_ms.0.saturating_sub(at.0) < TELL_EVERY_MS);
        let came_back = before != self.quality && !matches!(self.quality, ClockQuality::Holdover { .. });
        if before == ClockQuality::Unset || moved || (came_back && !quiet) {
            // What is not journaled yet is told with it.
            let earlier = self.news.take().filter(|news| news.before == ClockQuality::Unset);
            let (before, step_ms) =
                earlier.map_or((before, step_ms), |news| (news.before, news.step_ms.saturating_add(step_ms)));
            self.news = Some(ClockSet { source: known.source, before, step_ms, error_ms: known.error_ms });
        }
    }

    /// What a stamp would have said at this moment if nobody had said or done anything.
    fn expected(&self, mono_ms: MonoMs, wall_ms: UnixMs) -> UnixMs {
        let least = self.at_least(mono_ms);
        if self.shown.mono_ms.is_some() { least } else { wall_ms.max(least) }
    }

    /// The least that untrusted wall time may be: what was shown before, run on.
    fn at_least(&self, mono_ms: MonoMs) -> UnixMs {
        let passed_ms = self.shown.mono_ms.map_or(0, |at| mono_ms.0.saturating_sub(at.0));
        UnixMs(self.shown.wall_ms.0.saturating_add_unsigned(passed_ms))
    }

    /// Whether a stamp claims no more than follows from the moment at which somebody told the time.
    fn keeps_t1(&self, stamp: &Stamp) -> bool {
        match self.known {
            None => stamp.clock == ClockQuality::Unset,
            Some(known) => invariant::t1_no_false_good_time(stamp, known.at(stamp.mono_ms).0),
        }
    }
}

impl Known {
    /// The wall time at a later moment of this boot, and the bound of its error.
    fn at(&self, mono_ms: MonoMs) -> (UnixMs, u64) {
        let passed_ms = mono_ms.0.saturating_sub(self.mono_ms.0);
        let at = UnixMs(self.wall_ms.0.saturating_add_unsigned(passed_ms));
        (at, u64::from(self.error_ms).saturating_add(drift_ms(passed_ms)))
    }

    /// How far the wall clock stands from that.
    fn deviation_ms(&self, mono_ms: MonoMs, wall_ms: UnixMs) -> u64 {
        self.at(mono_ms).0.0.abs_diff(wall_ms.0)
    }

    /// How far it may stand without a hand on it.
    fn slack_ms(&self, mono_ms: MonoMs) -> u64 {
        READ_APART_MS.saturating_add(drift_ms(mono_ms.0.saturating_sub(self.mono_ms.0)))
    }
}

fn began(mono_ms: MonoMs, wall_ms: UnixMs) -> UnixMs {
    UnixMs(wall_ms.0.saturating_sub_unsigned(mono_ms.0))
}
