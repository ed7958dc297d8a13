//! That a batch's tree head continues an older one: what makes a box's batches one history.

use record::merkle::{ConsistencyProof, ProofError, TreeHead};

/// A proof (RFC 9162 §2.1.4) from a tree head that the platform holds already, or that travels along as a checkpoint, to
/// the head of the batch. The older root does not travel: who verifies must have it from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// Records of the older tree; fewer than the batch's head covers.
    pub size: u64,
    /// The hashes.
    pub proof: ConsistencyProof,
}

impl Continuation {
    /// Most of them in one batch: each head since the last proof has one.
    pub const PER_BATCH_MAX: usize = 64;

    /// Whether the tree of `newer` continues the one of this size with that root.
    ///
    /// # Errors
    /// [`ProofError`]; then the box showed two histories, or the proof is damaged.
    pub fn verify(&self, older: &TreeHead, newer: &TreeHead) -> Result<(), ProofError> {
        if older.size == self.size { self.proof.verify(older, newer) } else { Err(ProofError::Outside) }
    }
}
