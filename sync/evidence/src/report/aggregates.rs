//! What readings came to over times of the clock, as the box had it journaled.

use record::{AggregateValue, Body};

use super::html::{heading, paragraph, table};
use super::local_time;
use super::sections::ROWS_MAX;
use crate::log::Log;

/// A row for each value; nothing where no aggregate is in the file.
pub(super) fn section(log: &Log) -> String {
    let mut rows = Vec::new();
    for at in &log.records {
        let Body::Aggregate(of) = &at.record.body else { continue };
        let outfall = of.outfall.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string);
        for value in &of.values {
            let window = format!("{} · {}", local_time(of.from_ms), of.period);
            let mut row = vec![at.seq.to_string(), window, of.source.to_string(), outfall.clone()];
            row.extend(cells(value, of.period.parts()));
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        ("编号", "record"),
        ("起始时间 · 周期", "from · period"),
        ("设备", "device"),
        ("排污口", "outfall"),
        ("监测项目", "quantity"),
        ("均值", "mean"),
        ("最小", "lowest"),
        ("最大", "highest"),
        ("水量", "volume, m3"),
        ("有效 / 存疑", "good / doubtful"),
        ("有数据时段", "parts with data"),
    ];
    let note = paragraph(
        "均值为各时段（一小时以下为分钟，一小时及以上为十分钟）均值的算术平均；仅计有效数据，迟到数据不计入。",
        "A mean is the arithmetic one of the means of the parts (minutes below an hour, ten minutes from an hour on). Only good \
         readings count, and none that came too late.",
    );
    heading("统计值", "Aggregates") + &note + &table(&head, &rows, ROWS_MAX)
}

fn cells(value: &AggregateValue, parts_all: u32) -> [String; 7] {
    let AggregateValue { quantity, unit, good, doubtful, parts, statistics } = value;
    let number = |number: Option<record::Decimal>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
    [
        format!("{quantity} ({unit})"),
        number(statistics.map(|of| of.mean)),
        number(statistics.map(|of| of.min)),
        number(statistics.map(|of| of.max)),
        number(statistics.and_then(|of| of.volume_m3)),
        format!("{good} / {doubtful}"),
        format!("{parts} / {parts_all}"),
    ]
}
