//! What could still be read of a damaged database.

use std::collections::BTreeMap;
use std::path::Path;

use record::Record;
use record::merkle::{Frontier, Hash};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OpenFlags};

use super::cells::{Row, Value, carve};
use super::pages::{Pages, wal_state};
use crate::archive::Archive;
use crate::database::from_sql;
use crate::pack;
use crate::schema::number_of;
use crate::segment::{self, BLOCK_RECORDS, Segment, Stage};

/// A row of a table, column by column.
pub(super) type Columns = Vec<SqlValue>;

/// Rows of one database, from wherever they could be had.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Canonical bytes by number, of records that stood in tables.
    pub(super) records: BTreeMap<u64, Vec<u8>>,
    /// Right edges of the tree, by size.
    pub(super) trees: BTreeMap<u64, Vec<u8>>,
    /// Roots of whole blocks.
    pub(super) roots: BTreeMap<u64, Hash>,
    /// Signed tree heads.
    pub(super) checkpoints: BTreeMap<u64, Vec<u8>>,
    /// Rows of `device`, by name.
    pub(super) devices: BTreeMap<String, Columns>,
    /// Rows of `state`.
    pub(super) states: BTreeMap<String, Vec<u8>>,
    /// Rows of `meta`.
    pub(super) meta: BTreeMap<String, String>,
    /// Rows of `command`; only where the table could be read: a command that was done with must not come back.
    pub(super) commands: Vec<Columns>,
    /// Segments with files, and those that are gone.
    pub(super) segments: Vec<Segment>,
}

impl Found {
    /// Reads the whole database by SQL as far as that goes, then every row that stands on any page, then the files.
    pub(super) fn gather(journal: &Path, scratch: &Path, file: &[u8], log: &[u8], pages: &Pages<'_>) -> Found {
        let mut found = Found::default();
        carve(pages, |row| found.take(row));
        found.by_sql(scratch, file, log);
        found.by_files(journal);
        found
    }

    /// A row by its shape. Newer images come later and win, but a device's counters never go back.
    fn take(&mut self, row: Row) {
        use Value::{Blob, Integer, Null, Text};
        let id = from_sql(row.id);
        match row.columns.as_slice() {
            [Null, Integer(kind), Blob(packed)] if pack::is_pack(*kind) => {
                let (first, bodies) = pack::unpack(*kind, packed).unwrap_or_default();
                self.records.extend((first.0..).zip(bodies).filter(|(_, body)| Record::from_canonical(body).is_ok()));
            }
            [Null, Integer(kind), Blob(body)] => {
                let is_record = Record::from_canonical(body).is_ok_and(|record| record.body.kind() as i64 == *kind);
                if is_record {
                    self.records.insert(id, body.clone());
                } else if id == 0 && Frontier::from_bytes(from_sql(*kind), body).is_some() {
                    self.trees.insert(from_sql(*kind), body.clone());
                }
            }
            [Null, Blob(root)] if root.len() == 32 => {
                if let Ok(root) = root.as_slice().try_into() {
                    self.roots.insert(id, Hash(root));
                }
            }
            [Null, Blob(cose)] => drop(self.checkpoints.insert(id, cose.clone())),
            [Text(name), Blob(value)] => drop(self.states.insert(name.clone(), value.clone())),
            [Text(key), Text(value)] => drop(self.meta.insert(key.clone(), value.clone())),
            [Text(name), Blob(_), Integer(_), Integer(_), Integer(_), Integer(_), Blob(_)] => {
                self.take_device(name.clone(), row.columns.iter().map(to_sql_value).collect());
            }
            _ => {}
        }
    }

    fn take_device(&mut self, name: String, columns: Columns) {
        let newer = self.devices.get(&name).is_none_or(|known| frames(known) <= frames(&columns));
        if newer {
            self.devices.insert(name, columns);
        }
    }

    /// Through SQLite, on a copy, table by table: what it can read whole is what was committed last.
    fn by_sql(&mut self, scratch: &Path, file: &[u8], log: &[u8]) {
        let beside = scratch.with_extension("db-scratch-wal");
        let copied = std::fs::write(scratch, file).and_then(|()| std::fs::write(&beside, log));
        if copied.is_ok()
            && let Ok(connection) = Connection::open_with_flags(scratch, OpenFlags::SQLITE_OPEN_READ_WRITE)
            && number_of(&connection).is_ok_and(|number| number > 0)
        {
            // Where SQLite stops before the end of the log, rows on later pages are newer than what it reads.
            self.read_tables(&connection, wal_state(log).behind_damage == 0);
        }
        // Copies of ours, made a moment ago.
        for extension in ["db-scratch", "db-scratch-wal", "db-scratch-shm"] {
            let _ = std::fs::remove_file(scratch.with_extension(extension));
        }
    }

