//! How long frames wait for company, so that a card is written less (pure).
//!
//! Commits follow each other no sooner than configured while there is something to wait for. A frame that comes after a
//! pause of that length is stored at once, and so is a group as soon as it is as large as groups were lately: sensors that
//! send their next frame after their acknowledgement are all there by then. Now and then a wait goes to its end whatever
//! has come, to learn whether there are more; several in a row in which fewer came teach the contrary.

use std::time::Duration;

use record::MonoMs;

/// One of so many commits waits to the end.
const LEARN_EVERY: u32 = 64;
/// So many waits in a row to which fewer came make a quarter less expected.
const SHORT_MAX: u32 = 4;

/// The distance of commits.
#[derive(Debug)]
pub(crate) struct Pace {
    linger_ms: u64,
    /// The newest commit.
    last: Option<MonoMs>,
    /// Frames that are expected in a group.
    expected: usize,
    /// Commits since one waited to the end whatever had come.
    since: u32,
    /// Waits in a row to which fewer came.
    short: u32,
}

impl Pace {
    /// At most this long.
    pub(crate) fn new(linger_ms: u64) -> Pace {
        Pace { linger_ms, last: None, expected: 0, since: LEARN_EVERY, short: 0 }
    }

    /// How long from `now` what comes waits for company.
    pub(crate) fn linger(&self, now: MonoMs) -> Duration {
        let until = self.last.map_or(0, |last| last.0.saturating_add(self.linger_ms));
        Duration::from_millis(until.saturating_sub(now.0))
    }

    /// With so many frames there is nobody to wait for.
    pub(crate) fn enough(&self) -> usize {
        if self.since >= LEARN_EVERY { usize::MAX } else { self.expected }
    }

    /// A group of so many frames is stored at `now`; `to_the_end` if it had waited as long as it might.
    pub(crate) fn committed(&mut self, frames: usize, to_the_end: bool, now: MonoMs) {
        if frames == 0 {
            return;
        }
        self.last = Some(now);
        let learns = to_the_end && self.enough() == usize::MAX;
        self.since = if learns { 0 } else { self.since.saturating_add(1) };
        match frames < self.expected {
            false => (self.expected, self.short) = (frames, 0),
            true if to_the_end => self.short += 1,
            // A radio frame ended the wait.
            true => {}
        }
        if self.short == SHORT_MAX {
            (self.expected, self.short) = (self.expected - (self.expected / 4).max(1), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_after_a_pause_is_stored_at_once() {
        let mut pace = Pace::new(100);
        assert_eq!(pace.linger(MonoMs(5)), Duration::ZERO, "the first of all");
        pace.committed(1, false, MonoMs(5));
        assert_eq!(pace.linger(MonoMs(35)), Duration::from_millis(70));
        assert_eq!(pace.linger(MonoMs(105)), Duration::ZERO);
        assert_eq!(Pace::new(0).linger(MonoMs(5)), Duration::ZERO);
    }

    /// So many sensors that send their next frame a millisecond after their acknowledgement: how long a commit takes.
    fn commits_ms(sensors: usize, commits: u64) -> u64 {
        let mut pace = Pace::new(100);
        let mut now = 0;
        for _ in 0..commits {
            now += 1;
            let waits = pace.linger(MonoMs(now)) > Duration::ZERO && sensors < pace.enough();
            now += if waits { u64::try_from(pace.linger(MonoMs(now)).as_millis()).unwrap() } else { 0 };
            pace.committed(sensors, waits, MonoMs(now));
        }
        now / commits
    }

    #[test]
    fn sensors_that_wait_for_their_acknowledgement_are_not_kept_waiting() {
        assert!(commits_ms(1, 1_000) < 4, "{} ms", commits_ms(1, 1_000));
        assert!(commits_ms(50, 1_000) < 4, "{} ms", commits_ms(50, 1_000));
    }

    #[test]
    fn others_fill_the_time() {
        let mut pace = Pace::new(100);
        let mut stored = 0;
        // Five in each tenth of a second, more or less; none of them waits for anything.
        for (tenth, come) in (1..).zip([5, 4, 6, 5, 3, 5, 7, 5].repeat(40)) {
            let frames = come.min(pace.enough());
            stored += frames;
            pace.committed(frames, come < pace.enough(), MonoMs(tenth * 100));
        }
        assert!(stored > 320 * 4, "{stored} in 320 commits, 1,600 came");
    }

    #[test]
    fn fewer_sensors_are_soon_expected() {
        let mut pace = Pace::new(100);
        (0..10).for_each(|_| pace.committed(50, true, MonoMs(0)));
        let short = (1..).find(|_| {
            pace.committed(3, true, MonoMs(0));
            pace.enough() == 3
        });
        assert!(short.is_some_and(|waits| waits < 60), "{short:?} waits");
        // What a radio frame ended teaches nothing.
        pace.committed(1, false, MonoMs(0));
        assert_eq!(pace.enough(), 3);
    }
}
