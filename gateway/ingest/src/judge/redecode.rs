//! A stored frame, read by the codec that its device has now.

use ::chirpstack::Up;
use ::lorawan::{SessionKeys, Uplink};
use envelope::{Envelope, Purpose};
use record::{Frame, Link, Redecoded, Seq, Stamp};

use super::Ingest;
use crate::content::open;
use crate::session::lorawan::StoredKeys;
use crate::{Activation, ContentError, DecodeError, DeviceLink, LorawanDevice, SealError, SealKey};

/// Why a stored frame is not read again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedecodeError {
    /// It has no readings to begin with: a join, or MAC commands alone.
    #[error("the frame carries no payload")]
    NoPayload,
    /// The codec is the one that read it.
    #[error("the device's codec is still the one that read the frame")]
    SameCodec,
    /// The device is gone, or uses another link now.
    #[error("the device is not in the table any more, or on another link")]
    NoDevice,
    /// Its session's keys are not kept any more.
    #[error("the keys of its session are gone: those of the last 8 sessions of a device are kept")]
    NoKeys,
    /// The envelope does not open with today's key.
    #[error("its envelope does not open with the key that the device has now")]
    Seal(#[source] SealError),
    /// The codec cannot read it either.
    #[error("the codec cannot read it")]
    Decode(#[source] DecodeError),
}

impl Ingest {
    /// Reads the frame of the record `of`, made at `stamp`, by its device's codec of today. Times that the device stated
    /// as an age are resolved against `stamp`, as they were the first time.
    ///
    /// # Errors
    /// [`RedecodeError`].
    pub fn redecode(&self, of: Seq, frame: &Frame, stamp: Stamp) -> Result<Redecoded, RedecodeError> {
        let device = self.devices.by_name(&frame.source).ok_or(RedecodeError::NoDevice)?;
        if frame.codec.is_none() {
            return Err(RedecodeError::NoPayload);
        }
        if frame.codec == Some(device.codec_text.id) {
            return Err(RedecodeError::SameCodec);
        }
        let at = stamp.wall_ms;
        let decode = |payload: &[u8], f_port| device.codec.decode(payload, at, f_port).map_err(RedecodeError::Decode);
        let decoded = match (&frame.link, &device.link) {
            (Link::Mqtt { .. }, DeviceLink::Mqtt(mqtt)) => {
                let content = mqtt.open(&frame.source, &device.codec, &frame.raw, at);
                content.decoded.map_err(|error| match error {
                    ContentError::Seal(error) => RedecodeError::Seal(error),
                    ContentError::Decode(error) => RedecodeError::Decode(error),
                })?
            }
            (Link::Lora { dev_addr, f_cnt, f_port, .. }, DeviceLink::Lorawan(lorawan)) => {
                let keys = self.keys_of(frame, lorawan, *dev_addr).ok_or(RedecodeError::NoKeys)?;
                let uplink = Uplink::parse(&frame.raw).map_err(|_| RedecodeError::NoPayload)?;
                decode(&uplink.decrypt(&keys, *f_cnt), *f_port)?
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
                decode(payload, None)?
            }
            (Link::Chirpstack { .. }, DeviceLink::Chirpstack(chirpstack)) => {
                let up = Up::parse(&frame.raw).map_err(|_| RedecodeError::NoPayload)?;
                let decoded = chirpstack.decode(&device.codec, &up, at).map_err(RedecodeError::Decode)?;
                decoded.ok_or(RedecodeError::NoPayload)?
            }
            _ => return Err(RedecodeError::NoDevice),
        };
        let texts = super::texts(&decoded);
        let source = frame.source.clone();
        Ok(Redecoded { source, of, codec: device.codec_text.id, readings: decoded.readings, texts })
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
