//! What people entered by hand: a line for each value of a sample, or for each patrol. They stand alone, never among readings.

use std::collections::BTreeMap;

use record::{AttachedFile, Body, Entry, Manual, ManualSample, ManualValue, Patrol, RecordAt, Seq};
use serde_json::{Map, Value, json};

use super::Filter;
use crate::cli::ManualKind;
use crate::lang::Lang;
use crate::output;
use crate::tail::actor;

/// The headings of the CSV forms; the JSON forms have the same names.
pub(super) const SAMPLES: &str = "seq,source,outfall,taken,by,typed_by,quantity,value,unit,detection,method,laboratory,number,\
                                  note,files,replaces,reason,replaced_by,entered,clock";
/// Likewise.
pub(super) const PATROLS: &str =
    "seq,source,outfall,at,by,typed_by,state,finding,files,replaces,reason,replaced_by,entered,clock";

/// The lines of a record, if it is an entry of this kind of a time that is wanted. `replaced`: the entries that another one took
/// the place of.
pub(super) fn lines(
    filter: &Filter<'_>,
    kind: ManualKind,
    record: &RecordAt,
    replaced: &BTreeMap<Seq, Seq>,
) -> Vec<String> {
    let Body::Manual(manual) = &record.record.body else { return Vec::new() };
    if !filter.takes_time(manual.entry().at_ms.0) {
        return Vec::new();
    }
    let line = |heading: &str, facts: Vec<Value>| {
        let begun = begun(record.seq, manual.entry());
        let ended = ended(record, manual.entry(), replaced.get(&record.seq).copied());
        written(filter, heading, [begun, facts, ended].concat())
    };
    match (kind, manual) {
        (ManualKind::Samples, Manual::Sample(sample)) => {
            let wanted = sample.values.iter().filter(|value| filter.takes_quantity(&value.quantity));
            wanted.map(|value| line(SAMPLES, value_facts(sample, value))).collect()
        }
        (ManualKind::Patrols, Manual::Patrol(patrol)) => {
            let Patrol { finding, state, .. } = &**patrol;
            vec![line(PATROLS, vec![json!(state.map(|state| state.as_str())), json!(finding)])]
        }
        _ => Vec::new(),
    }
}

fn begun(seq: Seq, entry: &Entry) -> Vec<Value> {
    let typed_by = actor(&entry.by, Lang::En);
    let Entry { outfall, at_ms, person, .. } = entry;
    // Every line says of itself that a person entered it.
    vec![json!(seq), json!("manual"), json!(outfall), json!(output::time(*at_ms)), json!(person), json!(typed_by)]
}

fn value_facts(sample: &ManualSample, value: &ManualValue) -> Vec<Value> {
    let ManualSample { laboratory, number, note, .. } = sample;
    let ManualValue { quantity, unit, value, detection, method } = value;
    vec![
        json!(quantity),
        json!(value),
        json!(unit),
        json!(detection.as_str()),
        json!(method),
        json!(laboratory),
        json!(number),
        json!(note),
    ]
}

fn ended(record: &RecordAt, entry: &Entry, replaced_by: Option<Seq>) -> Vec<Value> {
    // `report.pdf 9f86d0…; photo.jpg 60303a…`
    let file = |AttachedFile { name, sha256 }: &AttachedFile| format!("{name} {}", hex::encode(sha256));
    let files = entry.files.iter().map(file).collect::<Vec<_>>().join("; ");
    let (replaces, stamp) = (entry.replaces.as_ref(), &record.record.stamp);
    vec![
        json!(files),
        json!(replaces.map(|of| of.seq)),
        json!(replaces.map(|of| &of.reason)),
        json!(replaced_by),
        json!(output::time(stamp.wall_ms)),
        json!(stamp.clock.as_str()),
    ]
}

/// As a line of RFC 4180 under its heading, or as an object.
fn written(filter: &Filter<'_>, heading: &str, facts: Vec<Value>) -> String {
    if !filter.csv() {
        let object: Map<String, Value> = heading.split(',').map(str::to_owned).zip(facts).collect();
        return Value::Object(object).to_string() + "\n";
    }
    let cell = |fact: Value| match fact {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Texts in memory: nothing of it can be refused.
    let row = writer.write_record(facts.into_iter().map(cell)).ok().and_then(|()| writer.into_inner().ok());
    row.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
