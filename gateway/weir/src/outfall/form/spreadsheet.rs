//! Dossiers as CSV (RFC 4180): a line for each outfall under a heading. Lists stand in a cell as JSON.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Writer};
use record::Dossier;
use serde_json::{Map, Value};

use super::FormError;
use crate::lang::Lang;

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Text,
    Flag,
    List,
}

/// Every column: where it stands in a dossier, its Chinese heading, what its cells hold.
const COLUMNS: [(&str, &str, Cell); 45] = [
    ("code", "国家统一赋码", Cell::Text),
    ("local_code", "省市自有编码", Cell::Text),
    ("name", "名称", Cell::Text),
    ("class", "分类", Cell::Text),
    ("state", "状态", Cell::Text),
    ("state_since", "状态起始日期", Cell::Text),
    ("position.longitude", "经度", Cell::Text),
    ("position.latitude", "纬度", Cell::Text),
    ("position.datum", "坐标系", Cell::Text),
    ("place.division", "行政区划代码", Cell::Text),
    ("place.county", "省市区县", Cell::Text),
    ("place.town", "乡镇（街道）", Cell::Text),
    ("place.address", "位置", Cell::Text),
    ("water.name", "受纳水体", Cell::Text),
    ("water.basin", "所属水系、流域", Cell::Text),
    ("water.key_water", "是否重点河湖", Cell::Flag),
    ("water.lake", "是否湖泊或入湖河流", Cell::Flag),
    ("water.functional_zone.name", "水功能区", Cell::Text),
    ("water.functional_zone.target", "水功能区水质目标", Cell::Text),
    ("water.functional_zone.attained", "水功能区是否达标", Cell::Flag),
    ("water.environment_zone.name", "水环境功能区", Cell::Text),
    ("water.environment_zone.target", "水环境功能区水质目标", Cell::Text),
    ("water.environment_zone.attained", "水环境功能区是否达标", Cell::Flag),
    ("water.sections", "考核断面", Cell::List),
    ("channel.kind", "排污通道类型", Cell::Text),
    ("channel.name", "排污通道", Cell::Text),
    ("discharge.pattern", "排放方式", Cell::Text),
    ("discharge.sewage", "污水类型", Cell::Text),
    ("discharge.mouth", "口门形态", Cell::Text),
    ("discharge.volume_m3_per_day", "登记排放量（m³/d）", Cell::Text),
    ("discharge.toxic", "是否排放有毒有害污染物", Cell::Flag),
    ("discharge.above_scale", "是否规模以上", Cell::Flag),
    ("discharge.can_be_sampled", "是否具备采样条件", Cell::Flag),
    ("discharge.approval", "审批登记情况", Cell::Text),
    ("flood_safety", "是否涉及行洪排涝安全", Cell::Flag),
    ("dischargers", "排污单位", Cell::List),
    ("responsible", "责任主体", Cell::List),
    ("limit_sets", "限值", Cell::List),
    ("river_chiefs", "河长", Cell::List),
    ("remediation.kind", "整治类型", Cell::Text),
    ("remediation.due", "整治时限", Cell::Text),
    ("remediation.done", "整治完成日期", Cell::Text),
    ("remediation.proof", "证明材料", Cell::Text),
    ("remediation.standardised", "是否完成规范化建设", Cell::Flag),
    ("note", "备注", Cell::Text),
];

/// The headings, for whoever typed another one.
pub(super) fn known() -> String {
    COLUMNS.map(|(path, _, _)| path).join(", ")
}

/// Reads the text of a file. A heading may be the path or the Chinese one.
pub(super) fn parse(text: &str, path: &Path) -> Result<Vec<Dossier>, FormError> {
    let wrong = |line: u64, why: String| FormError::Line { path: path.to_owned(), line, why };
    let mut reader = ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let headings = reader.headers().map_err(|_| wrong(1, "no heading of CSV".into()))?.clone();
    let column = |heading: &str| {
        let known = COLUMNS.iter().find(|(path, chinese, _)| [*path, *chinese].contains(&heading.trim()));
        known.ok_or_else(|| FormError::Column { path: path.to_owned(), column: heading.chars().take(60).collect() })
    };
    let columns: Vec<_> = headings.iter().map(column).collect::<Result<_, _>>()?;
    let mut dossiers = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            wrong(line, "not a row of CSV with as many cells as the heading".into())
        })?;
        let line = row.position().map_or(0, csv::Position::line);
        if row.iter().any(|cell| !cell.trim().is_empty()) {
            dossiers.push(dossier(&columns, &row).map_err(|why| wrong(line, why))?);
        }
    }
    Ok(dossiers)
}

