//! A box's signed word about its journal.

use minicbor::{Decode, Encode};
use record::Stamp;
use serde::Serialize;

use crate::{Artifact, BoxId, OpenError, PublicKey, SigningKey, TreeHead, payload};

/// Most bytes of a signed checkpoint: a stamp, a head and the longest name need fewer than 300.
pub const CHECKPOINT_BYTES_MAX: usize = 512;

/// The signed tree head: whoever holds it sees any later change of an earlier record (J1).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Checkpoint {
    /// Whose journal.
    #[n(0)]
    pub box_id: BoxId,
    /// What its tree was.
    #[n(1)]
    pub head: TreeHead,
    /// When it was signed.
    #[n(2)]
    pub stamp: Stamp,
}

impl Checkpoint {
    /// The signed bytes; the same for the same checkpoint and key.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        crate::envelope::sign(Artifact::Checkpoint, payload::encode(self), key)
    }

    /// Reads and believes a checkpoint.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact, not signed by `key`, or not in its one form.
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Checkpoint, OpenError> {
        let payload = crate::envelope::open(Artifact::Checkpoint, bytes, |kid| (kid == key.id()).then_some(*key))?;
        payload::decode(Artifact::Checkpoint, &payload)
    }
}
