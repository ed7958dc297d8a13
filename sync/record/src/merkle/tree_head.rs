//! What the journal's Merkle tree was.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::Hash;

/// The size and root of a tree at one moment (RFC 9162 §4.10 without the log's own fields).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct TreeHead {
    /// How many records it covers: numbers `0..size`.
    #[n(0)]
    pub size: u64,
    /// Its root.
    #[n(1)]
    pub root: Hash,
}
