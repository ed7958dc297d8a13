//! What each destination holds, and what was cut for it and awaits its receipt.

mod filtered;
mod notified;
mod parking;
mod resend;
mod rows;

pub use notified::{NOTIFICATION_BYTES_MAX, NOTIFICATIONS_MAX, Notified};

use std::fs::File;
use std::path::{Path, PathBuf};

use record::{Seq, SeqRange, SeqRanges};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use rows::{Ranges, decode_ranges, insert_batch, ranges_of, store_ranges, stored, take_batch};

use crate::database::{StoreError, fill, from_sql, open_reader, open_writer, to_sql};
use crate::schema::OUTBOX;

/// A batch that was cut, signed and stored, and has no receipt yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredBatch {
    /// SHA-256 of `bytes`.
    pub id: [u8; 32],
    /// The lane's number.
    pub lane: u8,
    /// The records it settles.
    pub ranges: SeqRanges,
    /// What is sent, byte for byte, each time (D2).
    pub bytes: Vec<u8>,
    /// The filter by which records were left out of it, on one line; none: nothing was.
    pub filter: Option<String>,
    /// Numbers of `ranges` without a record in it.
    pub left_out: u64,
    /// Of those, the ones that the destination never got.
    pub withheld: u64,
}

/// A batch that the destination refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedBatch {
    /// The batch.
    pub batch: StoredBatch,
    /// What the destination said.
    pub reason: String,
}

/// A receipt as the destination sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptAt {
    /// The batch it answers.
    pub id: [u8; 32],
    /// The signed bytes (COSE_Sign1).
    pub cose: Vec<u8>,
}

/// What one destination has taken, for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DestinationTally {
    /// Batches with a verified receipt.
    pub receipts: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Records of which it was told that its filter withholds them.
    pub withheld: u64,
}

/// What a metered link carried, as it was noted last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoredUsage {
    /// The day, since 1970-01-01, and the month, since January 1970; none while nobody knew the date.
    pub date: Option<(i64, i64)>,
    /// In that day. Bytes.
    pub day_bytes: u64,
    /// In its month. Bytes.
    pub month_bytes: u64,
}

/// The outbox. The upload daemon is its one writer; [`Outbox::open_read_only`] is for looking.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    connection: Connection,
    _lock: Option<File>,
}

impl Outbox {
    /// Opens or creates it as its one writer.
    ///
    /// # Errors
    /// [`StoreError`] when directory or file cannot be made, another process writes it, or it is of another version.
    pub fn open(path: &Path) -> Result<Outbox, StoreError> {
        let (connection, lock) = open_writer(path, &OUTBOX)?;
        Ok(Outbox { path: path.into(), connection, _lock: Some(lock) })
    }

    /// Opens an existing one for reading.
    ///
    /// # Errors
    /// [`StoreError::Open`], [`StoreError::Schema`].
    pub fn open_read_only(path: &Path) -> Result<Outbox, StoreError> {
        Ok(Outbox { path: path.into(), connection: open_reader(path, &OUTBOX)?, _lock: None })
    }

