//! CN470-510, 96 uplink and 48 downlink channels (RP002-1.0.4 §2.11; limits of the Chinese micro-power notice).

use crate::data_rate::{LoraDataRate, SpreadingFactor};

/// DR0 to DR5.
pub(super) const DATA_RATES: [LoraDataRate; 6] = [
    LoraDataRate::bw125(SpreadingFactor::Sf12),
    LoraDataRate::bw125(SpreadingFactor::Sf11),
    LoraDataRate::bw125(SpreadingFactor::Sf10),
    LoraDataRate::bw125(SpreadingFactor::Sf9),
    LoraDataRate::bw125(SpreadingFactor::Sf8),
    LoraDataRate::bw125(SpreadingFactor::Sf7),
];

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
pub(super) const POWER_DBM: i8 = 17;

/// One transmission lasts at most a second.
pub(super) const AIRTIME_US_MAX: u32 = 1_000_000;

/// RX2: 505.3 MHz, DR0 by the standard.
pub(super) const RX2_HZ: u32 = 505_300_000;
pub(super) const RX2_DR: u8 = 0;

/// What we hand out for RX2 instead: at DR0 only a bare acknowledgement lasts less than a second, at DR1 up to 33 bytes
/// do.
pub(super) const RX2_DR_OFFERED: u8 = 1;

/// RX1: the uplink's channel modulo 48.
pub(super) fn rx1_hz(uplink_hz: u32) -> Option<u32> {
    let above = uplink_hz.saturating_add(OFF_RASTER_HZ_MAX).checked_sub(UPLINK_HZ)?;
    let channel = above / SPACING_HZ;
    if channel >= UPLINK_CHANNELS || above % SPACING_HZ > 2 * OFF_RASTER_HZ_MAX {
        return None;
    }
    Some(DOWNLINK_HZ + SPACING_HZ * (channel % DOWNLINK_CHANNELS))
}

/// Whether a frequency is one of the plan's downlink channels.
pub(super) fn is_downlink(frequency_hz: u32) -> bool {
    frequency_hz
        .checked_sub(DOWNLINK_HZ)
        .is_some_and(|above| above.is_multiple_of(SPACING_HZ) && above / SPACING_HZ < DOWNLINK_CHANNELS)
}
