//! How fast a device may send: a token bucket for packets and one for bytes, kept across its connections.
//!
//! As the generic cell rate algorithm has it (ITU-T I.371): a bucket is the moment at which all it was charged is paid
//! off. A device ahead of its rate is not read until it is no more than [`BURST`] ahead; nothing of it is lost.

use std::time::Duration;

use tokio::time::Instant;

use crate::Limits;

/// How far a device may be ahead of its rate: what a sensor that was out of reach has to catch up with, in one go.
const BURST: Duration = Duration::from_secs(1);

/// The buckets of one device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    packets: Instant,
    bytes: Instant,
}

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Self { packets: now, bytes: now }
    }

    /// Charges one packet of this many bytes.
    pub(crate) fn charge(&mut self, now: Instant, packet_bytes: usize, limits: &Limits) {
        self.packets = self.packets.max(now) + share(1, limits.packets_per_second_max);
        self.bytes = self.bytes.max(now) + share(packet_bytes, limits.bytes_per_second_max);
    }

    /// Until when the device is not to be read; none if it may be.
    pub(crate) fn pause(&self, now: Instant) -> Option<Instant> {
        let paid = self.packets.max(self.bytes);
        (paid > now + BURST).then(|| paid - BURST)
    }
}

/// The time that `amount` takes at `per_second`.
fn share(amount: usize, per_second: u32) -> Duration {
    Duration::from_secs_f64(amount as f64 / f64::from(per_second.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(packets: usize, packet_bytes: usize, pause_ms: Option<u128>) {
        let limits = Limits { packets_per_second_max: 10, bytes_per_second_max: 1_000, ..Limits::default() };
        let now = Instant::now();
        let mut pace = Pace::new(now);
        (0..packets).for_each(|_| pace.charge(now, packet_bytes, &limits));
        assert_eq!(pace.pause(now).map(|until| (until - now).as_millis()), pause_ms);
    }

    #[test]
    fn a_burst_passes_and_a_flood_waits() {
        check(0, 0, None);
        check(10, 100, None);
        check(11, 0, Some(100));
        check(10, 101, Some(10));
        check(1, 3_000, Some(2_000));
    }

    #[test]
    fn what_is_paid_off_is_forgotten() {
        let limits = Limits { packets_per_second_max: 10, ..Limits::default() };
        let now = Instant::now();
        let mut pace = Pace::new(now);
        (0..30).for_each(|_| pace.charge(now, 1, &limits));
        let later = pace.pause(now).unwrap();
        assert_eq!(pace.pause(later), None);
        let much_later = later + Duration::from_secs(60);
        (0..10).for_each(|_| pace.charge(much_later, 1, &limits));
        assert_eq!(pace.pause(much_later), None, "idle time saves up no more than one burst");
        pace.charge(much_later, 1, &limits);
        assert!(pace.pause(much_later).is_some());
    }
}
