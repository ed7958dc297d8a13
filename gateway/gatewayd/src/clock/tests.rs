//! The clock against a kernel whose true time is known.

mod broken;
mod random;
mod scenarios;

use record::{
    BUILD_FLOOR, Body, Boot, BootNo, ClockQuality, ClockSource, MonoMs, Record, Stamp, TimeLine, UnixMs, drift_ms,
    invariant,
};

use super::{Clock, Discipline, Rtc, SavedTime};

/// When the world begins: some days after the program was written.
const EPOCH_MS: i64 = BUILD_FLOOR.0 + 20 * DAY_MS.cast_signed();
const DAY_MS: u64 = 86_400_000;

/// A kernel with its clocks, the truth, and what the gateway made of them.
pub(super) struct World {
    clock: Clock,
    boot: BootNo,
    /// True time, µs since 1970.
    true_us: i64,
    /// Monotonic time of this boot, µs.
    mono_us: u64,
    /// Wall minus monotonic time, ms.
    began_ms: i64,
    /// How fast the crystal is wrong when nobody steers it, ppm.
    drift_ppm: i64,
    source: Source,
    /// Whether a leap second is inserted now.
    leap: bool,
    /// Everything journaled, with the time at which it really was.
    pub(super) journal: Vec<(Record, UnixMs)>,
    saved: Option<SavedTime>,
}

/// Who tells the kernel the time.
#[derive(Debug, Clone, Copy)]
enum Source {
    Nobody,
    /// Steered to within ± ms.
    Steered(u32),
    /// Steered at that monotonic time, µs; the kernel has not given it up yet.
    Coasting(u32, u64),
    /// `adjtimex` fails.
    Refused,
}

impl World {
    /// The first boot, with a wall clock that is wrong by this.
    pub(super) fn boot(wrong_by_ms: i64, drift_ppm: i64) -> World {
        let (true_us, boot) = (EPOCH_MS * 1_000, BootNo(0));
        World {
            clock: Clock::new(boot, None),
            boot,
            true_us,
            mono_us: 0,
            began_ms: EPOCH_MS + wrong_by_ms,
            drift_ppm,
            source: Source::Nobody,
            leap: false,
            journal: Vec::new(),
            saved: None,
        }
    }

    /// Off for a while, then a new boot; with a real-time clock, where one ran on.
    pub(super) fn reboot(&mut self, off_ms: u64, wrong_by_ms: i64, rtc: bool) {
        self.save();
        self.true_us += (off_ms * 1_000).cast_signed();
        (self.boot, self.mono_us, self.source) = (BootNo(self.boot.0 + 1), 0, Source::Nobody);
        self.began_ms = self.truth().0 + wrong_by_ms;
        let rtc = rtc.then_some(Rtc { wall_ms: UnixMs(self.began_ms / 1_000 * 1_000) });
        self.start(rtc);
    }

    /// The gateway alone starts again.
    pub(super) fn restart(&mut self) {
        self.save();
        self.start(None);
    }

    fn start(&mut self, rtc: Option<Rtc>) {
        let newest = self.journal.last().map(|(record, _)| record.stamp.wall_ms);
        self.clock = Clock::new(self.boot, newest).with_rtc(rtc);
        if let Some(saved) = self.saved {
            self.clock = std::mem::replace(&mut self.clock, Clock::new(self.boot, None)).with_saved(saved);
        }
    }

    fn save(&mut self) {
        self.saved = SavedTime::from_bytes(&self.clock.saved(self.mono()).to_bytes());
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.true_us += (ms * 1_000).cast_signed();
        let drift = match self.source {
            Source::Steered(_) => 0,
            _ => (ms * 1_000).cast_signed() * self.drift_ppm / 1_000_000,
        };
        self.mono_us += (ms * 1_000).saturating_add_signed(drift);
        self.leap = self.leap && ms < 1_000;
    }

