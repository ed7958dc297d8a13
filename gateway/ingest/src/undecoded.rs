//! A frame between its judgement and its codec: who sent it is proved and it is new, but nothing has read it yet.
//!
//! Codecs are slow where they are scripts, and the thread that judges has no time. So judging gives such a frame back as
//! it came, with nothing changed; [`Undecoded::decode`] runs elsewhere, and then the frame is judged again from the
//! beginning: what happened meanwhile decides, not what was believed.

use ::chirpstack::Event;
use record::{SourceId, UnixMs};

use crate::{Arrival, DecodeError, Decoded, DeviceLink, DeviceTable, LoraArrival};

/// What a codec reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// In plain text.
    pub bytes: Vec<u8>,
    /// Over LoRaWAN.
    pub f_port: Option<u8>,
}

/// A payload and what the codec of its device read in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedPayload {
    payload: Payload,
    decoded: Result<Decoded, DecodeError>,
}

/// A frame whose payload is to be decoded before it can be judged.
#[derive(Debug, Clone)]
pub struct Undecoded {
    device: SourceId,
    arrival: Arrival,
    payload: Payload,
}

impl Undecoded {
    pub(crate) fn new(device: &SourceId, arrival: Arrival, payload: Payload) -> Undecoded {
        Undecoded { device: device.clone(), arrival, payload }
    }

    /// An event of a ChirpStack, which has its payload within.
    pub(crate) fn event(device: &SourceId, arrival: Arrival) -> Undecoded {
        Undecoded::new(device, arrival, Payload { bytes: Vec::new(), f_port: None })
    }

    /// Who sent it.
    pub fn device(&self) -> &SourceId {
        &self.device
    }

    /// Decodes it as it came at `at`, and gives it back to be judged again. A script may take a second.
    pub fn decode(mut self, devices: &DeviceTable, at: UnixMs) -> Arrival {
        match &mut self.arrival {
            Arrival::Mqtt { content, .. } => *content = Some(devices.open(&self.device, &self.payload.bytes, at)),
            Arrival::Chirpstack { event, decoded, .. } => {
                let device = devices.by_name(&self.device);
                *decoded = Some(match (device.map(|device| (&device.link, &device.codec)), event) {
                    (Some((DeviceLink::Chirpstack(link), codec)), Ok(Event::Up(up))) => link.decode(codec, up, at),
                    _ => Err(DecodeError::UnknownDevice),
                });
            }
            Arrival::Lora(LoraArrival { decoded, .. }) | Arrival::Serial { decoded, .. } => {
                let read = match devices.by_name(&self.device) {
                    Some(device) => device.codec.decode(&self.payload.bytes, at, self.payload.f_port),
                    None => Err(DecodeError::UnknownDevice),
                };
                *decoded = Some(DecodedPayload { payload: self.payload, decoded: read });
            }
        }
        self.arrival
    }
}

impl DecodedPayload {
    /// What was read in exactly this payload: one that was decrypted by another session is another payload.
    pub(crate) fn of(decoded: Option<DecodedPayload>, payload: &Payload) -> Option<Result<Decoded, DecodeError>> {
        decoded.filter(|decoded| decoded.payload == *payload).map(|decoded| decoded.decoded)
    }
}
