//! `weir rules explain`: what stands behind an alarm.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use ::rules::{Basis, Engine, Rule, RuleSet};
use journal::{Reader, StoreError};
use record::{AlarmTransition, Body, Decimal, LimitSide, Measure, RecordAt, Seq, SeqRange, TimeLine};
use serde_json::json;

use super::backtest::read_back;
use super::{ExplainArgs, RulesError, in_force};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::export::PAGE_BYTES;
use crate::grounds;
use crate::lang::Lang;
use crate::output::{self, line};
use crate::tail;
use crate::times::time_line;

/// Steps of the same alarm before this one that are shown.
const BEFORE_SHOWN: usize = 5;
/// Alarm numbers asked for at one time.
const ALARMS_PAGE: usize = 4_096;

/// Shows it.
pub(super) fn run(args: &ExplainArgs, dirs: (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let state_dir = dirs.0;
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(RulesError::Store)?;
    let at = read_one(&reader, Seq(args.seq))?.ok_or(RulesError::NoAlarm(args.seq))?;
    let Body::Alarm(alarm) = &at.record.body else { return Err(RulesError::NoAlarm(args.seq).into()) };
    let cause = read_one(&reader, alarm.cause)?;
    let before = steps_before(&reader, at.seq, alarm)?;
    let times = time_line(&reader, alarm.cause.min(at.seq)).map_err(RulesError::Store)?;
    // Whoever looks at another box's journal need not have its rules.
    let rules = in_force::rules(&args.rules, dirs).ok();
    let rule = rules.as_ref().map(|rules| rules.iter().find(|rule| rule.id == alarm.rule));
    let inputs = match (&rules, rule.flatten(), &cause) {
        (Some(rules), Some(Rule { basis: Basis::Expression(_), .. }), Some(cause)) => {
            inputs(&reader, rules, alarm, cause).map_err(RulesError::Store)?
        }
        _ => Vec::new(),
    };
    let mut out = output::stdout();
    if args.output.json {
        let today = rule.map(|rule| rule.map(|rule| in_force(rule, alarm)));
        let known: BTreeMap<_, _> = inputs.into_iter().collect();
        let shown = json!({ "alarm": at, "cause": cause, "before": before, "rule_unchanged": today, "inputs": known });
        line(&mut out, &shown.to_string())?;
    } else {
        print(&mut out, (&at, cause.as_ref(), &before), &times, lang)?;
        line(&mut out, &today(rule, alarm, lang))?;
        for (name, value) in inputs {
            let unknown = lang.pick("not known", "未知");
            line(&mut out, &format!("  {name} = {}", value.as_deref().unwrap_or(unknown)))?;
        }
        let next = format!("weir evidence export --alarm {} -o alarm.evidence", at.seq);
        line(&mut out, &format!("{} · try: {next}", lang.pick("to prove it", "导出证据")))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

fn print(
    out: &mut impl Write,
    (at, cause, before): (&RecordAt, Option<&RecordAt>, &[RecordAt]),
    times: &TimeLine,
    lang: Lang,
) -> Result<(), CommandError> {
    let show = |at: &RecordAt| tail::line::show(at, times, false, lang);
    line(out, &format!("{}\n{}", lang.pick("the alarm", "报警"), show(at)))?;
    let clock = at.record.stamp.clock.as_str();
    line(out, &format!("  {}: {clock}", lang.pick("clock of the box then", "当时本机时钟")))?;
    line(out, lang.pick("what decided, as it was received and decoded", "依据（收到并解码的数据）"))?;
    let gone = lang.pick("  it is no longer in the journal · try: weir tail", "  已不在日志中 · try: weir tail");
    line(out, &cause.map_or_else(|| gone.to_owned(), show))?;
    if !before.is_empty() {
        line(out, lang.pick("the same alarm before", "同一报警此前的变化"))?;
        before.iter().try_for_each(|at| line(out, &show(at)))?;
    }
    Ok(())
}

/// What the inputs of an expression were when it decided, by the rules of today.
fn inputs(
    reader: &Reader,
    rules: &RuleSet,
    alarm: &AlarmTransition,
    cause: &RecordAt,
) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let (now, end) = (cause.record.stamp, cause.seq.next());
    let from_ms = now.wall_ms.0.saturating_sub_unsigned(rules.reach_ms().saturating_mul(2));
    let mut engine = Engine::new(rules.clone());
    read_back(reader, (reader.first_at(end, from_ms)?, end), |at| drop(engine.apply(at)))?;
    Ok(engine.inputs(&alarm.rule, &alarm.source, &now))
}

/// Whether the rule still judges so.
fn in_force(rule: &Rule, alarm: &AlarmTransition) -> bool {
    rule.quantity == alarm.quantity
        && has_limit(rule, alarm.limit)
        && rule.limit.side == alarm.side
        && rule.basis.measure() == alarm.grounds.as_ref().map_or(Measure::Reading, |grounds| grounds.measure)
        && rule.devices.covers(&alarm.source)
}

/// Whether that is one of its limits: it may have another one in cold water, and that of a surge is what is usual by then.
fn has_limit(rule: &Rule, limit: Decimal) -> bool {
    let cold = match &rule.basis {
        Basis::Reading { cold } => cold.as_ref().map(|cold| cold.limit.setpoint),
        Basis::Surge { .. } => Some(limit),
        _ => None,
    };
    rule.limit.setpoint == limit || cold == Some(limit)
}

fn today(rule: Option<Option<&Rule>>, alarm: &AlarmTransition, lang: Lang) -> String {
    let name = lang.pick("the rule", "规则");
    let Some(rule) = rule else {
        return format!("{name} {}: {}", alarm.rule, lang.pick("no rules.toml here", "本机没有 rules.toml"));
    };
    let Some(rule) = rule else {
        return format!("{name} {}: {}", alarm.rule, lang.pick("no longer there", "现已删除"));
    };
    let side = match rule.limit.side {
        LimitSide::High => ">",
        LimitSide::Low => "<",
    };
    let (reset, delay_s) = (rule.limit.reset, rule.limit.on_delay_ms / 1_000);
    let words = match (in_force(rule, alarm), lang) {
        (true, Lang::En) => "judges so today",
        (true, Lang::Zh) => "现行规则相同",
        (false, Lang::En) => "is another one today",
        (false, Lang::Zh) => "现行规则已不同",
    };
    if let Basis::Expression(formula) = &rule.basis {
        return format!("{name} {}: {words}: {}", rule.id, formula.expression.text().trim());
    }
    let of = grounds::measure(rule.basis.measure(), rule.basis.span_s(), lang);
    let (back, delay) = (lang.pick("back at", "恢复值"), lang.pick("after", "延时"));
    format!(
        "{name} {}: {words}: {} {}{side} {} {}, {back} {reset}, {delay} {delay_s} s",
        rule.id,
        rule.quantity,
        if of.is_empty() { of } else { format!("{of} ") },
        rule.limit.setpoint,
        rule.limit_unit
    )
}

fn steps_before(reader: &Reader, end: Seq, alarm: &AlarmTransition) -> Result<Vec<RecordAt>, RulesError> {
    let (mut found, mut from) = (Vec::new(), Seq(0));
    loop {
        let page = reader.alarms(from, ALARMS_PAGE).map_err(RulesError::Store)?;
        let Some(last) = page.last().copied() else { break };
        for seq in page.iter().filter(|seq| **seq < end) {
            let Some(at) = read_one(reader, *seq)? else { continue };
            let same =
                matches!(&at.record.body, Body::Alarm(one) if one.rule == alarm.rule && one.source == alarm.source);
            found.extend(same.then_some(at));
        }
        found.drain(..found.len().saturating_sub(BEFORE_SHOWN));
        if last >= end || page.len() < ALARMS_PAGE {
            break;
        }
        from = last.next();
    }
    Ok(found)
}

fn read_one(reader: &Reader, seq: Seq) -> Result<Option<RecordAt>, RulesError> {
    Ok(reader.read(SeqRange { first: seq, last: seq }, PAGE_BYTES).map_err(RulesError::Store)?.pop())
}
