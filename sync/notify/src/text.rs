//! A message in words, Chinese, English or both.

mod alarm;

use record::{Measure, Priority, Tier};
use serde::Deserialize;

use crate::{Message, Name, Person};

/// Longest text of a message: WeCom takes no more. Bytes.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// What is said after the alarms takes no more. Bytes.
const REST_BYTES_MAX: usize = 512;

/// In which language people are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// 中文。
    #[default]
    Zh,
    /// English.
    En,
    /// Chinese, then English.
    Both,
}

/// Who speaks, and how.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// The name of the box.
    pub box_id: &'a str,
    /// Its language.
    pub language: Language,
    /// Its place's offset from UTC. Minutes.
    pub utc_offset_minutes: i16,
}

/// What is said, in lines; no line has a line break or means anything in Markdown or HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worded {
    /// The first line, short enough for a telephone's screen.
    pub title: String,
    /// The others.
    pub lines: Vec<String>,
    /// Who is called on.
    pub people: Vec<Person>,
}

impl Worded {
    /// All of it, cut to [`TEXT_BYTES_MAX`] between two characters.
    pub fn joined(&self, separator: &str) -> String {
        let all: Vec<&str> = [&self.title].into_iter().chain(&self.lines).map(String::as_str).collect();
        shortened(&all.join(separator), TEXT_BYTES_MAX)
    }
}

/// Words a message.
pub fn word(message: &Message, speaker: Speaker<'_>) -> Worded {
    let languages: &[bool] = match speaker.language {
        Language::Zh => &[true],
        Language::En => &[false],
        Language::Both => &[true, false],
    };
    let (mut lines, mut titles) = (Vec::new(), Vec::new());
    for zh in languages.iter().copied() {
        titles.push(title(message, speaker, zh));
        let bytes_max = (TEXT_BYTES_MAX - 2 * REST_BYTES_MAX) / languages.len();
        let mut shown = 0;
        let mut bytes = 0;
        for part in &message.parts {
            let part = alarm::lines(part, speaker, zh, message.count == 1);
            let part_bytes: usize = part.iter().map(|line| line.len() + 2).sum();
            if shown > 0 && bytes + part_bytes > bytes_max {
                break;
            }
            (shown, bytes) = (shown + 1, bytes + part_bytes);
            lines.extend(part);
        }
        if let Some(more) = message.count.checked_sub(shown).filter(|more| *more > 0) {
            lines.push(pick(
                zh,
                format!("另有 {more} 条，执行 weir alarm list 查看"),
                format!("and {more} more: weir alarm list"),
            ));
        }
        lines.extend(verdict(message, zh).map(str::to_owned));
    }
    Worded { title: titles.join(" / "), lines, people: message.people.clone() }
}

/// Words a test of a level or a channel.
pub fn test(target: &Name, speaker: Speaker<'_>, people: Vec<Person>) -> Worded {
    let (target, box_id) = (plain(target.as_str()), plain(speaker.box_id));
    let zh = format!("【测试】{box_id}：这是一条测试消息（{target}），没有发生报警，无需处理。");
    let en = format!("[TEST] {box_id}: this is a test of {target}. There is no alarm and nothing to do.");
    let (title, lines) = match speaker.language {
        Language::Zh => (zh, vec![]),
        Language::En => (en, vec![]),
        Language::Both => (zh, vec![en]),
    };
    Worded { title, lines, people }
}

fn title(message: &Message, speaker: Speaker<'_>, zh: bool) -> String {
    let box_id = plain(speaker.box_id);
    match message.parts.as_slice() {
        [part] if message.count == 1 => {
            let (word, rule) = (alarm::word(part, zh), &part.key.rule);
            pick(zh, format!("【{word}】{box_id}：{rule}"), format!("[{word}] {box_id}: {rule}"))
        }
        _ => {
            let count = message.count;
            pick(
                zh,
                format!("【预警】{box_id}：共 {count} 条消息"),
                format!("[WARNING] {box_id}: {count} messages in one"),
            )
        }
    }
}

/// What is worth less than it looks; nothing where the alarm is a verdict.
fn verdict(message: &Message, zh: bool) -> Option<&'static str> {
    let warns = |part: &&crate::Part| part.facts.grounds.as_ref().is_none_or(|grounds| grounds.tier < Tier::Exceedance);
    let is_single =
        |part: &crate::Part| part.facts.grounds.as_ref().is_none_or(|grounds| grounds.measure == Measure::Reading);
    let first = message.parts.iter().find(warns)?;
    Some(match (is_single(first), zh) {
        (true, true) => "单个数值只是预警，不是超标结论。",
        (true, false) => "A single value is a warning (预警), not a verdict of a breach (超标).",
        (false, true) => "预警不是超标结论。",
        (false, false) => "A warning (预警) is not a verdict of a breach (超标).",
    })
}

fn priority(priority: Option<Priority>, zh: bool) -> &'static str {
    match (priority, zh) {
        (Some(Priority::Low), true) => "低",
        (Some(Priority::Medium), true) => "中",
        (Some(Priority::High), true) => "高",
        (Some(Priority::Critical), true) => "紧急",
        (None, true) => "未知，按高处理",
        (Some(Priority::Low), false) => "low",
        (Some(Priority::Medium), false) => "medium",
        (Some(Priority::High), false) => "high",
        (Some(Priority::Critical), false) => "critical",
        (None, false) => "not known, taken as high",
    }
}

fn pick(zh: bool, chinese: String, english: String) -> String {
    if zh { chinese } else { english }
}

/// Text from outside, without what would mean something in Markdown or HTML: a name must not call on somebody.
fn plain(text: &str) -> String {
    let harmless = |c: char| match c {
        '<' => '＜',
        '>' => '＞',
        '[' => '［',
        ']' => '］',
        '(' => '（',
        ')' => '）',
        '*' => '＊',
        '`' => '＇',
        '#' => '＃',
        '@' => '＠',
        '\\' => '＼',
        c if c.is_control() => ' ',
        c => c,
    };
    shortened(&text.chars().map(harmless).collect::<String>(), 256)
}

fn shortened(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let dots = '…';
    let end = (0..=bytes_max.saturating_sub(dots.len_utf8())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}{dots}", &text[..end])
}
