//! What is kept beside the records: which of them are marked, devices, commands, states.

use std::collections::BTreeMap;
use std::path::Path;

use record::{Audit, Body, CodecId, Kind, Record, RecordAt, Seq, SeqRange, SourceId};
use rusqlite::{Connection, params};

use super::Reader;
use crate::command::{self, StoredCommand};
use crate::database::{StoreError, from_sql, to_sql};
use crate::device::{DeviceRow, Tally};
use crate::history::History;
use crate::state;

impl Reader {
    /// The first record before `end` that is stamped at this time or later; `end` if there is none. Stamps never go back (the
    /// box's clock sees to that), so it can be searched.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub fn first_at(&self, end: Seq, wall_ms: i64) -> Result<Seq, StoreError> {
        let (mut low, mut high) = (Seq(0), end);
        while low < high {
            let middle = Seq(low.0 + (high.0 - low.0) / 2);
            // What was taken away has no stamp: the next one that is there tells.
            let next = SeqRange::new(middle, Seq(high.0 - 1)).map(|rest| self.read(rest, 1)).transpose()?;
            match next.and_then(|found| found.into_iter().next()) {
                Some(at) if at.record.stamp.wall_ms.0 < wall_ms => low = at.seq.next(),
                _ => high = middle,
            }
        }
        Ok(low)
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

    /// Numbers of records of a kind that is neither frame, refusal nor repeated decoding, in `range`, ascending.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn marks(&self, kind: Kind, range: SeqRange) -> Result<Vec<Seq>, StoreError> {
        marks(&self.connection, &self.path, kind, range)
    }

    /// Hands every order within these numbers that can be read to `each`, ascending. One is in memory at a time.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub fn audits(&self, range: SeqRange, mut each: impl FnMut(Seq, Audit)) -> Result<(), StoreError> {
        for seq in self.marks(Kind::Audit, range)? {
            let found = self.read(SeqRange { first: seq, last: seq }, 1)?.pop();
            if let Some(Body::Audit(audit)) = found.map(|at| at.record.body) {
                each(seq, audit);
            }
        }
        Ok(())
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
