//! `[device.chirpstack]`: a LoRaWAN device whose network server is a ChirpStack beside the box.

use ::chirpstack::{GatewayTime, Payload, Up};
use ::lorawan::DevEui;
use record::UnixMs;
use serde::Deserialize;

use crate::{Codec, DecodeError, Decoded};

/// A device that ChirpStack verifies. The box has none of its keys, so what comes from it is weaker evidence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChirpstackDevice {
    /// DevEUI, as 16 hex digits.
    pub dev_eui: DevEui,
    /// What `[device.codec]` reads.
    #[serde(default)]
    pub payload: ChirpstackPayload,
}

/// What of an event is decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChirpstackPayload {
    /// `data`: the bytes that the device sent.
    #[default]
    Data,
    /// `object`: what ChirpStack's own codec made of them, a JSON document.
    Object,
}

impl ChirpstackDevice {
    /// What an event says, as the box got it at `now`; none if it carries nothing.
    ///
    /// Where a gateway with GPS heard the frame, readings without a time of their own have that one: the event may be an
    /// hour late. A gateway's other clock is not used: where it is right, it says what the box's clock says; where it
    /// differs, nobody knows which of the two is wrong (T1).
    pub(crate) fn decode(&self, codec: &Codec, up: &Up, now: UnixMs) -> Result<Option<Decoded>, DecodeError> {
        let Payload::Plain(data) = &up.payload else { return Err(DecodeError::Encrypted) };
        let decoded = match (self.payload, &up.object) {
            (ChirpstackPayload::Data, _) if data.is_empty() => return Ok(None),
            (ChirpstackPayload::Data, _) => codec.decode(data, now, Some(up.f_port)),
            (ChirpstackPayload::Object, Some(object)) => codec.decode(object.as_bytes(), now, Some(up.f_port)),
            (ChirpstackPayload::Object, None) if data.is_empty() => return Ok(None),
            (ChirpstackPayload::Object, None) => Err(DecodeError::NoObject),
        };
        let mut decoded = decoded?;
        if let Some(GatewayTime::Gps(heard_at)) = up.heard_at {
            for reading in &mut decoded.readings {
                reading.at_ms = reading.at_ms.or(Some(heard_at));
            }
        }
        Ok(Some(decoded))
    }
}
