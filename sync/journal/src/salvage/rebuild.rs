//! A new database of what was found.

use std::path::Path;

use record::merkle::{Frontier, leaf_hash, void_root};
use record::{Record, Seq, SeqRange, SeqRanges};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use super::Salvaged;
use super::found::Found;
use crate::archive::Archive;
use crate::database::{PAGE_BYTES, StoreError, to_sql};
use crate::hot::is_marked;
use crate::pack::{self, Pack};
use crate::schema::{JOURNAL, number_of};
use crate::segment::{self, BLOCK_RECORDS, HOT_RECORDS_MAX, Segment, Stage, table};

/// How far the numbers jump where nobody knows which were used last: more than one write-ahead log can hold.
const JUMP_RECORDS: u64 = HOT_RECORDS_MAX;

/// The tree that goes on.
struct Tree {
    frontier: Frontier,
    /// Where its records end. Behind that, where it is no continuation, its leaves are void.
    rows_end: Seq,
    continued: bool,
}

/// Writes the new database. Complete when this returns, and then only ([`is_complete`]).
pub(super) fn build(
    draft: &Path,
    journal: &Path,
    box_id: &str,
    floor: Seq,
    found: &Found,
) -> Result<Salvaged, StoreError> {
    let failed = |source| StoreError::Write { path: draft.into(), what: "salvaged records", source };
    if draft.exists() {
        std::fs::remove_file(draft).map_err(|source| StoreError::Salvage {
            doing: "remove an unfinished copy of",
            path: journal.into(),
            source,
        })?;
    }
    let segments = segments(found);
    let hot_first = segments.last().and_then(|segment| segment.last).map_or(Seq(0), Seq::next);
    let tree = tree(found, hot_first, floor);
    let mut connection = Connection::open(draft).map_err(failed)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(failed)?;
    connection.pragma_update(None, "journal_mode", "off").map_err(failed)?;
    let transaction = connection.transaction().map_err(failed)?;
    // Without the number that says that it is complete: not even tables without records may be taken for a journal.
    JOURNAL.make_tables(&transaction).map_err(failed)?;
    let end = Seq(tree.frontier.size());
    let mut lost = put_hot(&transaction, found, hot_first, tree.rows_end).map_err(failed)?;
    let records = tree.rows_end.0 - hot_first.0 - lost.len();
    let jump = end.0.checked_sub(1).and_then(|last| SeqRange::new(tree.rows_end, Seq(last)));
    if let Some(jump) = jump {
        put_jump(&transaction, jump).map_err(failed)?;
        lost.insert(jump);
    }
    put_segments(&transaction, &segments, journal).map_err(failed)?;
    put_others(&transaction, box_id, found, &tree.frontier).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    // Segments without a file are lost, unless they were gone before.
    for segment in segments.iter().filter(|segment| !found.segments.contains(segment)) {
        segment.range().into_iter().for_each(|range| lost.insert(range));
    }
    connection.pragma_update(None, "user_version", JOURNAL.number()).map_err(failed)?;
    let devices = found.devices.len();
    Ok(Salvaged { quarantine: journal.into(), records, lost, unread_bytes: 0, devices, continued: tree.continued })
}

/// Whether a new database was written to its end.
pub(super) fn is_complete(draft: &Path) -> bool {
    Connection::open(draft).is_ok_and(|connection| number_of(&connection).is_ok_and(|number| number > 0))
}

/// The segments that have ended, without a hole between them: numbers that nobody has are gone.
fn segments(found: &Found) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut next = Seq(0);
    for segment in &found.segments {
        let Some(range) = segment.range().filter(|range| range.first >= next) else { continue };
        segments.extend(hole(next, range.first));
        segments.push(*segment);
        next = range.last.next();
    }
    segments
}

fn hole(first: Seq, end: Seq) -> Option<Segment> {
    let last = Some(Seq(end.0.checked_sub(1)?)).filter(|last| first <= *last)?;
    Some(Segment { first, last: Some(last), stage: Stage::Gone, condemned: None, bytes: 0, newest_ms: 0 })
}

