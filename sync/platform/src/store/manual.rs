//! What people entered by hand on boxes.

use batch::BoxId;
use record::{Manual, ManualValue, Seq};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::error::{Refused, StoreError};
use super::line::{actor, integer, text};
use super::read::{Page, page, unsigned, unsigned_if};

/// What every entry says of itself, so that nobody takes it for what a device measured.
const SOURCE: &str = "manual";

/// Where an entry comes from; the same of samples and patrols.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntryLine {
    /// The record.
    pub seq: u64,
    /// Always `manual`: a person entered it.
    pub source: &'static str,
    /// The outfall's code.
    pub outfall: String,
    /// When the sample was taken, or the patrol was there, as told.
    pub at_ms: i64,
    /// Who, as told.
    pub person: String,
    /// Who typed it: `user NUMBER` on the box.
    pub actor: String,
    /// Names and SHA-256 of files that belong to it.
    pub files: serde_json::Value,
    /// The record whose entry counts no more because of this one.
    pub replaces: Option<u64>,
    /// Why.
    pub reason: Option<String>,
    /// The record because of which this one counts no more.
    pub replaced_by: Option<u64>,
    /// When it was entered.
    pub wall_ms: i64,
    /// What that time is worth.
    pub clock: String,
}

/// A sample that a laboratory analysed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManualSampleLine {
    /// Where it comes from.
    #[serde(flatten)]
    pub entry: EntryLine,
    /// The laboratory.
    pub laboratory: Option<String>,
    /// The sample's number.
    pub number: Option<String>,
    /// What else is to be known.
    pub note: Option<String>,
    /// What was found.
    pub values: Vec<ManualValueLine>,
}

/// What was found of one quantity; the number is an exact decimal, as text so that no reader rounds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of record::ManualValue, as text")]
pub struct ManualValueLine {
    pub quantity: String,
    pub unit: String,
    pub value: String,
    pub detection: String,
    pub method: Option<String>,
}

/// A patrol.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatrolLine {
    /// Where it comes from.
    #[serde(flatten)]
    pub entry: EntryLine,
    /// How the outfall was.
    pub state: Option<String>,
    /// What was found.
    pub finding: String,
}

/// The columns of an entry behind those of its record.
pub(super) fn columns(manual: &Manual, time: &[Value; 2]) -> Result<Vec<Value>, Refused> {
    let entry = manual.entry();
    let optional = |of: Option<&str>| of.map_or(Value::Null, text);
    let (laboratory, number, note, state, finding) = match manual {
        Manual::Sample(sample) => (
            sample.laboratory.as_ref().map(|words| words.as_str()),
            sample.number.as_ref().map(|words| words.as_str()),
            sample.note.as_ref().map(|words| words.as_str()),
            None,
            None,
        ),
        Manual::Patrol(patrol) => {
            (None, None, None, patrol.state.map(|state| state.as_str()), Some(patrol.finding.as_str()))
        }
    };
    let replaces = entry.replaces.as_ref();
    let mut columns = vec![
        text(manual.as_str()),
        text(entry.outfall.as_str()),
        Value::Integer(entry.at_ms.0),
        text(entry.person.as_str()),
        actor(&entry.by),
        optional(laboratory),
        optional(number),
        optional(note),
        optional(state),
        optional(finding),
        // Names and digits: nothing that JSON lacks.
        Value::Text(serde_json::to_string(&entry.files).unwrap_or_default()),
        replaces.map_or(Ok(Value::Null), |replaced| integer("replaces", replaced.seq.0))?,
        optional(replaces.map(|replaced| replaced.reason.as_str())),
    ];
    columns.extend_from_slice(time);
    Ok(columns)
}

/// The columns of one value behind those of its record.
pub(super) fn value_columns(idx: i64, value: &ManualValue) -> Vec<Value> {
    let ManualValue { quantity, unit, value, detection, method } = value;
    vec![
        Value::Integer(idx),
        text(quantity.as_str()),
        text(unit.as_str()),
        Value::Text(value.to_string()),
        text(detection.as_str()),
        method.as_ref().map_or(Value::Null, |method| text(method.as_str())),
    ]
}

const SAMPLES: &str = "SELECT seq, outfall, at_ms, person, actor, files, replaces, reason, \
                       (SELECT min(seq) FROM manual AS later WHERE later.box = entry.box AND later.replaces = entry.seq), \
                       wall_ms, clock, laboratory, number, note FROM manual AS entry \
                       WHERE box = ?1 AND seq > ?2 AND what = 'sample' ORDER BY seq LIMIT ?3";
const PATROLS: &str = "SELECT seq, outfall, at_ms, person, actor, files, replaces, reason, \
                       (SELECT min(seq) FROM manual AS later WHERE later.box = entry.box AND later.replaces = entry.seq), \
                       wall_ms, clock, state, finding FROM manual AS entry \
                       WHERE box = ?1 AND seq > ?2 AND what = 'patrol' ORDER BY seq LIMIT ?3";
const VALUES: &str =
    "SELECT quantity, unit, value, detection, method FROM manual_value WHERE box = ?1 AND seq = ?2 ORDER BY idx";

/// A page of samples by the numbers of their records.
pub(super) fn samples(
    db: &Connection,
    box_id: &BoxId,
    after: Option<Seq>,
    limit: usize,
) -> Result<Page<ManualSampleLine>, StoreError> {
    let after = after.map(|seq| seq.0);
    page(
        db,
        SAMPLES,
        box_id,
        after,
        limit,
        |line: &ManualSampleLine| line.entry.seq,
        |row| {
            let entry = entry(row)?;
            let mut values = db.prepare_cached(VALUES)?;
            let values = values.query_map(params![box_id.as_str(), row.get::<_, i64>(0)?], value)?;
            let values = values.collect::<rusqlite::Result<_>>()?;
            Ok(ManualSampleLine { entry, laboratory: row.get(11)?, number: row.get(12)?, note: row.get(13)?, values })
        },
    )
}

/// A page of patrols by the numbers of their records.
pub(super) fn patrols(
    db: &Connection,
    box_id: &BoxId,
    after: Option<Seq>,
    limit: usize,
) -> Result<Page<PatrolLine>, StoreError> {
    let after = after.map(|seq| seq.0);
    page(
        db,
        PATROLS,
        box_id,
        after,
        limit,
        |line: &PatrolLine| line.entry.seq,
        |row| Ok(PatrolLine { entry: entry(row)?, state: row.get(11)?, finding: row.get(12)? }),
    )
}

fn entry(row: &Row<'_>) -> rusqlite::Result<EntryLine> {
    let files: String = row.get(5)?;
    Ok(EntryLine {
        seq: unsigned(row, 0)?,
        source: SOURCE,
        outfall: row.get(1)?,
        at_ms: row.get(2)?,
        person: row.get(3)?,
        actor: row.get(4)?,
        files: serde_json::from_str(&files).unwrap_or_default(),
        replaces: unsigned_if(row, 6)?,
        reason: row.get(7)?,
        replaced_by: unsigned_if(row, 8)?,
        wall_ms: row.get(9)?,
        clock: row.get(10)?,
    })
}

fn value(row: &Row<'_>) -> rusqlite::Result<ManualValueLine> {
    Ok(ManualValueLine {
        quantity: row.get(0)?,
        unit: row.get(1)?,
        value: row.get(2)?,
        detection: row.get(3)?,
        method: row.get(4)?,
    })
}
