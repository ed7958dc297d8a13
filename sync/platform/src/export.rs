//! The evidence as files, for whoever wants to check it with tools of their own.
//!
//! ```text
//! DIR/platform.pub                            the platform's key, 64 hex digits
//! DIR/boxes/<box>.pub                         each box's key
//! DIR/batches/<id>.cose                       what the box signed; <id> is the SHA-256 of the file
//! DIR/receipts/<id>.cose                      what the platform signed about it
//! DIR/checkpoints/<size>-<box>-<n>.cose       tree heads the box signed; <n> counts those of one size, from 0
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use batch::{BatchId, BatchIdError, BoxId, IdError};

use crate::state_dir::StateDir;
use crate::store::{Archive, StoreError};

/// Batches listed at once.
const PAGE: usize = 1000;

/// How many files were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Batches, each with its receipt.
    pub batches: u64,
    /// Checkpoints.
    pub checkpoints: u64,
}

/// Why not everything was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database cannot be read.
    #[error("failed to read database `{path}`; check that this user may read it and its folder")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// A key file cannot be read.
    #[error("failed to read key `{path}`; the platform writes it at its first start")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("failed to write `{path}`; check owner and free space of its folder")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A box's name in the database is none.
    #[error("the database names a box that cannot be one; it was changed by hand or damaged")]
    BoxName(#[source] IdError),
    /// A batch's id in the database is none, or the batch went while it was read.
    #[error("the database lists a batch that it does not have: {id}; it was changed by hand or damaged")]
    Batch {
        /// What stands there.
        id: String,
        /// Why it is no id, if it is none.
        #[source]
        source: Option<BatchIdError>,
    },
}

/// Writes every batch, receipt, checkpoint and public key of a platform under `dir`, which is made. The platform may
/// run meanwhile; what it stores later is missing then.
///
/// # Errors
/// [`ExportError`] by cause.
pub fn write_artifacts(state: &StateDir, dir: &Path) -> Result<Exported, ExportError> {
    let archive = Archive::new(&state.database());
    let read = |source| ExportError::Read { path: state.database(), source };
    let path = state.public_key();
    let key = fs::read(&path).map_err(|source| ExportError::Key { path, source })?;
    write(dir.join("platform.pub"), &key)?;
    let mut exported = Exported::default();
    for summary in archive.boxes().map_err(read)? {
        let box_id = BoxId::new(&summary.box_id).map_err(ExportError::BoxName)?;
        write(dir.join("boxes").join(format!("{box_id}.pub")), summary.public_key.as_bytes())?;
        let mut after = None;
        loop {
            let page = archive.batches(&box_id, after, PAGE).map_err(read)?;
            for line in &page.items {
                write_batch(&archive, &box_id, &line.id, dir, &read)?;
                exported.batches += 1;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let (mut size_before, mut nth) = (None, 0u64);
        for (size, cose) in archive.checkpoints(&box_id).map_err(read)? {
            nth = if size_before == Some(size) { nth + 1 } else { 0 };
            size_before = Some(size);
            write(dir.join("checkpoints").join(format!("{size}-{box_id}-{nth}.cose")), &cose)?;
            exported.checkpoints += 1;
        }
    }
    Ok(exported)
}

fn write_batch(
    archive: &Archive,
    box_id: &BoxId,
    id: &str,
    dir: &Path,
    read: &impl Fn(StoreError) -> ExportError,
) -> Result<(), ExportError> {
    let missing = |source| ExportError::Batch { id: id.to_owned(), source };
    let batch_id: BatchId = id.parse().map_err(|error| missing(Some(error)))?;
    let batch = archive.batch(box_id, &batch_id).map_err(read)?.ok_or_else(|| missing(None))?;
    let receipt = archive.receipt(box_id, &batch_id).map_err(read)?.ok_or_else(|| missing(None))?;
    write(dir.join("batches").join(format!("{id}.cose")), &batch)?;
    write(dir.join("receipts").join(format!("{id}.cose")), &receipt)
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<(), ExportError> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(&path, bytes)).map_err(|source| ExportError::Write { path, source })
}
