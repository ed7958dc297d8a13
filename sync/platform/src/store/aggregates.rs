//! What readings of boxes came to over times of the clock.

use batch::BoxId;
use record::{Aggregate, AggregateValue, Period, Quantity, Seq, SourceId, UnixMs};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::error::StoreError;
use super::read::{Page, unsigned};

/// Which aggregates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AggregatesQuery {
    /// Of one device.
    pub source: Option<SourceId>,
    /// With their values of one quantity alone.
    pub quantity: Option<Quantity>,
    /// Over one period.
    pub period: Option<Period>,
    /// Of windows that begin then or later.
    pub from: Option<UnixMs>,
    /// Of windows that begin before.
    pub to: Option<UnixMs>,
    /// Only records after this number.
    pub after_seq: Option<Seq>,
    /// Most records.
    pub limit: usize,
}

/// One aggregate as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AggregateLine {
    /// The record.
    pub seq: u64,
    /// The device.
    pub source: String,
    /// The outfall at which it stood.
    pub outfall: Option<String>,
    /// When the window begins.
    pub from_ms: i64,
    /// When it ends, which does not belong to it.
    pub to_ms: i64,
    /// How long it is, in seconds.
    pub period_s: u32,
    /// When it was closed.
    pub wall_ms: i64,
    /// What the box knew about its clock then.
    pub clock: String,
    /// Of each quantity, in the order in which they came.
    pub values: Vec<AggregateValueLine>,
}

/// What one quantity came to; numbers are exact decimals, as text so that no reader rounds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of record::AggregateValue and record::Statistics, as text")]
pub struct AggregateValueLine {
    pub quantity: String,
    pub unit: String,
    pub good: u32,
    pub doubtful: u32,
    pub parts: u32,
    /// How many parts the window has.
    pub parts_all: u32,
    pub min: Option<String>,
    pub mean: Option<String>,
    pub max: Option<String>,
    pub volume_m3: Option<String>,
}

/// The columns of one value behind those of its record.
pub(super) fn columns(idx: i64, aggregate: &Aggregate, value: &AggregateValue, time: &[Value; 2]) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    let Aggregate { source, outfall, from_ms, period, .. } = aggregate;
    let AggregateValue { quantity, unit, good, doubtful, parts, statistics } = value;
    let number = |number: Option<record::Decimal>| number.map_or(Value::Null, |number| Value::Text(number.to_string()));
    // A decimal's text is a number within 10^±60, so that a double can hold it, rounded.
    let approximate = statistics.and_then(|of| of.mean.to_string().parse().ok());
    let counts = [good, doubtful, parts].map(|count| Value::Integer(i64::from(*count)));
    let mut columns = vec![
        Value::Integer(idx),
        text(source.as_str()),
        outfall.as_ref().map_or(Value::Null, |code| text(code.as_str())),
        Value::Integer(from_ms.0),
        Value::Integer(i64::from(period.seconds())),
        text(quantity.as_str()),
        text(unit.as_str()),
    ];
    columns.extend(counts);
    columns.extend([
        number(statistics.map(|of| of.min)),
        number(statistics.map(|of| of.mean)),
        number(statistics.map(|of| of.max)),
        number(statistics.and_then(|of| of.volume_m3)),
        approximate.map_or(Value::Null, Value::Real),
    ]);
    columns.extend_from_slice(time);
    columns
}

const LINES: &str = "SELECT seq, source, outfall, from_ms, period_s, wall_ms, clock, quantity, unit, good, doubtful, parts, \
                     min, mean, max, volume_m3 FROM aggregate WHERE box = ?1 AND seq > ?2";

/// A page of aggregates by the numbers of their records.
pub(super) fn aggregates(
    db: &Connection,
    box_id: &BoxId,
    query: &AggregatesQuery,
) -> Result<Page<AggregateLine>, StoreError> {
    let after = query.after_seq.map_or(-1, |seq| i64::try_from(seq.0).unwrap_or(i64::MAX));
    let mut sql = LINES.to_owned();
    let mut values = vec![Value::Text(box_id.to_string()), Value::Integer(after)];
    // Only filters that are asked for, so that SQLite can see which index serves.
    for (filter, value) in [
        ("source = ?", query.source.as_ref().map(|source| Value::Text(source.to_string()))),
        ("quantity = ?", query.quantity.as_ref().map(|quantity| Value::Text(quantity.to_string()))),
        ("period_s = ?", query.period.map(|period| Value::Integer(i64::from(period.seconds())))),
        ("from_ms >= ?", query.from.map(|from| Value::Integer(from.0))),
        ("from_ms < ?", query.to.map(|to| Value::Integer(to.0))),
    ] {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" AND {filter}{}", values.len()));
        }
    }
    sql.push_str(" ORDER BY seq, idx");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut items: Vec<AggregateLine> = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = unsigned(row, 0)?;
        if items.last().is_none_or(|last| last.seq != seq) {
            if items.len() >= query.limit {
                let next = items.last().map(|last| last.seq);
                return Ok(Page { items, next });
            }
            items.push(line(seq, row)?);
        }
        if let Some(last) = items.last_mut() {
            let value = value_line(last.period_s, row)?;
            last.values.push(value);
        }
    }
    Ok(Page { items, next: None })
}

fn line(seq: u64, row: &Row<'_>) -> rusqlite::Result<AggregateLine> {
    let (from_ms, period_s): (i64, u32) = (row.get(3)?, row.get(4)?);
    Ok(AggregateLine {
        seq,
        source: row.get(1)?,
        outfall: row.get(2)?,
        from_ms,
        to_ms: from_ms.saturating_add(i64::from(period_s) * 1_000),
        period_s,
        wall_ms: row.get(5)?,
        clock: row.get(6)?,
        values: Vec::new(),
    })
}

fn value_line(period_s: u32, row: &Row<'_>) -> rusqlite::Result<AggregateValueLine> {
    Ok(AggregateValueLine {
        quantity: row.get(7)?,
        unit: row.get(8)?,
        good: row.get(9)?,
        doubtful: row.get(10)?,
        parts: row.get(11)?,
        parts_all: Period::new(period_s).map_or(0, Period::parts),
        min: row.get(12)?,
        mean: row.get(13)?,
        max: row.get(14)?,
        volume_m3: row.get(15)?,
    })
}
