//! An `up` event as ChirpStack publishes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use record::{EndDeviceEui, Reception, UnixMs};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::template::eui;
use crate::{EVENT_BYTES_MAX, GATEWAYS_MAX, PAYLOAD_BYTES_MAX};

/// GPS time minus UTC since 2017-01-01, in ms.
const GPS_UTC_MS: i64 = 18_000;
/// 1980-01-06 in Unix time, ms.
const GPS_EPOCH_MS: i64 = 315_964_800_000;

/// When a gateway says that it heard the frame: better known than the moment at which the event got here, which may be
/// an hour later, but as good as that gateway's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayTime {
    /// Of its GPS receiver.
    Gps(UnixMs),
    /// Of its own clock.
    Clock(UnixMs),
}

/// Equal in two events exactly if ChirpStack published one of them again: the UUID it gives each uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeduplicationId([u8; 16]);

/// FRMPayload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// In plain text.
    Plain(Vec<u8>),
    /// As it was in the air: a join server keeps the AppSKey (`joinServerContext`), and ChirpStack cannot decrypt.
    Encrypted(Vec<u8>),
}

impl Payload {
    /// Its bytes, of whichever kind: what tells one frame from another.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Payload::Plain(bytes) | Payload::Encrypted(bytes) => bytes,
        }
    }
}

/// An uplink that ChirpStack verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Up {
    /// None if not stated.
    pub deduplication_id: Option<DeduplicationId>,
    /// DevEUI.
    pub dev_eui: EndDeviceEui,
    /// DevAddr; 0 if not stated, as in events of a multicast group.
    pub dev_addr: u32,
    /// The frame counter, 32 bits. Absent in the event is 0.
    pub f_cnt: u32,
    /// FPort. Absent in the event is 0.
    pub f_port: u8,
    /// Whether the device asked for an acknowledgement; ChirpStack gave it already, whatever becomes of this event.
    pub confirmed: bool,
    /// FRMPayload.
    pub payload: Payload,
    /// What ChirpStack's own codec made of it, as JSON; none if the device profile has no codec.
    pub object: Option<String>,
    /// Gateways that heard it, best first (highest SNR, then RSSI).
    pub heard_by: Vec<Reception>,
    /// Hz; 0 if not stated.
    pub frequency_hz: u32,
    /// `SF7BW125`; none for another modulation than LoRa.
    pub data_rate: Option<String>,
    /// When it was heard, by the best gateway that says so.
    pub heard_at: Option<GatewayTime>,
}

/// Why an event is not used. The exact bytes are evidence all the same.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// Beyond [`EVENT_BYTES_MAX`].
    #[error("event of {bytes} bytes is longer than {EVENT_BYTES_MAX}: reduce what ChirpStack adds to it")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON, or a field of another type than ChirpStack 4 writes.
    #[error("event is not the JSON of a ChirpStack 4 `up` event: set `json=true` in ChirpStack's MQTT integration")]
    Json(#[source] serde_json::Error),
    /// No `deviceInfo.devEui`, or not 16 hex digits.
    #[error("event has no deviceInfo.devEui of 16 hex digits: is it from ChirpStack 3? Version 4 is needed")]
    DevEui,
    /// `devAddr` or a `gatewayId` is not hex.
    #[error("`{field}` is not an identifier in hex digits: is it from ChirpStack 4?")]
    Identifier {
        /// Which.
        field: &'static str,
    },
    /// `fPort` beyond 255.
    #[error("fPort {f_port} is beyond 255: the event is damaged or made up")]
    FPort {
        /// What was stated.
        f_port: u32,
    },
    /// `data` is no base64, or longer than LoRaWAN allows.
    #[error("data is not base64 of at most {PAYLOAD_BYTES_MAX} bytes: the event is damaged or made up")]
    Data,
    /// Beyond [`GATEWAYS_MAX`].
    #[error("{count} entries in rxInfo, at most {GATEWAYS_MAX} are taken: the event is damaged or made up")]
    TooManyGateways {
        /// How many.
        count: usize,
    },
}

