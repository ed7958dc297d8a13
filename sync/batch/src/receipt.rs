//! A platform's signed word about what it holds.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use record::{Seq, SeqRanges, UnixMs};
use serde::Serialize;

use crate::{Artifact, BatchId, BoxId, OpenError, PlatformId, PublicKey, SigningKey, TreeHead, payload};

/// Most bytes of a signed receipt: room for some 20,000 ranges.
pub const RECEIPT_BYTES_MAX: usize = 256 * 1024;

/// The answer to a stored batch. A box's coverage of this platform advances by nothing else (D1).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Receipt {
    /// Who received.
    #[n(0)]
    pub platform: PlatformId,
    /// Whose batch.
    #[n(1)]
    pub box_id: BoxId,
    /// Which batch.
    #[n(2)]
    pub batch: BatchId,
    /// Every number of that box that the platform holds, this batch included, and those that its batches left out.
    #[n(3)]
    pub holds: SeqRanges,
    /// The tree head that stood in the batch.
    #[n(4)]
    pub head: TreeHead,
    /// When, by the platform's clock.
    #[n(5)]
    pub received_ms: UnixMs,
    /// What the platform orders of the box, as it was signed ([`crate::Command`]). The next one comes once this one was
    /// answered by a record of the box.
    #[n(6)]
    #[serde(skip)]
    pub command: Option<ByteVec>,
    /// Parts of `holds` in which batches left out numbers: of these it may have no record.
    #[n(7)]
    #[cbor(skip_if = "SeqRanges::is_empty")]
    pub left_out: SeqRanges,
}

impl Receipt {
    /// Whether it says that the platform has this very record.
    pub fn has(&self, seq: Seq) -> bool {
        self.holds.contains(seq) && !self.left_out.contains(seq)
    }

    /// The numbers of which it says that the platform has the very record.
    pub fn held(&self) -> SeqRanges {
        self.holds.iter().flat_map(|range| self.left_out.missing_in(range).iter().collect::<Vec<_>>()).collect()
    }

    /// The signed bytes; the same for the same receipt and key.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        crate::envelope::sign(Artifact::Receipt, payload::encode(self), key)
    }

    /// Reads and believes a receipt. Whether it is about the batch that was sent is for the caller to compare.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact, not signed by `key`, or not in its one form.
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Receipt, OpenError> {
        let payload = crate::envelope::open(Artifact::Receipt, bytes, |kid| (kid == key.id()).then_some(*key))?;
        payload::decode(Artifact::Receipt, &payload)
    }

    /// Reads and believes a receipt that one of these keys signed.
    ///
    /// # Errors
    /// As [`Receipt::verify`]; [`OpenError::UnknownKey`] if it names none of them.
    pub fn verify_by(bytes: &[u8], keys: &[PublicKey]) -> Result<Receipt, OpenError> {
        let named = |kid| keys.iter().find(|key| key.id() == kid).copied();
        payload::decode(Artifact::Receipt, &crate::envelope::open(Artifact::Receipt, bytes, named)?)
    }

    /// What a receipt says, whoever signed it: for showing it and for choosing among many, never for believing it.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact or not in its one form.
    pub fn claimed(bytes: &[u8]) -> Result<Receipt, OpenError> {
        payload::decode(Artifact::Receipt, &crate::envelope::outline(Artifact::Receipt, bytes)?.payload)
    }
}
