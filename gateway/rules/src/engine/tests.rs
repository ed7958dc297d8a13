//! One `check` in words, then R1 and R2 over random journals, each with a broken core that must fail.

mod alike;
mod confirmed;
mod edges;
mod journal;
mod kinds;
mod naive;
mod replayed;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use record::{Act, Actor, AlarmState, AlarmTransition, Audit, Body, BootNo, MonoMs, Quality, Record, RecordAt, Seq};

use super::*;
use crate::invariant::{r1_legal, r2_restart_changes_nothing};
use journal::{Input, Journal, Writer, flushed, inputs, rule_set, sample};

/// `rule` as `high=80 deadband=2 on_delay=10s`; samples as `16s 83`, with a word behind for another quality, unit or
/// device, and `boot`, `unset`, `ack` for what else can happen.
fn check(rule: &str, samples: &str, expected: Expect) {
    let mut writer = Writer::new(Engine::new(rule_set(rule)), Journal::default());
    let mut shown = String::new();
    let mut clock = journal::Clock::default();
    for word in samples.split('|').map(str::trim) {
        let before = writer.journal.alarms().len();
        match word {
            "boot" => clock.boot(),
            "unset" => clock.unset(),
            "ack" => writer.acknowledge(clock.stamp()),
            "reset" => shown += &writer.reset(clock.stamp()),
            word => {
                let (at, reading, source) = sample(word);
                clock.advance_to(at);
                writer.frame(clock.stamp(), &source, reading);
                writer.flush(clock.stamp());
            }
        }
        for alarm in &writer.journal.alarms()[before..] {
            let value = alarm.value.map_or("a person".to_owned(), |value| value.to_string());
            shown += &format!("{} {} -> {} ({value})\n", clock.shown(), alarm.from.as_str(), alarm.to.as_str());
        }
    }
    expected.assert_eq(shown.trim_end());
}

