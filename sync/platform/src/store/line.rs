//! A batch's row as lines of tables: what is inserted, and what an offered row is compared with.
//!
//! Comparing columns and not bytes keeps "the same record" true when the wire format gets a second version.

mod columns;

use std::collections::{BTreeMap, BTreeSet};

use batch::{BoxId, Content, Decoded, Row};
use record::{Manual, Outfall, Quantity, SourceId};
use rusqlite::Connection;
use rusqlite::types::Value;

pub(super) use columns::{actor, integer, signed, text};
use columns::{
    alarm_columns, audit_columns, clock_columns, clock_set_columns, dossier_columns, gap_columns, reading_columns,
    standing_columns, text_columns,
};

use super::error::{Refused, StoreError};
use super::{aggregates, manual};

/// One table that holds a part of a record, keyed by box and seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Reading,
    Text,
    Boot,
    Rejected,
    Alarm,
    Codec,
    Clock,
    Gap,
    Audit,
    Dossier,
    Standing,
    Aggregate,
    Manual,
    ManualValue,
}

/// One line of a detail table, its columns in the table's order.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    table: Detail,
    columns: Vec<Value>,
}

/// All lines of one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lines {
    /// Columns of `record` without `batch_no`, which says who was first and not what was said.
    record: Vec<Value>,
    details: Vec<Line>,
}

const RECORD_INSERT: &str = "INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const RECORD_SELECT: &str = "SELECT box, seq, kind, source, boot, mono_ms, wall_ms, clock, clock_error_ms, codec, \
                             redecoded_of FROM record WHERE box = ?1 AND seq = ?2";

impl Detail {
    const ALL: [Detail; 14] = [
        Detail::Reading,
        Detail::Text,
        Detail::Boot,
        Detail::Rejected,
        Detail::Alarm,
        Detail::Codec,
        Detail::Clock,
        Detail::Gap,
        Detail::Audit,
        Detail::Dossier,
        Detail::Standing,
        Detail::Aggregate,
        Detail::Manual,
        Detail::ManualValue,
    ];

    fn insert(self) -> &'static str {
        match self {
            Detail::Reading => "INSERT INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            Detail::Text => "INSERT INTO reading_text VALUES (?1, ?2, ?3, ?4, ?5)",
            Detail::Codec => "INSERT INTO codec VALUES (?1, ?2, ?3, ?4, ?5)",
            Detail::Boot => "INSERT INTO boot VALUES (?1, ?2, ?3, ?4)",
            Detail::Clock => "INSERT INTO clock_set VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            Detail::Gap => "INSERT INTO gap VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            Detail::Audit => {
                "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
                 ?19)"
            }
            Detail::Dossier => {
                "INSERT INTO dossier VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
            }
            Detail::Standing => "INSERT INTO standing VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            Detail::Aggregate => {
                "INSERT INTO aggregate VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
                 ?19)"
            }
            Detail::Manual => {
                "INSERT INTO manual VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
            }
            Detail::ManualValue => "INSERT INTO manual_value VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            Detail::Rejected => "INSERT INTO rejected VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            Detail::Alarm => {
                "INSERT INTO alarm VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
                 ?18)"
            }
        }
    }

    fn select(self) -> &'static str {
        match self {
            Detail::Reading => "SELECT * FROM reading WHERE box = ?1 AND seq = ?2 ORDER BY idx",
            Detail::Text => "SELECT * FROM reading_text WHERE box = ?1 AND seq = ?2 ORDER BY idx",
            Detail::Codec => "SELECT * FROM codec WHERE box = ?1 AND seq = ?2",
            Detail::Boot => "SELECT * FROM boot WHERE box = ?1 AND seq = ?2",
            Detail::Clock => "SELECT * FROM clock_set WHERE box = ?1 AND seq = ?2",
            Detail::Gap => "SELECT * FROM gap WHERE box = ?1 AND seq = ?2",
            Detail::Audit => "SELECT * FROM audit WHERE box = ?1 AND seq = ?2",
            Detail::Dossier => "SELECT * FROM dossier WHERE box = ?1 AND seq = ?2",
            Detail::Standing => "SELECT * FROM standing WHERE box = ?1 AND seq = ?2",
            Detail::Aggregate => "SELECT * FROM aggregate WHERE box = ?1 AND seq = ?2 ORDER BY idx",
            Detail::Manual => "SELECT * FROM manual WHERE box = ?1 AND seq = ?2",
            Detail::ManualValue => "SELECT * FROM manual_value WHERE box = ?1 AND seq = ?2 ORDER BY idx",
            Detail::Rejected => "SELECT * FROM rejected WHERE box = ?1 AND seq = ?2",
            Detail::Alarm => "SELECT * FROM alarm WHERE box = ?1 AND seq = ?2",
        }
    }
}

