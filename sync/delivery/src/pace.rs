//! What the link carries, and for how long it usually holds, measured on the batches themselves.

use record::MonoMs;

use crate::round_trip::RoundTrip;
use crate::{Config, Transient};

/// The smallest budget of a batch on the wire: one second of the thinnest link that is served. Bytes.
pub const BATCH_BYTES_MIN: u64 = 2_048;
/// The budget before anything was measured: four seconds of that link, three doublings below the shipped bound. Bytes.
const BATCH_BYTES_FIRST: u64 = 8_192;
/// A batch takes no more of a link that never breaks: so long may an alarm have to share it. ms.
const BATCH_MS_MAX: u64 = 10_000;
/// A batch is meant for this part of the usual life of the link, so that a second one still passes. 1/n.
const LIFE_PART: u64 = 2;
/// Whoever carried more than this tells how fast the link is; the round trip hides it in smaller ones. Bytes.
const RATE_BYTES_MIN: u64 = 1_024;
/// Weight of a new measurement, 1/n (RFC 6298 §2 has the same for the round trip).
const SMOOTHING: u64 = 8;
/// Weight of a new life of the link, 1/n: there are few of them.
const LIFE_SMOOTHING: u64 = 4;
/// A destination that says it needed nearly all the time itself would make the link look endless. 1/n is the link's.
const LINK_PART_MIN: u64 = 16;
/// A link that carries less is thin: an alarm that has to share it with more than one batch is late. Bytes per second.
const THIN_BYTES_PER_S: u64 = 4_000;
/// So long before the last byte of a batch has passed the next one may leave: it takes that to begin, and an alarm can wait that
/// much longer. ms.
const LEAD_MS: u64 = 500;
/// A try is given up after so many times what nearly all take; doubled for each time that its connection did not carry the
/// batch to its end.
const PATIENCE: u64 = 3;
/// No try is given up before. ms.
const TIMEOUT_MS_MIN: u64 = 5_000;
/// No second try runs beside the first one before. ms.
const HEDGE_MS_MIN: u64 = 1_000;
/// No larger batch has a second try beside the first one: on a thin link both would wait for each other. Bytes.
const HEDGE_BYTES_MAX: u64 = 4_096;
/// Canonical bytes a byte on the wire, before any batch was cut, in [`RATIO_ONE`]: no compression at all.
const RATIO_ONE: u64 = 256;
/// No records are smaller than this on the wire by more: a strange batch must not make the next one huge.
const RATIO_MAX: u64 = 64 * RATIO_ONE;

/// Measured anew in each run: a box that was moved has another link.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// Doubled by a batch that passes and used it, halved by one that the link broke. Bytes on the wire.
    allowed: u64,
    /// Bytes that passed lately, and the ms that they took of the link: large batches tell more than small ones.
    carried: Option<(u64, u64)>,
    round_trip: RoundTrip,
    /// From the request of the first answer after a failure of the link.
    holds_since: Option<MonoMs>,
    newest_answer: MonoMs,
    life_ms: Option<u64>,
    /// Canonical bytes of records for a byte on the wire, times [`RATIO_ONE`].
    ratio: u64,
}

impl Pace {
    pub(crate) fn new() -> Pace {
        Pace {
            allowed: BATCH_BYTES_FIRST,
            carried: None,
            round_trip: RoundTrip::default(),
            holds_since: None,
            newest_answer: MonoMs(0),
            life_ms: None,
            ratio: RATIO_ONE,
        }
    }

    /// A batch was cut of so many canonical bytes.
    pub(crate) fn cut(&mut self, bytes_len: u64, content_len: u64) {
        let ratio = content_len.saturating_mul(RATIO_ONE) / bytes_len.max(1);
        self.ratio = smooth(self.ratio, ratio.clamp(RATIO_ONE, RATIO_MAX), SMOOTHING);
    }

    /// A batch that left at `since` was answered: whatever the answer is, its bytes have passed. The destination needed `own_ms`
    /// of that time itself.
    pub(crate) fn passed(&mut self, now: MonoMs, since: MonoMs, bytes_len: u64, own_ms: u64) {
        let took_ms = now.0.saturating_sub(since.0).max(1);
        self.round_trip.measured(took_ms.saturating_sub(self.wire_ms(bytes_len)));
        if bytes_len >= RATE_BYTES_MIN {
            let link_ms = took_ms.saturating_sub(own_ms).max(took_ms / LINK_PART_MIN).max(1);
            let (bytes, ms) = self.carried.unwrap_or_default();
            let fade = |sum: u64| sum - sum / SMOOTHING;
            self.carried = Some((fade(bytes).saturating_add(bytes_len), fade(ms).saturating_add(link_ms)));
        }
        self.holds_since.get_or_insert(since);
        self.newest_answer = now;
        // One that left room says nothing about a larger one.
        if bytes_len.saturating_mul(2) >= self.budget() {
            self.allowed = self.budget().saturating_mul(2);
        }
    }

