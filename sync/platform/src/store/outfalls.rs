//! What boxes registered of their outfalls.

use batch::BoxId;
use record::Seq;
use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;

use super::error::StoreError;
use super::read::{Page, page, unsigned, unsigned_if};

/// One version of a dossier as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DossierLine {
    /// Number of the record.
    pub seq: u64,
    /// The outfall's code.
    pub outfall: String,
    /// 1, 2, 3, ... of this outfall; the highest is in force.
    pub version: u32,
    /// Who: `user NUMBER` on the box, or `platform NAME`.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// All of it.
    pub dossier: Value,
    /// The record that told this version first, if this one tells it again.
    pub told_seq: Option<u64>,
    /// When that was.
    pub told_ms: Option<i64>,
    /// When the record was made.
    pub wall_ms: i64,
    /// What that time is worth.
    pub clock: String,
}

/// A page of versions by the numbers of their records.
pub(super) fn dossiers(
    db: &Connection,
    box_id: &BoxId,
    after: Option<Seq>,
    limit: usize,
) -> Result<Page<DossierLine>, StoreError> {
    let sql = "SELECT seq, outfall, version, actor, reason, dossier, told_seq, told_ms, wall_ms, clock FROM dossier \
               WHERE box = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    page(
        db,
        sql,
        box_id,
        after.map(|seq| seq.0),
        limit,
        |line: &DossierLine| line.seq,
        |row| {
            let dossier: String = row.get(5)?;
            Ok(DossierLine {
                seq: unsigned(row, 0)?,
                outfall: row.get(1)?,
                version: row.get(2)?,
                actor: row.get(3)?,
                reason: row.get(4)?,
                dossier: serde_json::from_str(&dossier).unwrap_or_default(),
                told_seq: unsigned_if(row, 6)?,
                told_ms: row.get(7)?,
                wall_ms: row.get(8)?,
                clock: row.get(9)?,
            })
        },
    )
}
