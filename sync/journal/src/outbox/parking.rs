//! Batches that a platform refused, each with its reason, until somebody decides about them.

use record::SeqRanges;
use rusqlite::{OptionalExtension, params};

use super::rows::{Ranges, decode_ranges, encode_ranges, insert_batch, ranges_of, store_ranges, stored, take_batch};
use super::{Outbox, ParkedBatch, StoredBatch};
use crate::database::{StoreError, to_sql};

impl Outbox {
    /// The records in parked batches.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn parked(&self, destination: &str) -> Result<SeqRanges, StoreError> {
        let sql = "SELECT ranges FROM parked WHERE destination = ?1";
        let all = self.rows("parked batches", sql, [destination], |row| decode_ranges(row, 0))?;
        Ok(all.iter().flat_map(SeqRanges::iter).collect())
    }

    /// Names of destinations with parked batches.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn parking_destinations(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT destination FROM parked ORDER BY destination";
        self.rows("parked batches", sql, [], |row| row.get(0))
    }

    /// Every parked batch, in the order in which they were put aside.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn parked_batches(&self, destination: &str) -> Result<Vec<ParkedBatch>, StoreError> {
        let sql = "SELECT id, lane, ranges, bytes, filter, left_out, withheld, reason FROM parked \
                   WHERE destination = ?1 ORDER BY rowid";
        self.rows("parked batches", sql, [destination], |row| {
            Ok(ParkedBatch { batch: stored(row)?, reason: row.get(7)? })
        })
    }

    /// Puts a batch aside that the destination refused for its content. Parking again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn park(&mut self, destination: &str, id: &[u8; 32], reason: &str) -> Result<(), StoreError> {
        self.write("a parked batch", |transaction| {
            let Some(batch) = take_batch(transaction, destination, id)? else { return Ok(()) };
            let sql = "INSERT OR IGNORE INTO parked VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            let ranges = encode_ranges(&batch.ranges);
            let StoredBatch { lane, bytes, filter, left_out, withheld, .. } = batch;
            let (left_out, withheld) = (to_sql(left_out), to_sql(withheld));
            let values = params![destination, id, ranges, bytes, reason, lane, filter, left_out, withheld];
            transaction.execute(sql, values).map(|_| ())
        })
    }

    /// Puts a parked batch, or without `id` all of a destination, back among those that await their receipt, all or none of
    /// them. Returns them.
    ///
    /// # Errors
    /// [`StoreError::Write`]; then all are parked.
    pub fn unpark(&mut self, destination: &str, id: Option<&[u8; 32]>) -> Result<Vec<StoredBatch>, StoreError> {
        let mut batches = Vec::new();
        self.write("batches to be sent again", |transaction| {
            let sql = "DELETE FROM parked WHERE destination = ?1 AND (?2 IS NULL OR id = ?2) \
                       RETURNING id, lane, ranges, bytes, filter, left_out, withheld";
            let mut statement = transaction.prepare_cached(sql)?;
            let rows = statement.query_map(params![destination, id], stored)?;
            batches = rows.collect::<Result<Vec<_>, _>>()?;
            batches.iter().try_for_each(|batch| insert_batch(transaction, destination, batch))
        })?;
        Ok(batches)
    }

    /// Gives up a parked batch: its records are settled without a receipt, its bytes go. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn drop_parked(&mut self, destination: &str, id: &[u8; 32]) -> Result<(), StoreError> {
        self.write("a batch that is given up", |transaction| {
            let sql = "DELETE FROM parked WHERE destination = ?1 AND id = ?2 RETURNING ranges";
            let mut statement = transaction.prepare_cached(sql)?;
            let taken = statement.query_row(params![destination, id], |row| decode_ranges(row, 0)).optional()?;
            let mut dropped = ranges_of(transaction, Ranges::Dropped, destination)?;
            taken.iter().flat_map(SeqRanges::iter).for_each(|range| dropped.insert(range));
            store_ranges(transaction, Ranges::Dropped, destination, &dropped)
        })
    }
}
