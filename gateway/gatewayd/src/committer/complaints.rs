//! A failure that goes on is said now and then, not at every transaction: a full disk fails several a second, and the log is
//! on a disk too.

use record::MonoMs;

/// Said again after so long.
const EVERY_MS: u64 = 10_000;

/// What was said, and what was not since.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    said_at: Option<MonoMs>,
    unsaid: u64,
}

impl Complaints {
    /// So many frames came to nothing now. How many did since it was said last, if it is to be said again.
    pub(super) fn add(&mut self, frames: usize, now: MonoMs) -> Option<u64> {
        self.unsaid = self.unsaid.saturating_add(u64::try_from(frames).unwrap_or(u64::MAX));
        if self.said_at.is_some_and(|said| now.0.saturating_sub(said.0) < EVERY_MS) {
            return None;
        }
        self.said_at = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_said_is_counted_with_what_is() {
        let mut complaints = Complaints::default();
        let said: Vec<Option<u64>> = [(3, 0), (1, 1), (2, 9_999), (4, 10_000), (1, 10_001), (0, 20_000)]
            .map(|(frames, at)| complaints.add(frames, MonoMs(at)))
            .to_vec();
        assert_eq!(said, [Some(3), None, None, Some(7), None, Some(1)]);
    }
}
