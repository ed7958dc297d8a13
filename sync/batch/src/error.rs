//! Why an artifact cannot be sealed or is not believed.

use record::Seq;

use crate::{Artifact, BatchId, KeyId};

/// Rows that do not fit the ranges they claim (J2, D1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// A batch of nothing, or one that leaves out what is not in it.
    #[error("the batch has no numbers, or leaves out others than its own")]
    Empty,
    /// Another number of rows than of numbers in the ranges.
    #[error("{rows} rows stand for {numbers} numbers of the ranges")]
    RowCount {
        /// Rows in the batch.
        rows: u64,
        /// Numbers in its ranges.
        numbers: u64,
    },
    /// At this place the ranges have another number than the row: rows are missing, doubled, foreign or unordered.
    #[error("a row has number {row} where the ranges have {expected}")]
    RowNumber {
        /// The row's number.
        row: Seq,
        /// The ranges' number at that place.
        expected: Seq,
    },
    /// Ranges that overlap, touch or are out of order.
    #[error("the ranges are not sorted and apart")]
    Ranges,
    /// A column or list that does not say what its place needs.
    #[error("{column}: {why}")]
    Column {
        /// Which, as in `batch.cddl`.
        column: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

/// Why a batch cannot be sealed. Both mean that whoever built it broke a rule: cut smaller, or report the rows.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The batch is beyond a bound of the format; cut it in two.
    #[error("failed to seal a batch: {what} would be {size}, at most {max} fit; cut it in two")]
    TooLarge {
        /// Which bound.
        what: &'static str,
        /// What the batch has.
        size: u64,
        /// What is allowed.
        max: u64,
    },
    /// Rows and ranges disagree.
    #[error("failed to seal a batch: {0}; report this as a bug")]
    Inconsistent(Inconsistency),
    /// The compressor failed, for want of memory.
    #[error("failed to compress a batch of {len} bytes; retry when memory is free")]
    Compress {
        /// Bytes to compress.
        len: usize,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
}

/// Why bytes are not believed. Nothing here is worth a retry with the same bytes except [`OpenError::UnknownKey`]
/// after the key was enrolled.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Beyond a bound of the format.
    #[error("failed to open a {artifact}: {what} is {size}, at most {max} are taken; send less at once")]
    TooLarge {
        /// What was expected.
        artifact: Artifact,
        /// Which bound.
        what: &'static str,
        /// What was claimed or found.
        size: u64,
        /// What is allowed.
        max: u64,
    },
    /// Not a COSE_Sign1 of the one form that is written.
    #[error("failed to open a {artifact}: {why}; it must be a tagged COSE_Sign1 as batch.cddl describes")]
    Envelope {
        /// What was expected.
        artifact: Artifact,
        /// What is wrong.
        why: &'static str,
    },
    /// A well-formed artifact of another kind.
    #[error("failed to open a {artifact}: its content type is `{found}`; send it where that is expected")]
    WrongArtifact {
        /// What was expected.
        artifact: Artifact,
        /// The content type found, at most 64 characters.
        found: String,
    },
    /// The bytes are those of another batch.
    #[error("failed to open batch {expected}: the bytes are those of {found}; send the bytes that were sealed")]
    OtherId {
        /// The id that was asked for.
        expected: BatchId,
        /// The id of the bytes.
        found: BatchId,
    },
    /// Nobody knows the key.
    #[error("failed to open a {artifact}: no key {kid} is known; enrol the public key that `weir identity` prints")]
    UnknownKey {
        /// What was expected.
        artifact: Artifact,
        /// The key that was named.
        kid: KeyId,
    },
    /// The signature is not by the key that it names, over these bytes.
    #[error("failed to open a {artifact}: the signature is not by key {kid}; keep the bytes as evidence")]
    BadSignature {
        /// What was expected.
        artifact: Artifact,
        /// The key that was named.
        kid: KeyId,
    },
    /// Signed, but not one whole zstd frame.
    #[error("failed to open a batch: {why}; the payload must be one zstd frame that states its size")]
    Decompress {
        /// What is wrong.
        why: &'static str,
    },
    /// Signed, but by a program with another version of the format.
    #[error("failed to open a {artifact} of format version {version}: this program reads version 1; update it")]
    UnsupportedVersion {
        /// What was expected.
        artifact: Artifact,
        /// The version found.
        version: u64,
    },
    /// Signed, but not of the form in `batch.cddl`.
    #[error("failed to decode a {artifact}; report this against the program that signed it")]
    Payload {
        /// What was expected.
        artifact: Artifact,
        /// What is wrong.
        #[source]
        source: minicbor::decode::Error,
    },
    /// Signed and of that form, but not deterministic CBOR (RFC 8949 §4.2).
    #[error("failed to decode a {artifact}: not deterministic CBOR; report this against the program that signed it")]
    NotCanonical {
        /// What was expected.
        artifact: Artifact,
    },
    /// Signed and canonical, but it contradicts itself.
    #[error("failed to decode a batch: {0}; report this against the program that signed it")]
    Inconsistent(Inconsistency),
}