    /// A batch did not pass, for this cause.
    pub(crate) fn failed(&mut self, why: Transient) {
        if !why.is_link() {
            return;
        }
        if let Some(since) = self.holds_since.take() {
            let life_ms = self.newest_answer.0.saturating_sub(since.0);
            self.life_ms = Some(self.life_ms.map_or(life_ms, |known| smooth(known, life_ms, LIFE_SMOOTHING)));
        }
        // What found no connection was not too large for it.
        if why != Transient::Unreachable {
            self.allowed = (self.budget() / 2).max(BATCH_BYTES_MIN);
        }
    }

    /// How large the next batch should be on the wire. Bytes.
    pub(crate) fn budget(&self) -> u64 {
        let wanted = self.bytes_per_s().map_or(u64::MAX, |rate| rate.saturating_mul(self.batch_ms()) / 1_000);
        self.allowed.min(wanted).max(BATCH_BYTES_MIN)
    }

    /// The same in canonical bytes of records, never more than is configured.
    pub(crate) fn content_budget(&self, config: &Config) -> u64 {
        let content = self.budget().saturating_mul(self.ratio) / RATIO_ONE;
        content.min(config.bytes_max.get())
    }

    /// Measured throughput, of a batch among those that share the link. Bytes per second.
    pub(crate) fn bytes_per_s(&self) -> Option<u64> {
        self.carried.map(|(bytes, ms)| bytes.saturating_mul(1_000) / ms.max(1))
    }

    /// How long the link usually holds. ms.
    pub(crate) fn life_ms(&self) -> Option<u64> {
        self.life_ms
    }

    /// How long the answer to a batch may take, of which its connections failed to carry so many tries to the end: what is
    /// configured, or less where answers are known to be quicker. ms.
    pub(crate) fn timeout_ms(&self, config: &Config, bytes_len: u64, half_way: u32) -> u64 {
        let configured_ms = config.timeout_ms(bytes_len);
        let Some(usual_ms) = self.usual_ms(bytes_len) else { return configured_ms };
        let patience = PATIENCE.checked_shl(half_way).unwrap_or(u64::MAX);
        usual_ms.saturating_mul(patience).max(TIMEOUT_MS_MIN).min(configured_ms)
    }

    /// Whether one batch at a time is all that the link should carry besides alarms.
    pub(crate) fn is_thin(&self) -> bool {
        self.bytes_per_s().is_some_and(|rate| rate < THIN_BYTES_PER_S)
    }

    /// After how long the link is free for the next batch; none before it was measured, and on a thin one. ms.
    pub(crate) fn passes_after_ms(&self, bytes_len: u64) -> Option<u64> {
        (self.carried.is_some() && !self.is_thin()).then(|| self.wire_ms(bytes_len).saturating_sub(LEAD_MS))
    }

    /// After how long an answer is later than nearly all, so that a second try may find a better connection; none for what
    /// is too large, and before enough is known. ms.
    pub(crate) fn hedge_after_ms(&self, bytes_len: u64) -> Option<u64> {
        self.usual_ms(bytes_len).filter(|_| bytes_len <= HEDGE_BYTES_MAX).map(|usual_ms| usual_ms.max(HEDGE_MS_MIN))
    }

    fn usual_ms(&self, bytes_len: u64) -> Option<u64> {
        self.round_trip.usual_ms().map(|usual_ms| usual_ms.saturating_add(self.wire_ms(bytes_len)))
    }

    fn wire_ms(&self, bytes_len: u64) -> u64 {
        self.bytes_per_s().map_or(0, |rate| bytes_len.saturating_mul(1_000) / rate.max(1))
    }

    /// So long may a batch take.
    fn batch_ms(&self) -> u64 {
        let life_ms = self.life_ms.map_or(BATCH_MS_MAX, |life_ms| life_ms / LIFE_PART);
        life_ms.min(BATCH_MS_MAX)
    }
}

fn smooth(known: u64, new: u64, part: u64) -> u64 {
    (known.saturating_mul(part - 1).saturating_add(new)) / part
}
