//! How long a LoRa transmission occupies the air.

use crate::data_rate::{LoraDataRate, SpreadingFactor};

/// Preamble of a LoRaWAN frame, in symbols (RP002-1.0.4 §4, "LoRa preamble size"); 4.25 symbols of sync follow.
const PREAMBLE_SYMBOLS: u32 = 8;

/// Airtime in µs of a PHYPayload of `phy_bytes`, explicit header, coding rate 4/5.
///
/// `crc` is true for uplinks and false for downlinks, which carry no payload CRC (LoRaWAN 1.0.4 §3.2).
/// Semtech AN1200.13, "LoRa Modem Designer's Guide" §4; low data rate optimisation from 16 ms a symbol up.
pub fn airtime_us(data_rate: LoraDataRate, phy_bytes: u8, crc: bool) -> u32 {
    let sf = data_rate.spreading_factor as u32;
    // 2^SF chips at BW chips a second; exact, because 1,000 is a multiple of 125, 250 and 500.
    let symbol_us = (1 << sf) * (1000 / data_rate.bandwidth as u32);
    let low_data_rate = symbol_us > 16_000;
    let bits = (8 * u32::from(phy_bytes) + 28 + if crc { 16 } else { 0 }).saturating_sub(4 * sf);
    let bits_per_block = 4 * (sf - if low_data_rate { 2 } else { 0 });
    let payload_symbols = 8 + bits.div_ceil(bits_per_block) * 5;
    // Counted in quarter symbols, for the sync word's 4.25.
    symbol_us * (4 * PREAMBLE_SYMBOLS + 17 + 4 * payload_symbols) / 4
}

impl SpreadingFactor {
    /// All, fastest first.
    pub const ALL: [SpreadingFactor; 6] = [
        SpreadingFactor::Sf7,
        SpreadingFactor::Sf8,
        SpreadingFactor::Sf9,
        SpreadingFactor::Sf10,
        SpreadingFactor::Sf11,
        SpreadingFactor::Sf12,
    ];
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(phy_bytes: u8, crc: bool, expected: Expect) {
        let ms = |sf| f64::from(airtime_us(LoraDataRate::bw125(sf), phy_bytes, crc)) / 1000.0;
        expected.assert_eq(&SpreadingFactor::ALL.map(|sf| format!("{:.1}", ms(sf))).join(" "));
    }

    #[test]
    fn published_figures() {
        check(17, true, expect!["51.5 92.7 164.9 329.7 659.5 1318.9"]);
        check(24, true, expect!["61.7 113.2 205.8 370.7 823.3 1482.8"]);
        check(23, true, expect!["61.7 113.2 205.8 370.7 823.3 1482.8"]);
        check(33, true, expect!["71.9 133.6 246.8 452.6 987.1 1810.4"]);
        check(64, true, expect!["118.0 215.6 390.1 698.4 1560.6 2793.5"]);
        check(235, true, expect!["368.9 655.9 1168.4 2132.0 4673.5 8364.0"]);
        check(12, false, expect!["41.2 72.2 144.4 288.8 577.5 991.2"]);
    }

    #[test]
    fn longest_frame_fits_the_type() {
        let slowest = LoraDataRate::bw125(SpreadingFactor::Sf12);
        assert_eq!(airtime_us(slowest, 255, true), 9_019_392);
    }
}
