//! How many datagrams of one gateway are listened to.

/// A gateway that was silent may send this many seconds' worth at once: what the kernel kept while we restarted.
const BURST_S: u64 = 2;

/// A token bucket: a token a datagram, held in thousandths so that a millisecond's refill is exact.
#[derive(Debug)]
pub(super) struct Bucket {
    per_s: u64,
    tokens_milli: u64,
    refilled_ms: u64,
}

impl Bucket {
    /// Full.
    pub(super) fn new(now_ms: u64, per_s: u32) -> Bucket {
        let per_s = u64::from(per_s);
        Bucket { per_s, tokens_milli: per_s * BURST_S * 1_000, refilled_ms: now_ms }
    }

    /// Whether one more may be taken now.
    pub(super) fn take(&mut self, now_ms: u64) -> bool {
        let passed_ms = now_ms.saturating_sub(self.refilled_ms);
        let refill = self.per_s.saturating_mul(passed_ms);
        self.tokens_milli = self.tokens_milli.saturating_add(refill).min(self.per_s * BURST_S * 1_000);
        self.refilled_ms = now_ms;
        let taken = self.tokens_milli.checked_sub(1_000);
        self.tokens_milli = taken.unwrap_or(self.tokens_milli);
        taken.is_some()
    }
}
