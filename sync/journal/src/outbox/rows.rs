//! Rows of the outbox's tables.

use record::{Seq, SeqRange, SeqRanges};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::StoredBatch;
use crate::database::{from_sql, to_sql};

/// A table with ranges of records by destination.
#[derive(Clone, Copy)]
pub(super) enum Ranges {
    Coverage,
    Dropped,
    Resend,
}

impl Ranges {
    fn table(self) -> &'static str {
        match self {
            Ranges::Coverage => "coverage",
            Ranges::Dropped => "dropped",
            Ranges::Resend => "resend",
        }
    }
}

pub(super) fn ranges_of(connection: &Connection, of: Ranges, destination: &str) -> rusqlite::Result<SeqRanges> {
    let sql = format!("SELECT first, last FROM {} WHERE destination = ?1 ORDER BY first", of.table());
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([destination], |row| {
        let (first, last) = (Seq(from_sql(row.get(0)?)), Seq(from_sql(row.get(1)?)));
        Ok(SeqRange { first, last })
    })?;
    rows.collect()
}

/// Writes only the rows that changed: coverage is a handful of ranges, and mostly one row grows.
pub(super) fn store_ranges(
    transaction: &Transaction<'_>,
    of: Ranges,
    destination: &str,
    ranges: &SeqRanges,
) -> rusqlite::Result<()> {
    let (before, table) = (ranges_of(transaction, of, destination)?, of.table());
    let remove = format!("DELETE FROM {table} WHERE destination = ?1 AND first = ?2");
    let mut remove = transaction.prepare_cached(&remove)?;
    for gone in before.iter().filter(|old| !ranges.iter().any(|new| new.first == old.first)) {
        remove.execute(params![destination, to_sql(gone.first.0)])?;
    }
    let upsert =
        format!("INSERT INTO {table} VALUES (?1, ?2, ?3) ON CONFLICT (destination, first) DO UPDATE SET last = ?3");
    let mut upsert = transaction.prepare_cached(&upsert)?;
    for changed in ranges.iter().filter(|new| !before.iter().any(|old| old == *new)) {
        upsert.execute(params![destination, to_sql(changed.first.0), to_sql(changed.last.0)])?;
    }
    Ok(())
}

pub(super) fn insert_batch(
    transaction: &Transaction<'_>,
    destination: &str,
    batch: &StoredBatch,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let ranges = encode_ranges(&batch.ranges);
    let StoredBatch { id, lane, bytes, filter, left_out, withheld, .. } = batch;
    let (left_out, withheld) = (to_sql(*left_out), to_sql(*withheld));
    transaction.execute(sql, params![destination, id, lane, ranges, bytes, filter, left_out, withheld]).map(|_| ())
}

/// From `id, lane, ranges, bytes, filter, left_out, withheld`.
pub(super) fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredBatch> {
    Ok(StoredBatch {
        id: row.get(0)?,
        lane: row.get(1)?,
        ranges: decode_ranges(row, 2)?,
        bytes: row.get(3)?,
        filter: row.get(4)?,
        left_out: from_sql(row.get(5)?),
        withheld: from_sql(row.get(6)?),
    })
}

pub(super) fn take_batch(
    transaction: &Transaction<'_>,
    destination: &str,
    id: &[u8; 32],
) -> rusqlite::Result<Option<StoredBatch>> {
    let sql = "DELETE FROM batch WHERE destination = ?1 AND id = ?2 \
               RETURNING id, lane, ranges, bytes, filter, left_out, withheld";
    let mut statement = transaction.prepare_cached(sql)?;
    statement.query_row(params![destination, id], stored).optional()
}

pub(super) fn encode_ranges(ranges: &SeqRanges) -> Vec<u8> {
    let mut bytes = Vec::new();
    match minicbor::encode(ranges, &mut bytes) {
        Ok(()) => bytes,
        Err(never) => unreachable!("encoding into memory failed: {never}"),
    }
}

pub(super) fn decode_ranges(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<SeqRanges> {
    let bytes = row.get_ref(column)?.as_blob().unwrap_or_default();
    minicbor::decode(bytes).map_err(|damaged| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(damaged))
    })
}
