//! What was entered, for people and programs.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::path::Path;

use journal::{Reader, for_each_manual};
use record::{Manual, Seq, SeqRange, Stamp};
use serde_json::{Value, json};

use super::ListArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};
use crate::tail::manual;

/// Most entries of a list, the newest; `weir export` has all.
const LISTED_MAX: usize = 500;

/// One entry with its record.
struct Listed {
    seq: Seq,
    stamp: Stamp,
    manual: Manual,
}

/// Lists samples.
pub(super) fn samples(args: &ListArgs, state_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let heading = match lang {
        Lang::En => ["record", "taken", "outfall", "by", "found", "laboratory, number", "replaced"],
        Lang::Zh => ["记录号", "采样时间", "排污口", "采样人", "结果", "检测机构、样品编号", "是否被取代"],
    };
    list(args, state_dir, "sample", &heading, lang)
}

/// Lists patrols.
pub(super) fn patrols(args: &ListArgs, state_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let heading = match lang {
        Lang::En => ["record", "time", "outfall", "by", "finding", "state", "replaced"],
        Lang::Zh => ["记录号", "巡查时间", "排污口", "巡查人", "情况", "状态", "是否被取代"],
    };
    list(args, state_dir, "patrol", &heading, lang)
}

/// Of each entry that another one took the place of, that one.
pub(crate) fn replaced(reader: &Reader) -> Result<BTreeMap<Seq, Seq>, CommandError> {
    let mut replaced = BTreeMap::new();
    for_each_manual(reader, all(), |at, manual| note(at.seq, manual, &mut replaced)).map_err(CommandError::Store)?;
    Ok(replaced)
}

fn note(seq: Seq, manual: &Manual, replaced: &mut BTreeMap<Seq, Seq>) {
    if let Some(of) = &manual.entry().replaces {
        replaced.entry(of.seq).or_insert(seq);
    }
}

fn all() -> SeqRange {
    SeqRange { first: Seq(0), last: Seq(i64::MAX.cast_unsigned()) }
}

fn list(args: &ListArgs, state_dir: &Path, what: &str, heading: &[&str], lang: Lang) -> Result<Exit, CommandError> {
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let (mut entries, mut replaced, mut older) = (VecDeque::new(), BTreeMap::new(), 0_u64);
    for_each_manual(&reader, all(), |at, manual| {
        note(at.seq, manual, &mut replaced);
        let is_wanted = args.outfall.as_ref().is_none_or(|code| *code == manual.entry().outfall);
        if manual.as_str() == what && is_wanted {
            entries.push_back(Listed { seq: at.seq, stamp: at.record.stamp, manual: manual.clone() });
        }
        if entries.len() > LISTED_MAX {
            entries.pop_front();
            older += 1;
        }
    })
    .map_err(CommandError::Store)?;
    let by = |entry: &Listed| replaced.get(&entry.seq).copied();
    let mut out = output::stdout();
    if args.json {
        let shown: Vec<Value> = entries.iter().map(|entry| as_json(entry, by(entry))).collect();
        line(&mut out, &json!({ "entries": shown, "older": older }).to_string())?;
    } else if entries.is_empty() {
        line(&mut out, lang.pick("nothing was entered", "尚无录入"))?;
    } else {
        let rows = entries.iter().map(|entry| row(entry, by(entry), lang));
        let rows: Vec<Vec<String>> =
            std::iter::once(heading.iter().map(ToString::to_string).collect()).chain(rows).collect();
        table(&mut out, &rows)?;
        if older > 0 {
            let text = match lang {
                Lang::En => format!("{older} older ones are not listed · try: weir export --manual, --patrols"),
                Lang::Zh => format!("另有 {older} 条较早的未列出 · try: weir export --manual, --patrols"),
            };
            line(&mut out, &text)?;
        }
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

fn as_json(listed: &Listed, replaced_by: Option<Seq>) -> Value {
    // An entry has nothing that JSON lacks.
    let mut shown = serde_json::to_value(&listed.manual).unwrap_or_default();
    shown["source"] = json!("manual");
    shown["seq"] = json!(listed.seq);
    shown["wall_ms"] = json!(listed.stamp.wall_ms);
    shown["clock"] = json!(listed.stamp.clock.as_str());
    shown["replaced_by"] = json!(replaced_by);
    shown
}

fn row(listed: &Listed, replaced_by: Option<Seq>, lang: Lang) -> Vec<String> {
    let entry = listed.manual.entry();
    let (found, more) = match &listed.manual {
        Manual::Sample(sample) => {
            let of = [sample.laboratory.as_ref().map(|of| of.as_str()), sample.number.as_ref().map(|of| of.as_str())];
            let of: Vec<&str> = of.into_iter().flatten().collect();
            (manual::values(&sample.values, lang), of.join(lang.pick(", ", "，")))
        }
        Manual::Patrol(patrol) => {
            let state = patrol.state.map_or("", |state| lang.pick(state.english(), state.chinese()));
            (patrol.finding.to_string(), state.to_owned())
        }
    };
    let replaced = replaced_by.map_or_else(String::new, |by| match lang {
        Lang::En => format!("by record {by}"),
        Lang::Zh => format!("被记录 {by} 取代"),
    });
    vec![
        listed.seq.to_string(),
        output::time(entry.at_ms),
        entry.outfall.to_string(),
        entry.person.to_string(),
        found,
        more,
        replaced,
    ]
}