fn dossier(columns: &[&(&str, &str, Cell)], row: &StringRecord) -> Result<Dossier, String> {
    let mut filled: Vec<(&str, Value)> = Vec::new();
    for ((path, _, holds), cell) in columns.iter().zip(row.iter()) {
        let cell = cell.trim();
        if !cell.is_empty() {
            filled.push((path, value(*holds, cell).map_err(|why| format!("`{path}`: {why}"))?));
        }
    }
    let read = |filled: &[(&str, Value)]| serde_json::from_value::<Dossier>(nested(filled)).map_err(|e| e.to_string());
    read(&filled).map_err(|why| {
        // The cell without which another thing is said is the one that is wrong.
        let blamed = (0..filled.len()).find(|at| {
            let others: Vec<_> =
                filled.iter().enumerate().filter(|(n, _)| n != at).map(|(_, cell)| cell.clone()).collect();
            !why.starts_with("missing field") && read(&others).err().is_none_or(|other| other != why)
        });
        blamed.map_or(why.clone(), |at| format!("`{}`: {why}", filled[at].0))
    })
}

fn value(holds: Cell, cell: &str) -> Result<Value, String> {
    match (holds, cell) {
        (Cell::Text, text) => Ok(text.into()),
        (Cell::Flag, "true" | "TRUE" | "yes" | "是" | "1") => Ok(true.into()),
        (Cell::Flag, "false" | "FALSE" | "no" | "否" | "0") => Ok(false.into()),
        (Cell::Flag, other) => Err(format!("`{other}` is neither yes (true, 是, 1) nor no (false, 否, 0)")),
        (Cell::List, json) => serde_json::from_str::<Vec<Value>>(json)
            .map(Value::from)
            .map_err(|error| format!("no list in JSON: {error}")),
    }
}

/// Cells by their paths, as an object of objects.
fn nested(cells: &[(&str, Value)]) -> Value {
    let mut root = Map::new();
    for (path, value) in cells {
        let mut at = &mut root;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                at.insert(part.to_owned(), value.clone());
                break;
            }
            let inner = at.entry(part).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(inner) = inner else { break };
            at = inner;
        }
    }
    Value::Object(root)
}

/// The text of a file: UTF-8 with a byte order mark, by which spreadsheets know that it is no other encoding.
pub(super) fn text(dossiers: &[Dossier], lang: Lang) -> String {
    let mut writer = Writer::from_writer(Vec::new());
    let headings = COLUMNS.map(|(path, chinese, _)| lang.pick(path, chinese));
    // Writing to memory does not fail.
    let _ = writer.write_record(headings);
    for dossier in dossiers {
        let json = serde_json::to_value(dossier).unwrap_or_default();
        let cells = COLUMNS.map(|(path, _, _)| match json.pointer(&format!("/{}", path.replace('.', "/"))) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        });
        let _ = writer.write_record(cells);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    format!("\u{feff}{}", String::from_utf8_lossy(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each leaf of a dossier has its column, and no column is of nothing.
    #[test]
    fn the_columns_are_all_that_a_dossier_has() {
        fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
            match value {
                Value::Object(object) => object.iter().for_each(|(key, value)| {
                    leaves(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, found);
                }),
                _ => found.push(path.to_owned()),
            }
        }
        let mut json: Value =
            serde_json::from_str(include_str!("../../../../../sync/record/tests/outfall.json")).unwrap();
        json["water"]["environment_zone"]["attained"] = true.into();
        let (mut found, mut columns) = (Vec::new(), COLUMNS.map(|(path, _, _)| path.to_owned()).to_vec());
        leaves(&json, "", &mut found);
        found.sort();
        columns.sort();
        assert_eq!(found, columns);
    }
}
