//! `weir alarm`: the alarms that stand, and saying that somebody has seen one.

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};
use gatewayd::status::AlarmStatus;
use record::{Act, RuleId, RuleIdError, SourceId, SourceIdError, UnixMs};
use serde_json::json;

use crate::audit;
use crate::cli::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};
use crate::status::{ask_gateway, show_alarm, suppressed};

/// `weir alarm`
#[derive(Debug, Subcommand)]
pub(crate) enum AlarmCommand {
    /// What stands, the most urgent first; also what came back by itself and nobody has seen.
    List(ListArgs),
    /// Set an alarm aside for some hours: it goes on being judged, journaled and delivered, and is not shown as wrong.
    Shelve(ShelveArgs),
    /// Show a shelved alarm again.
    Unshelve(AlarmArgs),
    /// Let go an alarm whose rule has it latch: acknowledged, and its value is back.
    Reset(AlarmArgs),
    /// Say that you have seen an alarm. It stays until the value is back; one that came back already is over.
    Ack(AlarmArgs),
}

/// `weir alarm list`
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Also those that their rules suppress while something else holds; `--json` always has them.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: Output,
}

/// `weir alarm shelve`
#[derive(Debug, Args)]
pub(crate) struct ShelveArgs {
    #[command(flatten)]
    alarm: AlarmArgs,
    /// For so many hours, at most 24.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=24))]
    hours: u32,
}

/// Which alarm, and why.
#[derive(Debug, Args)]
pub(crate) struct AlarmArgs {
    /// The rule, as `weir alarm list` shows it.
    #[arg(value_parser = |text: &str| -> Result<RuleId, RuleIdError> { RuleId::new(text) })]
    rule: RuleId,
    /// The device.
    #[arg(value_parser = |text: &str| -> Result<SourceId, SourceIdError> { SourceId::new(text) })]
    device: SourceId,
    /// What you know of it. It is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// Does what was typed.
pub(crate) fn run(command: &AlarmCommand, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    match command {
        AlarmCommand::List(args) => list(run_dir, args, lang),
        AlarmCommand::Ack(args) => {
            order(Act::Acknowledged { rule: args.rule.clone(), source: args.device.clone() }, args, run_dir, lang)
        }
        AlarmCommand::Reset(args) => {
            order(Act::Reset { rule: args.rule.clone(), source: args.device.clone() }, args, run_dir, lang)
        }
        AlarmCommand::Shelve(ShelveArgs { alarm, hours }) => shelve(alarm, Some(*hours), run_dir, lang),
        AlarmCommand::Unshelve(alarm) => shelve(alarm, None, run_dir, lang),
    }
}

/// Lists what stands. An alarm that stands is not well.
fn list(
    run_dir: &Path,
    ListArgs { all, output: Output { json } }: &ListArgs,
    lang: Lang,
) -> Result<Exit, CommandError> {
    let json = *json;
    let alarms = ask_gateway(run_dir)?.alarms;
    let is_waiting = |alarm: &AlarmStatus| alarm.state.ends_with("unacknowledged") && !is_set_aside(alarm);
    let is_hidden = |alarm: &AlarmStatus| !all && alarm.suppression.is_some();
    let mut shown = alarms.iter().filter(|alarm| !is_hidden(alarm)).peekable();
    let mut out = output::stdout();
    if json {
        line(&mut out, &json!({ "alarms": alarms }).to_string())?;
    } else if shown.peek().is_none() {
        line(&mut out, lang.pick("no alarm stands", "当前没有报警"))?;
    } else {
        shown.try_for_each(|alarm| line(&mut out, &show_alarm(alarm, lang)))?;
    }
    if let Some(note) = suppressed(alarms.iter().filter(|alarm| !json && is_hidden(alarm)).count(), lang) {
        line(&mut out, &note)?;
    }
    if let Some(AlarmStatus { rule, source, .. }) = alarms.iter().find(|alarm| !json && is_waiting(alarm)) {
        let text = lang.pick("once someone has seen it", "有人查看后");
        line(&mut out, &format!("{text} · try: weir alarm ack {rule} {source} --reason TEXT"))?;
    }
    let is_to_be_reset = |alarm: &&AlarmStatus| alarm.is_cleared && alarm.state == "acknowledged";
    if let Some(AlarmStatus { rule, source, .. }) = alarms.iter().find(|alarm| !json && is_to_be_reset(alarm)) {
        let text = lang.pick("its cause is mended", "原因已消除");
        line(&mut out, &format!("{text} · try: weir alarm reset {rule} {source} --reason TEXT"))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if alarms.iter().all(is_set_aside) { Exit::Good } else { Exit::NotWell })
}

/// Whether somebody, or its rule, says that nothing needs to be done about it now.
fn is_set_aside(alarm: &AlarmStatus) -> bool {
    alarm.shelved_until_ms.is_some() || alarm.suppression.is_some()
}

/// Has it journaled that an alarm is set aside, by the box's clock, or is no more.
fn shelve(args: &AlarmArgs, hours: Option<u32>, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let AlarmArgs { rule, device, reason, json } = args;
    let now_ms = ask_gateway(run_dir)?.clock.wall_ms;
    let until_ms = hours.map(|hours| UnixMs(now_ms.saturating_add(i64::from(hours) * 3_600_000)));
    let act = Act::Shelved { rule: rule.clone(), source: device.clone(), until_ms };
    let seq = audit::order(run_dir, &act, reason)?;
    let mut out = output::stdout();
    let text = match (json, until_ms.map(output::time), lang) {
        (true, ..) => json!({ "rule": rule, "source": device, "until_ms": until_ms, "seq": seq }).to_string(),
        (false, Some(until), Lang::En) => format!("alarm {rule} of {device} shelved until {until}, record {seq}"),
        (false, Some(until), Lang::Zh) => format!("已搁置 {device} 的报警 {rule}，至 {until}，记录号 {seq}"),
        (false, None, Lang::En) => format!("alarm {rule} of {device} is shelved no more, record {seq}"),
        (false, None, Lang::Zh) => format!("已取消搁置 {device} 的报警 {rule}，记录号 {seq}"),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// Has it journaled that somebody has seen an alarm, or resets it.
fn order(act: Act, args: &AlarmArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let AlarmArgs { rule, device, reason, json } = args;
    let seq = audit::order(run_dir, &act, reason)?;
    let mut out = output::stdout();
    let done = match act {
        Act::Reset { .. } => lang.pick("reset", "已复位"),
        _ => lang.pick("acknowledged", "已确认"),
    };
    let text = match (json, lang) {
        (true, _) => json!({ "rule": rule, "source": device, "seq": seq }).to_string(),
        (false, Lang::En) => format!("alarm {rule} of {device} {done}, journaled as record {seq}"),
        (false, Lang::Zh) => format!("{done} {device} 的报警 {rule}，记录号 {seq}"),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}
