//! A platform's signed word that another machine, with a key of its own, took the place of a box.

use minicbor::{Decode, Encode};
use record::UnixMs;
use serde::Serialize;

use crate::{Artifact, BoxId, OpenError, PlatformId, PublicKey, SigningKey, payload};

/// The box's former key is lost or not to be believed, so that it cannot sign: the platform let the new one in.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Succession {
    /// Who let it in.
    #[n(0)]
    pub platform: PlatformId,
    /// Whose place.
    #[n(1)]
    pub box_id: BoxId,
    /// The key that the platform knew before.
    #[n(2)]
    pub former: PublicKey,
    /// The key from now on.
    #[n(3)]
    pub key: PublicKey,
    /// When, by the platform's clock.
    #[n(4)]
    pub at_ms: UnixMs,
}

impl Succession {
    /// The signed bytes; the same for the same statement and key.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        crate::envelope::sign(Artifact::Succession, payload::encode(self), key)
    }

    /// Reads and believes a statement of the platform with this key.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact, not signed by `key`, or not in its one form.
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Succession, OpenError> {
        let payload = crate::envelope::open(Artifact::Succession, bytes, |kid| (kid == key.id()).then_some(*key))?;
        payload::decode(Artifact::Succession, &payload)
    }

    /// What it says, whoever signed it: for showing it, never for believing it.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact or not in its one form.
    pub fn claimed(bytes: &[u8]) -> Result<Succession, OpenError> {
        payload::decode(Artifact::Succession, &crate::envelope::outline(Artifact::Succession, bytes)?.payload)
    }
}
