//! A batch: records on their way to a platform.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use record::merkle::ConsistencyProof;
use record::{SeqRange, SeqRanges};
use sha2::{Digest, Sha256};
use zstd::zstd_safe;

use crate::pack::pack;
use crate::unpack::unpack;
use crate::wire::{Body, ENTRIES_MAX};
use crate::{
    Artifact, BoxId, Continuation, Filtered, Inconsistency, KeyId, Lane, OpenError, PublicKey, Row, SealError,
    SigningKey, TreeHead, payload,
};

/// Most bytes of a sealed batch.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most bytes of its payload when decompressed.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most rows in one batch.
pub const ROWS_MAX: usize = 200_000;
/// Most readings in one batch: some 80 MB when opened.
pub const READINGS_MAX: usize = 1_000_000;
/// Higher levels gain some 2 % on columns and cost ten times the time.
const ZSTD_LEVEL: i32 = 3;

/// The name of a sealed batch: SHA-256 of its bytes, written as 64 hex digits. So the same id always has the same
/// bytes (D2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct BatchId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 32],
);

/// Why a text is not a [`BatchId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a batch id has 64 lower-case hex digits, this text has {len} characters; copy it from `weir sync parked`")]
pub struct BatchIdError {
    /// How many characters were given.
    len: usize,
}

impl BatchId {
    /// The id of these bytes.
    pub fn of(bytes: &[u8]) -> BatchId {
        BatchId(Sha256::digest(bytes).into())
    }
}

impl FromStr for BatchId {
    type Err = BatchIdError;
    fn from_str(text: &str) -> Result<BatchId, BatchIdError> {
        let wrong = || BatchIdError { len: text.chars().count() };
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id).map_err(|_| wrong())?;
        // One spelling only, because ids stand in paths and tables.
        if text.bytes().any(|b| b.is_ascii_uppercase()) { Err(wrong()) } else { Ok(BatchId(id)) }
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for BatchId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A batch as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its name.
    pub id: BatchId,
    /// The COSE_Sign1 bytes.
    pub bytes: Vec<u8>,
}

/// What a batch says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whose records.
    pub box_id: BoxId,
    /// In which lane they left.
    pub lane: Lane,
    /// Their numbers, and those of what a filter withholds among them.
    pub ranges: SeqRanges,
    /// The journal's tree when the batch was cut.
    pub head: TreeHead,
    /// Signed checkpoints that travel along, byte for byte, not verified here.
    pub checkpoints: Vec<Vec<u8>>,
    /// What the platform does not get of those numbers.
    pub filtered: Filtered,
    /// Proofs that `head` continues older ones, by ascending size; none is verified here, which needs the older roots.
    pub proofs: Vec<Continuation>,
    /// The records, by ascending number: one for each number of `ranges` that is not left out.
    pub rows: Vec<Row>,
}

impl Batch {
    /// Encodes, compresses and signs. The same batch and key give the same bytes (D2).
    ///
    /// # Errors
    /// [`SealError`] if rows and ranges disagree or a bound of the format is passed.
    pub fn seal(&self, key: &SigningKey) -> Result<Sealed, SealError> {
        let numbers = usize::try_from(self.ranges.len()).unwrap_or(usize::MAX);
        bound("its number of rows", self.rows.len().max(numbers), ROWS_MAX)?;
        bound("its number of readings", readings(&self.rows), READINGS_MAX)?;
        bound("its number of proofs", self.proofs.len(), Continuation::PER_BATCH_MAX)?;
        check_rows(self).map_err(SealError::Inconsistent)?;
        check_proofs(&self.head, &self.proofs).map_err(SealError::Inconsistent)?;
        let body = pack(self);
        bound("its number of ranges, sources, fields and rare rows", body.entries(), ENTRIES_MAX)?;
        let plain = payload::encode(&body);
        bound("its decompressed length in bytes", plain.len(), PAYLOAD_BYTES_MAX)?;
        let packed = zstd::bulk::compress(&plain, ZSTD_LEVEL)
            .map_err(|source| SealError::Compress { len: plain.len(), source })?;
        let bytes = crate::envelope::sign(Artifact::Batch, packed, key);
        bound("its length in bytes", bytes.len(), BATCH_BYTES_MAX)?;
        Ok(Sealed { id: BatchId::of(&bytes), bytes })
    }

    /// The key that a sealed batch names as its signer; none if the bytes are no batch. Nothing is verified.
    pub fn signer(bytes: &[u8]) -> Option<KeyId> {
        crate::envelope::outline(Artifact::Batch, bytes).ok().map(|outline| outline.kid)
    }

