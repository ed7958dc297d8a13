//! One reading as a party holds it: what must be equal everywhere, and nothing else.

use std::collections::BTreeMap;

use serde_json::Value;

/// One reading.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The number of its record.
    pub seq: u64,
    /// The device.
    pub source: String,
    /// What was measured.
    pub quantity: String,
    /// The exact decimal; empty if there is none.
    pub value: String,
    /// Its unit.
    pub unit: String,
    /// How far it can be believed.
    pub quality: String,
    /// When the box recorded it, in ms since 1970.
    pub wall_ms: i64,
    /// When the device says it measured, in ms since 1970.
    pub at_ms: Option<i64>,
    /// Which codec decoded it; empty if none did.
    pub codec: String,
    /// The record whose readings it takes the place of.
    pub redecoded_of: Option<u64>,
}

impl Row {
    /// From a line of `weir export --json`.
    pub fn of_export(line: &Value) -> Row {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let time = |key: &str| line[key].as_str().map(|t| t.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        Row {
            seq: line["seq"].as_u64().expect("seq"),
            source: text("source"),
            quantity: text("quantity"),
            value: text("value"),
            unit: text("unit"),
            quality: text("quality"),
            wall_ms: time("time").expect("time"),
            at_ms: time("device_time"),
            codec: text("codec"),
            redecoded_of: line["redecoded_of"].as_u64(),
        }
    }

    /// From `verify_cose.py --csv`. No name or unit in these tests has a comma.
    pub fn of_csv(text: &str) -> Vec<Row> {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("seq,source,quantity,unit,value,quality,wall_ms,at_ms,codec,redecoded_of"));
        let row = |line: &str| {
            let columns: Vec<&str> = line.split(',').collect();
            let [seq, source, quantity, unit, value, quality, wall_ms, at_ms, codec, redecoded_of] = columns[..] else {
                panic!("ten columns: {line}")
            };
            Row {
                seq: seq.parse().unwrap(),
                source: source.into(),
                quantity: quantity.into(),
                value: value.into(),
                unit: unit.into(),
                quality: quality.into(),
                wall_ms: wall_ms.parse().unwrap(),
                at_ms: (!at_ms.is_empty()).then(|| at_ms.parse().unwrap()),
                codec: codec.into(),
                redecoded_of: (!redecoded_of.is_empty()).then(|| redecoded_of.parse().unwrap()),
            }
        };
        lines.map(row).collect()
    }
}

/// How often each value of a quantity stands there for a device.
pub fn values(rows: &[Row], source: &str, quantity: &str) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for row in rows.iter().filter(|row| row.source == source && row.quantity == quantity) {
        *counted.entry(row.value.clone()).or_default() += 1;
    }
    counted
}

/// These numbers, each exactly once.
pub fn once(numbers: impl IntoIterator<Item = u64>) -> BTreeMap<String, usize> {
    numbers.into_iter().map(|n| (n.to_string(), 1)).collect()
}
