//! Reading the journal while its writer runs, is stopped, or restarts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use record::merkle::{BLOCK_LEVEL, Frontier, Hash, Node, Subtree, leaf_hash};
use record::{Body, CodecId, Kind, Record, RecordAt, Seq, SeqRange, SeqRanges, SourceId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::command::{self, StoredCommand};
use crate::database::{StoreError, from_sql, open_reader, to_sql};
use crate::device::{DeviceRow, Tally};
use crate::history::{History, Item};
use crate::hot;
use crate::schema::JOURNAL;
use crate::segment::{self, BLOCK_RECORDS, Segment, Stage};
use crate::state;

/// Where the journal stands, read in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The name of the box.
    pub box_id: String,
    /// The number the next record will get.
    pub end: Seq,
    /// The right edge of the tree over all records before `end`.
    pub frontier: Frontier,
}

/// A tree head that the box signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Leaves it covers.
    pub size: u64,
    /// The signed bytes (COSE_Sign1).
    pub cose: Vec<u8>,
}

/// A read-only view. Every method is one short transaction: none is held across a wait (S1).
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
    /// Device and inode of the file that is open.
    file: Option<(u64, u64)>,
    history: RefCell<History>,
}

impl Reader {
    /// Opens an existing journal for reading.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Open`], [`StoreError::Schema`], [`StoreError::OldSchema`].
    pub fn open(path: &Path) -> Result<Reader, StoreError> {
        let file = identity(path);
        let connection = open_reader(path, &JOURNAL)?;
        Ok(Reader { path: path.into(), connection, file, history: RefCell::new(History::new(path)) })
    }

