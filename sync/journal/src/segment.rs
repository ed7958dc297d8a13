//! Where the records stand: the newest in tables of the database, the others in files beside it.

use std::path::{Path, PathBuf};

use record::{Seq, SeqRange};
use rusqlite::{Connection, Row, Transaction, params};

use crate::database::{from_sql, to_sql};

/// Records of one Merkle subtree whose root is kept for ever.
pub const BLOCK_RECORDS: u64 = 256;
/// Records of a full table, and of a file.
pub const HOT_RECORDS_MAX: u64 = 64 * BLOCK_RECORDS;
/// Canonical bytes of a full table: large frames must not let it outgrow a small card.
pub const HOT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// A full table has at most this part of the budget, so that the file that it becomes, which is smaller, is little beside
/// one in a hundred: what is taken away at once.
const TABLES_OF_BUDGET: u64 = 128;

/// When a table of records is full: at the first block that begins with this much in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSize {
    /// Records.
    pub records_max: u64,
    /// Their canonical bytes.
    pub bytes_max: u64,
}

impl TableSize {
    /// For a journal that may have so many bytes.
    pub fn of_budget(bytes_max: u64) -> TableSize {
        let bytes_max = (bytes_max / TABLES_OF_BUDGET).min(HOT_BYTES_MAX);
        TableSize { bytes_max, ..TableSize::default() }
    }
}

impl Default for TableSize {
    fn default() -> TableSize {
        TableSize { records_max: HOT_RECORDS_MAX, bytes_max: HOT_BYTES_MAX }
    }
}

/// What is left of the records of a segment, in the order in which they may only go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// All of them, in a table of the database.
    Hot = 0,
    /// All of them, in a file.
    Whole = 1,
    /// What must be kept, and of each device one frame an hour.
    Thinned = 2,
    /// What must be kept: all but frames and refusals.
    Remnant = 3,
    /// Nothing but their place in the tree.
    Gone = 4,
    /// Never written: numbers that were jumped over, because an earlier life of this box may have used them.
    Void = 5,
}

impl Stage {
    /// Every stage, by its number.
    pub const ALL: [Stage; 6] = [Stage::Hot, Stage::Whole, Stage::Thinned, Stage::Remnant, Stage::Gone, Stage::Void];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Hot => "hot",
            Stage::Whole => "whole",
            Stage::Thinned => "thinned",
            Stage::Remnant => "remnant",
            Stage::Gone => "gone",
            Stage::Void => "void",
        }
    }
}

/// A run of records that is sealed, thinned and dropped as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its first record.
    pub first: Seq,
    /// Its last; none while it grows.
    pub last: Option<Seq>,
    /// What is left of it.
    pub stage: Stage,
    /// What is to be left of it: the loss is journaled already, the file may not have followed yet.
    pub condemned: Option<Stage>,
    /// Of its file; 0 where it has none.
    pub bytes: u64,
    /// Wall time of its newest record as stamped, ms since 1970 UTC; 0 while it is hot.
    pub newest_ms: i64,
}

impl Segment {
    /// Its records, if it has ended.
    pub fn range(&self) -> Option<SeqRange> {
        SeqRange::new(self.first, self.last?)
    }

    /// What can be read of it. The file of a condemned one may be gone before the database says so, for as long as a box
    /// without power does; its loss is told already.
    pub(crate) fn readable(&self, journal: &Path) -> Stage {
        match self.condemned {
            Some(_) if !file(journal, self.first).exists() => Stage::Gone,
            _ => self.stage,
        }
    }

    /// Whether it has a file.
    pub fn has_file(&self) -> bool {
        matches!(self.stage, Stage::Whole | Stage::Thinned | Stage::Remnant)
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Segment> {
        let stage = |number: i64| usize::try_from(number).ok().and_then(|number| Stage::ALL.get(number)).copied();
        let unknown = |column, number| rusqlite::Error::IntegralValueOutOfRange(column, number);
        let (number, condemned): (i64, Option<i64>) = (row.get(2)?, row.get(3)?);
        Ok(Segment {
            first: Seq(from_sql(row.get(0)?)),
            last: row.get::<_, Option<i64>>(1)?.map(|last| Seq(from_sql(last))),
            stage: stage(number).ok_or_else(|| unknown(2, number))?,
            condemned: condemned.map(|number| stage(number).ok_or_else(|| unknown(3, number))).transpose()?,
            bytes: from_sql(row.get(4)?),
            newest_ms: row.get(5)?,
        })
    }
}

/// A step in the life of a segment, stored in the transaction that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentChange {
    /// The records of the table that begins with `table` stand in these files now: whole, adjoining, from its first
    /// record to its last. The table goes.
    Sealed {
        /// First record of the table.
        table: Seq,
        /// What takes its place.
        files: Vec<Segment>,
    },
    /// Its loss is told in the same transaction; the file follows.
    Condemned {
        /// First record of the segment.
        first: Seq,
        /// What is to be left.
        to: Stage,
    },
    /// The file has followed.
    Reduced {
        /// First record of the segment.
        first: Seq,
        /// What is left.
        stage: Stage,
        /// Of the file, 0 if there is none any more.
        bytes: u64,
    },
}

