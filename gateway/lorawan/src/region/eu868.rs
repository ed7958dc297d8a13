//! EU863-870 (RP002-1.0.4 §2.4; ETSI EN 300 220-2 annex B; power in ERP).

use super::sub_band::{DutyCycle, SubBand};
use crate::data_rate::{Bandwidth, LoraDataRate, SpreadingFactor};

/// DR0 to DR6. DR7 is FSK, which no answer of ours uses.
pub(super) const DATA_RATES: [LoraDataRate; 7] = [
    LoraDataRate::bw125(SpreadingFactor::Sf12),
    LoraDataRate::bw125(SpreadingFactor::Sf11),
    LoraDataRate::bw125(SpreadingFactor::Sf10),
    LoraDataRate::bw125(SpreadingFactor::Sf9),
    LoraDataRate::bw125(SpreadingFactor::Sf8),
    LoraDataRate::bw125(SpreadingFactor::Sf7),
    LoraDataRate { spreading_factor: SpreadingFactor::Sf7, bandwidth: Bandwidth::Khz250 },
];

/// RX2: 869.525 MHz, DR0.
pub(super) const RX2_HZ: u32 = 869_525_000;
pub(super) const RX2_DR: u8 = 0;

/// Between them lie bands for alarms, in which nothing of ours may be sent.
pub(super) const SUB_BANDS: [SubBand; 6] = [
    sub_band("863.0-865.0", 863_000_000, 865_000_000, 1, 14),
    sub_band("865.0-868.0", 865_000_000, 868_000_000, 10, 14),
    sub_band("868.0-868.6", 868_000_000, 868_600_000, 10, 14),
    sub_band("868.7-869.2", 868_700_000, 869_200_000, 1, 14),
    sub_band("869.4-869.65", 869_400_000, 869_650_000, 100, 27),
    sub_band("869.7-870.0", 869_700_000, 870_000_000, 10, 14),
];

const fn sub_band(name: &'static str, from_hz: u32, to_hz: u32, permille: u16, power_dbm: i8) -> SubBand {
    SubBand { name, hz: from_hz..to_hz, duty_cycle: DutyCycle { permille }, power_dbm }
}