    /// Opens the file anew where another one has taken its place, as after a salvage: whoever reads for days must not go on
    /// reading what was put aside.
    ///
    /// # Errors
    /// As [`Reader::open`]; then it reads what it read before.
    pub fn refresh(&mut self) -> Result<(), StoreError> {
        if identity(&self.path).is_some_and(|now| self.file != Some(now)) {
            *self = Reader::open(&self.path)?;
        }
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the database as it is at one moment into a file that is not there yet, beside its running writer.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "all of it", source };
        let name = path.to_string_lossy();
        self.connection.execute("VACUUM INTO ?1", [name.as_ref()]).map(|_| ()).map_err(failed)
    }

    /// Where the journal stands.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Inconsistent`].
    pub fn position(&self) -> Result<Position, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "its position", source };
        let transaction = self.connection.unchecked_transaction().map_err(failed)?;
        let box_id = transaction
            .query_row("SELECT value FROM meta WHERE key = 'box'", [], |row| row.get(0))
            .optional()
            .map_err(failed)?
            .unwrap_or_default();
        let frontier = frontier(&transaction, &self.path)?;
        Ok(Position { box_id, end: Seq(frontier.size()), frontier })
    }

    /// Records in `range`, in order, until `bytes_max` of canonical bytes are reached; at least one if there is one.
    /// What was taken away is left out, and so is a sealed block that is damaged: [`Reader::unreadable`] names both. A
    /// damaged record in the database ends what is read, or is the error if nothing was read before it.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::DamagedRecord`].
    pub fn read(&self, range: SeqRange, bytes_max: usize) -> Result<Vec<RecordAt>, StoreError> {
        self.history.borrow_mut().read(&self.connection, range, bytes_max)
    }

    /// Hands every record in `range` that is there to `each`, as its canonical bytes.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub fn bodies(&self, range: SeqRange, mut each: impl FnMut(Seq, &[u8])) -> Result<(), StoreError> {
        // Its own: `each` may read as well.
        History::new(&self.path).visit(&self.connection, range, |item| {
            if let Item::Record(seq, body) = item {
                each(seq, body);
            }
            Ok(true)
        })
    }

    /// Parts of the tree in `range`, in order, each with its first number, until `bytes_max` of canonical bytes are
    /// reached; at least one if there is one. They are records, and the roots of what was taken away.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub fn nodes(&self, range: SeqRange, bytes_max: usize) -> Result<Vec<(Seq, Node)>, StoreError> {
        let (mut nodes, mut bytes) = (Vec::new(), 0);
        self.history.borrow_mut().visit(&self.connection, range, |item| {
            let (first, node) = (item.first(), item.to_node());
            bytes += match &node {
                Node::Leaf(body) => body.len(),
                Node::Pruned { root, .. } => root.0.len(),
            };
            let taken = bytes <= bytes_max || nodes.is_empty();
            if taken {
                nodes.push((first, node));
            }
            Ok(taken)
        })?;
        Ok(nodes)
    }

    /// The numbers in `range`, below the end, whose records can no longer be read: taken away, or lost.
    ///
    /// # Errors
    /// [`StoreError::Read`]. Damage is no error here: what is damaged cannot be read.
    pub fn unreadable(&self, range: SeqRange) -> Result<SeqRanges, StoreError> {
        self.history.borrow_mut().unreadable(&self.connection, range)
    }

    /// All segments, in order.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "segments", source };
        segment::read_all(&self.connection).map_err(failed)
    }

    /// Bytes that the database takes: pages in use or to be used again, and the write-ahead log as it stands.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn database_bytes(&self) -> Result<u64, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "its size", source };
        let pages: i64 = self.connection.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(failed)?;
        let page: i64 = self.connection.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(failed)?;
        let log = std::fs::metadata(self.path.with_extension("db-wal")).map_or(0, |log| log.len());
        Ok(from_sql(pages).saturating_mul(from_sql(page)).saturating_add(log))
    }

    /// Numbers of alarm records from `from` on, at most `max`.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn alarms(&self, from: Seq, max: usize) -> Result<Vec<Seq>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "alarms", source };
        let sql = "SELECT seq FROM mark WHERE kind = 3 AND seq >= ?1 ORDER BY seq LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![to_sql(from.0), max], |row| row.get(0)).map_err(failed)?;
        rows.map(|seq| seq.map(|seq| Seq(from_sql(seq)))).collect::<Result<_, _>>().map_err(failed)
    }

    /// The newest record of kind [`record::Kind::Boot`].
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::DamagedRecord`].
    pub fn last_boot(&self) -> Result<Option<RecordAt>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "boots", source };
        let sql = "SELECT max(seq) FROM mark WHERE kind = 0";
        let seq: Option<i64> = self.connection.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
        let Some(seq) = seq.map(|seq| Seq(from_sql(seq))) else { return Ok(None) };
        Ok(self.read(SeqRange { first: seq, last: seq }, usize::MAX)?.pop())
    }

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
    pub fn node(&self, subtree: Subtree) -> Result<Hash, StoreError> {
        let gone = || StoreError::Inconsistent {
            path: self.path.clone(),
            what: format!("records {} to {} were taken away", subtree.first(), subtree.last()),
        };
        let range = SeqRange { first: subtree.first(), last: subtree.last() };
        let mut tree = Frontier::new();
        if subtree.level() >= BLOCK_LEVEL {
            self.append_blocks(range, &mut tree)?;
        } else {
            self.history.borrow_mut().visit(&self.connection, range, |item| {
                let appended = match item {
                    Item::Record(_, body) => tree.append_subtree(0, leaf_hash(body)),
                    Item::Pruned { level, root, .. } => tree.append_subtree(level, root),
                };
                appended.map(|()| true).map_err(|_| gone())
            })?;
        }
        if tree.size() == subtree.leaves() { Ok(tree.root()) } else { Err(gone()) }
    }

    /// Appends the roots of whole blocks, and of numbers that were never used, as far as they are known without a gap.
    fn append_blocks(&self, range: SeqRange, tree: &mut Frontier) -> Result<(), StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "segments", source };
        let segments = segment::read_within(&self.connection, range).map_err(failed)?;
        let void = segments.iter().filter(|segment| segment.stage == Stage::Void).filter_map(Segment::range);
        let void: Vec<SeqRange> = void.collect();
        let mut roots = self.roots(range)?.into_iter().peekable();
        loop {
            let at = Seq(range.first.0 + tree.size());
            let appended = if let Some(range_void) = void.iter().find(|void| void.first <= at && at <= void.last) {
                tree.append_void(Seq(range_void.last.min(range.last).0 + 1 - range.first.0)).is_ok()
            } else {
                roots
                    .next_if(|(first, _)| *first == at)
                    .is_some_and(|(_, root)| tree.append_subtree(BLOCK_LEVEL, root).is_ok())
            };
            if !appended || at > range.last {
                return Ok(());
            }
        }
    }

    /// Numbers of records of a kind that is neither frame, refusal nor repeated decoding, in `range`, ascending.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn marks(&self, kind: Kind, range: SeqRange) -> Result<Vec<Seq>, StoreError> {
        marks(&self.connection, &self.path, kind, range)
    }

    /// Every codec that is journaled, with the record that has its text.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::DamagedRecord`].
    pub fn codecs(&self) -> Result<BTreeMap<CodecId, Seq>, StoreError> {
        codecs(&self.connection, &self.path, &mut self.history.borrow_mut())
    }

    /// Every command that waits, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn commands(&self) -> Result<Vec<StoredCommand>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "commands", source };
        command::read(&self.connection).map_err(failed)
    }

    /// All states, by name.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn states(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "states", source };
        state::read(&self.connection).map_err(failed)
    }

    /// All devices the journal knows; `None` stands for frames whose device could not be told.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn devices(&self) -> Result<BTreeMap<Option<SourceId>, DeviceRow>, StoreError> {
        devices(&self.connection, &self.path)
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

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|file| (file.dev(), file.ino()))
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