    fn read_tables(&mut self, connection: &Connection, is_newest: bool) {
        if let Ok(segments) = segment::read_all(connection) {
            self.segments = segments.into_iter().filter(|segment| segment.stage != Stage::Hot).collect();
        }
        for row in rows(connection, "SELECT * FROM device").unwrap_or_default() {
            if let Some(SqlValue::Text(name)) = row.first() {
                self.take_device(name.clone(), row);
            }
        }
        if let Ok(states) = rows(connection, "SELECT name, value FROM state")
            && is_newest
        {
            self.states = states.into_iter().filter_map(name_and_blob).collect();
        }
        if let Ok(commands) = rows(connection, "SELECT * FROM command") {
            self.commands = commands;
        }
        for row in rows(connection, "SELECT size, roots FROM tree").unwrap_or_default() {
            if let [SqlValue::Integer(size), SqlValue::Blob(roots)] = row.as_slice() {
                self.trees.insert(from_sql(*size), roots.clone());
            }
        }
        for row in rows(connection, "SELECT key, value FROM meta").unwrap_or_default() {
            if let [SqlValue::Text(key), SqlValue::Text(value)] = row.as_slice() {
                self.meta.insert(key.clone(), value.clone());
            }
        }
    }

    /// Segments that the database no longer names, and the roots that every file states.
    fn by_files(&mut self, journal: &Path) {
        let directory = segment::directory(journal).read_dir().into_iter().flatten().flatten();
        let mut paths: Vec<_> = directory.map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "blocks")) {
            let Ok(archive) = Archive::open(path) else { continue };
            for place in archive.places() {
                self.roots.entry(place.first.0 / BLOCK_RECORDS).or_insert(place.root);
            }
            let named = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).map(record::Seq);
            let known = |first| self.segments.iter().any(|segment| segment.first == first);
            if let Some(first) = named.filter(|first| !known(*first))
                && let Some(segment) = describe(first, &archive)
            {
                self.segments.push(segment);
            }
        }
        self.segments.sort_by_key(|segment| segment.first);
    }
}

/// A segment from its file alone. That less than all is left of it shows, how little it was to be does not: it is taken as
/// thinned, from which any further step can follow.
fn describe(first: record::Seq, archive: &Archive) -> Option<Segment> {
    let last = archive.places().last()?.first.0 + (BLOCK_RECORDS - 1);
    let (mut whole, mut newest_ms) = (true, 0);
    for place in archive.places() {
        let Ok(block) = archive.block(place.first) else { continue };
        whole &= block.gone().is_empty();
        if let Some(record) = block.leaves().last().and_then(|(_, body)| Record::from_canonical(body).ok()) {
            newest_ms = record.stamp.wall_ms.0;
        }
    }
    let stage = if whole { Stage::Whole } else { Stage::Thinned };
    let last = Some(record::Seq(last));
    Some(Segment { first, last, stage, condemned: None, bytes: archive.bytes(), newest_ms })
}

/// All frames of a device, for ever: it only grows.
fn frames(columns: &Columns) -> i64 {
    let counts = columns.iter().filter_map(|column| match column {
        SqlValue::Integer(count) => Some(*count),
        _ => None,
    });
    counts.fold(0, i64::saturating_add)
}

/// Every row, or the error of the first that cannot be read.
fn rows(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<Columns>> {
    let mut statement = connection.prepare(sql)?;
    let count = statement.column_count();
    let rows = statement.query_map([], |row| (0..count).map(|column| row.get(column)).collect())?;
    rows.collect()
}

fn name_and_blob(row: Columns) -> Option<(String, Vec<u8>)> {
    match <[SqlValue; 2]>::try_from(row).ok()? {
        [SqlValue::Text(name), SqlValue::Blob(value)] => Some((name, value)),
        _ => None,
    }
}

fn to_sql_value(value: &Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Integer(number) => SqlValue::Integer(*number),
        Value::Text(text) => SqlValue::Text(text.clone()),
        Value::Blob(bytes) => SqlValue::Blob(bytes.clone()),
    }
}