impl Lines {
    /// The lines of a row.
    ///
    /// # Errors
    /// [`Refused::Number`] if a number is beyond SQLite's 63 bits.
    pub(super) fn of(box_id: &BoxId, row: &Row) -> Result<Lines, Refused> {
        let stamp = &row.stamp;
        let [clock, clock_error] = clock_columns(stamp.clock);
        let key = [text(box_id.as_str()), integer("seq", row.seq.0)?];
        let time = [Value::Integer(stamp.wall_ms.0), clock.clone()];
        let (kind, source, details) = details(&key, &time, &row.content)?;
        let decoded = row.content.decoded();
        let codec = decoded.and_then(|decoded| decoded.codec);
        let of = decoded.and_then(|decoded| decoded.of).map(|of| integer("redecoded_of", of.0)).transpose()?;
        let record = key.into_iter().chain([
            text(kind),
            source.map_or(Value::Null, |source| text(source.as_str())),
            Value::Integer(i64::from(stamp.boot.0)),
            integer("mono_ms", stamp.mono_ms.0)?,
            Value::Integer(stamp.wall_ms.0),
            clock,
            clock_error,
            codec.map_or(Value::Null, |codec| Value::Text(codec.to_string())),
            of.unwrap_or(Value::Null),
        ]);
        Ok(Lines { record: record.collect(), details })
    }

    /// Inserts a row that is not there yet.
    pub(super) fn insert(self, db: &Connection, batch_no: i64) -> Result<(), StoreError> {
        let record = self.record.into_iter().chain([Value::Integer(batch_no)]);
        db.prepare_cached(RECORD_INSERT)?.execute(rusqlite::params_from_iter(record))?;
        for line in self.details {
            db.prepare_cached(line.table.insert())?.execute(rusqlite::params_from_iter(line.columns))?;
        }
        Ok(())
    }

    /// The row that is stored under the same box and seq, if there is one.
    pub(super) fn stored(&self, db: &Connection) -> Result<Option<Lines>, StoreError> {
        let key = &self.record[..2];
        let Some(record) = select(db, RECORD_SELECT, key)?.pop() else { return Ok(None) };
        let mut details = Vec::new();
        for table in Detail::ALL {
            details.extend(select(db, table.select(), key)?.into_iter().map(|columns| Line { table, columns }));
        }
        Ok(Some(Lines { record, details }))
    }
}

impl Lines {
    /// What this row adds to a stored one of the same frame. `is_cut`: readings were left out of the stored one. `named`:
    /// readings of other quantities than these were left out of this one; empty: none were. None if they disagree.
    pub(super) fn added_to(&self, stored: &Lines, is_cut: bool, named: &BTreeSet<Quantity>) -> Option<Added> {
        let others =
            |lines: &Lines| lines.details.iter().filter(|line| line.quantity().is_none()).cloned().collect::<Vec<_>>();
        if !is_cut && named.is_empty() || self.record != stored.record || others(self) != others(stored) {
            return None;
        }
        let mut added = Vec::new();
        for table in [Detail::Reading, Detail::Text, Detail::Aggregate] {
            let [own, theirs] = [self, stored].map(|lines| lines.by_quantity(table));
            let agree = theirs.iter().all(|(quantity, lines)| match own.get(quantity) {
                Some(own) => own.iter().map(|line| line.said()).eq(lines.iter().map(|line| line.said())),
                None => !named.is_empty() && !named.iter().any(|name| name.as_str() == *quantity),
            });
            let more = self.details.iter().filter(|line| line.table == table);
            let more = more.filter(|line| line.quantity().is_some_and(|quantity| !theirs.contains_key(quantity)));
            let places = stored.details.iter().filter(|line| line.table == table).count();
            let placed = (0i64..).skip(places).zip(more).map(|(idx, line)| line.at(idx));
            let before = added.len();
            added.extend(placed);
            if !agree || added.len() > before && !is_cut {
                return None;
            }
        }
        Some(Added(added))
    }

    fn by_quantity(&self, table: Detail) -> BTreeMap<&str, Vec<&Line>> {
        let mut all: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
        for line in self.details.iter().filter(|line| line.table == table) {
            all.entry(line.quantity().unwrap_or_default()).or_default().push(line);
        }
        all
    }
}

/// Readings of a frame that is stored already, and their texts; or values of an aggregate.
#[derive(Debug)]
pub(super) struct Added(Vec<Line>);

impl Added {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn readings(&self) -> usize {
        self.0.iter().filter(|line| line.table == Detail::Reading).count()
    }

