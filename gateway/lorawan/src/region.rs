//! Channel plans: where and how a class A device listens after it has spoken.
//!
//! A table each in a file named after the plan: [`Region::Eu868`], [`Region::Cn470`].

mod cn470;
mod eu868;

use crate::airtime::airtime_us;
use crate::data_rate::{DataRate, LoraDataRate};

/// A channel plan of RP002-1.0.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Region {
    /// EU863-870.
    #[serde(rename = "EU868")]
    Eu868,
    /// CN470-510, the plan with 96 uplink and 48 downlink channels. RP002's other CN470 plans (20 and 26 MHz
    /// antennas) are not served.
    #[serde(rename = "CN470")]
    Cn470,
}

/// One of the two times at which a class A device listens (LoRaWAN 1.0.4 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// One second after the uplink, on a channel derived from it.
    Rx1,
    /// Two seconds after the uplink, on the plan's fixed channel.
    Rx2,
}

/// How to send a downlink in a receive window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Downlink {
    /// Centre frequency, Hz.
    pub frequency_hz: u32,
    /// Spreading factor and bandwidth.
    pub data_rate: LoraDataRate,
    /// Power, dBm ERP.
    pub power_dbm: i8,
}

impl Region {
    /// How to send in `window` after an uplink; none if the plan has no such uplink channel or data rate.
    pub fn downlink(self, window: Window, uplink_hz: u32, uplink_rate: DataRate) -> Option<Downlink> {
        match (self, window) {
            (Region::Eu868, Window::Rx1) => eu868::rx1(uplink_hz, uplink_rate),
            (Region::Eu868, Window::Rx2) => Some(eu868::RX2),
            (Region::Cn470, Window::Rx1) => cn470::rx1(uplink_hz, uplink_rate),
            (Region::Cn470, Window::Rx2) => Some(cn470::RX2),
        }
    }

    /// Longest single transmission the plan's law allows, µs; none if it sets no such limit.
    pub fn airtime_us_max(self) -> Option<u32> {
        match self {
            Region::Eu868 => None,
            Region::Cn470 => Some(cn470::AIRTIME_US_MAX),
        }
    }

    /// Whether a downlink of `phy_bytes` at `data_rate` may be sent at all.
    pub fn allows(self, data_rate: LoraDataRate, phy_bytes: u8) -> bool {
        self.airtime_us_max().is_none_or(|max| airtime_us(data_rate, phy_bytes, false) <= max)
    }
}

/// Offset 0 of the RX1 data rate table is the uplink's own data rate, in both plans; both use 125 kHz LoRa for it.
fn same_rate(uplink_rate: DataRate) -> Option<LoraDataRate> {
    match uplink_rate {
        DataRate::Lora(lora) => Some(lora).filter(|lora| lora.bandwidth == crate::Bandwidth::Khz125),
        DataRate::Fsk(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(region: Region, uplink_hz: u32, rate: &str, expected: Expect) {
        let rate = rate.parse().map_or(DataRate::Fsk(50_000), DataRate::Lora);
        let show = |window| match region.downlink(window, uplink_hz, rate) {
            Some(Downlink { frequency_hz, data_rate, power_dbm }) => {
                format!("{frequency_hz} {data_rate} {power_dbm} dBm")
            }
            None => "none".to_owned(),
        };
        expected.assert_eq(&format!("{}, {}", show(Window::Rx1), show(Window::Rx2)));
    }

    #[test]
    fn eu868_answers_on_the_same_frequency() {
        check(Region::Eu868, 868_100_000, "SF7BW125", expect!["868100000 SF7BW125 14 dBm, 869525000 SF12BW125 27 dBm"]);
        check(
            Region::Eu868,
            867_900_000,
            "SF12BW125",
            expect!["867900000 SF12BW125 14 dBm, 869525000 SF12BW125 27 dBm"],
        );
        check(Region::Eu868, 868_800_000, "FSK", expect!["none, 869525000 SF12BW125 27 dBm"]);
        check(Region::Eu868, 915_000_000, "SF7BW125", expect!["none, 869525000 SF12BW125 27 dBm"]);
    }

    #[test]
    fn cn470_folds_96_uplink_channels_onto_48() {
        check(Region::Cn470, 470_300_000, "SF7BW125", expect!["500300000 SF7BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
        check(Region::Cn470, 479_700_000, "SF9BW125", expect!["509700000 SF9BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
        check(Region::Cn470, 479_900_000, "SF9BW125", expect!["500300000 SF9BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
        check(
            Region::Cn470,
            486_300_000,
            "SF10BW125",
            expect!["506700000 SF10BW125 17 dBm, 505300000 SF12BW125 17 dBm"],
        );
        check(Region::Cn470, 489_299_988, "SF7BW125", expect!["509700000 SF7BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
        check(Region::Cn470, 489_500_000, "SF7BW125", expect!["none, 505300000 SF12BW125 17 dBm"]);
        check(Region::Cn470, 470_200_000, "SF7BW125", expect!["none, 505300000 SF12BW125 17 dBm"]);
    }

    #[test]
    fn rx1_is_what_lrwn_says() {
        use lrwn::region::{CommonName, get};
        let lrwn = get(CommonName::CN470, false, false);
        for n in 0..96 {
            let uplink_hz = 470_300_000 + 200_000 * n;
            let rate = DataRate::Lora("SF7BW125".parse().unwrap());
            let ours = Region::Cn470.downlink(Window::Rx1, uplink_hz, rate).map(|downlink| downlink.frequency_hz);
            assert_eq!(ours, Some(lrwn.get_rx1_frequency_for_uplink_frequency(uplink_hz).unwrap()));
        }
    }

    #[test]
    fn cn470_sends_no_longer_than_a_second() {
        let sf12 = "SF12BW125".parse().unwrap();
        assert!(Region::Cn470.allows(sf12, 12), "a bare acknowledgement, 991 ms");
        assert!(!Region::Cn470.allows(sf12, 13), "one byte more, 1155 ms");
        assert!(Region::Cn470.allows("SF11BW125".parse().unwrap(), 18), "659 ms");
        assert!(Region::Eu868.allows(sf12, 255));
    }
}