#[test]
fn a_limit_raises_after_its_delay_and_clears_below_its_deadband() {
    check(
        "high=80 deadband=2 on_delay=10s",
        "0s 79 | 1s 81 | 5s 79 | 6s 82 | 16s 83",
        expect!["16s normal -> unacknowledged (83)"],
    );
    check("high=80 deadband=2 on_delay=10s", "6s 82 | 15s 83 | 15s 84", expect![""]);
    check(
        "high=80 deadband=2",
        "0s 80 | 1s 80.000000000000001 | 2s 78.1 | 3s 81 | 4s 78 | 5s 80 | 6s 81",
        expect![[r#"
        1s normal -> unacknowledged (80.000000000000001)
        4s unacknowledged -> returned_unacknowledged (78)
        6s returned_unacknowledged -> unacknowledged (81)"#]],
    );
    check(
        "low=6 deadband=0.2",
        "0s 6 | 1s 5.9 | 2s 6.1 | 3s 6.2 | 4s 5",
        expect![[r#"
        1s normal -> unacknowledged (5.9)
        3s unacknowledged -> returned_unacknowledged (6.2)
        4s returned_unacknowledged -> unacknowledged (5)"#]],
    );
    check(
        "high=80",
        "0s 81 | 1s 80",
        expect![[r#"
        0s normal -> unacknowledged (81)
        1s unacknowledged -> returned_unacknowledged (80)"#]],
    );
}

#[test]
fn an_acknowledged_alarm_returns_to_normal() {
    check(
        "high=80 deadband=2",
        "0s 81 | ack | 1s 90 | 2s 79 | 3s 78 | 4s 81",
        expect![[r#"
        0s normal -> unacknowledged (81)
        0s unacknowledged -> acknowledged (a person)
        3s acknowledged -> normal (78)
        4s normal -> unacknowledged (81)"#]],
    );
    check(
        "high=80 deadband=2",
        "0s 81 | 1s 70 | ack | 2s 81",
        expect![[r#"
        0s normal -> unacknowledged (81)
        1s unacknowledged -> returned_unacknowledged (70)
        1s returned_unacknowledged -> normal (a person)
        2s normal -> unacknowledged (81)"#]],
    );
}

#[test]
fn a_latched_alarm_stays_until_somebody_resets_it() {
    check(
        "high=80 deadband=2 latched=true",
        "0s 81 | reset | ack | reset | 1s 79 | reset | 2s 78 | 3s 79 | reset | 4s 81",
        expect![[r#"
            0s normal -> unacknowledged (81)
            reset: nobody has acknowledged it yet · try: weir alarm ack, then the same again
            0s unacknowledged -> acknowledged (a person)
            reset: its value is not back, or has not been heard of since · try: weir alarm list, or wait for the next reading
            reset: its value is not back, or has not been heard of since · try: weir alarm list, or wait for the next reading
            3s acknowledged -> normal (a person)
            4s normal -> unacknowledged (81)"#]],
    );
    // Seen only once it is back; a new excess takes its return away.
    check(
        "high=80 latched=true",
        "0s 81 | 1s 70 | ack | 2s 82 | reset | 3s 70 | reset | reset",
        expect![[r#"
            0s normal -> unacknowledged (81)
            1s unacknowledged -> acknowledged (a person)
            reset: its value is not back, or has not been heard of since · try: weir alarm list, or wait for the next reading
            3s acknowledged -> normal (a person)
            reset: no such alarm stands · try: weir alarm list"#]],
    );
    check(
        "high=80",
        "0s 81 | reset",
        expect![[r#"
            0s normal -> unacknowledged (81)
            reset: it does not latch and clears by itself once its value is back · try: weir alarm ack"#]],
    );
}

#[test]
fn an_alarm_that_chatters_is_counted() {
    let mut writer = Writer::new(Engine::new(rule_set("high=80")), Journal::default());
    let mut clock = journal::Clock::default();
    let mut raise = |at_s: u64| {
        let mut raised = Vec::new();
        for (at_s, value) in [(at_s, 81), (at_s + 1, 79)] {
            clock.advance_to(at_s);
            let (_, reading, source) = sample(&format!("0s {value}"));
            writer.frame(clock.stamp(), &source, reading);
            writer.flush(clock.stamp());
            raised.push(writer.engine.alarms(&clock.stamp())[0].raised);
        }
        assert_eq!(raised[0], raised[1], "a return is no raise");
        raised[0]
    };
    assert_eq!([0, 600, 1_200, 3_600, 3_601, 4_201, 9_000].map(&mut raise), [1, 2, 3, 4, 4, 4, 1]);
    assert_eq!((0..200).map(|n| raise(10_000 + 2 * n)).max(), Some(100));
}

#[test]
fn what_cannot_be_believed_is_no_sample() {
    check(
        "high=80 on_delay=2s",
        "0s 81 | 1s 99 out_of_range | 2s 99 not_a_number | 3s 81",
        expect!["3s normal -> unacknowledged (81)"],
    );
    check("high=80", "0s 99 missing | 1s 99 unknown_unit | 2s 99 ug/L | 3s 81 tp", expect![""]);
}

#[test]
fn each_device_has_its_own_state() {
    check(
        "high=80",
        "0s 81 @a | 1s 81 @b | 2s 70 @a | 3s 82 @b",
        expect![[r#"
        0s normal -> unacknowledged (81)
        1s normal -> unacknowledged (81)
        2s unacknowledged -> returned_unacknowledged (70)"#]],
    );
    check("high=80 devices=a", "0s 81 @b | 1s 81 @a", expect!["1s normal -> unacknowledged (81)"]);
}

#[test]
fn a_delay_counts_across_boots_only_by_clocks_that_were_set() {
    check("high=80 on_delay=10s", "0s 81 | boot | 12s 82", expect!["12s normal -> unacknowledged (82)"]);
    check(
        "high=80 on_delay=10s",
        "0s 81 | boot | unset | 12s 82 | 21s 83 | 22s 84",
        expect!["22s normal -> unacknowledged (84)"],
    );
}

#[test]
fn a_unit_that_does_not_fit_is_counted() {
    let mut writer = Writer::new(Engine::new(rule_set("high=80")), Journal::default());
    let mut clock = journal::Clock::default();
    for word in ["0s 99 ug/L", "1s 40", "2s 99 ug/L", "3s 40 @other"] {
        let (at, reading, source) = sample(word);
        clock.advance_to(at);
        writer.frame(clock.stamp(), &source, reading);
    }
    let counted: Vec<(String, u64)> =
        writer.engine.unit_mismatches().map(|m| (format!("{} {}", m.rule, m.source), m.readings)).collect();
    assert_eq!(counted, [("r cod-1".to_owned(), 2)]);
}

#[test]
fn rules_that_saw_less_of_a_run_judge_alike_once_it_has_alarmed() {
    let engine = |from: usize, words: &[&str]| {
        let mut writer = Writer::new(Engine::new(rule_set("high=80 deadband=2 on_delay=10s")), Journal::default());
        let mut clock = journal::Clock::default();
        for (nth, word) in words.iter().enumerate() {
            let (at, reading, source) = sample(word);
            clock.advance_to(at);
            writer.frame(clock.stamp(), &source, reading);
            writer.flush(clock.stamp());
            if nth + 1 == from {
                // Of what was before only the alarms are read back.
                let alarms: Vec<RecordAt> = writer
                    .journal
                    .records
                    .iter()
                    .filter(|at| matches!(at.record.body, Body::Alarm(_)))
                    .cloned()
                    .collect();
                writer.engine = Engine::new(rule_set("high=80 deadband=2 on_delay=10s"));
                alarms.iter().for_each(|at| drop(writer.engine.apply(at)));
            }
        }
        writer.engine
    };
    let alike = |from, words: &[&str], read_from| {
        let read_from = (BootNo(0), MonoMs(read_from));
        r2_restart_changes_nothing(&engine(from, words), &engine(usize::MAX, words), read_from)
    };
    assert!(alike(1, &["0s 79", "1s 79"], 0));
    assert!(alike(3, &["0s 81", "6s 81", "12s 82", "14s 83"], 0), "it has alarmed");
    assert!(!alike(1, &["0s 81", "6s 81"], 0), "its delay begins anew");
    assert!(alike(1, &["0s 81", "6s 81"], 1_000), "which it may where the beginning was not read back");
}

#[test]
fn an_alarm_shows_only_once_it_is_journaled() {
    let mut writer = Writer::new(Engine::new(rule_set("high=80")), Journal::default());
    let clock = journal::Clock::default();
    let (_, reading, source) = sample("0s 81");
    writer.frame(clock.stamp(), &source, reading);
    assert_eq!(writer.engine.outstanding().len(), 1);
    assert_eq!(writer.engine.alarms(&clock.stamp()), []);
    writer.flush(clock.stamp());
    assert_eq!(writer.engine.outstanding().len(), 0);
    let alarms = writer.engine.alarms(&clock.stamp());
    assert_eq!((alarms[0].state, alarms[0].cause), (AlarmState::Unacknowledged, Seq(0)));
}

#[test]
fn an_alarm_of_a_rule_that_is_gone_or_changed_says_nothing() {
    let mut writer = Writer::new(Engine::new(rule_set("high=80")), Journal::default());
    let (_, reading, source) = sample("0s 81");
    writer.frame(journal::Clock::default().stamp(), &source, reading);
    writer.flush(journal::Clock::default().stamp());
    let standing = |rule: &str| {
        let mut engine = Engine::new(rule_set(rule));
        writer.journal.records.iter().for_each(|record| drop(engine.apply(record)));
        (engine.alarms(&journal::Clock::default().stamp()).len(), engine.outstanding().len())
    };
    assert_eq!(standing("high=80"), (1, 0));
    assert_eq!(standing("high=80 id=other"), (0, 1), "another rule, which this sample raises as well");
    assert_eq!(standing("low=80"), (0, 0));
    assert_eq!(standing("high=80 devices=a"), (0, 0));
    assert_eq!(standing("high=100"), (1, 0), "raised under the old setpoint, it stands until a sample clears it");
}

#[test]
fn a_transition_that_was_never_journaled_is_forgotten_in_the_end() {
    let mut writer = Writer::new(Engine::new(rule_set("high=80 deadband=2")), Journal::default());
    let mut outstanding_after = |word: &str| {
        let (_, reading, source) = sample(word);
        writer.frame(journal::Clock::default().stamp(), &source, reading);
        writer.lose_transitions();
        writer.engine.outstanding().len()
    };
    assert_eq!(outstanding_after("0s 81"), 1);
    for _ in 0..OUTSTANDING_RECORDS_MAX {
        assert_eq!(outstanding_after("0s 79"), 1);
    }
    assert_eq!(outstanding_after("0s 79"), 0, "one record too late");
    assert_eq!(outstanding_after("0s 81"), 1, "raised again");
}

#[test]
fn memory_is_bounded() {
    let mut writer = Writer::new(Engine::new(rule_set("high=80")), Journal::default());
    let clock = journal::Clock::default();
    for n in 0..STATES_MAX + 2 {
        let (_, reading, source) = sample(&format!("0s {} @d{n}", if n < OUTSTANDING_MAX + 5 { 81 } else { 79 }));
        writer.frame(clock.stamp(), &source, reading);
        assert!(writer.engine.outstanding().len() <= OUTSTANDING_MAX);
        assert!(writer.engine.states <= STATES_MAX);
    }
    assert_eq!(writer.engine.states_refused(), 2);
}

/// R1: every alarm's transitions form one chain of legal steps.
fn r1_holds(alarms: &[AlarmTransition]) -> bool {
    let mut states: BTreeMap<(RuleId, SourceId), AlarmState> = BTreeMap::new();
    alarms.iter().all(|alarm| {
        let state = states.entry((alarm.rule.clone(), alarm.source.clone())).or_insert(AlarmState::Normal);
        let legal = r1_legal(*state, alarm);
        *state = alarm.to;
        legal
    })
}

/// The journal of an engine that is never restarted.
fn uninterrupted(rule: &str, inputs: &[Input]) -> Journal {
    let mut writer = Writer::new(Engine::new(rule_set(rule)), Journal::default());
    writer.take(inputs, 0);
    writer.journal
}

/// The journal if the box stops after its first `kept` records and a new engine takes over.
fn restarted(rule: &str, inputs: &[Input], whole: &Journal, kept: usize, replay: fn(&RecordAt) -> bool) -> Journal {
    let prefix = whole.prefix(kept);
    let mut engine = Engine::new(rule_set(rule));
    for record in prefix.records.iter().filter(|record| replay(record)) {
        engine.apply(record);
    }
    let taken = prefix.inputs_taken();
    let waiting = engine.outstanding().cloned().collect();
    let mut writer = Writer::resume(engine, prefix, waiting);
    writer.take(inputs, taken);
    writer.journal
}

const RULE: &str = "high=80 deadband=2 on_delay=3s";
const LATCHED: &str = "high=80 deadband=2 on_delay=3s latched=true";

proptest! {
    #[test]
    fn r1_transitions_are_legal(inputs in inputs(), latched in any::<bool>()) {
        let journal = uninterrupted(if latched { LATCHED } else { RULE }, &inputs);
        prop_assert!(r1_holds(&journal.alarms()), "{:?}", journal.alarms());
    }

    /// No value ends what latches, and it is let go only after one that was back, with none beyond behind it.
    #[test]
    fn a_latched_alarm_ends_by_a_person_alone(inputs in inputs()) {
        let journal = uninterrupted(LATCHED, &inputs);
        let ends = |step: &AlarmTransition| !step.to.is_active();
        prop_assert!(journal.alarms().iter().filter(|step| ends(step)).all(|step| step.value.is_none()));
        for (at, record) in journal.records.iter().enumerate() {
            let Body::Alarm(step) = &record.record.body else { continue };
            if !ends(step) {
                continue;
            }
            let samples = journal.records[..at].iter().rev().filter_map(|earlier| match &earlier.record.body {
                Body::Frame(frame) if frame.source == step.source => Some(&frame.readings[0]),
                _ => None,
            });
            let newest = samples.filter(|reading| reading.quality == Quality::Good).find_map(|reading| {
                let value = reading.value?;
                (value > Decimal::from(80) || value <= Decimal::from(78)).then_some(value)
            });
            prop_assert!(newest.is_some_and(|value| value <= Decimal::from(78)), "{newest:?}");
        }
    }

    #[test]
    fn r2_a_restart_anywhere_changes_nothing(inputs in inputs(), at in any::<prop::sample::Index>()) {
        for rule in [RULE, LATCHED] {
            let whole = uninterrupted(rule, &inputs);
            let restarted = restarted(rule, &inputs, &whole, at.index(whole.records.len() + 1), |_| true);
            prop_assert_eq!(restarted.story(), whole.story());
        }
    }
}

/// Inputs that raise and clear an alarm and restart in between, for the broken cores.
fn eventful() -> Vec<Input> {
    flushed(&["0s 81", "4s 82", "5s 70", "6s 90", "10s 91", "11s 70"])
}

#[test]
fn r1_fails_for_a_core_that_skips_a_state() {
    let mut alarms = uninterrupted(RULE, &eventful()).alarms();
    assert!(r1_holds(&alarms) && alarms.len() == 4);
    for alarm in &mut alarms {
        if alarm.to == AlarmState::ReturnedUnacknowledged {
            alarm.to = AlarmState::Normal;
        }
    }
    assert!(!r1_holds(&alarms));
}

#[test]
fn r2_fails_for_a_core_that_replays_only_half() {
    let inputs = eventful();
    let whole = uninterrupted(RULE, &inputs);
    let differs = |replay| {
        let kept = 0..=whole.records.len();
        kept.map(|kept| restarted(RULE, &inputs, &whole, kept, replay).story()).any(|story| story != whole.story())
    };
    assert!(!differs(|_| true));
    assert!(differs(|record| matches!(record.record.body, Body::Alarm(_))), "without samples the delay is lost");
    assert!(differs(|record| matches!(record.record.body, Body::Frame(_))), "without alarms all are raised again");
}

/// The records as the field daemon writes them: an order before each step that a person took.
fn with_orders(journal: &Journal) -> Vec<RecordAt> {
    let order = |at: &RecordAt| {
        let Body::Alarm(alarm) = &at.record.body else { return None };
        let (rule, source) = (alarm.rule.clone(), alarm.source.clone());
        let act = match (alarm.from, alarm.to) {
            (AlarmState::Acknowledged, AlarmState::Normal) => Act::Reset { rule, source },
            _ => Act::Acknowledged { rule, source },
        };
        let audit = Audit { by: Actor::User(0), act, reason: String::new() };
        let record = Record { stamp: at.record.stamp, body: Body::Audit(audit) };
        alarm.value.is_none().then_some(RecordAt { seq: at.seq, record })
    };
    journal.records.iter().flat_map(|at| order(at).into_iter().chain([at.clone()])).collect()
}

fn backtest(rule: &str, records: &[RecordAt]) -> crate::Outcome {
    let mut backtest = crate::Backtest::new(rule_set(rule));
    records.iter().for_each(|at| backtest.take(at));
    backtest.outcome()
}

proptest! {
    #[test]
    fn r2_a_backtest_equals_live(inputs in inputs(), latched in any::<bool>()) {
        let rule = if latched { LATCHED } else { RULE };
        let journal = uninterrupted(rule, &inputs);
        let outcome = backtest(rule, &with_orders(&journal));
        prop_assert_eq!((&outcome.added, &outcome.removed), (&Vec::new(), &Vec::new()));
        prop_assert_eq!(outcome.same, journal.alarms().len());
    }
}

#[test]
fn a_backtest_tells_what_other_rules_would_have_changed() {
    let journal = uninterrupted(RULE, &eventful());
    let told = |rule: &str| {
        let outcome = backtest(rule, &journal.records);
        let count = |steps: &[crate::StepAt]| steps.len();
        (outcome.frames, outcome.same, count(&outcome.added), count(&outcome.removed))
    };
    assert_eq!(told(RULE), (6, 4, 0, 0));
    assert_eq!(
        told("high=85 deadband=2 on_delay=3s"),
        (6, 1, 1, 3),
        "the first alarm would not have been, so the second is the first"
    );
    assert_eq!(told("high=80 deadband=2"), (6, 2, 2, 2), "both at once, and not after 3 s");
    assert_eq!(told("high=80 id=other"), (6, 0, 4, 4), "another rule is another alarm");
}

#[test]
fn a_run_that_began_before_the_part_counts_and_its_frames_do_not() {
    let journal = uninterrupted(RULE, &flushed(&["0s 81", "2s 82", "3s 83"]));
    let frames = journal.records.iter().filter(|at| matches!(at.record.body, Body::Frame(_)));
    let mut part = crate::Backtest::new(rule_set(RULE));
    for (nth, frame) in frames.enumerate() {
        if nth < 2 { part.warm(frame) } else { part.take(frame) }
    }
    let outcome = part.outcome();
    assert_eq!((outcome.frames, outcome.added.len(), outcome.removed.len()), (1, 1, 0));
}

#[test]
fn a_backtest_of_a_part_begins_in_the_states_that_were() {
    let journal = uninterrupted(RULE, &flushed(&["0s 81", "4s 82", "5s 83", "6s 70", "7s 81", "9s 81", "10s 82"]));
    let at = |seq: u64| journal.records.iter().find(|at| at.seq == Seq(seq)).unwrap();
    let alarm = journal.records.iter().position(|at| matches!(at.record.body, Body::Alarm(_))).unwrap();
    let mut part = crate::Backtest::new(rule_set(RULE));
    part.begin(&journal.records[alarm]);
    part.warm(at(alarm as u64 + 1));
    journal.records[alarm + 2..].iter().for_each(|at| part.take(at));
    let outcome = part.outcome();
    assert_eq!((outcome.same, outcome.added, outcome.removed), (2, vec![], vec![]));
}