/// The event as it travels. Unknown fields are ignored: every version adds some.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(default)]
    deduplication_id: String,
    #[serde(default)]
    device_info: DeviceInfo,
    #[serde(default)]
    dev_addr: String,
    #[serde(default)]
    f_cnt: u32,
    #[serde(default)]
    f_port: u32,
    #[serde(default)]
    confirmed: bool,
    #[serde(default)]
    data: String,
    #[serde(default, borrow)]
    object: Option<&'a RawValue>,
    #[serde(default)]
    rx_info: Vec<RxInfo>,
    #[serde(default)]
    tx_info: TxInfo,
    #[serde(default)]
    join_server_context: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceInfo {
    #[serde(default)]
    dev_eui: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RxInfo {
    #[serde(default)]
    gateway_id: String,
    #[serde(default)]
    uplink_id: u32,
    #[serde(default)]
    gw_time: Option<String>,
    #[serde(default)]
    time_since_gps_epoch: Option<String>,
    #[serde(default)]
    rssi: i32,
    #[serde(default)]
    snr: f64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TxInfo {
    #[serde(default)]
    frequency: u32,
    #[serde(default)]
    modulation: Modulation,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modulation {
    #[serde(default)]
    lora: Option<Lora>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lora {
    #[serde(default)]
    bandwidth: u32,
    #[serde(default)]
    spreading_factor: u32,
}

impl Up {
    /// Reads the JSON of an `up` event.
    ///
    /// # Errors
    /// [`UpError`] by cause.
    pub fn parse(json: &[u8]) -> Result<Up, UpError> {
        if json.len() > EVENT_BYTES_MAX {
            return Err(UpError::TooLong { bytes: json.len() });
        }
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(UpError::Json(serde::de::Error::custom("not a JSON object")));
        }
        let event: Event<'_> = serde_json::from_slice(json).map_err(UpError::Json)?;
        if event.rx_info.len() > GATEWAYS_MAX {
            return Err(UpError::TooManyGateways { count: event.rx_info.len() });
        }
        let mut rx_info = event.rx_info;
        rx_info.sort_by(|a, b| b.snr.total_cmp(&a.snr).then(b.rssi.cmp(&a.rssi)));
        let heard_at =
            rx_info.iter().find_map(RxInfo::gps_time).or_else(|| rx_info.iter().find_map(RxInfo::clock_time));
        let payload = payload(&event.data)?;
        Ok(Up {
            deduplication_id: DeduplicationId::parse(&event.deduplication_id),
            dev_eui: eui(&event.device_info.dev_eui).ok_or(UpError::DevEui)?,
            dev_addr: dev_addr(&event.dev_addr).ok_or(UpError::Identifier { field: "devAddr" })?,
            f_cnt: event.f_cnt,
            f_port: u8::try_from(event.f_port).map_err(|_| UpError::FPort { f_port: event.f_port })?,
            confirmed: event.confirmed,
            payload: match event.join_server_context {
                Some(_) => Payload::Encrypted(payload),
                None => Payload::Plain(payload),
            },
            object: event.object.map(|object| object.get().to_owned()),
            heard_by: rx_info.iter().map(RxInfo::reception).collect::<Result<_, _>>()?,
            frequency_hz: event.tx_info.frequency,
            data_rate: event.tx_info.modulation.lora.map(|lora| lora.name()),
            heard_at,
        })
    }
}

impl DeduplicationId {
    /// A UUID in its usual form; none of anything else, so that no two texts of another kind are taken for one event.
    fn parse(text: &str) -> Option<DeduplicationId> {
        let digits: String = text.split('-').collect();
        let mut bytes = [0; 16];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(DeduplicationId(bytes))
    }

    /// That of an event that was read before; none if it states none.
    pub fn of(json: &[u8]) -> Option<DeduplicationId> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stated {
            #[serde(default)]
            deduplication_id: String,
        }
        let stated: Stated = serde_json::from_slice(json).ok()?;
        DeduplicationId::parse(&stated.deduplication_id)
    }
}

impl RxInfo {
    fn reception(&self) -> Result<Reception, UpError> {
        let gateway = eui(&self.gateway_id).ok_or(UpError::Identifier { field: "rxInfo.gatewayId" })?;
        #[expect(clippy::cast_possible_truncation, reason = "a float to integer cast saturates, and NaN is 0")]
        let snr_ddb = (self.snr * 10.0).round() as i16;
        let rssi_dbm = Some(i16::try_from(self.rssi).unwrap_or(i16::MIN));
        Ok(Reception { gateway, rssi_dbm, snr_ddb: Some(snr_ddb), tmst_us: self.uplink_id })
    }

    fn gps_time(&self) -> Option<GatewayTime> {
        let since_ms = seconds_ms(self.time_since_gps_epoch.as_deref()?)?;
        let utc_ms = since_ms.checked_add(GPS_EPOCH_MS)?.checked_sub(GPS_UTC_MS)?;
        Some(GatewayTime::Gps(UnixMs(utc_ms)))
    }

    fn clock_time(&self) -> Option<GatewayTime> {
        let time: jiff::Timestamp = self.gw_time.as_deref()?.parse().ok()?;
        Some(GatewayTime::Clock(UnixMs(time.as_millisecond())))
    }
}

impl Lora {
    fn name(&self) -> String {
        format!("SF{}BW{}", self.spreading_factor, self.bandwidth / 1_000)
    }
}

/// `1285579871.592s`, with up to nine digits behind the point, in ms; digits beyond the third are cut.
fn seconds_ms(text: &str) -> Option<i64> {
    let text = text.strip_suffix('s')?;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    let thousandths: i64 = format!("{part:0<3}").get(..3)?.parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(thousandths)
}

/// Eight hex digits; absent is 0.
fn dev_addr(text: &str) -> Option<u32> {
    if text.is_empty() {
        return Some(0);
    }
    let mut bytes = [0; 4];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(u32::from_be_bytes(bytes))
}

fn payload(text: &str) -> Result<Vec<u8>, UpError> {
    let bytes = STANDARD.decode(text).map_err(|_| UpError::Data)?;
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(UpError::Data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
