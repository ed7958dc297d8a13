//! The schemas of the two files, and how an older file is brought up to them.

use rusqlite::Connection;

/// The tables of one of the files. Their number stands in `PRAGMA user_version`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema {
    /// All tables, for a new file.
    text: &'static str,
    /// The n-th leads from number n + 1 to n + 2. What an older program wrote stays as it is, tables are only added.
    migrations: &'static [&'static str],
}

/// Of the journal. Number 2 added codecs, commands and states; number 3 segments, roots of blocks and marks;
/// number 4 rows with several records; number 5 roots of larger subtrees.
pub(crate) const JOURNAL: Schema = Schema {
    text: include_str!("journal.sql"),
    migrations: &[
        include_str!("migrations/journal_2.sql"),
        include_str!("migrations/journal_3.sql"),
        include_str!("migrations/journal_4.sql"),
        include_str!("migrations/journal_5.sql"),
    ],
};

/// Of the outbox. Number 2 added the lane of parked batches; number 3 what a metered link carried;
/// number 4 what was given up, and what a filter keeps from a destination; number 5 what is to be sent
/// once more; number 6 who was told of which alarm.
pub(crate) const OUTBOX: Schema = Schema {
    text: include_str!("outbox.sql"),
    migrations: &[
        include_str!("migrations/outbox_2.sql"),
        include_str!("migrations/outbox_3.sql"),
        include_str!("migrations/outbox_4.sql"),
        include_str!("migrations/outbox_5.sql"),
        include_str!("migrations/outbox_6.sql"),
    ],
};

impl Schema {
    /// The number that a file has after [`Schema::apply`].
    pub(crate) fn number(&self) -> i64 {
        i64::try_from(self.migrations.len()).map_or(i64::MAX, |steps| steps + 1)
    }

    /// Makes the tables in a new file, and leaves its number at 0: who fills them sets it once they are complete.
    pub(crate) fn make_tables(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(self.text)
    }

    /// Makes the tables, or those that an older file lacks, in one transaction: a power cut leaves the old file. Returns
    /// the number that the file has now; a file of a newer program keeps its own.
    pub(crate) fn apply(&self, connection: &mut Connection) -> rusqlite::Result<i64> {
        let found = number_of(connection)?;
        if found >= self.number() {
            return Ok(found);
        }
        let transaction = connection.transaction()?;
        match usize::try_from(found - 1) {
            Ok(done) => self.migrations.iter().skip(done).try_for_each(|step| transaction.execute_batch(step))?,
            Err(_) => transaction.execute_batch(self.text)?,
        }
        transaction.pragma_update(None, "user_version", self.number())?;
        transaction.commit()?;
        Ok(self.number())
    }
}

/// The number in a file; 0 if it has no tables yet.
pub(crate) fn number_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