pub(crate) fn devices(
    connection: &Connection,
    path: &Path,
) -> Result<BTreeMap<Option<SourceId>, DeviceRow>, StoreError> {
    let failed = |source| StoreError::Read { path: path.into(), what: "devices", source };
    let mut statement = connection
        .prepare_cached("SELECT name, session, accepted, duplicate, rejected, shed, client FROM device")
        .map_err(failed)?;
    let rows = statement
        .query_map([], |row| {
            let tally = Tally {
                accepted: from_sql(row.get(2)?),
                duplicate: from_sql(row.get(3)?),
                rejected: from_sql(row.get(4)?),
                shed: from_sql(row.get(5)?),
            };
            Ok((row.get::<_, String>(0)?, DeviceRow { session: row.get(1)?, client: row.get(6)?, tally }))
        })
        .map_err(failed)?;
    // The empty name is no device name, so it reads as "could not be told".
    rows.map(|row| row.map(|(name, row)| (SourceId::new(&name).ok(), row))).collect::<Result<_, _>>().map_err(failed)
}

pub(crate) fn codecs(
    connection: &Connection,
    path: &Path,
    history: &mut History,
) -> Result<BTreeMap<CodecId, Seq>, StoreError> {
    let all = SeqRange { first: Seq(0), last: Seq(i64::MAX.cast_unsigned()) };
    let mut codecs = BTreeMap::new();
    for seq in marks(connection, path, Kind::Codec, all)? {
        let found = history.read(connection, SeqRange { first: seq, last: seq }, usize::MAX)?.pop();
        if let Some(Record { body: Body::Codec(codec), .. }) = found.map(|found| found.record) {
            codecs.entry(codec.id).or_insert(seq);
        }
    }
    Ok(codecs)
}

fn marks(connection: &Connection, path: &Path, kind: Kind, range: SeqRange) -> Result<Vec<Seq>, StoreError> {
    let failed = |source| StoreError::Read { path: path.into(), what: "marks", source };
    let sql = "SELECT seq FROM mark WHERE kind = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let values = params![kind as i64, to_sql(range.first.0), to_sql(range.last.0)];
    let rows = statement.query_map(values, |row| Ok(Seq(from_sql(row.get(0)?)))).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// The number that the next record gets by the rows alone: after the newest record, or after the newest segment where the
/// table that grows is empty.
fn end_of_rows(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT first FROM segment WHERE last IS NULL";
    let Some(first) = connection.query_row(sql, [], |row| row.get(0)).optional()?.map(from_sql) else { return Ok(0) };
    Ok(hot::end(connection, Seq(first))?.map_or(first, |end| end.0))
}
