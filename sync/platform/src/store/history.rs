//! Whether what a box signed is one history: the proofs of a batch against the tree heads that are held.

use batch::{Batch, Continuation};
use record::merkle::TreeHead;
use rusqlite::{Connection, OptionalExtension, params};

use super::accept::number;
use super::error::{AcceptError, Refused, StoreError};
use super::read;

/// An older head that the batch's head continues.
struct Proven {
    size: i64,
    /// The smallest head of its history: itself, where no proof led to it.
    since: i64,
}

/// Verifies every proof of the batch whose older head is held, and notes what they prove. A head that is not held, as where
/// the store was lost, can be compared with nothing.
pub(super) fn prove(db: &Connection, batch: &Batch, batch_no: i64) -> Result<(), AcceptError> {
    let box_id = batch.box_id.as_str();
    let held = batch.proofs.iter().map(|proof| verify(db, batch, proof));
    let proven: Vec<Proven> = held.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let Some(since) = proven.iter().map(|older| older.since).min() else { return Ok(()) };
    let size = number("tree size", batch.head.size)?;
    let note = || -> rusqlite::Result<()> {
        let sql = "UPDATE head SET linked = max(coalesce(linked, 0), ?3), since = min(coalesce(since, ?4), ?4), \
                   proven_by = coalesce(proven_by, ?5) WHERE box = ?1 AND size = ?2";
        let mut update = db.prepare_cached(sql)?;
        for older in &proven {
            update.execute(params![box_id, older.size, 1, since, batch_no])?;
        }
        update.execute(params![box_id, size, 0, since, batch_no])?;
        Ok(())
    };
    Ok(note().map_err(StoreError::from)?)
}

fn verify(db: &Connection, batch: &Batch, proof: &Continuation) -> Result<Option<Proven>, AcceptError> {
    let size = number("tree size", proof.size)?;
    let sql = "SELECT root, coalesce(since, size) FROM head WHERE box = ?1 AND size = ?2";
    let select = |db: &Connection| -> rusqlite::Result<Option<(String, i64)>> {
        let row = params![batch.box_id.as_str(), size];
        db.prepare_cached(sql)?.query_row(row, |row| Ok((row.get(0)?, row.get(1)?))).optional()
    };
    let Some((root, since)) = select(db).map_err(StoreError::from)? else { return Ok(None) };
    let older = TreeHead { size: proof.size, root: read::hash(&root) };
    match proof.verify(&older, &batch.head) {
        Ok(()) => Ok(Some(Proven { size, since })),
        Err(why) => {
            let refused = Refused::Inconsistent { older: older.size, newer: batch.head.size, why };
            Err(AcceptError::Refused(refused))
        }
    }
}
