//! What people entered by hand. It stands apart from all that devices measured, and under a sentence that says what it is worth.

use std::collections::BTreeMap;

use record::merkle::Hash;
use record::{AttachedFile, Body, Detection, Entry, Manual, ManualSample, ManualValue, RecordAt, Seq, TrueTime};

use super::html::{heading, paragraph, table};
use super::local_time;
use super::sections::{ROWS_MAX, actor, shown_time};
use crate::log::Log;

/// A row for each value; nothing where no sample is in the file.
pub(super) fn samples(log: &Log) -> String {
    let replaced = replaced(log);
    let mut rows = Vec::new();
    for (at, time) in log.timed() {
        let Body::Manual(Manual::Sample(sample)) = &at.record.body else { continue };
        let ManualSample { entry, values, laboratory, number, note } = &**sample;
        let words = [laboratory.as_ref().map(|of| of.as_str()), number.as_ref().map(|of| of.as_str())];
        let laboratory = words.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        for of in values {
            let mut row = begun(at.seq, entry);
            row.push(format!("{} ({})", of.quantity, of.unit));
            row.push(found(of));
            row.push(of.method.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string));
            row.push(laboratory.clone());
            row.push(more(note.as_ref().map(|note| note.as_str()), entry));
            row.extend(ended(at, time, entry, &replaced));
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        ("编号", "record"),
        ("采样时间（自述）", "taken, as told"),
        ("排污口", "outfall"),
        ("采样人（自述）", "by, as told"),
        ("监测项目", "quantity"),
        ("结果", "found"),
        ("分析方法", "method"),
        ("检测机构 · 样品编号", "laboratory · number"),
        ("备注 · 文件", "note · files"),
        ("录入时间 · 录入人", "entered · by"),
        ("更正", "correction"),
    ];
    heading("手工监测（人工录入）", "Manual samples (entered by people)") + &worth() + &table(&head, &rows, ROWS_MAX)
}

/// A row for each patrol; nothing where none is in the file.
pub(super) fn patrols(log: &Log) -> String {
    let replaced = replaced(log);
    let mut rows = Vec::new();
    for (at, time) in log.timed() {
        let Body::Manual(Manual::Patrol(patrol)) = &at.record.body else { continue };
        let state =
            patrol.state.map_or_else(|| "–".to_owned(), |state| format!("{} {}", state.chinese(), state.english()));
        let mut row = begun(at.seq, &patrol.entry);
        row.extend([state, patrol.finding.to_string(), more(None, &patrol.entry)]);
        row.extend(ended(at, time, &patrol.entry, &replaced));
        rows.push(row);
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        ("编号", "record"),
        ("巡查时间（自述）", "time, as told"),
        ("排污口", "outfall"),
        ("巡查人（自述）", "by, as told"),
        ("状态", "state"),
        ("情况", "finding"),
        ("文件", "files"),
        ("录入时间 · 录入人", "entered · by"),
        ("更正", "correction"),
    ];
    heading("巡查（人工录入）", "Patrols (entered by people)") + &worth() + &table(&head, &rows, ROWS_MAX)
}

fn worth() -> String {
    paragraph(
        "以下为人工录入的陈述，不是设备监测数据，不参与报警、统计与曲线。已证明的仅是：当时由所列用户录入，此后未被更改；内容本身未经证明。",
        "What follows is the word of people and no data of devices: no alarm, mean or chart has any of it. Proven is only that it was \
         entered then, by that user of the box, and never altered since; what it says is not proven.",
    )
}

/// Of each entry that another one took the place of, that one.
fn replaced(log: &Log) -> BTreeMap<Seq, Seq> {
    let mut replaced = BTreeMap::new();
    for at in &log.records {
        if let Body::Manual(manual) = &at.record.body
            && let Some(of) = &manual.entry().replaces
        {
            replaced.entry(of.seq).or_insert(at.seq);
        }
    }
    replaced
}

fn begun(seq: Seq, entry: &Entry) -> Vec<String> {
    vec![seq.to_string(), local_time(entry.at_ms), entry.outfall.to_string(), entry.person.to_string()]
}

fn ended(at: &RecordAt, time: TrueTime, entry: &Entry, replaced: &BTreeMap<Seq, Seq>) -> [String; 2] {
    let by = replaced.get(&at.seq).map(|by| format!("被记录 {by} 取代 replaced by record {by}"));
    let of = entry.replaces.as_ref().map(|of| format!("取代记录 {0} replaces record {0}: {1}", of.seq, of.reason));
    let correction = [by, of].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    [format!("{} · {}", shown_time(at, time), actor(&entry.by)), correction]
}

fn found(of: &ManualValue) -> String {
    match of.detection {
        Detection::Found => of.value.to_string(),
        Detection::BelowLimit => format!("<{} 未检出", of.value),
    }
}

fn more(note: Option<&str>, entry: &Entry) -> String {
    let file = |AttachedFile { name, sha256 }: &AttachedFile| format!("{name} SHA-256 {}", Hash(*sha256));
    note.map(str::to_owned).into_iter().chain(entry.files.iter().map(file)).collect::<Vec<_>>().join(" · ")
}
