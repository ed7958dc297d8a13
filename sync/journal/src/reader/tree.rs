//! The Merkle tree: its edge, its roots, its signed heads, and all of it computed anew.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use record::merkle::{BLOCK_LEVEL, Frontier, Hash, Subtree, leaf_hash};
use record::{Record, RecordAt, Seq, SeqRange};
use rusqlite::{Connection, OptionalExtension, params};

use super::Reader;
use crate::database::{StoreError, from_sql, to_sql};
use crate::history::{History, Item};
use crate::hot;
use crate::segment::BLOCK_RECORDS;
use crate::subtree;

/// A tree head that the box signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Leaves it covers.
    pub size: u64,
    /// The signed bytes (COSE_Sign1).
    pub cose: Vec<u8>,
}

impl Reader {
    /// Signed tree heads larger than `size`, oldest first, at most `max`.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn checkpoints_after(&self, size: u64, max: usize) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "checkpoints", source };
        let sql = "SELECT size, cose FROM checkpoint WHERE size > ?1 ORDER BY size LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows = statement
            .query_map(params![to_sql(size), max], |row| {
                Ok(StoredCheckpoint { size: from_sql(row.get(0)?), cose: row.get(1)? })
            })
            .map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }

    /// The largest signed tree head of `sizes`.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn newest_checkpoint(&self, sizes: RangeInclusive<u64>) -> Result<Option<StoredCheckpoint>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "the newest checkpoint", source };
        let sql = "SELECT size, cose FROM checkpoint WHERE size BETWEEN ?1 AND ?2 ORDER BY size DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let found = statement.query_row(params![to_sql(*sizes.start()), to_sql(*sizes.end())], |row| {
            Ok(StoredCheckpoint { size: from_sql(row.get(0)?), cose: row.get(1)? })
        });
        found.optional().map_err(failed)
    }

    /// Roots of the blocks that begin in `range`, by their first record.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn roots(&self, range: SeqRange) -> Result<BTreeMap<Seq, Hash>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "roots of blocks", source };
        let sql = "SELECT no, root FROM block WHERE no BETWEEN ?1 AND ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let numbers = [range.first.0.div_ceil(BLOCK_RECORDS), range.last.0 / BLOCK_RECORDS].map(to_sql);
        let root = |row: &rusqlite::Row<'_>| Ok((Seq(from_sql(row.get(0)?) * BLOCK_RECORDS), Hash(row.get(1)?)));
        let rows = statement.query_map(numbers, root).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }

    /// The root of a complete subtree, for proofs: of blocks from what is kept of each, of parts of a block from its records.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`]; [`StoreError::Inconsistent`] where its records were taken away.
    pub fn node(&self, of: Subtree) -> Result<Hash, StoreError> {
        let gone = || StoreError::Inconsistent {
            path: self.path.clone(),
            what: format!("records {} to {} were taken away", of.first(), of.last()),
        };
        let range = SeqRange { first: of.first(), last: of.last() };
        let mut tree = Frontier::new();
        if of.level() >= BLOCK_LEVEL {
            let failed = |source| StoreError::Read { path: self.path.clone(), what: "roots of subtrees", source };
            subtree::append(&self.connection, range, &mut tree).map_err(failed)?;
        } else {
            self.history.borrow_mut().visit(&self.connection, range, |item| {
                let appended = match item {
                    Item::Record(_, body) => tree.append_subtree(0, leaf_hash(body)),
                    Item::Pruned { level, root, .. } => tree.append_subtree(level, root),
                };
                appended.map(|()| true).map_err(|_| gone())
            })?;
        }
        if tree.size() == of.leaves() { Ok(tree.root()) } else { Err(gone()) }
    }

    /// Recomputes the tree from the canonical bytes of every record that is there and the roots of what was taken away,
    /// in numbers without gap, and hands each record with the root of the tree up to it to the caller: what a signed
    /// checkpoint of size `seq + 1` must equal. Returns the whole tree.
    ///
    /// # Errors
    /// [`StoreError::Read`]; [`StoreError::Inconsistent`] at the first gap (J2); [`StoreError::DamagedRecord`],
    /// [`StoreError::Archive`].
    pub fn recompute(&self, mut at: impl FnMut(&RecordAt, Hash)) -> Result<Frontier, StoreError> {
        let mut tree = Frontier::new();
        let inconsistent = |what| StoreError::Inconsistent { path: self.path.clone(), what };
        let all = SeqRange { first: Seq(0), last: Seq(i64::MAX.cast_unsigned()) };
        // Its own: `at` may read as well.
        History::new(&self.path).visit(&self.connection, all, |item| {
            if item.first().0 != tree.size() {
                return Err(inconsistent(format!("record {} is missing, {} follows", tree.size(), item.first())));
            }
            match item {
                Item::Record(seq, body) => {
                    let record = Record::from_canonical(body).map_err(|source| StoreError::DamagedRecord {
                        path: self.path.clone(),
                        seq: seq.0,
                        source,
                    })?;
                    tree.push(leaf_hash(body));
                    at(&RecordAt { seq, record }, tree.root());
                }
                Item::Pruned { first, level, root } => {
                    let misplaced =
                        |_| inconsistent(format!("what was taken away at record {first} does not fit there"));
                    tree.append_subtree(level, root).map_err(misplaced)?;
                }
            }
            Ok(true)
        })?;
        Ok(tree)
    }
}

pub(crate) fn frontier(connection: &Connection, path: &Path) -> Result<Frontier, StoreError> {
    let failed = |source| StoreError::Read { path: path.into(), what: "the tree", source };
    let (size, roots): (i64, Vec<u8>) = connection
        .query_row("SELECT size, roots FROM tree", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(failed)?;
    let end = end_of_rows(connection).map_err(failed)?;
    let inconsistent = |what: String| StoreError::Inconsistent { path: path.into(), what };
    if end != from_sql(size) {
        return Err(inconsistent(format!("the tree has {size} leaves, the records end before {end}")));
    }
    Frontier::from_bytes(from_sql(size), &roots)
        .ok_or_else(|| inconsistent(format!("{} bytes of roots do not fit {size} leaves", roots.len())))
}

/// The number that the next record gets by the rows alone: after the newest record, or after the newest segment where the
/// table that grows is empty.
fn end_of_rows(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT first FROM segment WHERE last IS NULL";
    let Some(first) = connection.query_row(sql, [], |row| row.get(0)).optional()?.map(from_sql) else { return Ok(0) };
    Ok(hot::end(connection, Seq(first))?.map_or(first, |end| end.0))
}
