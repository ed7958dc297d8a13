//! The wire format: signed batches, receipts and checkpoints, for both ends; and the seal of an evidence file.
//!
//! **In:** [`record::RecordAt`]s as [`Row`]s, keys, tree heads. **Out:** bytes to send, and rows again from bytes that
//! are believed.
//!
//! ```text
//! box       Batch ── seal ──► COSE_Sign1( zstd( CBOR columns )) ──► Batch::open ─► rows   platform
//! box       Receipt::verify ◄──────── COSE_Sign1( CBOR ) ◄──────── Receipt::sign          platform
//! ```
//! A [`Command`] travels in a receipt. How both ends come to know each other's keys: [`Enrolment`], [`Enrolled`] and their [`EnrolmentCode`]; how a key takes the
//! place of another: [`KeyChange`], [`Succession`], [`Revocation`], and what follows from them: [`Lineage`]. What platforms
//! say to each other about a box: [`CosignedCheckpoint`].
//!
//!
//! | layer | what it is | where |
//! |---|---|---|
//! | envelope | `18([<<{1: -8, 3: content type, 4: kid}>>, {}, payload, signature])`, Ed25519 | `envelope` |
//! | batch payload | one zstd frame with its size, level 3 | `batch` |
//! | `[version, body]` | deterministic CBOR, arrays only | `payload`, `wire` |
//! | rows | kind, time, boot and clock columns; numbers follow from the ranges | `pack`, `unpack` |
//! | groups | frames of the same quantities and units: names and codecs once, then a column per quantity; repeated decodings apart, with a column of the records they replace | `pack`, `unpack` |
//! | `steps` columns | delta, zigzag, LEB128: for what mostly repeats | `column` |
//! | `bits` columns | prediction, zigzag, adaptive Golomb-Rice: for what is noise in its low digits | `bits` |
//!
//! An exported journal ([`weirlog`]) has the records themselves and the signed checkpoints, for whoever must be shown that
//! nothing was altered; `weirlog.cddl` says all of it. An evidence file (crate `evidence`) has some of them, under an
//! [`EvidenceSeal`]; it is here because the box signs nothing else.
//!
//! `batch.cddl` beside this crate says all of it for other languages; its golden bytes are in `tests/round_trip.rs`.
//! A name stands once in a batch, a usual unit never, and a column that repeats itself or keeps its pace is some bytes.
//! `cargo bench -p batch` measures bytes per reading against gzip of JSON rows.
//!
//! **Deliberately does not know:** where records are kept (`journal`), what is sent when (`delivery`), how
//! (`syncd`), which key belongs to which box (`platform`; it must compare the box named inside with the key's owner).
//! Raw frames and links do not travel; of a refused frame its SHA-256 does. Whether a codec's name is that of its text is
//! for the reader to compare. It reads no clock, randomness,
//! environment, file or socket.
//!
//! Invariants carried here: **D2** (a [`BatchId`] is the hash of the bytes; sealing is deterministic), **D1/J2** (every
//! number of the ranges has exactly one row, or is left out by a filter), **T1** (every row has its clock quality), **B1** (nothing is allocated
//! beyond [`BATCH_BYTES_MAX`], [`PAYLOAD_BYTES_MAX`], [`ROWS_MAX`], [`READINGS_MAX`] and a bound on list entries).
//!
//! Standards: RFC 9052/9053 (COSE), RFC 8032 (Ed25519), RFC 8949 §4.2 (deterministic CBOR), RFC 8610 (CDDL),
//! RFC 8878 (zstd), RFC 8742 (CBOR sequences), RFC 9162 (tree heads), C2SP `tlog-checkpoint` and `tlog-cosignature`.

mod batch;
mod bits;
mod checkpoint;
mod column;
mod command;
mod continuation;
mod cosigned;
mod enrolment;
mod entropy;
mod envelope;
mod error;
mod evidence_seal;
mod filtered;
#[cfg(test)]
mod hostile;
mod id;
mod key;
mod key_change;
mod lane;
mod pack;
mod payload;
mod range_coder;
mod receipt;
mod row;
mod unpack;
pub mod weirlog;
mod wire;

pub use batch::{BATCH_BYTES_MAX, Batch, BatchId, BatchIdError, PAYLOAD_BYTES_MAX, READINGS_MAX, ROWS_MAX, Sealed};
pub use checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
pub use command::{COMMAND_BYTES_MAX, Command, CommandTooLarge, Order, OrderedFile, UnknownCommand};
pub use continuation::Continuation;
pub use cosigned::{CosignedCheckpoint, NOTE_BYTES_MAX, NoteError, verifier_key};
pub use enrolment::{CodeError, ENROLMENT_BYTES_MAX, Enrolled, Enrolment, EnrolmentCode};
pub use envelope::Artifact;
pub use error::{Inconsistency, OpenError, SealError};
pub use evidence_seal::{Asked, EVIDENCE_SEAL_BYTES_MAX, EvidenceSeal, MemberDigest, SealTooLarge};
pub use filtered::Filtered;
pub use id::{BoxId, IdError, PlatformId};
pub use key::{KeyId, PublicKey, PublicKeyError, SigningKey};
pub use key_change::{
    Heir, KeyChange, KeyStatement, Lineage, Revocation, STATEMENT_BYTES_MAX, Succession, Voucher, Whose, platform_keys,
};
pub use lane::Lane;
pub use receipt::{RECEIPT_BYTES_MAX, Receipt};
pub use record::merkle::TreeHead;
pub use row::{Content, Decoded, Row};
