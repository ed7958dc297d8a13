//! How much of what strangers send is kept.

use record::MonoMs;

/// A token bucket in bytes: full after an hour of quiet, so that the first frames of an attack are kept whole and its
/// thousandth only counted (B1).
#[derive(Debug, Clone)]
pub struct EvidenceBudget {
    bytes_per_hour: u64,
    /// In byte-milliseconds, so that slow refills are not rounded away.
    available: u64,
    at: Option<MonoMs>,
}

/// Milliseconds in an hour.
const HOUR_MS: u64 = 3_600_000;

/// What a kept frame costs beside its bytes: link, reason, words.
const OVERHEAD_BYTES: u64 = 160;

impl EvidenceBudget {
    /// A full bucket of this size.
    pub fn new(bytes_per_hour: u32) -> EvidenceBudget {
        let bytes_per_hour = u64::from(bytes_per_hour);
        EvidenceBudget { bytes_per_hour, available: bytes_per_hour * HOUR_MS, at: None }
    }

    /// Whether a frame of `bytes` may be kept; if so, it is paid for.
    pub(crate) fn spend(&mut self, bytes: usize, now: MonoMs) -> bool {
        let elapsed = self.at.map_or(0, |at| now.0.saturating_sub(at.0)).min(HOUR_MS);
        self.at = Some(now);
        self.available = (self.available + elapsed * self.bytes_per_hour).min(self.bytes_per_hour * HOUR_MS);
        let cost = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(OVERHEAD_BYTES).saturating_mul(HOUR_MS);
        let affordable = cost <= self.available;
        if affordable {
            self.available -= cost;
        }
        affordable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_brings_what_an_hour_allows() {
        let mut budget = EvidenceBudget::new(1_000);
        let kept = |budget: &mut EvidenceBudget, at| (0..100).filter(|_| budget.spend(40, MonoMs(at))).count();
        assert_eq!(kept(&mut budget, 0), 5, "1000 bytes at 200 each");
        assert_eq!(kept(&mut budget, HOUR_MS / 5), 1);
        assert_eq!(kept(&mut budget, 100 * HOUR_MS), 5, "never more than one hour's worth at once");
    }
}
