//! That a tree continues an older one (RFC 9162 §2.1.4): nothing that was in it was changed, removed or moved.

use std::ops::Range;

use super::inclusion::{Beside, Climb, split};
use super::subtree::root_between;
use super::{Hash, ProofError, ProveError, Subtree, TreeHead, node_hash};

/// The hashes that lead from the subtrees of an older tree to its root and to the root of a newer one: at most 65.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// As RFC 9162 orders them, from the leaves up. None for trees of the same size.
    pub path: Vec<Hash>,
}

impl ConsistencyProof {
    /// Most hashes of a path: a tree has less than 2^64 leaves.
    pub const PATH_MAX: usize = 65;

    /// The hashes, 32 bytes each, in their order.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.path.iter().flat_map(|hash| hash.0).collect()
    }

    /// The proof of these bytes; `None` unless they are whole hashes, at most [`ConsistencyProof::PATH_MAX`].
    pub fn from_bytes(bytes: &[u8]) -> Option<ConsistencyProof> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && hashes.len() <= ConsistencyProof::PATH_MAX;
        fits.then(|| ConsistencyProof { path: hashes.iter().copied().map(Hash).collect() })
    }

    /// The proof that the tree of the first `sizes.end` leaves continues that of the first `sizes.start`. `node` gives
    /// the root of a complete subtree within the newer one; it is asked at most twice for each level.
    ///
    /// # Errors
    /// [`ProveError::NoContinuation`] if the older tree is empty or the larger one; [`ProveError::Node`] with what `node`
    /// said.
    pub fn generate<E>(
        sizes: Range<u64>,
        mut node: impl FnMut(Subtree) -> Result<Hash, E>,
    ) -> Result<ConsistencyProof, ProveError<E>> {
        let Range { start: older, end: newer } = sizes;
        if older == 0 || older > newer {
            return Err(ProveError::NoContinuation { older, newer });
        }
        let mut root = |first, end| root_between(first, end, &mut node).map_err(ProveError::Node);
        let (mut first, mut end, mut path) = (0, newer, Vec::new());
        while end > older {
            let middle = first + split(end - first);
            if older <= middle {
                path.push(root(middle, end)?);
                end = middle;
            } else {
                path.push(root(first, middle)?);
                first = middle;
            }
        }
        // The subtree in which the older tree ends: who verifies has its root only where it is the whole older tree.
        if first > 0 {
            path.push(root(first, end)?);
        }
        path.reverse();
        Ok(ConsistencyProof { path })
    }

    /// Whether the tree of `newer` continues that of `older` (RFC 9162 §2.1.4.2).
    ///
    /// # Errors
    /// [`ProofError`]; then nothing is known about what the two have in common.
    pub fn verify(&self, older: &TreeHead, newer: &TreeHead) -> Result<(), ProofError> {
        if older.size == 0 || older.size > newer.size {
            return Err(ProofError::Outside);
        }
        let length = ProofError::Length { found: self.path.len() };
        if older.size == newer.size {
            let same = if older.root == newer.root { Ok(()) } else { Err(ProofError::OtherRoot) };
            return if self.path.is_empty() { same } else { Err(length) };
        }
        // The smallest subtree at the older tree's edge; where that is the whole older tree, its root is known.
        let levels = older.size.trailing_zeros();
        let mut climb = Climb { at: (older.size >> levels) - 1, last: (newer.size - 1) >> levels };
        let (edge, path) = match self.path.split_first() {
            _ if climb.at == 0 => (older.root, self.path.as_slice()),
            Some((edge, path)) => (*edge, path),
            None => return Err(length),
        };
        let (mut old_root, mut new_root) = (edge, edge);
        for beside in path {
            match climb.up().ok_or(length)? {
                Beside::Left => {
                    old_root = node_hash(*beside, old_root);
                    new_root = node_hash(*beside, new_root);
                }
                Beside::Right => new_root = node_hash(new_root, *beside),
            }
        }
        if climb.last != 0 {
            return Err(length);
        }
        if (old_root, new_root) == (older.root, newer.root) { Ok(()) } else { Err(ProofError::OtherRoot) }
    }
}
