//! The table that grows: the newest records, and the block of the Merkle tree that they are about to complete.

use std::path::Path;

use record::merkle::{Frontier, Hash, leaf_hash};
use record::{Kind, Seq};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::database::{StoreError, from_sql, to_sql};
use crate::segment::{self, BLOCK_RECORDS, HOT_BYTES_MAX, HOT_RECORDS_MAX, Stage, table};

/// Where the next record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hot {
    /// The first record of the table that grows.
    first: Seq,
    /// Canonical bytes in it.
    bytes: u64,
    /// The right edge of the block that is not complete yet.
    block: Frontier,
}

impl Hot {
    /// As the database left it.
    pub(crate) fn read(connection: &Connection, path: &Path, tree: &Frontier) -> Result<Hot, StoreError> {
        let failed = |source| StoreError::Read { path: path.into(), what: "the newest records", source };
        let sql = "SELECT first FROM segment WHERE last IS NULL";
        let first: Option<i64> = connection.query_row(sql, [], |row| row.get(0)).optional().map_err(failed)?;
        let Some(first) = first.map(|first| Seq(from_sql(first))) else {
            let what = "there is no table for new records".to_owned();
            return Err(StoreError::Inconsistent { path: path.into(), what });
        };
        let sql = format!("SELECT coalesce(sum(length(body)), 0) FROM {}", table(first));
        let bytes: i64 = connection.query_row(&sql, [], |row| row.get(0)).map_err(failed)?;
        Ok(Hot { first, bytes: from_sql(bytes), block: open_block(tree) })
    }

    /// Stores a record, in a new table where the one that grows is full; with the last record of a block its root.
    pub(crate) fn append(
        &mut self,
        transaction: &Transaction<'_>,
        seq: Seq,
        kind: Kind,
        body: &[u8],
        leaf: Hash,
    ) -> rusqlite::Result<()> {
        let full = seq.0 - self.first.0 >= HOT_RECORDS_MAX || self.bytes >= HOT_BYTES_MAX;
        if full && seq.0.is_multiple_of(BLOCK_RECORDS) {
            segment::begin_table(transaction, seq)?;
            (self.first, self.bytes) = (seq, 0);
        }
        let insert = format!("INSERT INTO {} VALUES (?1, ?2, ?3)", table(self.first));
        transaction.prepare_cached(&insert)?.execute(params![to_sql(seq.0), kind as i64, body])?;
        if is_marked(kind) {
            let insert = "INSERT INTO mark VALUES (?1, ?2)";
            transaction.prepare_cached(insert)?.execute(params![to_sql(seq.0), kind as i64])?;
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(body.len()).unwrap_or(u64::MAX));
        self.block.push(leaf);
        if self.block.size() == BLOCK_RECORDS {
            put_root(transaction, seq.0 / BLOCK_RECORDS, self.block.root())?;
            self.block = Frontier::new();
        }
        Ok(())
    }
}

/// Whether records of this kind are few, must be found, and must stay.
pub(crate) fn is_marked(kind: Kind) -> bool {
    !matches!(kind, Kind::Frame | Kind::Rejected | Kind::Redecoded)
}

/// The part of the tree's edge that belongs to the block that is not complete: the roots of the low bits of its size.
fn open_block(tree: &Frontier) -> Frontier {
    let (size, roots) = (tree.size() % BLOCK_RECORDS, tree.to_bytes());
    let own = usize::try_from(size.count_ones()).unwrap_or(0) * 32;
    Frontier::from_bytes(size, &roots[roots.len().saturating_sub(own)..]).unwrap_or_default()
}

fn put_root(connection: &Connection, block: u64, root: Hash) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO block VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute(params![to_sql(block), root.0]).map(|_| ())
}

/// Computes the roots of complete blocks that an older program did not keep.
pub(crate) fn complete_blocks(connection: &Connection, path: &Path, records: u64) -> Result<(), StoreError> {
    let failed = |source| StoreError::Read { path: path.into(), what: "roots of blocks", source };
    let sql = "SELECT coalesce(max(no) + 1, 0) FROM block";
    let known: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
    let (known, complete) = (from_sql(known), records / BLOCK_RECORDS);
    if known >= complete {
        return Ok(());
    }
    let missing = known * BLOCK_RECORDS..complete * BLOCK_RECORDS;
    let work = || -> rusqlite::Result<()> {
        let transaction = connection.unchecked_transaction()?;
        let mut block = Frontier::new();
        for segment in segment::read_all(connection)?.iter().filter(|segment| segment.stage == Stage::Hot) {
            let sql =
                format!("SELECT seq, body FROM {} WHERE seq >= ?1 AND seq < ?2 ORDER BY seq", table(segment.first));
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query(params![to_sql(missing.start), to_sql(missing.end)])?;
            while let Some(row) = rows.next()? {
                let seq = from_sql(row.get(0)?);
                if seq % BLOCK_RECORDS != block.size() {
                    // Behind a record that was lost, no root can be known before the next block.
                    block = Frontier::new();
                    if !seq.is_multiple_of(BLOCK_RECORDS) {
                        continue;
                    }
                }
                block.push(leaf_hash(row.get_ref(1)?.as_blob()?));
                if block.size() == BLOCK_RECORDS {
                    put_root(connection, seq / BLOCK_RECORDS, block.root())?;
                    block = Frontier::new();
                }
            }
        }
        transaction.commit()
    };
    work().map_err(failed)
}
