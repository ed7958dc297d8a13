//! What a destination had, and commanded to be sent once more.

use record::{Seq, SeqRanges};
use rusqlite::{OptionalExtension, Transaction, params};

use super::Outbox;
use super::rows::{Ranges, ranges_of, store_ranges};
use crate::database::{StoreError, from_sql, to_sql};

impl Outbox {
    /// Records that the destination had and that are to go once more, whatever it got before.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn resend(&self, destination: &str) -> Result<SeqRanges, StoreError> {
        ranges_of(&self.connection, Ranges::Resend, destination).map_err(self.read_failed("what is sent once more"))
    }

    /// Commands of the destination in records of the journal before this one are carried out.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn obeyed(&self, destination: &str) -> Result<Seq, StoreError> {
        let sql = "SELECT next FROM obeyed WHERE destination = ?1";
        let found = self.connection.query_row(sql, [destination], |row| row.get(0)).optional();
        Ok(Seq(from_sql(found.map_err(self.read_failed("which commands are carried out"))?.unwrap_or(0))))
    }

    /// Carries out the commands before `next`: of these ranges coverage shrinks by what it has of them, which goes once
    /// more. Returns that.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn send_again(&mut self, destination: &str, ranges: &SeqRanges, next: Seq) -> Result<SeqRanges, StoreError> {
        let mut again = SeqRanges::new();
        self.write("what is sent once more", |transaction| {
            let before = ranges_of(transaction, Ranges::Coverage, destination)?;
            let covered = without(&before, ranges);
            again = without(&before, &covered);
            store_ranges(transaction, Ranges::Coverage, destination, &covered)?;
            let resend = ranges_of(transaction, Ranges::Resend, destination)?;
            let resend = resend.iter().chain(again.iter()).collect();
            store_ranges(transaction, Ranges::Resend, destination, &resend)?;
            let sql = "INSERT OR REPLACE INTO obeyed VALUES (?1, ?2)";
            transaction.execute(sql, params![destination, to_sql(next.0)]).map(|_| ())
        })?;
        Ok(again)
    }
}

/// What came once more is done.
pub(super) fn settle(transaction: &Transaction<'_>, destination: &str, ranges: &SeqRanges) -> rusqlite::Result<()> {
    let before = ranges_of(transaction, Ranges::Resend, destination)?;
    if before.is_empty() {
        return Ok(());
    }
    store_ranges(transaction, Ranges::Resend, destination, &without(&before, ranges))
}

/// Of the first what is not in the second.
fn without(ranges: &SeqRanges, other: &SeqRanges) -> SeqRanges {
    ranges.iter().flat_map(|range| other.missing_in(range).iter().collect::<Vec<_>>()).collect()
}
