//! How patient, how eager and how greedy a destination is.

use std::num::{NonZeroU32, NonZeroU64};

use crate::Budget;

/// The settings of one destination. [`Config::default`] suits HTTPS over 4G.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Most records in one batch, in every lane.
    pub records_max: NonZeroU32,
    /// Most canonical bytes of records in one batch, on the best of links; a worse one gets less. Bytes.
    pub bytes_max: NonZeroU64,
    /// How many of the newest records count as live; older ones are backlog. Records.
    pub live_window: NonZeroU64,
    /// How long a live record may wait for company, counted from when it was told or from the live cut before it. ms.
    pub live_linger_ms: u64,
    /// After this many live batches in a row the backlog gets one, if it has something.
    pub live_run_max: NonZeroU32,
    /// Most live and backlog batches on the link together. The backlog leaves one of them free if there are two; then one more
    /// of it is cut while these are under way, and one more waits for its answer only, so that a fast link does not wait for
    /// the next one to be packed or the last one to be stored. Outstanding are at most
    /// [`BEYOND_WINDOW_MAX`](crate::BEYOND_WINDOW_MAX) more.
    pub window: NonZeroU32,
    /// Most outstanding alarm batches; they take no place in `window`. Further alarms wait and share the next batch.
    pub alarm_window: NonZeroU32,
    /// How long an answer may take, apart from the time that the bytes need; less where answers are known to be quick. ms.
    pub answer_timeout_ms: u64,
    /// The slowest link that is not yet called broken; gives a batch its time on the wire. Bytes per second.
    pub bytes_per_s_min: NonZeroU32,
    /// Whether a small batch whose answer is late is sent a second time beside the first; none is on a link with
    /// a budget.
    pub hedge: bool,
    /// Most records put aside. What is refused beyond them is asked again, seldom, until a person has made room.
    pub parked_max: NonZeroU64,
    /// How much may be carried.
    pub budget: Budget,
    /// Waiting after a failure.
    pub backoff: Backoff,
}

/// Full jitter: the n-th wait is uniform in `1..=min(ceiling_ms, base_ms * 2^(n-1))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Longest first wait. ms.
    pub base_ms: u64,
    /// Longest wait ever, also when the destination asks for more. ms.
    pub ceiling_ms: u64,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { base_ms: 500, ceiling_ms: 30_000 }
    }
}

const fn records(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for Config {
    /// Large enough that signature and envelope (under 200 bytes) do not matter; a thin link gets smaller batches.
    fn default() -> Config {
        Config {
            records_max: records(5_000),
            bytes_max: NonZeroU64::from(records(2_097_152)),
            live_window: NonZeroU64::from(records(1_000)),
            live_linger_ms: 1_000,
            live_run_max: records(3),
            window: records(2),
            alarm_window: records(4),
            answer_timeout_ms: 30_000,
            bytes_per_s_min: records(2_000),
            hedge: true,
            parked_max: NonZeroU64::from(records(10_000)),
            budget: Budget::default(),
            backoff: Backoff::default(),
        }
    }
}

impl Config {
    /// How long the answer to a batch of this many bytes may take. ms.
    pub(crate) fn timeout_ms(&self, bytes_len: u64) -> u64 {
        let wire_ms = bytes_len.saturating_mul(1_000) / u64::from(self.bytes_per_s_min.get());
        self.answer_timeout_ms.saturating_add(wire_ms)
    }
}
