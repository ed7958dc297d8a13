//! What a device is answered.

use super::{GpsTime, UplinkCommand};
use crate::{DataRate, SessionKeys};

/// What the answers say, gathered by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerContext {
    /// SNR of the uplink at the gateway that heard it best, tenths of a dB; none if it did not tell.
    pub snr_ddb: Option<i16>,
    /// Its data rate.
    pub data_rate: DataRate,
    /// How many gateways heard it.
    pub gateways: u8,
    /// When the uplink ended, **only if the clock is trusted**: else the device is not answered, and asks again.
    pub time: Option<GpsTime>,
}

/// The answers to a frame's MAC commands, as bytes of a downlink; empty if there is nothing to say. Each kind once, so at
/// most 13 bytes: they always fit FOpts.
///
/// The frame must be authentic and new, or a retransmission. ADRACKReq is no MAC command: any downlink answers it.
pub fn answer(commands: &[UplinkCommand], keys: &SessionKeys, context: &AnswerContext) -> Vec<u8> {
    let mut answers: Vec<u8> = Vec::new();
    let mut answered: Vec<UplinkCommand> = Vec::new();
    for command in commands {
        if answered.iter().any(|before| std::mem::discriminant(before) == std::mem::discriminant(command)) {
            continue;
        }
        answered.push(*command);
        match command {
            UplinkCommand::LinkCheckReq => answers.extend([0x02, context.margin_db(), context.gateways.max(1)]),
            UplinkCommand::DeviceTimeReq => {
                if let Some(time) = context.time {
                    answers.push(0x0d);
                    answers.extend(time.to_bytes());
                }
            }
            // 1.1 §5.10, §5.1: the version in use, above 0 and not above the device's. There is none but 1.1 yet.
            UplinkCommand::RekeyInd { minor: 1.. } if keys.is_v1_1() => answers.extend([0x0b, 1]),
            UplinkCommand::ResetInd { minor: 1.. } if keys.is_v1_1() => answers.extend([0x01, 1]),
            _ => {}
        }
    }
    answers
}

impl AnswerContext {
    /// dB above the demodulation floor, rounded down, 0 to 254 (1.0.4 §5.1; 255 is reserved); 0 where the SNR is not
    /// known.
    fn margin_db(&self) -> u8 {
        let margin = self.snr_ddb.zip(demodulation_floor_ddb(self.data_rate));
        let margin_db = margin.map_or(0, |(snr, floor)| (i32::from(snr) - i32::from(floor)) / 10);
        u8::try_from(margin_db.clamp(0, 254)).unwrap_or_default()
    }
}

/// The SNR below which a LoRa frame cannot be received, tenths of a dB (Semtech SX1301 data sheet: −7.5 dB at SF7, 2.5 dB
/// less for each step); none for FSK.
pub fn demodulation_floor_ddb(data_rate: DataRate) -> Option<i16> {
    match data_rate {
        DataRate::Lora(lora) => Some(-75 - 25 * (i16::from(lora.spreading_factor as u8) - 7)),
        DataRate::Fsk(_) => None,
    }
}