/// The tree over everything that was committed, as far as anyone can know: computed anew from roots of blocks and the records
/// behind them, or as the database kept it, or else with void leaves for what is lost.
fn tree(found: &Found, hot_first: Seq, floor: Seq) -> Tree {
    let mut tree = Frontier::new();
    loop {
        let at = Seq(tree.size());
        let void = found.segments.iter().find(|segment| segment.stage == Stage::Void && segment.first == at);
        let root = found.roots.get(&(at.0 / BLOCK_RECORDS));
        let appended = match (void.and_then(Segment::range), root) {
            (Some(void), _) => tree.append_void(void.last.next()),
            (None, Some(root)) => tree.append_subtree(record::merkle::BLOCK_LEVEL, *root),
            (None, None) => break,
        };
        if appended.is_err() {
            break;
        }
    }
    let hot = |seq: u64| found.records.get(&seq).filter(|_| seq >= hot_first.0);
    while let Some(body) = hot(tree.size()) {
        tree.push(leaf_hash(body));
    }
    let newest = found.records.keys().next_back().map_or(0, |seq| seq + 1);
    let kept = found.trees.iter().next_back();
    let signed = found.checkpoints.keys().next_back().copied().unwrap_or(0);
    let used = newest.max(floor.0).max(signed).max(hot_first.0).max(kept.map_or(0, |(size, _)| *size));
    let kept = kept.filter(|(size, _)| **size >= used);
    let kept = kept.and_then(|(size, roots)| Frontier::from_bytes(*size, roots));
    if let Some(frontier) = if tree.size() >= used { Some(tree.clone()) } else { kept } {
        return Tree { rows_end: Seq(frontier.size()), frontier, continued: true };
    }
    let rows_end = newest.max(hot_first.0).next_multiple_of(BLOCK_RECORDS);
    while tree.size() < rows_end {
        match hot(tree.size()) {
            Some(body) => tree.push(leaf_hash(body)),
            None => tree.push(void_root(0)),
        }
    }
    let end = Seq((used.max(tree.size()) + JUMP_RECORDS).next_multiple_of(BLOCK_RECORDS));
    match tree.append_void(end) {
        Ok(()) => Tree { rows_end: Seq(rows_end), frontier: tree, continued: false },
        Err(never) => unreachable!("the end lies behind everything: {never}"),
    }
}

/// Records that stood in tables, in tables; gives the numbers for which there is none. Those have empty rows.
fn put_hot(transaction: &Transaction<'_>, found: &Found, first: Seq, end: Seq) -> rusqlite::Result<SeqRanges> {
    transaction.execute_batch("DELETE FROM segment; DROP TABLE record_0;")?;
    let mut lost = SeqRanges::new();
    let (mut table_first, mut pack) = (first, Pack::default());
    segment::begin_table(transaction, first)?;
    for seq in (first.0..end.0).map(Seq) {
        if seq.0 - table_first.0 >= HOT_RECORDS_MAX && seq.0.is_multiple_of(BLOCK_RECORDS) {
            pack.write(transaction, table_first)?;
            segment::begin_table(transaction, seq)?;
            table_first = seq;
        }
        let record = found.records.get(&seq.0).and_then(|body| Some((Record::from_canonical(body).ok()?, body)));
        let Some((kind, body)) = record.map(|(record, body)| (record.body.kind(), body)) else {
            pack.write(transaction, table_first)?;
            let insert = format!("INSERT INTO {} VALUES (?1, ?2, x'')", table(table_first));
            transaction.prepare_cached(&insert)?.execute([to_sql(seq.0), pack::LOST])?;
            lost.insert(SeqRange { first: seq, last: seq });
            continue;
        };
        if !pack.fits(body.len()) {
            pack.write(transaction, table_first)?;
        }
        pack.push(seq, kind as i64, body);
        if is_marked(kind) {
            transaction.execute("INSERT INTO mark VALUES (?1, ?2)", params![to_sql(seq.0), kind as i64])?;
        }
    }
    pack.write(transaction, table_first)?;
    Ok(lost)
}