    /// Inserts them.
    pub(super) fn insert(self, db: &Connection) -> Result<(), StoreError> {
        for line in self.0 {
            db.prepare_cached(line.table.insert())?.execute(rusqlite::params_from_iter(line.columns))?;
        }
        Ok(())
    }
}

impl Line {
    /// Of a reading or its text, or a value of an aggregate.
    fn quantity(&self) -> Option<&str> {
        let column = match self.table {
            Detail::Reading => 4,
            Detail::Text => 3,
            Detail::Aggregate => 7,
            _ => return None,
        };
        match self.columns.get(column) {
            Some(Value::Text(quantity)) => Some(quantity),
            _ => None,
        }
    }

    /// Its columns without its place in the frame.
    fn said(&self) -> (&[Value], &[Value]) {
        (&self.columns[..2], &self.columns[3..])
    }

    /// The same at another place.
    fn at(&self, idx: i64) -> Line {
        let mut line = self.clone();
        line.columns[2] = Value::Integer(idx);
        line
    }
}

/// The kind, the source and the detail lines of what a row tells.
fn details<'a>(
    key: &[Value; 2],
    time: &[Value; 2],
    content: &'a Content,
) -> Result<(&'static str, Option<&'a SourceId>, Vec<Line>), Refused> {
    let line = |table, columns: Vec<Value>| Line { table, columns: [key.to_vec(), columns].concat() };
    Ok(match content {
        Content::Readings { .. } | Content::Redecoded(_) => {
            let kind = if matches!(content, Content::Redecoded(_)) { "redecoded" } else { "readings" };
            let Some(Decoded { source, readings, texts, .. }) = content.decoded() else {
                return Ok((kind, None, Vec::new()));
            };
            let readings = (0i64..).zip(readings);
            let readings = readings.map(|(idx, of)| line(Detail::Reading, reading_columns(idx, source, of, time)));
            let texts = (0i64..).zip(texts).map(|(idx, of)| line(Detail::Text, text_columns(idx, of)));
            (kind, Some(source), readings.chain(texts).collect())
        }
        Content::Codec(codec) => {
            let columns = vec![Value::Text(codec.id.to_string()), text(&codec.text), time[0].clone()];
            ("codec", None, vec![line(Detail::Codec, columns)])
        }
        Content::Boot(boot) => ("boot", None, vec![line(Detail::Boot, vec![text(&boot.boot_id), text(&boot.version)])]),
        Content::Clock(set) => ("clock", None, vec![line(Detail::Clock, clock_set_columns(set))]),
        Content::Gap(gap) => ("gap", None, vec![line(Detail::Gap, gap_columns(gap)?)]),
        Content::Audit(audit) => ("audit", None, vec![line(Detail::Audit, audit_columns(audit)?)]),
        Content::Outfall(Outfall::Dossier(version)) => {
            ("outfall", None, vec![line(Detail::Dossier, dossier_columns(version, time)?)])
        }
        Content::Outfall(Outfall::Devices(standing)) => {
            ("outfall", None, vec![line(Detail::Standing, standing_columns(standing)?)])
        }
        Content::Aggregate(aggregate) => {
            let values = (0i64..).zip(&aggregate.values);
            let values = values.map(|(idx, of)| line(Detail::Aggregate, aggregates::columns(idx, aggregate, of, time)));
            ("aggregate", Some(&aggregate.source), values.collect())
        }
        Content::Manual(entered) => {
            let values = match entered {
                Manual::Sample(sample) => sample.values.as_slice(),
                Manual::Patrol(_) => &[],
            };
            let values = (0i64..).zip(values);
            let values = values.map(|(idx, of)| line(Detail::ManualValue, manual::value_columns(idx, of)));
            let entry = line(Detail::Manual, manual::columns(entered, time)?);
            ("manual", None, std::iter::once(entry).chain(values).collect())
        }
        Content::Rejected { source, why, detail, raw_len, raw_sha256 } => {
            let digest = Value::Text(hex::encode(raw_sha256));
            let columns = vec![text(why.as_str()), text(detail), integer("raw_len", *raw_len)?, digest];
            ("rejected", source.as_ref(), vec![line(Detail::Rejected, columns)])
        }
        Content::Alarm(alarm) => ("alarm", Some(&alarm.source), vec![line(Detail::Alarm, alarm_columns(alarm, time)?)]),
    })
}

fn select(db: &Connection, sql: &str, key: &[Value]) -> Result<Vec<Vec<Value>>, StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let width = statement.column_count();
    let rows =
        statement.query_map(rusqlite::params_from_iter(key), |row| (0..width).map(|at| row.get(at)).collect())?;
    Ok(rows.collect::<Result<_, _>>()?)
}
