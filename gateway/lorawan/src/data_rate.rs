//! How a frame was modulated: GWMP's `datr`.

use std::fmt;
use std::str::FromStr;

/// LoRa spreading factor. SF5 and SF6 are no data rate of the plans here, and their airtime differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SpreadingFactor {
    /// 128 chips a symbol.
    Sf7 = 7,
    /// 256 chips a symbol.
    Sf8 = 8,
    /// 512 chips a symbol.
    Sf9 = 9,
    /// 1,024 chips a symbol.
    Sf10 = 10,
    /// 2,048 chips a symbol.
    Sf11 = 11,
    /// 4,096 chips a symbol.
    Sf12 = 12,
}

/// LoRa bandwidth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Bandwidth {
    /// 125 kHz, all multi-SF demodulators.
    Khz125 = 125,
    /// 250 kHz.
    Khz250 = 250,
    /// 500 kHz.
    Khz500 = 500,
}

/// A LoRa data rate, as text `SF7BW125`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoraDataRate {
    /// Spreading factor.
    pub spreading_factor: SpreadingFactor,
    /// Bandwidth.
    pub bandwidth: Bandwidth,
}

impl LoraDataRate {
    /// A data rate on a 125 kHz channel.
    pub const fn bw125(spreading_factor: SpreadingFactor) -> LoraDataRate {
        LoraDataRate { spreading_factor, bandwidth: Bandwidth::Khz125 }
    }
}

/// Why a text is not a data rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a LoRa data rate: expected SF7..SF12 and BW125, BW250 or BW500, such as SF7BW125")]
pub struct DataRateError;

impl FromStr for LoraDataRate {
    type Err = DataRateError;
    fn from_str(text: &str) -> Result<LoraDataRate, DataRateError> {
        let (sf, bw) = text.strip_prefix("SF").and_then(|rest| rest.split_once("BW")).ok_or(DataRateError)?;
        let spreading_factor = match sf {
            "7" => SpreadingFactor::Sf7,
            "8" => SpreadingFactor::Sf8,
            "9" => SpreadingFactor::Sf9,
            "10" => SpreadingFactor::Sf10,
            "11" => SpreadingFactor::Sf11,
            "12" => SpreadingFactor::Sf12,
            _ => return Err(DataRateError),
        };
        let bandwidth = match bw {
            "125" => Bandwidth::Khz125,
            "250" => Bandwidth::Khz250,
            "500" => Bandwidth::Khz500,
            _ => return Err(DataRateError),
        };
        Ok(LoraDataRate { spreading_factor, bandwidth })
    }
}

impl fmt::Display for LoraDataRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SF{}BW{}", self.spreading_factor as u8, self.bandwidth as u16)
    }
}

impl fmt::Debug for LoraDataRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What a gateway reports for a received frame: a text for LoRa, bits per second for FSK.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataRate {
    /// `SF7BW125`.
    Lora(LoraDataRate),
    /// FSK, bits per second.
    Fsk(u32),
}

impl fmt::Display for DataRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataRate::Lora(lora) => write!(f, "{lora}"),
            DataRate::Fsk(bits_per_s) => write!(f, "FSK{bits_per_s}"),
        }
    }
}

impl fmt::Debug for DataRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
