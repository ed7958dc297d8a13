//! What readings came to over times of the clock, a line for each quantity.

use record::{Aggregate, AggregateValue, Body, RecordAt};
use serde::Serialize;

use super::{Filter, json_line};
use crate::output;

/// The heading of the CSV form; the JSON form has the same names.
pub(super) const HEADING: &str = "seq,from,to,period,source,outfall,quantity,unit,mean,min,max,volume_m3,good,doubtful,parts,\
                                  parts_all,closed,clock";

/// One value, flat.
#[derive(Debug, Serialize)]
struct Row<'a> {
    seq: u64,
    /// When the window begins, and when it ends, which does not belong to it.
    from: String,
    to: String,
    period: String,
    source: &'a str,
    outfall: Option<&'a str>,
    quantity: &'a str,
    unit: &'a str,
    mean: Option<String>,
    min: Option<String>,
    max: Option<String>,
    volume_m3: Option<String>,
    good: u32,
    doubtful: u32,
    parts: u32,
    parts_all: u32,
    /// When it was journaled, and what the clock was worth.
    closed: String,
    clock: &'a str,
}

/// The lines of a record, if it is an aggregate of a window that is wanted.
pub(super) fn lines(filter: &Filter<'_>, at: &RecordAt) -> Vec<String> {
    let Body::Aggregate(of) = &at.record.body else { return Vec::new() };
    if !filter.takes_time(of.from_ms.0) {
        return Vec::new();
    }
    let wanted = of.values.iter().filter(|value| filter.takes_quantity(&value.quantity));
    let rows = wanted.map(|value| row(at, of, value));
    rows.map(|row| if filter.csv() { csv_line(&row) } else { json_line(&row) }).collect()
}

fn row<'a>(at: &'a RecordAt, of: &'a Aggregate, value: &'a AggregateValue) -> Row<'a> {
    let AggregateValue { quantity, unit, good, doubtful, parts, statistics } = value;
    let number = |number: Option<record::Decimal>| number.map(|number| number.to_string());
    Row {
        seq: at.seq.0,
        from: output::time(of.from_ms),
        to: output::time(of.to_ms()),
        period: of.period.to_string(),
        source: of.source.as_str(),
        outfall: of.outfall.as_ref().map(record::OutfallCode::as_str),
        quantity: quantity.as_str(),
        unit: unit.as_str(),
        mean: number(statistics.map(|of| of.mean)),
        min: number(statistics.map(|of| of.min)),
        max: number(statistics.map(|of| of.max)),
        volume_m3: number(statistics.and_then(|of| of.volume_m3)),
        good: *good,
        doubtful: *doubtful,
        parts: *parts,
        parts_all: of.period.parts(),
        closed: output::time(at.record.stamp.wall_ms),
        clock: at.record.stamp.clock.as_str(),
    }
}

/// A line of RFC 4180: of these only a unit that a sensor made up may hold a comma or a quote.
fn csv_line(row: &Row<'_>) -> String {
    let unit = match row.unit.contains([',', '"']) {
        true => format!("\"{}\"", row.unit.replace('"', "\"\"")),
        false => row.unit.to_owned(),
    };
    let [mean, min, max, volume] =
        [&row.mean, &row.min, &row.max, &row.volume_m3].map(|number| number.as_deref().unwrap_or_default());
    let outfall = row.outfall.unwrap_or_default();
    let Row { seq, from, to, period, source, quantity, good, doubtful, parts, parts_all, closed, clock, .. } = row;
    format!(
        "{seq},{from},{to},{period},{source},{outfall},{quantity},{unit},{mean},{min},{max},{volume},{good},{doubtful},{parts},\
         {parts_all},{closed},{clock}\r\n"
    )
}