    /// Reads and believes a batch: form, id (if one is expected), key, signature, content, in this order.
    ///
    /// Whether the box named inside owns that key is for the caller to compare.
    ///
    /// # Errors
    /// [`OpenError`] by cause. No input panics, and none makes it allocate beyond the bounds of the format.
    pub fn open(
        bytes: &[u8],
        id: Option<&BatchId>,
        key_of: impl FnOnce(KeyId) -> Option<PublicKey>,
    ) -> Result<Batch, OpenError> {
        if let Some(expected) = id.filter(|_| bytes.len() <= BATCH_BYTES_MAX) {
            let found = BatchId::of(bytes);
            if found != *expected {
                return Err(OpenError::OtherId { expected: *expected, found });
            }
        }
        let packed = crate::envelope::open(Artifact::Batch, bytes, key_of)?;
        let plain = decompress(&packed)?;
        let body: Body = payload::decode(Artifact::Batch, &plain)?;
        drop(plain);
        unpack(body).map_err(OpenError::Inconsistent)
    }
}

fn bound(what: &'static str, size: usize, max: usize) -> Result<(), SealError> {
    if size > max {
        return Err(SealError::TooLarge { what, size: size as u64, max: max as u64 });
    }
    Ok(())
}

/// The content of one zstd frame (RFC 8878 §3.1.1), whole, with its size in the header and nothing behind it.
fn decompress(packed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let wrong = |why| OpenError::Decompress { why };
    let size = zstd_safe::get_frame_content_size(packed).ok().flatten().ok_or_else(|| wrong("it states no size"))?;
    let max = PAYLOAD_BYTES_MAX as u64;
    let capacity = usize::try_from(size).ok().filter(|_| size <= max);
    let too_large = OpenError::TooLarge { artifact: Artifact::Batch, what: "its decompressed length", size, max };
    let capacity = capacity.ok_or(too_large)?;
    if zstd_safe::find_frame_compressed_size(packed) != Ok(packed.len()) {
        return Err(wrong("it is cut, or something stands behind it"));
    }
    let plain = zstd::bulk::decompress(packed, capacity).map_err(|_| wrong("it does not decompress"))?;
    if plain.len() == capacity { Ok(plain) } else { Err(wrong("its size is not the stated one")) }
}

fn readings(rows: &[Row]) -> usize {
    rows.iter().filter_map(|row| row.content.decoded()).map(|decoded| decoded.readings.len()).sum()
}

/// Every number of the ranges that is not left out has exactly one row, in order (J2, D1). [`Batch::open`] needs no such
/// check: the wire has no numbers but the ranges'.
fn check_rows(batch: &Batch) -> Result<(), Inconsistency> {
    let Batch { ranges, filtered, rows, .. } = batch;
    if rows.is_empty() && filtered.left_out.is_empty() || !ranges.covers(&filtered.left_out) {
        return Err(Inconsistency::Empty);
    }
    let with_rows = filtered.rows(ranges);
    let (count, numbers) = (rows.len() as u64, with_rows.len());
    if count != numbers {
        return Err(Inconsistency::RowCount { rows: count, numbers });
    }
    let expected = with_rows.iter().flat_map(|SeqRange { first, last }| first.0..=last.0);
    match rows.iter().zip(expected).find(|(row, expected)| row.seq.0 != *expected) {
        Some((row, expected)) => Err(Inconsistency::RowNumber { row: row.seq, expected: record::Seq(expected) }),
        None => Ok(()),
    }
}

/// Each leads on from a smaller tree, the smallest first, with a path that a tree can have.
pub(crate) fn check_proofs(head: &TreeHead, proofs: &[Continuation]) -> Result<(), Inconsistency> {
    let wrong = |why| Err(Inconsistency::Column { column: "proofs", why });
    if !proofs.is_sorted_by(|one, next| one.size < next.size) {
        return wrong("not by ascending size");
    }
    let sizes = [proofs.first(), proofs.last()].map(|proof| proof.map(|proof| proof.size));
    if sizes[0] == Some(0) || sizes[1].is_some_and(|size| size >= head.size) {
        return wrong("from a tree that the head cannot continue");
    }
    if proofs.iter().any(|proof| proof.proof.path.len() > ConsistencyProof::PATH_MAX) {
        return wrong("a path longer than any tree is high");
    }
    Ok(())
}
