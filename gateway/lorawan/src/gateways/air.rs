//! When a gateway's one transmitter is taken: it is half-duplex, so two downlinks may not overlap.

/// Between two transmissions, ms: the forwarder's margins around each (1.5 ms to start, 1 ms of spread), and what our
/// clock may differ from its counter, because uplinks reach us with some ms of jitter.
const GUARD_MS: u64 = 10;

/// Reservations of one gateway. Answers are at most 16 s ahead and do not overlap; more than this many is no honest
/// traffic.
const RESERVED_MAX: usize = 256;

/// A time on air, by our monotonic clock, ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transmission {
    pub(super) starts_ms: u64,
    pub(super) ends_ms: u64,
}

/// What one gateway is going to send.
#[derive(Debug, Default)]
pub(super) struct Air {
    reserved: Vec<Transmission>,
}

impl Transmission {
    pub(super) fn new(starts_ms: u64, airtime_us: u32) -> Transmission {
        let ends_ms = starts_ms.saturating_add(u64::from(airtime_us).div_ceil(1_000));
        Transmission { starts_ms, ends_ms }
    }

    fn overlaps(&self, other: &Transmission) -> bool {
        self.starts_ms < other.ends_ms.saturating_add(GUARD_MS)
            && other.starts_ms < self.ends_ms.saturating_add(GUARD_MS)
    }
}

impl Air {
    /// Whether nothing else is on air then.
    pub(super) fn is_free(&mut self, now_ms: u64, wanted: &Transmission) -> bool {
        self.reserved.retain(|reserved| reserved.ends_ms.saturating_add(GUARD_MS) > now_ms);
        self.reserved.len() < RESERVED_MAX && !self.reserved.iter().any(|reserved| reserved.overlaps(wanted))
    }

    pub(super) fn reserve(&mut self, transmission: Transmission) {
        self.reserved.push(transmission);
    }

    /// It is not sent.
    pub(super) fn cancel(&mut self, transmission: &Transmission) {
        self.reserved.retain(|reserved| reserved != transmission);
    }

    /// Nothing of what was reserved is sent.
    pub(super) fn clear(&mut self) {
        self.reserved.clear();
    }
}
