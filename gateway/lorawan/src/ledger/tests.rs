use proptest::prelude::*;

use super::*;

const CHANNEL_HZ: u32 = 868_100_000;
/// An acknowledgement at SF7.
const ACK_US: u32 = 41_216;

/// A ledger whose first hour is over, so that nothing unknown counts.
fn settled() -> (Ledger, u64) {
    (Ledger::new(0, Region::Eu868), HOUR_MS)
}

fn percent(ledger: &Ledger, now_ms: u64, name: &str) -> f64 {
    ledger.used(now_ms).find(|duty| duty.sub_band.name == name).unwrap().percent()
}

#[test]
fn one_percent_of_an_hour_is_873_acknowledgements() {
    let (mut ledger, start_ms) = settled();
    let mut sent = 0;
    while ledger.allows(start_ms, CHANNEL_HZ, ACK_US) {
        ledger.book(CHANNEL_HZ, start_ms + sent * 100, ACK_US);
        sent += 1;
    }
    assert_eq!(sent, 873);
    assert!(!ledger.allows(start_ms, 868_500_000, ACK_US), "the same sub-band");
    assert!(ledger.allows(start_ms, 867_100_000, ACK_US), "another one");
    assert!(ledger.allows(start_ms, 869_525_000, 10 * ACK_US));
    assert!(percent(&ledger, start_ms, "868.0-868.6") > 99.9);
    // The first leaves the hour, and makes room for exactly one.
    assert!(!ledger.allows(start_ms + HOUR_MS - 1, CHANNEL_HZ, ACK_US));
    assert!(ledger.allows(start_ms + HOUR_MS, CHANNEL_HZ, ACK_US));
    ledger.book(CHANNEL_HZ, start_ms + HOUR_MS, ACK_US);
    assert!(!ledger.allows(start_ms + HOUR_MS, CHANNEL_HZ, ACK_US));
}

#[test]
fn a_tenth_of_a_percent_and_ten_percent() {
    let (mut ledger, now_ms) = settled();
    assert!(ledger.allows(now_ms, 868_800_000, 3_600_000));
    assert!(!ledger.allows(now_ms, 868_800_000, 3_600_001));
    assert!(ledger.allows(now_ms, 869_525_000, 360_000_000));
    assert!(!ledger.allows(now_ms, 869_525_000, 360_000_001));
}

#[test]
fn the_hour_before_the_start_counts_half() {
    let mut ledger = Ledger::new(5_000, Region::Eu868);
    assert!((percent(&ledger, 5_000, "868.0-868.6") - 50.0).abs() < 1e-9);
    assert!(ledger.allows(5_000, CHANNEL_HZ, 18_000_000));
    assert!(!ledger.allows(5_000, CHANNEL_HZ, 18_000_001));
    assert!(ledger.allows(5_000 + HOUR_MS, CHANNEL_HZ, 36_000_000));
}

#[test]
fn what_a_gateway_refused_is_not_counted() {
    let (mut ledger, now_ms) = settled();
    ledger.book(CHANNEL_HZ, now_ms + 50, ACK_US);
    ledger.book(CHANNEL_HZ, now_ms + 900, 30_000_000);
    assert!(!ledger.allows(now_ms, CHANNEL_HZ, 6_000_000));
    ledger.cancel(CHANNEL_HZ, now_ms + 900, 30_000_000);
    ledger.cancel(CHANNEL_HZ, now_ms + 900, 30_000_000);
    assert!(ledger.allows(now_ms, CHANNEL_HZ, 36_000_000 - ACK_US));
    assert!(!ledger.allows(now_ms, CHANNEL_HZ, 36_000_000 - ACK_US + 1));
}

#[test]
fn no_limit_where_the_plan_has_none() {
    let mut ledger = Ledger::new(0, Region::Cn470);
    assert!(ledger.allows(0, 505_300_000, u32::MAX));
    ledger.book(505_300_000, 1, u32::MAX);
    assert_eq!(ledger.used(1).count(), 0);
}

#[test]
fn memory_is_bounded_and_never_forgets_airtime() {
    let (mut ledger, start_ms) = settled();
    let count = 3 * ENTRIES_MAX as u64;
    for n in 0..count {
        assert!(ledger.allows(start_ms, 869_525_000, 20_608));
        ledger.book(869_525_000, start_ms + n * 30, 20_608);
    }
    assert!(ledger.accounts.iter().all(|account| account.entries.len() <= ENTRIES_MAX));
    let used_us = ledger.used(start_ms).map(|duty| duty.used_us).sum::<u64>();
    assert_eq!(used_us, count * 20_608, "exactly");
}

proptest! {
    /// Against the law itself: in no hour is more on air than allowed, wherever the hour begins.
    #[test]
    fn no_hour_holds_more_than_the_law_allows(
        wishes in prop::collection::vec((0..300_000u64, 0..16_000u64, 20_000..3_000_000u32, any::<bool>()), 1..300),
    ) {
        let (mut ledger, mut now_ms) = settled();
        let mut sent: Vec<(u64, u64)> = Vec::new();
        for (wait_ms, ahead_ms, airtime_us, refused) in wishes {
            now_ms += wait_ms;
            if ledger.allows(now_ms, CHANNEL_HZ, airtime_us) {
                let ends_ms = now_ms + ahead_ms;
                ledger.book(CHANNEL_HZ, ends_ms, airtime_us);
                if refused {
                    ledger.cancel(CHANNEL_HZ, ends_ms, airtime_us);
                } else {
                    sent.push((ends_ms, u64::from(airtime_us)));
                }
            }
        }
        for (last_ms, _) in &sent {
            let hour = last_ms.saturating_sub(HOUR_MS)..=*last_ms;
            let on_air: u64 = sent.iter().filter(|(ends_ms, _)| *ends_ms > *hour.start() && ends_ms <= hour.end()).map(|(_, us)| us).sum();
            prop_assert!(on_air <= 36_000_000, "{} µs in the hour before {}", on_air, last_ms);
        }
    }
}
