//! What the MIC of a 1.1 uplink covers beside the frame itself.

use crate::{DataRate, Region, SpreadingFactor};

/// How and in answer to what a frame was sent: the fields of block B1 that do not travel (LoRaWAN 1.1 §4.4). A frame
/// whose radio metadata was changed on the way, or that answers another downlink, does not verify.
///
/// A 1.0.x MIC does not cover them: [`MicContext::default`] serves such a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MicContext {
    /// ConfFCnt: FCntDown of the confirmed downlink that the frame acknowledges; it counts only if FCtrl.ACK is set.
    pub conf_f_cnt: u32,
    /// TxDr: the number of the data rate in the plan.
    pub tx_dr: u8,
    /// TxCh: the number of the channel in the device's list.
    pub tx_ch: u8,
}

impl MicContext {
    /// For a frame heard on `frequency_hz` at `data_rate`, from a device with the plan's usual channels
    /// ([`tx_ch`], [`tx_dr`]); none where the plan has no such channel or data rate: the frame cannot verify.
    pub fn heard(region: Region, frequency_hz: u32, data_rate: DataRate, conf_f_cnt: u32) -> Option<MicContext> {
        let (tx_dr, tx_ch) = (tx_dr(region, data_rate)?, tx_ch(region, frequency_hz)?);
        Some(MicContext { conf_f_cnt, tx_dr, tx_ch })
    }
}

/// The number of a data rate in the plan (RP002-1.0.4 §2.4.3, §2.11.3): DR0 is SF12, DR5 is SF7, DR6 the wide one, DR7
/// FSK at 50 kbit/s.
pub fn tx_dr(region: Region, data_rate: DataRate) -> Option<u8> {
    let wide = match region {
        Region::Eu868 => crate::Bandwidth::Khz250,
        Region::Cn470 => crate::Bandwidth::Khz500,
    };
    match data_rate {
        DataRate::Lora(lora) if lora.bandwidth == crate::Bandwidth::Khz125 => Some(12 - lora.spreading_factor as u8),
        DataRate::Lora(lora) if lora.bandwidth == wide && lora.spreading_factor == SpreadingFactor::Sf7 => Some(6),
        DataRate::Fsk(50_000) => Some(7),
        _ => None,
    }
}

/// The number of an uplink channel in the device's list. EU868: the three default channels, then those of
/// [`CfList::EU868`](crate::CfList::EU868) in its order; CN470: 0 to 95.
pub fn tx_ch(region: Region, frequency_hz: u32) -> Option<u8> {
    // Some forwarders compute frequencies in single precision, a few Hz off; no channel is that near to another.
    const OFF_HZ_MAX: u32 = 1_000;
    let is = |channel_hz: u32| channel_hz.abs_diff(frequency_hz) <= OFF_HZ_MAX;
    let at = match region {
        Region::Eu868 => EU868_CHANNELS_HZ.iter().position(|channel_hz| is(*channel_hz)),
        Region::Cn470 => (0..96).position(|n| is(470_300_000 + 200_000 * n)),
    };
    u8::try_from(at?).ok()
}

/// EU868's default channels and the five that everybody adds.
const EU868_CHANNELS_HZ: [u32; 8] =
    [868_100_000, 868_300_000, 868_500_000, 867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_and_data_rates_have_the_plans_numbers() {
        let check = |region, hz, rate: &str, expected| {
            let rate = rate.parse().map_or(DataRate::Fsk(50_000), DataRate::Lora);
            let heard = MicContext::heard(region, hz, rate, 5);
            assert_eq!(heard.map(|context| (context.tx_dr, context.tx_ch)), expected, "{hz} {rate}");
        };
        check(Region::Eu868, 868_500_000, "SF7BW125", Some((5, 2)));
        check(Region::Eu868, 868_300_000, "SF7BW250", Some((6, 1)));
        check(Region::Eu868, 867_899_988, "SF12BW125", Some((0, 7)));
        check(Region::Eu868, 868_800_000, "FSK", None);
        check(Region::Eu868, 868_100_000, "FSK", Some((7, 0)));
        check(Region::Eu868, 868_100_000, "SF8BW250", None);
        check(Region::Cn470, 470_300_000, "SF10BW125", Some((2, 0)));
        check(Region::Cn470, 486_300_000, "SF7BW500", Some((6, 80)));
        check(Region::Cn470, 489_300_000, "SF7BW125", Some((5, 95)));
        check(Region::Cn470, 489_500_000, "SF7BW125", None);
    }
}