/// The name of the table with the records from `first` on.
pub(crate) fn table(first: Seq) -> String {
    format!("\"record_{first}\"")
}

/// The file with the records from `first` on, of the journal at `journal`.
pub(crate) fn file(journal: &Path, first: Seq) -> PathBuf {
    directory(journal).join(format!("{:012}.blocks", first.0))
}

/// Where those files stand.
pub(crate) fn directory(journal: &Path) -> PathBuf {
    journal.with_file_name("blocks")
}

const COLUMNS: &str = "first, last, stage, condemned, bytes, newest_ms";

/// All segments, in order.
pub(crate) fn read_all(connection: &Connection) -> rusqlite::Result<Vec<Segment>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM segment ORDER BY first"))?;
    statement.query_map([], Segment::from_row)?.collect()
}

/// The segments with records in `range`, in order.
pub(crate) fn read_within(connection: &Connection, range: SeqRange) -> rusqlite::Result<Vec<Segment>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM segment WHERE first <= ?2 AND first >= \
         coalesce((SELECT max(first) FROM segment WHERE first <= ?1), 0) ORDER BY first"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(params![to_sql(range.first.0), to_sql(range.last.0)], Segment::from_row)?.collect()
}

/// Ends the table that grows and begins the next one with record `first`.
pub(crate) fn begin_table(transaction: &Transaction<'_>, first: Seq) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE segment SET last = ?1 WHERE last IS NULL")?
        .execute([to_sql(first.0.saturating_sub(1))])?;
    let columns = "(\n    seq  INTEGER PRIMARY KEY,\n    kind INTEGER NOT NULL,\n    body BLOB NOT NULL\n) STRICT";
    transaction.execute(&format!("CREATE TABLE {} {columns}", table(first)), [])?;
    let insert = "INSERT INTO segment VALUES (?1, NULL, 0, NULL, 0, 0)";
    transaction.prepare_cached(insert)?.execute([to_sql(first.0)]).map(|_| ())
}

/// Stores one step.
pub(crate) fn change(transaction: &Transaction<'_>, change: &SegmentChange) -> rusqlite::Result<()> {
    match change {
        SegmentChange::Sealed { table: first, files } => {
            transaction.execute("DELETE FROM segment WHERE first = ?1 AND stage = 0", [to_sql(first.0)])?;
            let mut insert = transaction.prepare_cached("INSERT INTO segment VALUES (?1, ?2, ?3, NULL, ?4, ?5)")?;
            for file in files {
                let [first, bytes] = [file.first.0, file.bytes].map(to_sql);
                let last = file.last.map(|last| to_sql(last.0));
                insert.execute(params![first, last, file.stage as i64, bytes, file.newest_ms])?;
            }
            transaction.execute(&format!("DROP TABLE IF EXISTS {}", table(*first)), []).map(|_| ())
        }
        SegmentChange::Condemned { first, to } => transaction
            .prepare_cached("UPDATE segment SET condemned = ?2 WHERE first = ?1")?
            .execute(params![to_sql(first.0), *to as i64])
            .map(|_| ()),
        SegmentChange::Reduced { first, stage, bytes } => reduce(transaction, *first, *stage, *bytes),
    }
}

/// A segment that lost its frames needs no more than its last signed tree head; one that lost everything joins its
/// neighbour, so that the table does not grow for ever.
fn reduce(transaction: &Transaction<'_>, first: Seq, stage: Stage, bytes: u64) -> rusqlite::Result<()> {
    let number = to_sql(first.0);
    transaction
        .prepare_cached("UPDATE segment SET stage = ?2, condemned = NULL, bytes = ?3 WHERE first = ?1")?
        .execute(params![number, stage as i64, to_sql(bytes)])?;
    if stage < Stage::Remnant {
        return Ok(());
    }
    let heads = "DELETE FROM checkpoint WHERE size > ?1 AND size < (SELECT max(size) FROM checkpoint WHERE size <= \
                 (SELECT last + 1 FROM segment WHERE first = ?1))";
    transaction.prepare_cached(heads)?.execute([number])?;
    if stage < Stage::Gone {
        return Ok(());
    }
    let earlier = "SELECT first FROM segment WHERE last = ?1 - 1 AND stage = 4 AND condemned IS NULL";
    let mut earlier = transaction.prepare_cached(earlier)?;
    if let Some(row) = earlier.query([number])?.next()? {
        let neighbour: i64 = row.get(0)?;
        let last = "UPDATE segment SET last = (SELECT last FROM segment WHERE first = ?2), newest_ms = \
                    (SELECT newest_ms FROM segment WHERE first = ?2) WHERE first = ?1";
        transaction.execute(last, params![neighbour, number])?;
        transaction.execute("DELETE FROM segment WHERE first = ?1", [number])?;
    }
    Ok(())
}
