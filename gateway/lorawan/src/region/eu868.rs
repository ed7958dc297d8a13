//! EU863-870 (RP002-1.0.4 §2.4; ETSI EN 300 220-2; power in ERP).

use super::{Downlink, same_rate};
use crate::data_rate::{DataRate, LoraDataRate, SpreadingFactor};

/// The band, Hz. Every uplink channel, default or given by the network, lies in it.
const BAND_HZ: std::ops::RangeInclusive<u32> = 863_000_000..=870_000_000;

/// Sub-bands at 1 % duty cycle: 25 mW ERP.
const RX1_POWER_DBM: i8 = 14;

/// RX2: DR0 in the sub-band 869.4 to 869.65 MHz at 10 % duty cycle: 500 mW ERP.
pub(super) const RX2: Downlink =
    Downlink { frequency_hz: 869_525_000, data_rate: LoraDataRate::bw125(SpreadingFactor::Sf12), power_dbm: 27 };

/// RX1: the uplink's frequency and, at offset 0, its data rate.
pub(super) fn rx1(uplink_hz: u32, uplink_rate: DataRate) -> Option<Downlink> {
    let data_rate = same_rate(uplink_rate)?;
    BAND_HZ.contains(&uplink_hz).then_some(Downlink { frequency_hz: uplink_hz, data_rate, power_dbm: RX1_POWER_DBM })
}
