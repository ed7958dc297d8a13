//! What people read.

use expect_test::{Expect, expect};
use record::{AlarmState, ClockQuality, Grounds, Measure, Priority, Tier};

use super::world::{facts, name, step};
use crate::text::{Language, Speaker, TEXT_BYTES_MAX, test, word};
use crate::{Episode, Message, Notice, Part, Word};

fn part(alarm: usize, what: Word) -> Part {
    let step = step(alarm, AlarmState::Normal, AlarmState::Unacknowledged);
    let episode = Episode::raised(record::Seq(5), &step, *facts(Priority::High), 0, record::MonoMs(0));
    episode.part(&Notice::new(name("v"), 0), what, &name("village"))
}

fn speaker(language: Language) -> Speaker<'static> {
    Speaker { box_id: "outfall-1", language, utc_offset_minutes: 480 }
}

fn check(message: &Message, language: Language, expected: Expect) {
    expected.assert_eq(&word(message, speaker(language)).joined("\n"));
}

#[test]
fn an_alarm_reads_so_in_both_languages() {
    let mut one = part(1, Word::Alarm);
    one.facts.clock = ClockQuality::Unset;
    (one.told_before, one.may_be_repeated) = (1, true);
    let message = Message { parts: vec![one], count: 1, people: vec![] };
    check(
        &message,
        Language::Zh,
        expect![[r#"
        【预警】outfall-1：cod-high
        排污口 East gate（420000-0001），设备 cod-1
        cod 95 mg/L，上限 80 mg/L
        自 2026-11-18 19:06:40 UTC+08:00 起（时钟未校准，时间不可信）
        通知级别 village，第 2 次通知；紧急程度：高
        上次发送未收到应答，本条可能重复。
        已知悉请执行：weir alarm ack cod-high cod-1 --reason TEXT
        单个数值只是预警，不是超标结论。"#]],
    );
    check(
        &message,
        Language::En,
        expect![[r#"
        [WARNING] outfall-1: cod-high
        outfall East gate (420000-0001), device cod-1
        cod 95 mg/L, high limit 80 mg/L
        since 2026-11-18 19:06:40 UTC+08:00 (clock not set: do not trust this time)
        level village, told 2 times now; priority high
        No answer came the last time: this may be a repetition.
        When you have seen it: weir alarm ack cod-high cod-1 --reason TEXT
        A single value is a warning (预警), not a verdict of a breach (超标)."#]],
    );
}

#[test]
fn a_mean_that_is_an_exceedance_is_called_so() {
    let mut one = part(1, Word::Alarm);
    let unit = record::Unit::new("mg/L").unwrap();
    one.facts.grounds = Some(Grounds { measure: Measure::Mean, unit, span_s: 86_400, tier: Tier::Exceedance });
    check(
        &Message { parts: vec![one], count: 1, people: vec![] },
        Language::Both,
        expect![[r#"
        【超标】outfall-1：cod-high / [EXCEEDANCE] outfall-1: cod-high
        排污口 East gate（420000-0001），设备 cod-1
        cod 均值（86400 秒） 95 mg/L，上限 80 mg/L
        自 2026-11-18 19:06:40 UTC+08:00 起
        通知级别 village；紧急程度：高
        已知悉请执行：weir alarm ack cod-high cod-1 --reason TEXT
        outfall East gate (420000-0001), device cod-1
        cod mean (86400 s) 95 mg/L, high limit 80 mg/L
        since 2026-11-18 19:06:40 UTC+08:00
        level village; priority high
        When you have seen it: weir alarm ack cod-high cod-1 --reason TEXT"#]],
    );
}

#[test]
fn its_end_reads_so() {
    let mut one = part(1, Word::Clear);
    one.state = AlarmState::Normal;
    check(
        &Message { parts: vec![one], count: 1, people: vec![] },
        Language::Both,
        expect![[r#"
        【恢复】outfall-1：cod-high / [BACK TO NORMAL] outfall-1: cod-high
        排污口 East gate（420000-0001），设备 cod-1
        cod 95 mg/L，上限 80 mg/L
        自 2026-11-18 19:06:40 UTC+08:00 起
        单个数值只是预警，不是超标结论。
        outfall East gate (420000-0001), device cod-1
        cod 95 mg/L, high limit 80 mg/L
        since 2026-11-18 19:06:40 UTC+08:00
        A single value is a warning (预警), not a verdict of a breach (超标)."#]],
    );
}

#[test]
fn a_flood_fits_and_says_how_many() {
    let parts: Vec<Part> = (0..10).map(|alarm| part(alarm, Word::Alarm)).collect();
    let text = word(&Message { parts, count: 345, people: vec![] }, speaker(Language::Both)).joined("\n\n");
    assert!(text.len() <= TEXT_BYTES_MAX && text.contains("345"), "{text}");
    assert!(text.contains("预警") && text.contains("not a verdict"), "{text}");
}

#[test]
fn a_name_calls_on_nobody() {
    let mut one = part(1, Word::Alarm);
    one.facts.outfall = Some(("A-1".into(), "<@all> [x](http://x)\n# @13800000000".into()));
    let text = word(&Message { parts: vec![one], count: 1, people: vec![] }, speaker(Language::En)).joined("\n");
    assert!(text.contains("＜＠all＞ ［x］（http://x） ＃ ＠13800000000"), "{text}");
}

#[test]
fn a_test_says_that_it_is_one() {
    let said = test(&name("village"), speaker(Language::Both), vec![]).joined("\n");
    assert!(said.contains("测试") && said.contains("TEST"), "{said}");
}
