//! When the tree head is signed.

use record::MonoMs;

use crate::config::CheckpointEvery;

/// After a checkpoint that could not be stored: long enough that a full disk does not fill the log as well.
const RETRY_MS: u64 = 10_000;

/// With nothing to sign the committer still looks up this often, for what the sockets had to let go (A3).
const IDLE_MS: u64 = 60_000;

/// No record stays unsigned longer than configured, while the disk takes checkpoints.
#[derive(Debug)]
pub(crate) struct Schedule {
    every: CheckpointEvery,
    signed: u64,
    /// When the oldest unsigned record must be signed; none if all are.
    due_at: Option<MonoMs>,
    /// Not before this.
    retry_at: MonoMs,
}

impl Schedule {
    /// For a journal of `size` records, of which the first `signed` are under a signed head. What an earlier run left
    /// unsigned is due at once.
    pub(crate) fn new(every: CheckpointEvery, signed: u64, size: u64) -> Schedule {
        let due_at = (size > signed).then_some(MonoMs(0));
        Schedule { every, signed, due_at, retry_at: MonoMs(0) }
    }

    /// Takes note that the journal has `size` records now.
    pub(crate) fn grown(&mut self, size: u64, now: MonoMs) {
        if size > self.signed && self.due_at.is_none() {
            self.due_at = Some(after(now, self.every.seconds_max.saturating_mul(1_000)));
        }
    }

    /// Whether a journal of `size` records is to be signed now.
    pub(crate) fn is_due(&self, size: u64, now: MonoMs) -> bool {
        let many = size.saturating_sub(self.signed) >= self.every.records_max;
        let aged = self.due_at.is_some_and(|at| now >= at);
        size > self.signed && now >= self.retry_at && (many || aged)
    }

    /// The head over `size` records is stored.
    pub(crate) fn signed(&mut self, size: u64) {
        (self.signed, self.due_at) = (size, None);
    }

    /// It could not be stored.
    pub(crate) fn failed(&mut self, now: MonoMs) {
        self.retry_at = after(now, RETRY_MS);
    }

    /// Records under the newest signed head.
    pub(crate) fn size(&self) -> u64 {
        self.signed
    }

    /// How long from `now` nothing is due, in milliseconds.
    pub(crate) fn wait_ms(&self, now: MonoMs) -> u64 {
        let due = self.due_at.map(|at| at.max(self.retry_at).0.saturating_sub(now.0));
        due.unwrap_or(IDLE_MS).clamp(1, IDLE_MS)
    }
}

fn after(now: MonoMs, ms: u64) -> MonoMs {
    MonoMs(now.0.saturating_add(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: CheckpointEvery = CheckpointEvery { records_max: 10, seconds_max: 60 };

    #[test]
    fn records_and_seconds_bound_what_is_unsigned() {
        let mut schedule = Schedule::new(EVERY, 0, 0);
        assert!(!schedule.is_due(0, MonoMs(u64::MAX)), "nothing to sign");
        schedule.grown(1, MonoMs(1_000));
        schedule.grown(2, MonoMs(50_000));
        assert!(!schedule.is_due(2, MonoMs(60_999)));
        assert_eq!(schedule.wait_ms(MonoMs(60_000)), 1_000);
        assert!(schedule.is_due(2, MonoMs(61_000)), "a minute after the first of them");
        assert!(schedule.is_due(10, MonoMs(2_000)), "ten of them");
        schedule.signed(10);
        assert!(!schedule.is_due(10, MonoMs(u64::MAX)));
        assert_eq!(schedule.wait_ms(MonoMs(2_000)), IDLE_MS);
    }

    #[test]
    fn what_an_earlier_run_left_is_signed_at_once() {
        assert!(Schedule::new(EVERY, 3, 4).is_due(4, MonoMs(0)));
        assert!(!Schedule::new(EVERY, 4, 4).is_due(4, MonoMs(0)));
    }

    #[test]
    fn a_failure_is_not_repeated_at_once() {
        let mut schedule = Schedule::new(EVERY, 0, 20);
        schedule.failed(MonoMs(5_000));
        assert!(!schedule.is_due(20, MonoMs(14_999)));
        assert_eq!(schedule.wait_ms(MonoMs(5_000)), RETRY_MS);
        assert!(schedule.is_due(20, MonoMs(15_000)));
    }
}
