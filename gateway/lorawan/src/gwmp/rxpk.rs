//! `rxpk`: one frame as the gateway heard it.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use super::short;
use crate::{DataRate, PHY_BYTES_MAX};

/// Padding may be there or not: forwarders differ.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Longest base64 text of a frame, in bytes: 255 bytes with padding.
const BASE64_BYTES_MAX: usize = 340;

/// What the gateway's radio said about the payload CRC (`stat`). Only frames whose CRC is right are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrcStatus {
    /// `1`.
    Ok,
    /// `-1`: damaged in the air.
    Bad,
    /// `0`: the frame has no CRC, so it is no LoRaWAN uplink.
    None,
    /// The field is missing; counted, and taken as [`CrcStatus::Ok`], because a MIC follows anyway.
    Absent,
}

impl CrcStatus {
    /// Whether the frame may go on to the MAC layer.
    pub fn is_usable(self) -> bool {
        matches!(self, CrcStatus::Ok | CrcStatus::Absent)
    }
}

/// A received frame and its radio metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rxpk {
    /// The PHYPayload, 1 to 255 bytes.
    pub phy: Vec<u8>,
    /// The gateway's counter at the end of the frame: µs, wraps every 4,294.967296 s, restarts with the forwarder.
    pub tmst_us: u32,
    /// UTC of reception as the gateway wrote it (ISO 8601); present only with GPS, and no better than its clock.
    pub time: Option<String>,
    /// GPS time of reception, ms since 1980-01-06; present only with GPS.
    pub gps_ms: Option<u64>,
    /// Centre frequency, Hz.
    pub frequency_hz: u32,
    /// Concentrator's channel.
    pub channel: Option<u8>,
    /// Concentrator's RF chain.
    pub rf_chain: Option<u8>,
    /// Verdict on the CRC.
    pub crc: CrcStatus,
    /// Modulation and data rate.
    pub data_rate: DataRate,
    /// `4/5`; `OFF` occurs.
    pub coding_rate: Option<String>,
    /// Signal strength, dBm; may be missing for FSK.
    pub rssi_dbm: Option<i16>,
    /// Signal to noise, tenths of a dB; missing for FSK.
    pub snr_ddb: Option<i16>,
}

/// Why an `rxpk` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RxpkError {
    /// No object, or a mandatory field is missing or has another type.
    #[error(
        "rxpk is not an object with tmst, freq, datr, size and data at column {column}: check the forwarder's version"
    )]
    Fields {
        /// Where in the object reading stopped, from 1.
        column: usize,
    },
    /// `freq` is not between 1 and 4,294 MHz.
    #[error("rxpk freq is not a frequency in MHz: check the forwarder's configuration")]
    Frequency,
    /// `modu` is neither LORA nor FSK, or `datr` does not fit it.
    #[error("rxpk modu and datr are neither LoRa SF7..SF12 nor FSK: only these are served")]
    DataRate,
    /// `data` is no base64.
    #[error("rxpk data is not base64: check the forwarder's version")]
    Base64,
    /// `size` and the length of `data` differ, or are beyond what a radio can receive.
    #[error("rxpk size is {size} but data has {bytes} bytes, of 1 to 255: the datagram is damaged or made up")]
    Size {
        /// What the object says.
        size: u32,
        /// What `data` has.
        bytes: usize,
    },
}

