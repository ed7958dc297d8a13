//! `weir notify`: who was told of which alarm, and whether a message would arrive.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use syncd::status::{EpisodeStatus, NotifyStatus, ToldStatus};

use crate::cli::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};

/// A level of sixteen channels that all hang for a minute.
const TEST_PATIENCE: Duration = Duration::from_secs(16 * 60 + 10);

/// `weir notify`
#[derive(Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// Who was told of which alarm, and what waits.
    List(Output),
    /// Send a message that says it is a test, by each channel of a level, or by one channel.
    Test(TestArgs),
}

/// `weir notify test`
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The level or the channel, as notify.toml names it.
    #[arg(value_name = "LEVEL|CHANNEL")]
    target: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// Does what was typed.
pub(crate) fn run(command: &NotifyCommand, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    match command {
        NotifyCommand::List(output) => list(run_dir, output.json, lang),
        NotifyCommand::Test(args) => test(args, run_dir, lang),
    }
}

/// Lists it. A channel that takes nothing is not well, and neither is an alarm that nobody has seen.
fn list(run_dir: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let mut answer =
        control::ask(&run_dir.join("sync.sock"), &json!({"do": "notify"})).map_err(CommandError::AskSync)?;
    let view: NotifyStatus =
        serde_json::from_value(answer["notify"].take()).map_err(|error| CommandError::NoStatus(error.to_string()))?;
    let mut out = output::stdout();
    if json {
        line(&mut out, &json!({ "notify": view }).to_string())?;
    } else {
        print(&mut out, &view, lang)?;
    }
    out.flush().map_err(CommandError::output)?;
    let is_well = view.unseen == 0 && view.unheld == 0 && view.channels.iter().all(|channel| channel.error.is_none());
    Ok(if is_well { Exit::Good } else { Exit::NotWell })
}

fn print(out: &mut impl Write, view: &NotifyStatus, lang: Lang) -> Result<(), CommandError> {
    for line_of in status_lines(view, lang) {
        line(out, &line_of)?;
    }
    if view.episodes.is_empty() {
        return line(out, lang.pick("nobody had to be told of anything yet", "尚无需要通知的报警"));
    }
    let heading = match lang {
        Lang::En => ["record", "alarm", "state", "level", "who was told"],
        Lang::Zh => ["记录号", "报警", "状态", "级别", "通知情况"],
    };
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for EpisodeStatus { alarm, rule, source, state, level, told, .. } in &view.episodes {
        let told: Vec<String> = told.iter().map(|told| show_told(told, lang)).collect();
        let state = match state.as_str() {
            "unacknowledged" => lang.pick("unacknowledged", "未确认"),
            "acknowledged" => lang.pick("acknowledged", "已确认"),
            "returned_unacknowledged" => lang.pick("came back, unacknowledged", "已恢复，未确认"),
            _ => lang.pick("normal", "正常"),
        };
        rows.push(vec![alarm.to_string(), format!("{rule} {source}"), state.into(), level.clone(), told.join(", ")]);
    }
    table(out, &rows)
}

fn show_told(told: &ToldStatus, lang: Lang) -> String {
    let waits = match (told.waits.as_deref(), lang) {
        (None, _) => "",
        (Some("clear"), Lang::En) => " (all-clear waits)",
        (Some("clear"), Lang::Zh) => "（恢复消息待发）",
        (Some(_), Lang::En) => " (waits)",
        (Some(_), Lang::Zh) => "（待发）",
    };
    let doubt = if told.is_in_doubt { "?" } else { "" };
    format!("{} ×{}{doubt}{waits}", told.channel, told.delivered)
}

/// How people are told, in a line for each thing that matters.
pub(crate) fn status_lines(view: &NotifyStatus, lang: Lang) -> Vec<String> {
    let NotifyStatus { unseen, waiting, channels, .. } = view;
    let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
    let names = names.join(", ");
    vec![match lang {
        Lang::En => format!("people are told by {names}  alarms nobody has seen {unseen}  messages waiting {waiting}"),
        Lang::Zh => format!("报警通知渠道 {names}  无人确认的报警 {unseen}  待发消息 {waiting}"),
    }]
}

/// What is wrong with it.
pub(crate) fn what_is_wrong(view: &NotifyStatus, lang: Lang) -> Vec<String> {
    let failing = view.channels.iter().filter_map(|channel| Some((&channel.name, channel.error.as_ref()?)));
    let text = lang.pick("tells nobody", "通知失败");
    let mut wrong: Vec<String> =
        failing.map(|(name, error)| format!("{name} {text}: {error} · try: weir notify test {name}")).collect();
    if view.unheld > 0 {
        let text = lang.pick("alarms are more than can be told: nobody hears of", "报警过多，未能通知的条数");
        wrong.push(format!("{text} {} · try: weir alarm list", view.unheld));
    }
    wrong
}

/// Has the upload daemon send it.
fn test(args: &TestArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let request = json!({"do": "notify_test", "target": args.target});
    let answer =
        control::ask_within(&run_dir.join("sync.sock"), &request, TEST_PATIENCE).map_err(CommandError::AskSync)?;
    let tested = answer["tested"].as_array().cloned().unwrap_or_default();
    let mut out = output::stdout();
    if args.json {
        line(&mut out, &json!({ "tested": tested }).to_string())?;
    } else {
        for one in &tested {
            line(&mut out, &show_tested(one, lang))?;
        }
    }
    out.flush().map_err(CommandError::output)?;
    let is_well = !tested.is_empty() && tested.iter().all(|one| one["delivered"] == true);
    Ok(if is_well { Exit::Good } else { Exit::NotWell })
}

fn show_tested(one: &Value, lang: Lang) -> String {
    let channel = one["channel"].as_str().unwrap_or_default();
    match one["why"].as_str() {
        None => format!("{channel}: {}", lang.pick("it has the test message", "测试消息已送达")),
        Some(why) => format!(
            "{channel}: {} {} · try: weir config check /etc/weir/notify.toml",
            lang.pick("it did not confirm the test message:", "测试消息未确认送达："),
            lang.told(why)
        ),
    }
}
