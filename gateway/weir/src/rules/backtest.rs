//! `weir rules backtest`: the journal played to rules.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use ::rules::{Backtest, Outcome, StepAt};
use journal::{Reader, StoreError, for_each_outfall};
use record::{AlarmState, RecordAt, Seq, SeqRange};
use serde_json::{Value, json};

use super::{BacktestArgs, RulesError, in_force};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::export::PAGE_BYTES;
use crate::lang::Lang;
use crate::output::{self, line, table};

/// Steps that are shown to people, of either kind; `--json` has all.
const STEPS_SHOWN: usize = 20;
/// Alarm numbers asked for at one time.
const ALARMS_PAGE: usize = 4_096;
/// Days drawn, the newest.
const DAYS_DRAWN: usize = 31;
const DAY_MS: i64 = 86_400_000;

/// Plays it. [`Exit::NotWell`] where the rules would have changed something.
pub(super) fn run(args: &BacktestArgs, dirs: (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let (rules, state_dir) = (in_force::rules(&args.rules, dirs)?, dirs.0);
    let reach_ms = rules.reach_ms();
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(RulesError::Store)?;
    let outcome = play(&reader, Backtest::new(rules), args, reach_ms).map_err(RulesError::Store)?;
    let mut out = output::stdout();
    if args.output.json {
        line(&mut out, &as_json(&outcome).to_string())?;
    } else {
        print(&mut out, &outcome, lang)?;
    }
    out.flush().map_err(CommandError::output)?;
    let same = outcome.added.is_empty() && outcome.removed.is_empty();
    Ok(if same { Exit::Good } else { Exit::NotWell })
}

/// Each alarm begins in the state that it had, and rules look back as far as they reach.
fn play(reader: &Reader, mut backtest: Backtest, args: &BacktestArgs, reach_ms: u64) -> Result<Outcome, StoreError> {
    let end = reader.position()?.end;
    let ms = |time: jiff::Timestamp| time.as_millisecond();
    let first = args.from.map_or(Ok(Seq(0)), |from| reader.first_at(end, ms(from)))?;
    let warm = args.from.map(|from| ms(from).saturating_sub_unsigned(reach_ms.saturating_mul(2)));
    let warm = warm.map_or(Ok(Seq(0)), |warm| reader.first_at(end, warm))?;
    let end = args.to.map_or(Ok(end), |to| reader.first_at(end, ms(to)))?;
    read_back(reader, (warm, end), |at| match at.seq {
        seq if seq < warm => backtest.begin(at),
        seq if seq < first => backtest.warm(at),
        _ => backtest.take(at),
    })?;
    Ok(backtest.outcome())
}

/// Hands out what rules need to know of before a record, alarms and outfalls, and then all records from it on before an end.
pub(super) fn read_back(
    reader: &Reader,
    (from, end): (Seq, Seq),
    mut take: impl FnMut(&RecordAt),
) -> Result<(), StoreError> {
    for seq in alarms_before(reader, from)? {
        read_one(reader, seq)?.iter().for_each(&mut take);
    }
    if let Some(before) = from.0.checked_sub(1) {
        for_each_outfall(reader, SeqRange { first: Seq(0), last: Seq(before) }, |at, _| take(at))?;
    }
    let mut next = from;
    while let Some(range) = end.0.checked_sub(1).and_then(|last| SeqRange::new(next, Seq(last))) {
        let records = reader.read(range, PAGE_BYTES)?;
        let Some(last) = records.last() else { break };
        next = last.seq.next();
        records.iter().for_each(&mut take);
    }
    Ok(())
}

/// Every alarm before this number.
fn alarms_before(reader: &Reader, end: Seq) -> Result<Vec<Seq>, StoreError> {
    let (mut all, mut from) = (Vec::new(), Seq(0));
    loop {
        let page = reader.alarms(from, ALARMS_PAGE)?;
        let is_last = page.len() < ALARMS_PAGE || page.last().is_some_and(|seq| *seq >= end);
        from = page.last().map_or(from, |seq| seq.next());
        all.extend(page.into_iter().filter(|seq| *seq < end));
        if is_last {
            return Ok(all);
        }
    }
}

fn read_one(reader: &Reader, seq: Seq) -> Result<Option<RecordAt>, StoreError> {
    Ok(reader.read(SeqRange { first: seq, last: seq }, PAGE_BYTES)?.pop())
}

fn as_json(outcome: &Outcome) -> Value {
    let steps = |steps: &[StepAt]| -> Vec<Value> {
        steps.iter().map(|(stamp, step)| json!({ "stamp": stamp, "step": step })).collect()
    };
    json!({ "frames": outcome.frames, "same": outcome.same, "added": steps(&outcome.added),
        "removed": steps(&outcome.removed), "not_compared": outcome.forgotten })
}

fn print(out: &mut impl Write, outcome: &Outcome, lang: Lang) -> Result<(), CommandError> {
    let Outcome { frames, same, added, removed, forgotten } = outcome;
    line(
        out,
        &match lang {
            Lang::En => format!(
                "{frames} frames judged: {same} steps of alarms as they were, {} more, {} less",
                added.len(),
                removed.len()
            ),
            Lang::Zh => {
                format!("研判 {frames} 帧：报警变化一致 {same} 次，新增 {} 次，减少 {} 次", added.len(), removed.len())
            }
        },
    )?;
    if *forgotten > 0 {
        line(out, &format!("! {}: {forgotten}", lang.pick("more steps than are compared", "超出比较上限的变化")))?;
    }
    if added.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let raised = |steps: &[StepAt]| -> Vec<StepAt> {
        steps.iter().filter(|(_, step)| step.to == AlarmState::Unacknowledged).cloned().collect()
    };
    summary(out, &raised(added), &raised(removed), lang)?;
    for (sign, steps) in [('+', added), ('-', removed)] {
        for (stamp, step) in steps.iter().take(STEPS_SHOWN) {
            let value = step.value.map_or_else(|| "-".to_owned(), |value| value.to_string());
            let (from, to) = (step.from.as_str(), step.to.as_str());
            line(
                out,
                &format!(
                    "{sign} {} {} {} {value} {}: {from} -> {to}",
                    output::time(stamp.wall_ms),
                    step.rule,
                    step.source,
                    step.quantity
                ),
            )?;
        }
        let more = steps.len().saturating_sub(STEPS_SHOWN);
        if more > 0 {
            let text = lang.pick("and more, try --json", "其余用 --json 查看");
            line(out, &format!("{sign} … {more} {text}"))?;
        }
    }
    Ok(())
}

/// By rule and device: alarms that would come and those that would not, and on which days.
fn summary(out: &mut impl Write, more: &[StepAt], less: &[StepAt], lang: Lang) -> Result<(), CommandError> {
    let mut by_alarm: BTreeMap<(String, String), [Vec<i64>; 2]> = BTreeMap::new();
    for (which, steps) in [more, less].into_iter().enumerate() {
        for (stamp, step) in steps {
            let key = (step.rule.to_string(), step.source.to_string());
            by_alarm.entry(key).or_default()[which].push(stamp.wall_ms.0.div_euclid(DAY_MS));
        }
    }
    let heading = match lang {
        Lang::En => ["rule", "device", "more", "less", "more by day, the newest last"],
        Lang::Zh => ["规则", "设备", "新增", "减少", "新增按日（最近一日在右）"],
    };
    let newest = by_alarm.values().flatten().flatten().max().copied().unwrap_or(0);
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for ((rule, source), [more, less]) in by_alarm {
        let (count_more, count_less) = (more.len().to_string(), less.len().to_string());
        rows.push(vec![rule, source, count_more, count_less, draw(&more, newest)]);
    }
    table(out, &rows)
}

/// A digit a day, `+` beyond 9.
fn draw(days: &[i64], newest: i64) -> String {
    let first = days.iter().min().copied().unwrap_or(newest);
    let first = first.max(newest - (i64::try_from(DAYS_DRAWN).unwrap_or(i64::MAX) - 1));
    let digit = |day: i64| match days.iter().filter(|one| **one == day).count() {
        0 => '.',
        count @ 1..=9 => char::from_digit(u32::try_from(count).unwrap_or(9), 10).unwrap_or('+'),
        _ => '+',
    };
    (first..=newest).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_drawn_to_the_newest() {
        assert_eq!(draw(&[10, 12, 12], 14), "1.2..");
        assert_eq!(draw(&[14; 12], 14), "+");
        assert_eq!(draw(&[0], 100).len(), DAYS_DRAWN);
        assert_eq!(draw(&[], 14), ".");
    }
}
