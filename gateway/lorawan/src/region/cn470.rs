//! CN470-510, 96 uplink and 48 downlink channels (RP002-1.0.4 §2.11; limits of the Chinese micro-power notice).

use super::{Downlink, same_rate};
use crate::data_rate::{DataRate, LoraDataRate, SpreadingFactor};

/// Uplink channel n is at 470.3 + 0.2 n MHz, n = 0..95.
const UPLINK_HZ: u32 = 470_300_000;
const UPLINK_CHANNELS: u32 = 96;

/// Downlink channel n is at 500.3 + 0.2 n MHz, n = 0..47.
const DOWNLINK_HZ: u32 = 500_300_000;
const DOWNLINK_CHANNELS: u32 = 48;

const SPACING_HZ: u32 = 200_000;

/// Half a channel's bandwidth: what is farther from the raster, no 125 kHz demodulator could have heard. Some forwarders
/// compute frequencies in single precision, a few Hz off.
const OFF_RASTER_HZ_MAX: u32 = 62_500;

/// 50 mW ERP.
const POWER_DBM: i8 = 17;

/// One transmission lasts at most a second.
pub(super) const AIRTIME_US_MAX: u32 = 1_000_000;

/// RX2: 505.3 MHz, DR0.
pub(super) const RX2: Downlink =
    Downlink { frequency_hz: 505_300_000, data_rate: LoraDataRate::bw125(SpreadingFactor::Sf12), power_dbm: POWER_DBM };

/// RX1: the uplink's channel modulo 48 and, at offset 0, its data rate.
pub(super) fn rx1(uplink_hz: u32, uplink_rate: DataRate) -> Option<Downlink> {
    let data_rate = same_rate(uplink_rate)?;
    let above = uplink_hz.saturating_add(OFF_RASTER_HZ_MAX).checked_sub(UPLINK_HZ)?;
    let channel = above / SPACING_HZ;
    if channel >= UPLINK_CHANNELS || above % SPACING_HZ > 2 * OFF_RASTER_HZ_MAX {
        return None;
    }
    let frequency_hz = DOWNLINK_HZ + SPACING_HZ * (channel % DOWNLINK_CHANNELS);
    Some(Downlink { frequency_hz, data_rate, power_dbm: POWER_DBM })
}
