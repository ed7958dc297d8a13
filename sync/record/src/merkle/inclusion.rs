//! That a record is in a tree (RFC 9162 §2.1.3).

use super::subtree::root_between;
use super::{Hash, Subtree, TreeHead, node_hash};
use crate::Seq;

/// The hashes that lead from one leaf to the root of a tree: at most 64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The sibling of the leaf first, then those of each node above it.
    pub path: Vec<Hash>,
}

/// Why there is no proof to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// The tree has no such leaf.
    #[error("failed to prove that record {leaf} is among the first {size}: it is not")]
    NoSuchLeaf {
        /// The leaf.
        leaf: Seq,
        /// Leaves of the tree.
        size: u64,
    },
    /// No tree of the second size contains one of the first, or the first is empty and there is nothing to contain.
    #[error("failed to prove that a tree of {newer} records continues one of {older}")]
    NoContinuation {
        /// Leaves of the older tree.
        older: u64,
        /// Leaves of the newer one.
        newer: u64,
    },
    /// The root of a subtree could not be had.
    #[error("failed to read the tree for a proof")]
    Node(#[source] E),
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It is about a leaf or tree that cannot be part of the other one.
    #[error("the proof is about a record or tree that does not lie within the tree head")]
    Outside,
    /// It has not the number of hashes that the sizes ask for.
    #[error("the proof has {found} hashes, which the sizes of the trees do not ask for")]
    Length {
        /// Hashes in it.
        found: usize,
    },
    /// The hashes lead elsewhere.
    #[error("the proof does not lead to the root of the tree head")]
    OtherRoot,
}

impl InclusionProof {
    /// The proof for `leaf` in the tree of the first `size` leaves. `node` gives the root of a complete subtree within
    /// these; it is asked at most twice for each level.
    ///
    /// # Errors
    /// [`ProveError::NoSuchLeaf`]; [`ProveError::Node`] with what `node` said.
    pub fn generate<E>(
        leaf: Seq,
        size: u64,
        mut node: impl FnMut(Subtree) -> Result<Hash, E>,
    ) -> Result<InclusionProof, ProveError<E>> {
        if leaf.0 >= size {
            return Err(ProveError::NoSuchLeaf { leaf, size });
        }
        let (mut first, mut end, mut path) = (0, size, Vec::new());
        while end - first > 1 {
            let middle = first + split(end - first);
            let beside = if leaf.0 < middle { (middle, end) } else { (first, middle) };
            path.push(root_between(beside.0, beside.1, &mut node).map_err(ProveError::Node)?);
            (first, end) = if leaf.0 < middle { (first, middle) } else { (middle, end) };
        }
        path.reverse();
        Ok(InclusionProof { path })
    }

    /// Whether a record with this leaf hash has the number `leaf` in the tree of `head` (RFC 9162 §2.1.3.2).
    ///
    /// # Errors
    /// [`ProofError`]; then nothing is known about the record.
    pub fn verify(&self, leaf: Seq, hash: Hash, head: &TreeHead) -> Result<(), ProofError> {
        let last = head.size.checked_sub(1).filter(|last| leaf.0 <= *last).ok_or(ProofError::Outside)?;
        let length = ProofError::Length { found: self.path.len() };
        let mut climb = Climb { at: leaf.0, last };
        let mut root = hash;
        for beside in &self.path {
            root = match climb.up().ok_or(length)? {
                Beside::Left => node_hash(*beside, root),
                Beside::Right => node_hash(root, *beside),
            };
        }
        if climb.last != 0 {
            return Err(length);
        }
        if root == head.root { Ok(()) } else { Err(ProofError::OtherRoot) }
    }
}

/// The largest power of two below `leaves`, which are two or more: where a tree divides (RFC 9162 §2.1.1).
pub(super) fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The way from a node to the root: its index on its level, and that of the level's last node.
pub(super) struct Climb {
    pub(super) at: u64,
    pub(super) last: u64,
}

/// Where the sibling stands.
pub(super) enum Beside {
    Left,
    Right,
}

impl Climb {
    /// One step up; `None` at the root.
    pub(super) fn up(&mut self) -> Option<Beside> {
        if self.last == 0 {
            return None;
        }
        let beside = if self.at & 1 == 1 || self.at == self.last { Beside::Left } else { Beside::Right };
        if let Beside::Left = beside {
            // A last node without a sibling rises as it is, until it has one on its left.
            let levels = self.at.trailing_zeros().min(63);
            *self = Climb { at: self.at >> levels, last: self.last >> levels };
        }
        *self = Climb { at: self.at >> 1, last: self.last >> 1 };
        Some(beside)
    }
}
