//! One alarm in words.

use jiff::Timestamp;
use jiff::tz::Offset;
use record::{AlarmState, ClockQuality, Grounds, LimitSide, Measure, Tier, UnixMs};

use super::{Speaker, pick, plain, priority};
use crate::message::{Part, Word};

/// What it is, in a word: how much it says, or that it is over.
pub(super) fn word(part: &Part, zh: bool) -> String {
    let is_back = matches!(part.state, AlarmState::ReturnedUnacknowledged | AlarmState::Normal);
    let tier = part.facts.grounds.as_ref().map_or(Tier::Warning, |grounds| grounds.tier);
    match (part.word, is_back, zh) {
        (Word::Clear, _, true) => "恢复".to_owned(),
        (Word::Clear, _, false) => "BACK TO NORMAL".to_owned(),
        (Word::Alarm, false, true) => tier.chinese().to_owned(),
        (Word::Alarm, false, false) => tier.english().to_uppercase(),
        (Word::Alarm, true, true) => format!("{}已恢复，尚无人确认", tier.chinese()),
        (Word::Alarm, true, false) => format!("{}, back to normal, seen by nobody", tier.english().to_uppercase()),
    }
}

/// Its lines; alone in its message it says what to do as well.
pub(super) fn lines(part: &Part, speaker: Speaker<'_>, zh: bool, is_alone: bool) -> Vec<String> {
    let (rule, source) = (&part.key.rule, &part.key.source);
    let place = part.facts.outfall.as_ref().map(|(code, name)| (plain(code), plain(name)));
    let place = place.map_or_else(String::new, |(code, name)| {
        pick(zh, format!("排污口 {name}（{code}），"), format!("outfall {name} ({code}), "))
    });
    let mut lines = Vec::new();
    if !is_alone {
        lines.push(format!("【{}】{rule}", word(part, zh)));
    }
    lines.push(pick(zh, format!("{place}设备 {source}"), format!("{place}device {source}")));
    lines.push(measured(part, zh));
    lines.push(since(part, speaker, zh));
    if part.word == Word::Alarm {
        lines.push(ladder(part, zh));
    }
    if part.may_be_repeated {
        let text = ("上次发送未收到应答，本条可能重复。", "No answer came the last time: this may be a repetition.");
        lines.push(pick(zh, text.0.to_owned(), text.1.to_owned()));
    }
    if is_alone && part.word == Word::Alarm {
        let command = format!("weir alarm ack {rule} {source} --reason TEXT");
        lines.push(pick(zh, format!("已知悉请执行：{command}"), format!("When you have seen it: {command}")));
    }
    lines
}

fn measured(part: &Part, zh: bool) -> String {
    let grounds = part.facts.grounds.as_ref();
    let unit = grounds.map(|grounds| grounds.unit.as_str()).or(part.facts.unit.as_deref());
    let unit = unit.map(|unit| format!(" {}", plain(unit))).unwrap_or_default();
    let measure = grounds.map(|grounds| measure(grounds, zh)).unwrap_or_default();
    let value = part.value.map_or_else(|| "?".to_owned(), |value| value.to_string());
    let (quantity, limit) = (&part.quantity, part.limit);
    let side = match (part.side, zh) {
        (LimitSide::High, true) => "上限",
        (LimitSide::Low, true) => "下限",
        (LimitSide::High, false) => "high limit",
        (LimitSide::Low, false) => "low limit",
    };
    pick(
        zh,
        format!("{quantity}{measure} {value}{unit}，{side} {limit}{unit}"),
        format!("{quantity}{measure} {value}{unit}, {side} {limit}{unit}"),
    )
}

/// What was made of the readings, and over how long.
fn measure(grounds: &Grounds, zh: bool) -> String {
    let Grounds { measure, span_s, .. } = grounds;
    if *measure == Measure::Reading {
        return String::new();
    }
    let words = if zh { measure.chinese() } else { measure.english() };
    match (span_s, zh) {
        (0, _) => format!(" {words}"),
        (span_s, true) => format!(" {words}（{span_s} 秒）"),
        (span_s, false) => format!(" {words} ({span_s} s)"),
    }
}

fn since(part: &Part, speaker: Speaker<'_>, zh: bool) -> String {
    let at = local(part.facts.since_ms, speaker.utc_offset_minutes);
    let clock = match (part.facts.clock, zh) {
        (ClockQuality::Synchronised, _) => String::new(),
        (ClockQuality::Holdover { error_ms }, true) => {
            format!("（时钟守时中，误差不超过 {} 秒）", error_ms.div_ceil(1_000))
        }
        (ClockQuality::Holdover { error_ms }, false) => {
            format!(" (clock in holdover, wrong by {} s at most)", error_ms.div_ceil(1_000))
        }
        (ClockQuality::Unset, true) => "（时钟未校准，时间不可信）".to_owned(),
        (ClockQuality::Unset, false) => " (clock not set: do not trust this time)".to_owned(),
    };
    pick(zh, format!("自 {at} 起{clock}"), format!("since {at}{clock}"))
}

fn ladder(part: &Part, zh: bool) -> String {
    let (level, urgency) = (plain(part.level.as_str()), priority(part.facts.priority, zh));
    let again = match part.told_before {
        0 => String::new(),
        before => pick(zh, format!("，第 {} 次通知", before + 1), format!(", told {} times now", before + 1)),
    };
    pick(
        zh,
        format!("通知级别 {level}{again}；紧急程度：{urgency}"),
        format!("level {level}{again}; priority {urgency}"),
    )
}

/// Time at the place, with its offset.
fn local(at: UnixMs, offset_minutes: i16) -> String {
    let offset = Offset::from_seconds(i32::from(offset_minutes) * 60).unwrap_or(Offset::UTC);
    let Ok(at) = Timestamp::from_millisecond(at.0) else { return "?".to_owned() };
    let sign = if offset_minutes < 0 { '-' } else { '+' };
    let minutes = offset_minutes.unsigned_abs();
    let at = offset.to_datetime(at);
    format!(
        "{} {:02}:{:02}:{:02} UTC{sign}{:02}:{:02}",
        at.date(),
        at.hour(),
        at.minute(),
        at.second(),
        minutes / 60,
        minutes % 60
    )
}
