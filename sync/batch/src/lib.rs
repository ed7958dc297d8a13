//! The wire format: signed batches, receipts and checkpoints, for both ends.

mod batch;
mod bits;
mod checkpoint;
mod column;
mod envelope;
mod error;
mod head;
#[cfg(test)]
mod hostile;
mod id;
mod key;
mod lane;
mod pack;
mod payload;
mod receipt;
mod row;
mod unpack;
mod wire;

pub use batch::{BATCH_BYTES_MAX, Batch, BatchId, BatchIdError, PAYLOAD_BYTES_MAX, READINGS_MAX, ROWS_MAX, Sealed};
pub use checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
pub use envelope::Artifact;
pub use error::{Inconsistency, OpenError, SealError};
pub use head::TreeHead;
pub use id::{BoxId, IdError, PlatformId};
pub use key::{KeyId, PublicKey, PublicKeyError, SigningKey};
pub use lane::Lane;
pub use receipt::{RECEIPT_BYTES_MAX, Receipt};
pub use row::{Content, Row};
