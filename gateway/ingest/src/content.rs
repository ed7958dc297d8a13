//! What is in a payload: its envelope opened, its readings decoded. Neither needs a session.

use envelope::{DeviceKey, Envelope, FrameDigest, HmacKey, OpenError, Opened, ParseError, PublicKey, Purpose};
use record::{Seal, SourceId, UnixMs};

use crate::{Codec, DecodeError, Decoded, MqttDevice, SealKey, SealPolicy};

/// What is in a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What the frame's envelope proved; none if it has none.
    pub seal: Option<Sealed>,
    /// What it says.
    pub decoded: Result<Decoded, ContentError>,
}

/// An envelope that verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// What it stated.
    pub seal: Seal,
    /// Stands for the whole envelope in the replay window.
    pub digest: FrameDigest,
}

/// Why a payload says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Its envelope is missing, broken or not by the device's key.
    #[error(transparent)]
    Seal(SealError),
    /// The payload cannot be read.
    #[error(transparent)]
    Decode(DecodeError),
}

/// Why an envelope is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Something else than an envelope, where one is required.
    #[error("the frame must be sealed: {0}")]
    Parse(ParseError),
    /// It does not verify.
    #[error(transparent)]
    Open(OpenError),
    /// The key in keys.toml is none.
    #[error("the ed25519 key in keys.toml is no public key: copy it from the device again")]
    Key,
}

impl MqttDevice {
    /// Opens the envelope if there is or must be one, and decodes what is in it, as it came at `now`.
    pub(crate) fn open(&self, name: &SourceId, codec: &Codec, payload: &[u8], now: UnixMs) -> Content {
        match self.unseal(name, payload) {
            Ok((seal, inner)) => {
                Content { seal, decoded: codec.decode(inner, now, None).map_err(ContentError::Decode) }
            }
            Err(error) => Content { seal: None, decoded: Err(ContentError::Seal(error)) },
        }
    }

    /// What is in the envelope if there is or must be one; else all of it.
    ///
    /// # Errors
    /// [`SealError`] if it is not to be believed.
    pub(crate) fn unseal<'a>(
        &self,
        name: &SourceId,
        payload: &'a [u8],
    ) -> Result<(Option<Sealed>, &'a [u8]), SealError> {
        let Some(key) = &self.seal_key else { return Ok((None, payload)) };
        match (Envelope::parse(payload), self.seal) {
            (Err(_), SealPolicy::Optional | SealPolicy::None) => Ok((None, payload)),
            (Err(error), SealPolicy::Required) => Err(SealError::Parse(error)),
            (Ok(envelope), _) => {
                open(&envelope, key, name, Purpose::Frame).map(|(sealed, inner)| (Some(sealed), inner))
            }
        }
    }
}

/// Proves an envelope; gives what it stated and its payload.
pub(crate) fn open<'a>(
    envelope: &Envelope<'a>,
    key: &SealKey,
    device: &SourceId,
    purpose: Purpose,
) -> Result<(Sealed, &'a [u8]), SealError> {
    let key = match key {
        SealKey::Mac(key) => DeviceKey::Hmac(HmacKey::from_bytes(key.as_bytes())),
        SealKey::Ed25519(key) => DeviceKey::Ed25519(PublicKey::from_bytes(key.as_bytes()).map_err(|_| SealError::Key)?),
    };
    let Opened { payload, counter, device_ms, alg, digest } =
        envelope.open(&key, device.as_str(), purpose).map_err(SealError::Open)?;
    let seal = Seal { counter, device_ms, alg: alg.number() };
    Ok((Sealed { seal, digest }, payload))
}
