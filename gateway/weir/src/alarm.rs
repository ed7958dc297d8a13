//! `weir alarm`: the alarms that stand, and saying that somebody has seen one.

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};
use gatewayd::status::AlarmStatus;
use record::{Act, RuleId, RuleIdError, SourceId, SourceIdError};
use serde_json::json;

use crate::audit;
use crate::cli::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};
use crate::status::{ask_gateway, show_alarm};

/// `weir alarm`
#[derive(Debug, Subcommand)]
pub(crate) enum AlarmCommand {
    /// What stands, the most urgent first; also what came back by itself and nobody has seen.
    List(Output),
    /// Say that you have seen an alarm. It stays until the value is back; one that came back already is over.
    Ack(AckArgs),
}

/// `weir alarm ack`
#[derive(Debug, Args)]
pub(crate) struct AckArgs {
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
        AlarmCommand::List(output) => list(run_dir, output.json, lang),
        AlarmCommand::Ack(args) => ack(args, run_dir, lang),
    }
}

/// Lists what stands. An alarm that stands is not well.
fn list(run_dir: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let alarms = ask_gateway(run_dir)?.alarms;
    let is_waiting = |alarm: &AlarmStatus| alarm.state.ends_with("unacknowledged");
    let mut out = output::stdout();
    if json {
        line(&mut out, &json!({ "alarms": alarms }).to_string())?;
    } else if alarms.is_empty() {
        line(&mut out, lang.pick("no alarm stands", "当前没有报警"))?;
    } else {
        alarms.iter().try_for_each(|alarm| line(&mut out, &show_alarm(alarm, lang)))?;
    }
    if let Some(AlarmStatus { rule, source, .. }) = alarms.iter().find(|alarm| !json && is_waiting(alarm)) {
        let text = lang.pick("someone has seen it", "已有人处理");
        line(&mut out, &format!("{text} · try: weir alarm ack {rule} {source} --reason TEXT"))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if alarms.is_empty() { Exit::Good } else { Exit::NotWell })
}

/// Has it journaled that somebody has seen an alarm.
fn ack(args: &AckArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let AckArgs { rule, device, reason, json } = args;
    let act = Act::Acknowledged { rule: rule.clone(), source: device.clone() };
    let seq = audit::order(run_dir, &act, reason)?;
    let mut out = output::stdout();
    let text = match (json, lang) {
        (true, _) => json!({ "rule": rule, "source": device, "seq": seq }).to_string(),
        (false, Lang::En) => format!("alarm {rule} of {device} acknowledged, journaled as record {seq}"),
        (false, Lang::Zh) => format!("已确认 {device} 的报警 {rule}，记录号 {seq}"),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}
