//! Reading the journal while its writer runs, is stopped, or restarts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use record::merkle::{Frontier, Hash, leaf_hash};
use record::{Body, CodecId, Record, RecordAt, Seq, SeqRange, SourceId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::command::{self, StoredCommand};
use crate::database::{StoreError, from_sql, open_reader, to_sql};
use crate::device::{DeviceRow, Tally};
use crate::schema::JOURNAL;
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
}

impl Reader {
    /// Opens an existing journal for reading.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Open`], [`StoreError::Schema`], [`StoreError::OldSchema`].
    pub fn open(path: &Path) -> Result<Reader, StoreError> {
        Ok(Reader { path: path.into(), connection: open_reader(path, &JOURNAL)? })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
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
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::DamagedRecord`].
    pub fn read(&self, range: SeqRange, bytes_max: usize) -> Result<Vec<RecordAt>, StoreError> {
        read(&self.connection, &self.path, range, bytes_max)
    }

    /// Numbers of alarm records from `from` on, at most `max`.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn alarms(&self, from: Seq, max: usize) -> Result<Vec<Seq>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "alarms", source };
        let sql = "SELECT seq FROM record WHERE kind = 3 AND seq >= ?1 ORDER BY seq LIMIT ?2";
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
        let sql = "SELECT max(seq) FROM record WHERE kind = 0";
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

    /// Every codec that is journaled, with the record that has its text.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::DamagedRecord`].
    pub fn codecs(&self) -> Result<BTreeMap<CodecId, Seq>, StoreError> {
        codecs(&self.connection, &self.path)
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

    /// Recomputes the tree from the canonical bytes of every record, in numbers without gap, and hands each record with
    /// the root of the tree up to it to the caller: what a signed checkpoint of size `seq + 1` must equal. Returns the
    /// whole tree.
    ///
    /// # Errors
    /// [`StoreError::Read`]; [`StoreError::Inconsistent`] at the first gap (J2); [`StoreError::DamagedRecord`].
    pub fn recompute(&self, mut at: impl FnMut(&RecordAt, Hash)) -> Result<Frontier, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "records", source };
        let mut tree = Frontier::new();
        let mut statement = self.connection.prepare("SELECT seq, body FROM record ORDER BY seq").map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let seq = from_sql(row.get(0).map_err(failed)?);
            if seq != tree.size() {
                let what = format!("record {} is missing, {seq} follows", tree.size());
                return Err(StoreError::Inconsistent { path: self.path.clone(), what });
            }
            let body = row.get_ref(1).map_err(failed)?.as_blob().unwrap_or_default();
            let record = Record::from_canonical(body).map_err(|source| StoreError::DamagedRecord {
                path: self.path.clone(),
                seq,
                source,
            })?;
            tree.push(leaf_hash(body));
            at(&RecordAt { seq: Seq(seq), record }, tree.root());
        }
        Ok(tree)
    }
}

pub(crate) fn frontier(connection: &Connection, path: &Path) -> Result<Frontier, StoreError> {
    let failed = |source| StoreError::Read { path: path.into(), what: "the tree", source };
    let (size, roots): (i64, Vec<u8>) = connection
        .query_row("SELECT size, roots FROM tree", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(failed)?;
    let last: Option<i64> =
        connection.query_row("SELECT max(seq) FROM record", [], |row| row.get(0)).map_err(failed)?;
    let inconsistent = |what: String| StoreError::Inconsistent { path: path.into(), what };
    if last.map_or(0, |last| last + 1) != size {
        return Err(inconsistent(format!("the tree has {size} leaves, the last record is {last:?}")));
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

pub(crate) fn codecs(connection: &Connection, path: &Path) -> Result<BTreeMap<CodecId, Seq>, StoreError> {
    let failed = |source| StoreError::Read { path: path.into(), what: "codecs", source };
    let sql = "SELECT seq FROM record WHERE kind = 4 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let seqs = statement.query_map([], |row| row.get(0)).map_err(failed)?;
    let seqs: Vec<i64> = seqs.collect::<Result<_, _>>().map_err(failed)?;
    let mut codecs = BTreeMap::new();
    for seq in seqs.into_iter().map(|seq| Seq(from_sql(seq))) {
        let found = read(connection, path, SeqRange { first: seq, last: seq }, usize::MAX)?.pop();
        if let Some(Record { body: Body::Codec(codec), .. }) = found.map(|found| found.record) {
            codecs.entry(codec.id).or_insert(seq);
        }
    }
    Ok(codecs)
}

pub(crate) fn read(
    connection: &Connection,
    path: &Path,
    range: SeqRange,
    bytes_max: usize,
) -> Result<Vec<RecordAt>, StoreError> {
    let failed = |source| StoreError::Read { path: path.into(), what: "records", source };
    let sql = "SELECT seq, body FROM record WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params![to_sql(range.first.0), to_sql(range.last.0)]).map_err(failed)?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(failed)? {
        let seq = from_sql(row.get(0).map_err(failed)?);
        let body = row.get_ref(1).map_err(failed)?.as_blob().unwrap_or_default();
        bytes += body.len();
        if bytes > bytes_max && !records.is_empty() {
            break;
        }
        let record = Record::from_canonical(body).map_err(|source| StoreError::DamagedRecord {
            path: path.into(),
            seq,
            source,
        })?;
        records.push(RecordAt { seq: Seq(seq), record });
    }
    Ok(records)
}
