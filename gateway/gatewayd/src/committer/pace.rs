//! How long frames wait for company, so that a card is written less (pure).
//!
//! Commits follow each other no sooner than configured while there is something to wait for. After a pause of that length
//! a frame is stored at once. Where waiting brought nobody, as with one sensor that sends its next frame after its
//! acknowledgement, it is tried again now and then only.

use std::time::Duration;

use record::MonoMs;

/// After so many waits in a row that brought nobody …
const VAIN_MAX: u32 = 4;
/// … only one of so many commits waits.
const TRY_EVERY: u32 = 16;

/// The distance of commits.
#[derive(Debug)]
pub(crate) struct Pace {
    linger_ms: u64,
    /// The newest commit.
    last: Option<MonoMs>,
    /// Waits in a row that brought nobody.
    vain: u32,
    /// Commits since the last wait.
    untried: u32,
}

impl Pace {
    /// At most this long.
    pub(crate) fn new(linger_ms: u64) -> Pace {
        Pace { linger_ms, last: None, vain: 0, untried: 0 }
    }

    /// How long from `now` what comes waits for company.
    pub(crate) fn linger(&self, now: MonoMs) -> Duration {
        let Some(last) = self.last.filter(|_| self.vain < VAIN_MAX || self.untried >= TRY_EVERY) else {
            return Duration::ZERO;
        };
        Duration::from_millis(last.0.saturating_add(self.linger_ms).saturating_sub(now.0))
    }

    /// A transaction is over at `now`. Its frames had waited for company, and so many came; or they had not.
    pub(crate) fn committed(&mut self, company: Option<usize>, now: MonoMs) {
        self.last = Some(now);
        match company {
            Some(0) => (self.vain, self.untried) = (self.vain.saturating_add(1), 0),
            Some(_) => (self.vain, self.untried) = (0, 0),
            None => self.untried = self.untried.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linger_ms(pace: &Pace, now: u64) -> u128 {
        pace.linger(MonoMs(now)).as_millis()
    }

    #[test]
    fn a_frame_after_a_pause_is_stored_at_once() {
        let mut pace = Pace::new(100);
        assert_eq!(linger_ms(&pace, 5), 0, "the first of all");
        pace.committed(None, MonoMs(5));
        assert_eq!(linger_ms(&pace, 35), 70);
        pace.committed(Some(3), MonoMs(105));
        assert_eq!(linger_ms(&pace, 205), 0);
        assert_eq!(linger_ms(&pace, 1_000), 0);
    }

    #[test]
    fn a_sensor_that_waits_for_its_acknowledgement_is_not_kept_waiting() {
        let mut pace = Pace::new(100);
        let (mut now, frames) = (0, 170);
        for _ in 0..frames {
            // Its next frame comes a millisecond after each acknowledgement.
            now += 1;
            let linger_ms = linger_ms(&pace, now);
            now += u64::try_from(linger_ms).unwrap();
            pace.committed((linger_ms > 0).then_some(0), MonoMs(now));
        }
        assert!((500..=1_700).contains(&now), "{now} ms for {frames} frames, {} without it", frames * 100);
        // The first wait that finds company brings all of them back.
        while linger_ms(&pace, now) == 0 {
            pace.committed(None, MonoMs(now));
        }
        pace.committed(Some(1), MonoMs(now));
        assert_eq!(linger_ms(&pace, now + 1), 99);
    }

    #[test]
    fn none_is_configured() {
        let mut pace = Pace::new(0);
        pace.committed(None, MonoMs(5));
        assert_eq!(linger_ms(&pace, 5), 0);
    }
}
