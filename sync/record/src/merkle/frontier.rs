//! The right edge of a tree: all that appending needs.

use super::{Hash, Subtree, node_hash, root_of, void_root};
use crate::Seq;

/// The right edge of a tree: roots of its perfect subtrees, largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

/// Why a subtree cannot be appended. The tree is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// It would not stand on a multiple of its own size.
    #[error("failed to append a subtree of level {level} behind {size} leaves: they are no multiple of its size")]
    Unaligned {
        /// Its level.
        level: u8,
        /// Leaves before it.
        size: u64,
    },
    /// The tree would have 2^64 leaves or more.
    #[error("failed to append a subtree of level {level} behind {size} leaves: a tree has less than 2^64")]
    TooLarge {
        /// Its level.
        level: u8,
        /// Leaves before it.
        size: u64,
    },
    /// The tree reaches beyond that number already.
    #[error("failed to append void leaves up to {end}: the tree has {size} leaves")]
    Behind {
        /// The number up to which leaves were wanted.
        end: Seq,
        /// Leaves that are there.
        size: u64,
    },
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// A tree of `size` leaves from the concatenated roots of [`Frontier::to_bytes`]; `None` if their number does
    /// not fit the size.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Frontier> {
        let (roots, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && u32::try_from(roots.len()).ok()? == size.count_ones();
        fits.then(|| Frontier { size, roots: roots.iter().copied().map(Hash).collect() })
    }

    /// The roots, largest subtree first, 32 bytes each.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.roots.iter().flat_map(|hash| hash.0).collect()
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.carry(0, leaf);
    }

    /// Appends `2^level` leaves at once, of which only the root is known.
    ///
    /// # Errors
    /// [`AppendError::Unaligned`] unless the size is a multiple of `2^level`; [`AppendError::TooLarge`] beyond 2^64 leaves.
    pub fn append_subtree(&mut self, level: u8, root: Hash) -> Result<(), AppendError> {
        let size = self.size;
        let leaves = 1u64.checked_shl(level.into()).ok_or(AppendError::TooLarge { level, size })?;
        if !size.is_multiple_of(leaves) {
            return Err(AppendError::Unaligned { level, size });
        }
        size.checked_add(leaves).ok_or(AppendError::TooLarge { level, size })?;
        self.carry(level, root);
        Ok(())
    }

    /// Appends void leaves ([`void_root`]) up to the number `end`, which the next leaf will have.
    ///
    /// # Errors
    /// [`AppendError::Behind`] if the tree is larger than that.
    pub fn append_void(&mut self, end: Seq) -> Result<(), AppendError> {
        if end.0 < self.size {
            return Err(AppendError::Behind { end, size: self.size });
        }
        while let Some(subtree) = Subtree::largest(Seq(self.size), end) {
            self.append_subtree(subtree.level(), void_root(subtree.level()))?;
        }
        Ok(())
    }

    /// As adding one to a binary number: each subtree of the same size is merged with the one on its left.
    fn carry(&mut self, level: u8, root: Hash) {
        let mut hash = root;
        for _ in 0..(self.size >> level).trailing_ones() {
            // One root per set bit, so a trailing one always has its root.
            if let Some(left) = self.roots.pop() {
                hash = node_hash(left, hash);
            }
        }
        self.roots.push(hash);
        self.size += 1 << level;
    }

    /// The root (RFC 9162 §2.1.1); for the empty tree the hash of nothing.
    pub fn root(&self) -> Hash {
        root_of(self.roots.iter().copied())
    }
}
