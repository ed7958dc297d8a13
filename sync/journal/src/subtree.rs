//! Roots of complete subtrees of the Merkle tree, kept for ever: of the blocks, of 256 of those, of 256 of these, and so on.
//!
//! A proof asks for a root of each level. From what is kept any of them is folded out of at most 255 roots, so that a proof
//! over millions of records hashes some hundreds.

use std::path::Path;

use record::merkle::{BLOCK_LEVEL, Frontier, Hash};
use record::{Seq, SeqRange};
use rusqlite::{Connection, params};

use crate::database::{StoreError, from_sql, to_sql};
use crate::segment::{self, Segment, Stage};

/// The kept levels above the blocks'. The last of them has more records than a box takes in a century.
const UPPER_LEVELS: [u8; 3] = [16, 24, 32];
/// Levels from one that is kept to the next one.
const STEP: u8 = 8;

/// Keeps the root of a block, and those of the larger subtrees that it completes.
pub(crate) fn put_block(connection: &Connection, no: u64, root: Hash) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO block VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute(params![to_sql(no), root.0])?;
    let mut ends = no + 1;
    for level in UPPER_LEVELS {
        if !ends.is_multiple_of(1 << STEP) {
            break;
        }
        ends >>= STEP;
        put_upper(connection, level, ends - 1)?;
    }
    Ok(())
}

/// Folds the roots of larger subtrees that an older program, a salvage or a jump of the numbers left out.
pub(crate) fn complete(connection: &Connection, path: &Path, records: u64) -> Result<(), StoreError> {
    let work = || {
        let void = void_within(connection, SeqRange { first: Seq(0), last: Seq(records) })?;
        for level in UPPER_LEVELS {
            let sql = "SELECT coalesce(max(no) + 1, 0) FROM subtree WHERE level = ?1";
            let known = connection.query_row(sql, [level], |row| row.get(0)).map(from_sql)?;
            if known < records >> level {
                let transaction = connection.unchecked_transaction()?;
                for no in outside(&void, level, known, records >> level) {
                    put_upper(&transaction, level, no)?;
                }
                transaction.commit()?;
            }
        }
        Ok(())
    };
    work().map_err(|source| StoreError::Read { path: path.into(), what: "roots of subtrees", source })
}

/// The subtrees of a level from `next` on and before `end` of which not every number was jumped over: a restored box jumps
/// over millions of them, and what they are is known without a row.
fn outside(void: &[SeqRange], level: u8, mut next: u64, end: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let is_void =
            |no: u64| void.iter().find(|void| void.first.0 <= no << level && (no + 1) << level <= void.last.0 + 1);
        while let Some(void) = is_void(next).filter(|_| next < end) {
            next = (void.last.0 + 1) >> level;
        }
        let found = (next < end).then_some(next);
        next += 1;
        found
    })
}

/// Numbers in `range` that were never used.
fn void_within(connection: &Connection, range: SeqRange) -> rusqlite::Result<Vec<SeqRange>> {
    let segments = segment::read_within(connection, range)?;
    Ok(segments.iter().filter(|segment| segment.stage == Stage::Void).filter_map(Segment::range).collect())
}

/// Unless a root below it was lost.
fn put_upper(connection: &Connection, level: u8, no: u64) -> rusqlite::Result<()> {
    let leaves = 1u64 << level;
    let mut tree = Frontier::new();
    append(connection, SeqRange { first: Seq(no * leaves), last: Seq((no + 1) * leaves - 1) }, &mut tree)?;
    if tree.size() == leaves {
        let sql = "INSERT OR IGNORE INTO subtree VALUES (?1, ?2, ?3)";
        connection.prepare_cached(sql)?.execute(params![level, to_sql(no), tree.root().0])?;
    }
    Ok(())
}

/// Appends the roots of whole blocks in `range`, the largest that are kept, and of numbers that were never used, as far as
/// they are known without a gap.
pub(crate) fn append(connection: &Connection, range: SeqRange, tree: &mut Frontier) -> rusqlite::Result<()> {
    let void = void_within(connection, range)?;
    loop {
        let at = Seq(range.first.0 + tree.size());
        let Some(rest) = SeqRange::new(at, range.last) else { return Ok(()) };
        let appended = match void.iter().find(|void| void.first <= at && at <= void.last) {
            Some(void) => tree.append_void(Seq(void.last.min(range.last).0 + 1 - range.first.0)).is_ok(),
            None => append_kept(connection, rest, tree)?,
        };
        if !appended {
            return Ok(());
        }
    }
}

/// Appends the run of largest subtrees that begins with `rest`. Gives whether there is one.
fn append_kept(connection: &Connection, rest: SeqRange, tree: &mut Frontier) -> rusqlite::Result<bool> {
    let upper = "SELECT no, root FROM subtree WHERE level = ?1 AND no BETWEEN ?2 AND ?3 ORDER BY no";
    let block = "SELECT no, root FROM block WHERE ?1 AND no BETWEEN ?2 AND ?3 ORDER BY no";
    for level in UPPER_LEVELS.into_iter().rev().chain([BLOCK_LEVEL]) {
        let (mut no, end) = (rest.first.0 >> level, rest.last.next().0 >> level);
        if !rest.first.0.is_multiple_of(1 << level) || no == end {
            continue;
        }
        let first = no;
        let mut statement = connection.prepare_cached(if level == BLOCK_LEVEL { block } else { upper })?;
        let mut rows = statement.query(params![level, to_sql(no), to_sql(end - 1)])?;
        while let Some(row) = rows.next()? {
            let follows = from_sql(row.get(0)?) == no && tree.append_subtree(level, Hash(row.get(1)?)).is_ok();
            if !follows {
                break;
            }
            no += 1;
        }
        if no > first {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_jumped_over_is_passed_at_once() {
        let range = |first: u64, last: u64| SeqRange { first: Seq(first), last: Seq(last) };
        let void = [range(0x3_8000, 0xff_ffff_ffff), range(0x100_0002_0000, 0x100_0002_ffff)];
        let found: Vec<u64> = outside(&void, 16, 1, 0x100_0005).collect();
        assert_eq!(found, [1, 2, 3, 0x100_0000, 0x100_0001, 0x100_0003, 0x100_0004]);
        assert_eq!(outside(&[], 16, 3, 3).count(), 0);
    }
}
