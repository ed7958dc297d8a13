//! The table that grows: the newest records, and the block of the Merkle tree that they are about to complete.

use std::ops::ControlFlow;
use std::path::Path;

use record::merkle::{Frontier, Hash, leaf_hash};
use record::{Kind, Seq, SeqRange};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::database::{StoreError, from_sql, to_sql};
use crate::pack::{self, Pack};
use crate::segment::{self, BLOCK_RECORDS, Stage, TableSize, table};
use crate::subtree;

/// Where the next record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hot {
    /// The first record of the table that grows.
    first: Seq,
    /// Canonical bytes in it.
    bytes: u64,
    /// The right edge of the block that is not complete yet.
    block: Frontier,
    /// Records of this transaction that are not in the table yet; nothing between transactions.
    pack: Pack,
    /// When it is full.
    pub(crate) size: TableSize,
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
        let bytes = canonical_bytes(connection, first).map_err(failed)?;
        Ok(Hot { first, bytes, block: open_block(tree), pack: Pack::default(), size: TableSize::default() })
    }

    /// Takes a record, for a new table where the one that grows is full; with the last record of a block its root. What was
    /// taken is stored by [`Hot::flush`] at the latest.
    pub(crate) fn append(
        &mut self,
        transaction: &Transaction<'_>,
        seq: Seq,
        kind: Kind,
        body: &[u8],
        leaf: Hash,
    ) -> rusqlite::Result<()> {
        let full = seq.0 - self.first.0 >= self.size.records_max || self.bytes >= self.size.bytes_max;
        if full && seq.0.is_multiple_of(BLOCK_RECORDS) {
            self.flush(transaction)?;
            segment::begin_table(transaction, seq)?;
            (self.first, self.bytes) = (seq, 0);
        }
        if !self.pack.fits(body.len()) {
            self.flush(transaction)?;
        }
        self.pack.push(seq, kind as i64, body);
        if is_marked(kind) {
            let insert = "INSERT INTO mark VALUES (?1, ?2)";
            transaction.prepare_cached(insert)?.execute(params![to_sql(seq.0), kind as i64])?;
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(body.len()).unwrap_or(u64::MAX));
        self.block.push(leaf);
        if self.block.size() == BLOCK_RECORDS {
            subtree::put_block(transaction, seq.0 / BLOCK_RECORDS, self.block.root())?;
            self.block = Frontier::new();
        }
        Ok(())
    }

    /// Stores what was taken.
    pub(crate) fn flush(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        self.pack.write(transaction, self.first)
    }
}

/// Of all records in a table, without unpacking one.
fn canonical_bytes(connection: &Connection, first: Seq) -> rusqlite::Result<u64> {
    let sql = format!("SELECT kind, length(body), substr(body, 1, {}) FROM {}", pack::HEADER_BYTES_MAX, table(first));
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut bytes = 0u64;
    while let Some(row) = rows.next()? {
        let head = row.get_ref(2)?.as_blob().unwrap_or_default();
        bytes = bytes.saturating_add(pack::canonical_bytes(row.get(0)?, from_sql(row.get(1)?), head));
    }
    Ok(bytes)
}

/// Hands the records in `within` of the table that begins with `first` to `visit`, in order, until it gives `false`.
pub(crate) fn walk(
    connection: &Connection,
    path: &Path,
    first: Seq,
    within: SeqRange,
    mut visit: impl FnMut(Seq, &[u8]) -> Result<bool, StoreError>,
) -> Result<ControlFlow<()>, StoreError> {
    let failed = |source| StoreError::Read { path: path.into(), what: "records", source };
    // The first of them may stand in a pack that begins before it.
    let sql = format!(
        "SELECT seq, kind, body FROM {0} WHERE seq BETWEEN coalesce((SELECT max(seq) FROM {0} WHERE seq <= ?1), ?1) AND ?2 \
         ORDER BY seq",
        table(first)
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(params![to_sql(within.first.0), to_sql(within.last.0)]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (seq, kind) = (Seq(from_sql(row.get(0).map_err(failed)?)), row.get(1).map_err(failed)?);
        let body = row.get_ref(2).map_err(failed)?.as_blob().unwrap_or_default();
        let range = pack::range(seq, kind);
        if range.last < within.first {
            continue;
        }
        let bodies =
            pack::bodies(seq, kind, body).ok_or_else(|| StoreError::DamagedPack { path: path.into(), range })?;
        for (seq, body) in (seq.0..).map(Seq).zip(&bodies) {
            let wanted = within.first <= seq && seq <= within.last;
            if wanted && !visit(seq, body)? {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The number after the newest record of a table; none if it is empty.
pub(crate) fn end(connection: &Connection, first: Seq) -> rusqlite::Result<Option<Seq>> {
    let sql = format!("SELECT seq, kind FROM {} ORDER BY seq DESC LIMIT 1", table(first));
    let newest = connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(newest.map(|(seq, kind)| pack::range(Seq(from_sql(seq)), kind).last.next()))
}

/// Whether records of this kind are few, must be found, and must stay.
pub(crate) fn is_marked(kind: Kind) -> bool {
    !matches!(kind, Kind::Frame | Kind::Rejected | Kind::Redecoded | Kind::Aggregate)
}

/// The part of the tree's edge that belongs to the block that is not complete: the roots of the low bits of its size.
fn open_block(tree: &Frontier) -> Frontier {
    let (size, roots) = (tree.size() % BLOCK_RECORDS, tree.to_bytes());
    let own = usize::try_from(size.count_ones()).unwrap_or(0) * 32;
    Frontier::from_bytes(size, &roots[roots.len().saturating_sub(own)..]).unwrap_or_default()
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
    let missing = SeqRange { first: Seq(known * BLOCK_RECORDS), last: Seq(complete * BLOCK_RECORDS - 1) };
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let mut block = Frontier::new();
    for segment in segment::read_all(connection).map_err(failed)?.iter().filter(|segment| segment.stage == Stage::Hot) {
        let walked = walk(connection, path, segment.first, missing, |seq, body| {
            if seq.0 % BLOCK_RECORDS != block.size() {
                // Behind a record that was lost, no root can be known before the next block.
                block = Frontier::new();
                if !seq.0.is_multiple_of(BLOCK_RECORDS) {
                    return Ok(true);
                }
            }
            block.push(leaf_hash(body));
            if block.size() == BLOCK_RECORDS {
                subtree::put_block(connection, seq.0 / BLOCK_RECORDS, block.root()).map_err(failed)?;
                block = Frontier::new();
            }
            Ok(true)
        });
        let _ = walked?;
    }
    transaction.commit().map_err(failed)
}
