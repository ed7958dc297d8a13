//! Why a batch is not stored, or a question not answered.

use record::Seq;
use record::merkle::{Hash, ProofError};

/// A batch that contradicts what is stored. Sending it again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another row is stored under this number (J1).
    #[error("record {seq} is stored with another content")]
    Conflict {
        /// The number.
        seq: Seq,
    },
    /// Another root is stored for this size: the box showed two histories (J1).
    #[error("the tree of size {size} has root {stored} here and {offered} in the batch")]
    Fork {
        /// How many records the tree has.
        size: u64,
        /// The root that came first.
        stored: String,
        /// The root of this batch.
        offered: Hash,
    },
    /// A proof of the batch does not lead from the tree that is stored to its own: the box showed two histories (J1).
    #[error("the tree of size {newer} in the batch does not continue the one of size {older} that is stored here")]
    Inconsistent {
        /// Records of the tree that is stored.
        older: u64,
        /// Records of the batch's tree.
        newer: u64,
        /// How the proof fails.
        #[source]
        why: ProofError,
    },
    /// A number beyond what the store can hold.
    #[error("{what} is {number}, more than 2^63 - 1")]
    Number {
        /// Which number.
        what: &'static str,
        /// What it is.
        number: u64,
    },
}

/// Why a batch was not stored.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// It contradicts what is stored.
    #[error("failed to store a batch: it contradicts what is stored")]
    Refused(#[source] Refused),
    /// The box's records would lie in so many ranges that no receipt could name them. Older records first cure it.
    #[error(
        "failed to store a batch: the records of this box would lie in {ranges} ranges, at most {max} fit a receipt"
    )]
    Scattered {
        /// How many there would be.
        ranges: usize,
        /// How many fit.
        max: usize,
    },
    /// The disk or the configured size is used up.
    #[error("failed to store a batch: the database is full")]
    Full(#[source] StoreError),
    /// The database failed otherwise.
    #[error("failed to store a batch")]
    Failed(#[source] StoreError),
    /// More batches wait than the queue takes.
    #[error("failed to store a batch: {max} already wait")]
    Busy {
        /// Length of the queue.
        max: usize,
    },
    /// The store was closed or its thread has died.
    #[error("failed to store a batch: the store is closed")]
    Closed,
}

/// What SQLite said.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(std::sync::Arc<rusqlite::Error>);

impl StoreError {
    /// Whether the disk or the bound of the file is used up.
    pub fn is_full(&self) -> bool {
        self.0.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
    }
}

impl From<StoreError> for AcceptError {
    fn from(error: StoreError) -> AcceptError {
        if error.is_full() { AcceptError::Full(error) } else { AcceptError::Failed(error) }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        StoreError(std::sync::Arc::new(error))
    }
}