    /// A daemon sets the clock to the truth but for this, and keeps it there.
    pub(super) fn steer(&mut self, wrong_by_ms: i64, error_ms: u32) {
        self.began_ms = self.truth().0 + wrong_by_ms - self.mono().0.cast_signed();
        self.source = Source::Steered(error_ms);
    }

    /// The daemon hears nothing any more.
    pub(super) fn coast(&mut self) {
        if let Source::Steered(error_ms) = self.source {
            self.source = Source::Coasting(error_ms, self.mono_us);
        }
    }

    pub(super) fn lose(&mut self) {
        self.source = Source::Nobody;
    }

    pub(super) fn refuse(&mut self) {
        self.source = Source::Refused;
    }

    /// Somebody sets the clock by hand: the kernel forgets its discipline.
    pub(super) fn hand(&mut self, by_ms: i64) {
        (self.began_ms, self.source) = (self.began_ms + by_ms, Source::Nobody);
    }

    /// UTC inserts a second, and with it the kernel.
    pub(super) fn leap(&mut self) {
        (self.true_us, self.began_ms, self.leap) = (self.true_us - 1_000_000, self.began_ms - 1_000, true);
    }

    pub(super) fn truth(&self) -> UnixMs {
        UnixMs(self.true_us.div_euclid(1_000))
    }

    fn mono(&self) -> MonoMs {
        MonoMs(self.mono_us / 1_000)
    }

    pub(super) fn wall(&self) -> UnixMs {
        UnixMs(self.began_ms + self.mono().0.cast_signed())
    }

    pub(super) fn word(&self) -> Option<Discipline> {
        let (synchronised, error_ms) = match self.source {
            Source::Refused => return None,
            Source::Nobody => (false, 16_000),
            Source::Steered(error_ms) => (true, error_ms),
            Source::Coasting(error_ms, since_us) => {
                let grown_ms = drift_ms((self.mono_us - since_us).div_ceil(1_000)) + u64::from(error_ms);
                (grown_ms < 16_000, u32::try_from(grown_ms.min(16_000)).unwrap())
            }
        };
        Some(Discipline { synchronised, error_ms, source: ClockSource::Ntp, leap_second: self.leap })
    }

    /// A record is made, and the one about the clock before it, where there is one.
    pub(super) fn record(&mut self) -> (Stamp, Option<record::ClockSet>) {
        let (mono, wall, word, truth) = (self.mono(), self.wall(), self.word(), self.truth());
        let stamp = self.clock.stamp_at(mono, wall, || word);
        let news = self.clock.news(&stamp);
        if let Some(set) = &news {
            self.journal.push((Record { stamp, body: Body::Clock(set.clone()) }, truth));
            self.clock.told(set, mono);
        }
        let body = Body::Boot(Boot { boot_id: String::new(), version: String::new() });
        self.journal.push((Record { stamp, body }, truth));
        (stamp, news)
    }

    /// Every promise about what was journaled.
    pub(super) fn check(&self) {
        let mut line = TimeLine::new();
        for (record, truth) in &self.journal {
            assert!(invariant::t1_no_false_good_time(&record.stamp, *truth), "T1: {record:?}, it was {truth}");
            if matches!(record.body, Body::Clock(_)) {
                line.take(record);
            }
        }
        for pair in self.journal.windows(2) {
            let [(before, _), (after, _)] = pair else { unreachable!("pairs") };
            let order = |record: &Record| (record.stamp.boot, record.stamp.mono_ms);
            assert!(order(before) <= order(after), "{before:?} {after:?}");
            let set = matches!(after.body, Body::Clock(_)) || after.stamp.clock != ClockQuality::Unset;
            assert!(set || before.stamp.wall_ms <= after.stamp.wall_ms, "wall time ran back: {before:?} {after:?}");
        }
        for (record, truth) in &self.journal {
            let time = line.time(&record.stamp);
            assert!(time.allows(*truth), "{record:?} at {truth} is said to be of {time:?}");
        }
    }
}