/// The object as it travels; fields that are not listed are ignored, for forwarders add their own.
#[derive(Deserialize, Serialize)]
struct Object {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tmms: Option<u64>,
    tmst: u32,
    freq: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    chan: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rfch: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stat: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modu: Option<String>,
    datr: Datr,
    #[serde(skip_serializing_if = "Option::is_none")]
    codr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rssi: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lsnr: Option<f64>,
    size: u32,
    data: String,
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Datr {
    Lora(String),
    Fsk(u32),
}

impl Rxpk {
    pub(super) fn parse(json: &str) -> Result<Rxpk, RxpkError> {
        let object: Object =
            super::object(json.as_bytes()).map_err(|error| RxpkError::Fields { column: error.column() })?;
        Ok(Rxpk {
            phy: phy(object.size, &object.data)?,
            tmst_us: object.tmst,
            time: short(object.time),
            gps_ms: object.tmms,
            frequency_hz: frequency_hz(object.freq)?,
            channel: object.chan,
            rf_chain: object.rfch,
            crc: match object.stat {
                Some(1) => CrcStatus::Ok,
                Some(0) => CrcStatus::None,
                Some(_) => CrcStatus::Bad,
                None => CrcStatus::Absent,
            },
            data_rate: data_rate(object.modu.as_deref(), &object.datr)?,
            coding_rate: short(object.codr),
            rssi_dbm: object.rssi.and_then(rounded),
            snr_ddb: object.lsnr.and_then(|db| rounded(db * 10.0)),
        })
    }

    /// As the forwarder writes it.
    pub(super) fn to_json(&self) -> impl Serialize {
        Object {
            time: self.time.clone(),
            tmms: self.gps_ms,
            tmst: self.tmst_us,
            freq: f64::from(self.frequency_hz) / 1e6,
            chan: self.channel,
            rfch: self.rf_chain,
            stat: match self.crc {
                CrcStatus::Ok => Some(1),
                CrcStatus::Bad => Some(-1),
                CrcStatus::None => Some(0),
                CrcStatus::Absent => None,
            },
            modu: Some(if matches!(self.data_rate, DataRate::Lora(_)) { "LORA" } else { "FSK" }.to_owned()),
            datr: match self.data_rate {
                DataRate::Lora(lora) => Datr::Lora(lora.to_string()),
                DataRate::Fsk(bits_per_s) => Datr::Fsk(bits_per_s),
            },
            codr: self.coding_rate.clone(),
            rssi: self.rssi_dbm.map(f64::from),
            lsnr: self.snr_ddb.map(|ddb| f64::from(ddb) / 10.0),
            size: u32::try_from(self.phy.len()).unwrap_or(u32::MAX),
            data: STANDARD.encode(&self.phy),
        }
    }
}

/// Base64 of a frame, of any of the four kinds in use, and exactly `size` bytes.
pub(super) fn phy(size: u32, data: &str) -> Result<Vec<u8>, RxpkError> {
    if data.len() > BASE64_BYTES_MAX {
        return Err(RxpkError::Size { size, bytes: data.len() * 3 / 4 });
    }
    let url_safe = data.contains(['-', '_']);
    let phy = if url_safe { URL_SAFE.decode(data) } else { STANDARD.decode(data) }.map_err(|_| RxpkError::Base64)?;
    let bytes = phy.len();
    let right = bytes > 0 && bytes <= PHY_BYTES_MAX && u32::try_from(bytes) == Ok(size);
    if right { Ok(phy) } else { Err(RxpkError::Size { size, bytes }) }
}

/// MHz with up to six decimals, as Hz.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie within 1 to 4,294 MHz")]
pub(super) fn frequency_hz(mhz: f64) -> Result<u32, RxpkError> {
    if (1.0..=4294.0).contains(&mhz) { Ok((mhz * 1e6).round() as u32) } else { Err(RxpkError::Frequency) }
}

fn data_rate(modu: Option<&str>, datr: &Datr) -> Result<DataRate, RxpkError> {
    match (modu, datr) {
        (Some("LORA") | None, Datr::Lora(text)) => text.parse().map(DataRate::Lora).map_err(|_| RxpkError::DataRate),
        (Some("FSK") | None, Datr::Fsk(bits_per_s)) => Ok(DataRate::Fsk(*bits_per_s)),
        _ => Err(RxpkError::DataRate),
    }
}

/// A radio figure that cannot be one is treated as absent.
#[expect(clippy::cast_possible_truncation, reason = "checked to lie within ±1,000 units")]
fn rounded(figure: f64) -> Option<i16> {
    (figure.abs() <= 1000.0).then(|| figure.round() as i16)
}
