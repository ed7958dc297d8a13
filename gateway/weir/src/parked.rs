//! `weir sync parked | retry | drop`: what platforms refused, and sending it again or never.

use std::io::Write;
use std::path::Path;

use batch::{BatchId, Lane};
use journal::{Outbox, ParkedBatch};
use record::Act;
use serde_json::json;

use crate::audit;
use crate::cli::DropArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};

/// Digits of a batch's name that are shown to people, and more than enough to tell it.
const NAME_DIGITS: usize = 12;

/// A parked batch and the platform that refused it.
struct Parked {
    platform: String,
    id: BatchId,
    stored: ParkedBatch,
}

/// Everything that is parked.
fn read(state_dir: &Path) -> Result<Vec<Parked>, CommandError> {
    let outbox = Outbox::open_read_only(&state_dir.join("outbox/outbox.db")).map_err(CommandError::Store)?;
    let mut all = Vec::new();
    for platform in outbox.parking_destinations().map_err(CommandError::Store)? {
        let batches = outbox.parked_batches(&platform).map_err(CommandError::Store)?;
        let of_platform = |stored: ParkedBatch| {
            let id = BatchId(stored.batch.id);
            Parked { platform: platform.clone(), id, stored }
        };
        all.extend(batches.into_iter().map(of_platform));
    }
    Ok(all)
}

/// Lists it. Something parked is not well.
pub(crate) fn list(state_dir: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let all = read(state_dir)?;
    let mut out = output::stdout();
    if json {
        let shown = all.iter().map(|Parked { platform, id, stored }| {
            let lane = Lane::ALL.into_iter().find(|lane| *lane as u8 == stored.batch.lane).unwrap_or(Lane::Backlog);
            json!({"platform": platform, "batch": id.to_string(), "lane": lane.as_str(),
                "records": stored.batch.ranges.len(), "ranges": stored.batch.ranges,
                "bytes": stored.batch.bytes.len(), "reason": stored.reason})
        });
        line(&mut out, &json!({"parked": shown.collect::<Vec<_>>()}).to_string())?;
    } else {
        print(&mut out, &all, lang)?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if all.is_empty() { Exit::Good } else { Exit::NotWell })
}

fn print(out: &mut impl Write, all: &[Parked], lang: Lang) -> Result<(), CommandError> {
    if all.is_empty() {
        return line(out, lang.pick("no platform refused anything", "没有被平台拒收的数据"));
    }
    let heading = match lang {
        Lang::En => ["platform", "batch", "records", "numbers", "what the platform said"],
        Lang::Zh => ["平台", "批次", "记录数", "编号", "平台答复"],
    };
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for Parked { platform, id, stored } in all {
        let ranges = &stored.batch.ranges;
        let numbers = ranges.bounds().map_or_else(String::new, |bounds| match bounds.len() {
            1 => bounds.first.to_string(),
            _ => format!("{bounds:?}"),
        });
        let name = id.to_string().chars().take(NAME_DIGITS).collect();
        rows.push(vec![platform.clone(), name, ranges.len().to_string(), numbers, lang.told(&stored.reason)]);
    }
    table(out, &rows)?;
    let text = lang.pick("once the platform takes them", "平台可接收后重新发送");
    line(out, &format!("{text} · try: weir sync retry {}", all[0].platform))
}

/// Has the upload daemon send one or all again.
pub(crate) fn retry(
    platform: &str,
    batch: Option<&str>,
    (state_dir, run_dir): (&Path, &Path),
    json: bool,
    lang: Lang,
) -> Result<Exit, CommandError> {
    let id = batch.map(|prefix| find(state_dir, platform, prefix).map(|parked| parked.id)).transpose()?;
    let mut request = json!({"do": "retry", "destination": platform});
    if let Some(id) = id {
        request["batch"] = id.to_string().into();
    }
    let answer = control::ask(&run_dir.join("sync.sock"), &request).map_err(CommandError::AskSync)?;
    let mut out = output::stdout();
    if json {
        line(&mut out, &json!({"batches": answer["batches"]}).to_string())?;
    } else {
        let text = lang.pick("batches on their way again", "重新发送的批次");
        line(&mut out, &format!("{text}: {} · try: weir status", answer["batches"]))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// Has the gateway journal that a batch is given up, and then the upload daemon forget it.
pub(crate) fn drop_batch(
    args: &DropArgs,
    (state_dir, run_dir): (&Path, &Path),
    lang: Lang,
) -> Result<Exit, CommandError> {
    let DropArgs { platform, batch, reason, json } = args;
    let Parked { id, stored, .. } = find(state_dir, platform, batch)?;
    let mut audits = Vec::new();
    for records in stored.batch.ranges.iter() {
        let act = Act::Dropped { platform: platform.clone(), records };
        audits.push(audit::order(run_dir, &act, reason)?);
    }
    let request = json!({"do": "drop", "destination": platform, "batch": id.to_string(), "audits": audits});
    control::ask(&run_dir.join("sync.sock"), &request).map_err(CommandError::AskSync)?;
    let records = stored.batch.ranges.len();
    let mut out = output::stdout();
    if *json {
        line(&mut out, &json!({"batch": id.to_string(), "records": records, "audits": audits}).to_string())?;
    } else {
        let text = lang.pick("given up for", "不再发送至");
        let (records_text, journaled) =
            (lang.pick("records", "记录数"), lang.pick("journaled as record", "已记入日志，记录号"));
        let numbers: Vec<String> = audits.iter().map(ToString::to_string).collect();
        line(&mut out, &format!("{text} {platform}: {records_text} {records} · {journaled} {}", numbers.join(", ")))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// The one parked batch whose name begins so.
fn find(state_dir: &Path, platform: &str, prefix: &str) -> Result<Parked, CommandError> {
    let mut fitting = read(state_dir)?;
    fitting.retain(|parked| parked.platform == platform && parked.id.to_string().starts_with(prefix));
    match (fitting.pop(), fitting.len()) {
        (Some(parked), 0) => Ok(parked),
        (found, more) => {
            let count = more + usize::from(found.is_some());
            Err(CommandError::Parked { platform: platform.into(), prefix: prefix.into(), count })
        }
    }
}
