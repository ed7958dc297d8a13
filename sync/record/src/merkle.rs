//! The Merkle tree over all records (RFC 9162 §2.1): SHA-256, leaves prefixed `00`, nodes `01`.
//!
//! ```text
//! record bytes ─► leaf_hash ─► Frontier ─► TreeHead (what is signed)
//!      └► Block (256 leaves, or the roots of what was taken away) ─► the root of any Subtree below level 8
//! roots of Subtrees, wherever they are kept ─► InclusionProof, ConsistencyProof ─► verified against TreeHeads alone
//! ```
//! Nothing here holds the tree. The [`Frontier`] is its right edge, one hash for each set bit of the size, at most 64;
//! a proof asks its caller for the roots of complete [`Subtree`]s, which never change, at most two for each level.

mod block;
mod consistency;
mod frontier;
mod inclusion;
mod subtree;
mod tree_head;

use std::fmt;

use minicbor::{CborLen, Decode, Encode};
use sha2::{Digest, Sha256};

pub use block::{BLOCK_LEAVES, BLOCK_LEVEL, Block, BlockError, LEAF_BYTES_MAX, Node};
pub use consistency::ConsistencyProof;
pub use frontier::{AppendError, Frontier};
pub use inclusion::{InclusionProof, ProofError, ProveError};
pub use subtree::{Subtree, void_root};
pub use tree_head::TreeHead;

/// A SHA-256 hash; shown as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Hash(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 32],
);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `SHA-256(00 | entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// `SHA-256(01 | left | right)`.
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root over adjacent complete subtrees, each smaller than the one before it; of none, the hash of nothing.
fn root_of(subtrees: impl DoubleEndedIterator<Item = Hash>) -> Hash {
    let root = subtrees.rev().reduce(|right, left| node_hash(left, right));
    root.unwrap_or_else(|| Hash(Sha256::digest([]).into()))
}

#[cfg(test)]
mod tests;