/// Numbers that are jumped over are void, and a new table begins behind them.
fn put_jump(transaction: &Transaction<'_>, jump: SeqRange) -> rusqlite::Result<()> {
    let [first, last] = [jump.first.0, jump.last.0].map(to_sql);
    let empty: Option<i64> =
        transaction.query_row("SELECT max(first) FROM segment WHERE first = ?1", [first], |row| row.get(0))?;
    if empty.is_some() {
        transaction.execute("DELETE FROM segment WHERE first = ?1", [first])?;
        transaction.execute(&format!("DROP TABLE {}", table(jump.first)), [])?;
    }
    transaction.execute("UPDATE segment SET last = ?1 - 1 WHERE last IS NULL", [first])?;
    transaction
        .execute("INSERT INTO segment VALUES (?1, ?2, ?3, NULL, 0, 0)", params![first, last, Stage::Void as i64])?;
    segment::begin_table(transaction, jump.last.next())
}

fn put_segments(transaction: &Transaction<'_>, segments: &[Segment], journal: &Path) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare("INSERT INTO segment VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut mark = transaction.prepare("INSERT OR IGNORE INTO mark VALUES (?1, ?2)")?;
    for segment in segments {
        let [first, bytes] = [segment.first.0, segment.bytes].map(to_sql);
        let last = segment.last.map(|last| to_sql(last.0));
        let condemned = segment.condemned.map(|stage| stage as i64);
        insert.execute(params![first, last, segment.stage as i64, condemned, bytes, segment.newest_ms])?;
        let Ok(archive) = Archive::open(&segment::file(journal, segment.first)) else { continue };
        for place in archive.places() {
            let Ok(block) = archive.block(place.first) else { continue };
            for (seq, body) in block.leaves() {
                let kind = Record::from_canonical(body).ok().map(|record| record.body.kind());
                if let Some(kind) = kind.filter(|kind| is_marked(*kind)) {
                    mark.execute(params![to_sql(seq.0), kind as i64])?;
                }
            }
        }
    }
    Ok(())
}

fn put_others(transaction: &Transaction<'_>, box_id: &str, found: &Found, tree: &Frontier) -> rusqlite::Result<()> {
    let frontier = params![to_sql(tree.size()), tree.to_bytes()];
    transaction.execute("UPDATE tree SET size = ?1, roots = ?2", frontier)?;
    let mut block = transaction.prepare("INSERT OR IGNORE INTO block VALUES (?1, ?2)")?;
    for (number, root) in found.roots.iter().filter(|(number, _)| (*number + 1) * BLOCK_RECORDS <= tree.size()) {
        block.execute(params![to_sql(*number), root.0])?;
    }
    let mut checkpoint = transaction.prepare("INSERT INTO checkpoint VALUES (?1, ?2)")?;
    for (size, cose) in found.checkpoints.iter().filter(|(size, _)| **size <= tree.size()) {
        checkpoint.execute(params![to_sql(*size), cose])?;
    }
    for columns in found.devices.values() {
        transaction.execute("INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", params_from_iter(columns))?;
    }
    for (name, value) in &found.states {
        transaction.execute("INSERT INTO state VALUES (?1, ?2)", params![name, value])?;
    }
    for columns in found.commands.iter().filter(|columns| columns.len() == 7) {
        transaction.execute("INSERT INTO command VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", params_from_iter(columns))?;
    }
    let mut meta = found.meta.clone();
    meta.entry("box".into()).or_insert_with(|| box_id.into());
    for (key, value) in meta {
        transaction.execute("INSERT INTO meta VALUES (?1, ?2)", [SqlValue::Text(key), SqlValue::Text(value)])?;
    }
    Ok(())
}
