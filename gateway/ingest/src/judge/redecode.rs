//! A stored frame, read by the codec that its device has now.

use ::chirpstack::Up;
use ::lorawan::{SessionKeys, Uplink};
use envelope::{Envelope, Purpose};
use record::{CodecId, Frame, Link, Redecoded, Seq, SourceId, Stamp, UnixMs};

use super::Ingest;
use crate::content::open;
use crate::session::lorawan::StoredKeys;
use crate::{Activation, ChirpstackDevice, Codec, DecodeError, DeviceLink, LorawanDevice, Payload, SealError, SealKey};

/// Why a stored frame is not read again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedecodeError {
    /// It has no readings to begin with: a join, or MAC commands alone.
    #[error("the frame carries no payload")]
    NoPayload,
    /// The device is gone, or uses another link now.
    #[error("the device is not in the table any more, or on another link")]
    NoDevice,
    /// Its session's keys are not kept any more.
    #[error("the keys of its session are gone: those of the last 8 sessions of a device are kept")]
    NoKeys,
    /// The envelope does not open with today's key.
    #[error("its envelope does not open with the key that the device has now")]
    Seal(#[source] SealError),
}

/// A stored frame on its way through the codec that its device has now.
#[derive(Debug, Clone)]
pub struct Reopened {
    source: SourceId,
    of: Seq,
    at: UnixMs,
    codec: CodecId,
    content: Content,
}

/// What of it is decoded.
#[derive(Debug, Clone)]
enum Content {
    Payload(Payload),
    Event(ChirpstackDevice, Box<Up>),
}

impl Reopened {
    /// Decodes it by `codec`, which is that of its device. Times that the device stated as an age are resolved against
    /// the stamp of its record, as they were the first time.
    ///
    /// # Errors
    /// [`DecodeError`] if this codec cannot read it either.
    pub fn decode(self, codec: &Codec) -> Result<Redecoded, DecodeError> {
        let decoded = match &self.content {
            Content::Payload(payload) => codec.decode(&payload.bytes, self.at, payload.f_port)?,
            // What the device is said to read now is not in the event.
            Content::Event(device, up) => device.decode(codec, up, self.at)?.ok_or(DecodeError::NoObject)?,
        };
        let texts = super::texts(&decoded);
        Ok(Redecoded { source: self.source, of: self.of, codec: self.codec, readings: decoded.readings, texts })
    }
}

impl Ingest {
    /// Opens the frame of the record `of`, made at `stamp`, so that the codec of today can read it.
    ///
    /// # Errors
    /// [`RedecodeError`].
    pub fn reopen(&self, of: Seq, frame: &Frame, stamp: Stamp) -> Result<Reopened, RedecodeError> {
        let device = self.devices.by_name(&frame.source).ok_or(RedecodeError::NoDevice)?;
        if frame.codec.is_none() {
            return Err(RedecodeError::NoPayload);
        }
        let content = match (&frame.link, &device.link) {
            (Link::Mqtt { .. }, DeviceLink::Mqtt(mqtt)) => {
                let inner = mqtt.unseal(&frame.source, &frame.raw).map_err(RedecodeError::Seal)?.1;
                Content::Payload(Payload { bytes: inner.to_vec(), f_port: None })
            }
            (Link::Lora { dev_addr, f_cnt, f_port, .. }, DeviceLink::Lorawan(lorawan)) => {
                let keys = self.keys_of(frame, lorawan, *dev_addr).ok_or(RedecodeError::NoKeys)?;
                let uplink = Uplink::parse(&frame.raw).map_err(|_| RedecodeError::NoPayload)?;
                Content::Payload(Payload { bytes: uplink.decrypt(&keys, *f_cnt), f_port: *f_port })
            }
            (Link::Serial { .. }, DeviceLink::Serial(serial)) => {
                let key = SealKey::Mac(serial.mac_key.clone());
                let envelope =
                    Envelope::parse(&frame.raw).map_err(|error| RedecodeError::Seal(SealError::Parse(error)))?;
                let opened = [Purpose::Frame, Purpose::ConfirmedFrame]
                    .map(|purpose| open(&envelope, &key, &frame.source, purpose))
                    .into_iter()
                    .reduce(Result::or);
                let (_, payload) = opened.ok_or(RedecodeError::NoPayload)?.map_err(RedecodeError::Seal)?;
                Content::Payload(Payload { bytes: payload.to_vec(), f_port: None })
            }
            (Link::Chirpstack { .. }, DeviceLink::Chirpstack(chirpstack)) => {
                let up = Up::parse(&frame.raw).map_err(|_| RedecodeError::NoPayload)?;
                Content::Event(chirpstack.clone(), Box::new(up))
            }
            _ => return Err(RedecodeError::NoDevice),
        };
        let codec = device.codec_text.id;
        Ok(Reopened { source: frame.source.clone(), of, at: stamp.wall_ms, codec, content })
    }

    /// The keys of the session that a stored frame is of.
    fn keys_of(&self, frame: &Frame, lorawan: &LorawanDevice, dev_addr: u32) -> Option<SessionKeys> {
        if let Activation::Abp { dev_addr: own, keys } = &lorawan.activation {
            return (own.to_u32() == dev_addr).then(|| keys.clone());
        }
        let state = self.lorawan_state(&frame.source);
        let live = state.active.into_iter().chain(state.pending).filter_map(|session| match session.keys {
            StoredKeys::Joined(keys) => Some((session.dev_addr, keys)),
            StoredKeys::Personalised(_) => None,
        });
        let past = state.past.into_iter().map(|past| (past.dev_addr, past.keys));
        live.chain(past).find(|(of, _)| of.to_u32() == dev_addr).map(|(_, keys)| keys)
    }
}
