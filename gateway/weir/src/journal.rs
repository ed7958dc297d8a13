//! `weir journal`: what is stored and whether it is whole, and saving what can be read of a damaged one.

use std::io::Write;
use std::path::Path;

use journal::{Reader, Segment, Stage, check};
use record::{Seq, SeqRange, SeqRanges};
use serde_json::json;

use crate::cli::JournalCommand;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};

/// Does what was typed.
pub(crate) fn run(
    command: &JournalCommand,
    state_dir: &Path,
    run_dir: &Path,
    lang: Lang,
) -> Result<Exit, CommandError> {
    match command {
        JournalCommand::Check { json } => check_all(&state_dir.join("journal/journal.db"), *json, lang),
        JournalCommand::Salvage => salvage(run_dir, lang),
    }
}

/// A part of the journal, as it is found.
struct Part {
    segment: Segment,
    damaged: SeqRanges,
}

/// Reads everything that is stored, beside the running gateway.
fn check_all(path: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let reader = Reader::open(path).map_err(CommandError::Store)?;
    let end = reader.position().map_err(CommandError::Store)?.end;
    let mut parts = Vec::new();
    for segment in reader.segments().map_err(CommandError::Store)? {
        let damaged = check(&reader, &segment).map_err(CommandError::Store)?;
        parts.push(Part { segment, damaged });
    }
    let last = Seq(end.0.saturating_sub(1));
    let all = SeqRange { first: Seq(0), last };
    let gone = if end == Seq(0) { SeqRanges::new() } else { reader.unreadable(all).map_err(CommandError::Store)? };
    let well = parts.iter().all(|part| part.damaged.is_empty());
    let mut out = output::stdout();
    if json {
        let shown = parts.iter().map(|part| {
            let Part { segment, damaged } = part;
            json!({"first": segment.first, "last": segment.last, "stage": segment.stage.as_str(),
                "bytes": segment.bytes, "damaged": damaged})
        });
        let shown = json!({"well": well, "end": end, "gone": gone.len(), "parts": shown.collect::<Vec<_>>()});
        line(&mut out, &shown.to_string())?;
    } else {
        print(&mut out, &parts, last, gone.len(), lang)?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if well { Exit::Good } else { Exit::NotWell })
}

fn print(out: &mut impl Write, parts: &[Part], last: Seq, gone: u64, lang: Lang) -> Result<(), CommandError> {
    let heading = match lang {
        Lang::En => ["records", "what is left", "bytes", "damaged"],
        Lang::Zh => ["记录", "保留内容", "字节", "损坏"],
    };
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for Part { segment, damaged } in parts {
        let records = format!("{}-{}", segment.first, segment.last.unwrap_or(last));
        rows.push(vec![
            records,
            left(segment.stage, lang).into(),
            segment.bytes.to_string(),
            damaged.len().to_string(),
        ]);
    }
    table(out, &rows)?;
    let text =
        lang.pick("records that can no longer be read, each told by a gap record", "已不可读的记录，均有缺口记录说明");
    line(out, &format!("{text}: {gone}"))?;
    for range in parts.iter().flat_map(|part| part.damaged.iter()) {
        let text = lang.pick("damaged", "损坏");
        line(out, &format!("! {text}: {range:?} · try: weir journal salvage"))?;
    }
    Ok(())
}

fn left(stage: Stage, lang: Lang) -> &'static str {
    match stage {
        Stage::Hot => lang.pick("all, newest", "全部（最新）"),
        Stage::Whole => lang.pick("all", "全部"),
        Stage::Thinned => lang.pick("a frame an hour", "每小时一帧"),
        Stage::Remnant => lang.pick("alarms", "报警"),
        Stage::Gone => lang.pick("nothing", "无"),
        Stage::Void => lang.pick("numbers never used", "从未使用的编号"),
    }
}

/// Has the gateway put the damaged database aside and go on with a new one of everything that can be read.
fn salvage(run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    control::ask(&run_dir.join("gateway.sock"), &json!({"do": "salvage"})).map_err(CommandError::Control)?;
    let text = lang.pick(
        "the gateway starts anew with everything that can be read; the old files are kept in journal/quarantine",
        "采集服务将以所有可读数据重新启动；原文件保存在 journal/quarantine",
    );
    let mut out = output::stdout();
    line(&mut out, &format!("{text} · try: weir status"))?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}