    /// Names of all destinations it ever served.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn destinations(&self) -> Result<Vec<String>, StoreError> {
        self.rows("destinations", "SELECT name FROM destination ORDER BY name", [], |row| row.get(0))
    }

    /// The records the destination holds by its receipts.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn coverage(&self, destination: &str) -> Result<SeqRanges, StoreError> {
        ranges_of(&self.connection, Ranges::Coverage, destination).map_err(self.read_failed("coverage"))
    }

    /// The records that were parked, and given up by order.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn dropped(&self, destination: &str) -> Result<SeqRanges, StoreError> {
        ranges_of(&self.connection, Ranges::Dropped, destination).map_err(self.read_failed("what was given up"))
    }

    /// The first number that no batch ever had, whatever became of it.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn end(&self) -> Result<Seq, StoreError> {
        let covered = self.rows(
            "coverage",
            "SELECT max(last) FROM coverage UNION ALL SELECT max(last) FROM dropped",
            [],
            |row| row.get::<_, Option<i64>>(0),
        )?;
        let covered = covered.into_iter().flatten().map(|last| Seq(from_sql(last)));
        let sql = "SELECT ranges FROM batch UNION ALL SELECT ranges FROM parked";
        let cut = self.rows("batches", sql, [], |row| decode_ranges(row, 0))?;
        let cut = cut.iter().filter_map(SeqRanges::bounds).map(|bounds| bounds.last);
        Ok(covered.chain(cut).max().map_or(Seq(0), Seq::next))
    }

    /// Batches cut and not yet receipted, in the order of their first record.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn batches(&self, destination: &str) -> Result<Vec<StoredBatch>, StoreError> {
        let sql = "SELECT id, lane, ranges, bytes, filter, left_out, withheld FROM batch \
                   WHERE destination = ?1 ORDER BY rowid";
        self.rows("batches", sql, [destination], stored)
    }

    /// The bytes of a batch that awaits its receipt.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn batch_bytes(&self, destination: &str, id: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT bytes FROM batch WHERE destination = ?1 AND id = ?2";
        let found = self.connection.query_row(sql, params![destination, id], |row| row.get(0)).optional();
        found.map_err(self.read_failed("a batch"))
    }

    /// The largest signed tree head that a receipted batch carried to the destination.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn checkpoints_sent(&self, destination: &str) -> Result<u64, StoreError> {
        let sql = "SELECT checkpoints_sent FROM destination WHERE name = ?1";
        let found = self.connection.query_row(sql, [destination], |row| row.get(0)).optional();
        Ok(from_sql(found.map_err(self.read_failed("checkpoints sent"))?.unwrap_or(0)))
    }

    /// What the destination has taken.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn tally(&self, destination: &str) -> Result<DestinationTally, StoreError> {
        let sql = "SELECT receipts, records, bytes, \
                   (SELECT coalesce(sum(withheld), 0) FROM filtered WHERE destination = name) \
                   FROM destination WHERE name = ?1";
        let found = self.connection.query_row(sql, [destination], |row| {
            let [receipts, records, bytes, withheld] =
                [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?].map(from_sql);
            Ok(DestinationTally { receipts, records, bytes, withheld })
        });
        Ok(found.optional().map_err(self.read_failed("tallies"))?.unwrap_or_default())
    }

    /// What the link to the destination carried.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn usage(&self, destination: &str) -> Result<StoredUsage, StoreError> {
        let sql = "SELECT day, month, day_bytes, month_bytes FROM usage WHERE destination = ?1";
        let found = self.connection.query_row(sql, [destination], |row| {
            let (day, month): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
            let [day_bytes, month_bytes] = [row.get(2)?, row.get(3)?].map(from_sql);
            Ok(StoredUsage { date: day.zip(month), day_bytes, month_bytes })
        });
        Ok(found.optional().map_err(self.read_failed("what a link carried"))?.unwrap_or_default())
    }

    /// Notes what the link to the destination carried, in the place of what was noted before.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn note_usage(&mut self, destination: &str, usage: &StoredUsage) -> Result<(), StoreError> {
        self.write("what a link carried", |transaction| {
            let (day, month) = usage.date.unzip();
            let [day_bytes, month_bytes] = [usage.day_bytes, usage.month_bytes].map(to_sql);
            let sql = "INSERT OR REPLACE INTO usage VALUES (?1, ?2, ?3, ?4, ?5)";
            transaction.execute(sql, params![destination, day, month, day_bytes, month_bytes]).map(|_| ())
        })
    }

    /// Hands every stored receipt of a destination to `each`.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn receipts(&self, destination: &str, mut each: impl FnMut(ReceiptAt)) -> Result<(), StoreError> {
        let failed = self.read_failed("receipts");
        let sql = "SELECT id, cose FROM receipt WHERE destination = ?1 ORDER BY rowid";
        let mut statement = self.connection.prepare(sql).map_err(&failed)?;
        let mut rows = statement.query([destination]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            each(ReceiptAt { id: row.get(0).map_err(&failed)?, cose: row.get(1).map_err(&failed)? });
        }
        Ok(())
    }

    /// The same, and the coverage that is claimed by them: both as of one moment, whatever the upload daemon settles
    /// meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn claims(&self, destination: &str, each: impl FnMut(ReceiptAt)) -> Result<SeqRanges, StoreError> {
        let _moment = self.connection.unchecked_transaction().map_err(self.read_failed("receipts"))?;
        self.receipts(destination, each)?;
        self.coverage(destination)
    }

    /// The newest receipts of a destination, the newest first, at most `max`.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn newest_receipts(&self, destination: &str, max: usize) -> Result<Vec<ReceiptAt>, StoreError> {
        // Without the index, which would have all of them sorted for a few.
        let sql = "SELECT id, cose FROM receipt WHERE +destination = ?1 ORDER BY rowid DESC LIMIT ?2";
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.rows("receipts", sql, params![destination, max], |row| {
            Ok(ReceiptAt { id: row.get(0)?, cose: row.get(1)? })
        })
    }

    /// Stores a batch before it is sent for the first time. Storing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn put_batch(&mut self, destination: &str, batch: &StoredBatch) -> Result<(), StoreError> {
        self.write("a batch", |transaction| insert_batch(transaction, destination, batch))
    }

    /// Where batches left out records, ascending, each with the filters that did, one a line.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn filtered(&self, destination: &str) -> Result<Vec<(SeqRange, String)>, StoreError> {
        let found = filtered::read(&self.connection, destination).map_err(self.read_failed("what was filtered"))?;
        Ok(found.into_iter().map(|span| (span.range, span.filters)).collect())
    }

    /// Takes back what is settled of these ranges, so that what was withheld there comes after all: coverage shrinks by
    /// them. What the destination has of them is remembered.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn reopen(&mut self, destination: &str, ranges: &SeqRanges) -> Result<(), StoreError> {
        self.write("what is to be sent after all", |transaction| {
            let before = ranges_of(transaction, Ranges::Coverage, destination)?;
            let covered = before.iter().flat_map(|range| ranges.missing_in(range).iter().collect::<Vec<_>>()).collect();
            store_ranges(transaction, Ranges::Coverage, destination, &covered)?;
            filtered::reopen(transaction, destination, ranges)
        })
    }

    /// Takes a verified receipt: coverage grows, the receipt is kept, the batch's bytes go, in one transaction (D1).
    /// `checkpoints` is the largest signed tree head in the batch, 0 for none. Returns what was settled; settling again
    /// changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn settle(
        &mut self,
        destination: &str,
        id: &[u8; 32],
        receipt: &[u8],
        checkpoints: u64,
    ) -> Result<SeqRanges, StoreError> {
        let mut settled = SeqRanges::new();
        self.write("a receipt", |transaction| {
            let Some(batch) = take_batch(transaction, destination, id)? else { return Ok(()) };
            filtered::settle(transaction, destination, &batch)?;
            resend::settle(transaction, destination, &batch.ranges)?;
            let StoredBatch { ranges, bytes, left_out, .. } = batch;
            let mut covered = ranges_of(transaction, Ranges::Coverage, destination)?;
            ranges.iter().for_each(|range| covered.insert(range));
            store_ranges(transaction, Ranges::Coverage, destination, &covered)?;
            let sql = "INSERT OR IGNORE INTO receipt VALUES (?1, ?2, ?3)";
            transaction.execute(sql, params![destination, id, receipt])?;
            let sql = "INSERT INTO destination VALUES (?1, ?2, 1, ?3, ?4) ON CONFLICT (name) DO UPDATE SET \
                       checkpoints_sent = max(checkpoints_sent, ?2), receipts = receipts + 1, \
                       records = records + ?3, bytes = bytes + ?4";
            let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let numbers = [checkpoints, ranges.len().saturating_sub(left_out), bytes].map(to_sql);
            transaction.execute(sql, params![destination, numbers[0], numbers[1], numbers[2]])?;
            settled = ranges;
            Ok(())
        })?;
        Ok(settled)
    }

    /// Takes away a refused batch whose records will come in smaller ones. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn discard(&mut self, destination: &str, id: &[u8; 32]) -> Result<(), StoreError> {
        self.write("a refused batch", |transaction| take_batch(transaction, destination, id).map(drop))
    }

    /// As [`Journal::fill_disk`](crate::Journal::fill_disk).
    ///
    /// # Errors
    /// [`StoreError::Write`].
    #[doc(hidden)]
    pub fn fill_disk(&self, full: bool) -> Result<(), StoreError> {
        fill(&self.connection, &self.path, full)
    }

    fn write(
        &mut self,
        what: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let failed = |source| StoreError::Write { path: self.path.clone(), what, source };
        let transaction = self.connection.transaction().map_err(failed)?;
        work(&transaction).and_then(|()| transaction.commit()).map_err(failed)
    }

    fn rows<T>(
        &self,
        what: &'static str,
        sql: &str,
        arguments: impl rusqlite::Params,
        each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let failed = self.read_failed(what);
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        let rows = statement.query_map(arguments, each).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    fn read_failed(&self, what: &'static str) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |source| StoreError::Read { path: path.clone(), what, source }
    }
}
