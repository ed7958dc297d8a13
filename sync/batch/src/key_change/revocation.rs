//! A platform's signed word that a key proves nothing any more.

use minicbor::{Decode, Encode};
use record::UnixMs;
use serde::Serialize;

use super::bounded;
use crate::{Artifact, BoxId, OpenError, PlatformId, PublicKey, SigningKey, payload};

/// The key was stolen, or the box with it. What was received before stays.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Revocation {
    /// Who says so.
    #[n(0)]
    pub platform: PlatformId,
    /// Whose key.
    #[n(1)]
    pub box_id: BoxId,
    /// Which.
    #[n(2)]
    pub key: PublicKey,
    /// What it signs from then on proves nothing; by the platform's clock.
    #[n(3)]
    pub from_ms: UnixMs,
    /// When this was said, by the platform's clock.
    #[n(4)]
    pub made_ms: UnixMs,
    /// Why, in words.
    #[n(5)]
    #[cbor(decode_with = "bounded")]
    pub reason: String,
}

impl Revocation {
    /// The signed bytes; the same for the same statement and key.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        crate::envelope::sign(Artifact::Revocation, payload::encode(self), key)
    }

    /// Reads and believes a statement of the platform with this key.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact, not signed by `key`, or not in its one form.
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Revocation, OpenError> {
        let payload = crate::envelope::open(Artifact::Revocation, bytes, |kid| (kid == key.id()).then_some(*key))?;
        payload::decode(Artifact::Revocation, &payload)
    }

    /// What it says, whoever signed it: for showing it, never for believing it.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact or not in its one form.
    pub fn claimed(bytes: &[u8]) -> Result<Revocation, OpenError> {
        payload::decode(Artifact::Revocation, &crate::envelope::outline(Artifact::Revocation, bytes)?.payload)
    }
}
