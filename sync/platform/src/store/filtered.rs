//! What a filter of the box keeps from this platform: numbers without a record, frames without some of their readings, and
//! what comes of them after all.

use std::collections::BTreeSet;

use batch::{Batch, BoxId};
use record::{Seq, SeqRange, SeqRanges};
use rusqlite::{Connection, OptionalExtension, params};

use super::error::{AcceptError, StoreError};
use super::line::signed;
use super::read;

/// Most ranges of numbers left out that a receipt names; beyond them it names one that has all of them. Half of what it
/// may hold (`batch::RECEIPT_BYTES_MAX`).
const RANGES_MAX: usize = 5_000;

/// Notes what a batch left out, if it did.
pub(super) fn insert(db: &Connection, batch: &Batch, batch_no: i64) -> Result<(), AcceptError> {
    let filtered = &batch.filtered;
    if filtered.is_nothing() {
        return Ok(());
    }
    let left_out = signed("left out", filtered.left_out.len()).map_err(AcceptError::Refused)?;
    let names: Vec<&str> = filtered.quantities.iter().map(|quantity| quantity.as_str()).collect();
    let quantities = (!names.is_empty()).then(|| names.join(","));
    db.prepare_cached("INSERT INTO batch_filter VALUES (?1, ?2, ?3)")
        .and_then(|mut insert| insert.execute(params![batch_no, left_out, quantities]))
        .map_err(StoreError::from)?;
    Ok(())
}

/// Whether readings were left out of a stored frame.
pub(super) fn is_cut(db: &Connection, box_id: &BoxId, seq: Seq) -> Result<bool, AcceptError> {
    let seq = signed("seq", seq.0).map_err(AcceptError::Refused)?;
    let sql = "SELECT quantities FROM record JOIN batch_filter USING (batch_no) WHERE box = ?1 AND seq = ?2";
    let found: Option<Option<String>> = db
        .prepare_cached(sql)
        .and_then(|mut select| select.query_row(params![box_id.as_str(), seq], |row| row.get(0)).optional())
        .map_err(StoreError::from)?;
    Ok(found.flatten().is_some())
}

/// Where numbers are left out once this batch is stored, and the same before it.
pub(super) fn left_out(db: &Connection, batch: &Batch) -> Result<[SeqRanges; 2], AcceptError> {
    let before = read::left_out(db, &batch.box_id)?;
    if before.is_empty() && batch.filtered.left_out.is_empty() {
        return Ok([before.clone(), before]);
    }
    let mut lacking = SeqRanges::new();
    for range in batch.filtered.left_out.iter() {
        let held = read::records_in(db, &batch.box_id, range)?;
        held.missing_in(range).iter().for_each(|range| lacking.insert(range));
    }
    let mut after = before.clone();
    match lacking.bounds() {
        None => {
            after = before.iter().flat_map(|range| batch.ranges.missing_in(range).iter().collect::<Vec<_>>()).collect()
        }
        // Not number by number, or devices that take turns would fill the receipt.
        Some(bounds) => {
            let within = |range: SeqRange| SeqRange::new(range.first.max(bounds.first), range.last.min(bounds.last));
            batch.ranges.iter().filter_map(within).for_each(|range| after.insert(range));
        }
    }
    if after.iter().len() > RANGES_MAX {
        after = after.bounds().into_iter().collect();
    }
    Ok([before, after])
}

/// Writes the ranges that changed.
pub(super) fn store_left_out(
    db: &Connection,
    box_id: &BoxId,
    [before, after]: [SeqRanges; 2],
) -> Result<(), AcceptError> {
    let [before, after] = [before, after].map(|ranges| ranges.iter().collect::<BTreeSet<SeqRange>>());
    let write = |sql: &str, range: &SeqRange| -> Result<(), AcceptError> {
        let [first, last] = [range.first.0, range.last.0].map(|seq| signed("seq", seq));
        let (first, last) = (first.map_err(AcceptError::Refused)?, last.map_err(AcceptError::Refused)?);
        let mut write = db.prepare_cached(sql).map_err(StoreError::from)?;
        write.execute(params![box_id.as_str(), first, last]).map_err(StoreError::from)?;
        Ok(())
    };
    let removed = "DELETE FROM left_out WHERE box = ?1 AND first_seq = ?2 AND last_seq = ?3";
    before.difference(&after).try_for_each(|range| write(removed, range))?;
    after.difference(&before).try_for_each(|range| write("INSERT INTO left_out VALUES (?1, ?2, ?3)", range))
}
