use record::{BootNo, ClockQuality, MonoMs, UnixMs};

use super::*;

fn id(name: &str) -> RelayId {
    RelayId::new(name).unwrap()
}

fn samplers() -> Samplers {
    let east = Sampler { id: id("east"), on_ms: 500, cool_down_s: 60, bottles: 3 };
    Samplers::new([east], None)
}

fn at(boot: u32, mono_ms: u64) -> Stamp {
    Stamp { boot: BootNo(boot), mono_ms: MonoMs(mono_ms), wall_ms: UnixMs(0), clock: ClockQuality::Unset }
}

const ALARM: Asked = Asked::Alarm { seq: Seq(7), is_shelved: false };

/// Journals what is asked for, as `step bottle/bottles`.
fn ask(samplers: &mut Samplers, asked: Asked, now: Stamp) -> String {
    let act = samplers.take(&id("east"), asked, true, &now);
    journal(samplers, act, now)
}

fn journal(samplers: &mut Samplers, act: Act, now: Stamp) -> String {
    samplers.apply(&act, now);
    match act {
        Act::Sampled { step, bottle, bottles, .. } => format!("{} {bottle}/{bottles}", step.as_str()),
        other => other.as_str().to_owned(),
    }
}

fn end(samplers: &mut Samplers, done: Done, now: Stamp) -> String {
    let act = samplers.done(&id("east"), done).unwrap();
    journal(samplers, act, now)
}

#[test]
fn one_bottle_after_another_with_the_cool_down_between_until_none_is_left() {
    let mut east = samplers();
    assert_eq!(ask(&mut east, ALARM, at(0, 0)), "started 1/3");
    assert_eq!(ask(&mut east, ALARM, at(0, 10)), "busy 1/3");
    assert_eq!(end(&mut east, Done::Taken, at(0, 500)), "taken 1/3");
    assert_eq!(east.done(&id("east"), Done::Taken), None, "a bottle has one end");
    assert_eq!(ask(&mut east, ALARM, at(0, 60_499)), "cooling_down 1/3");
    assert_eq!(ask(&mut east, Asked::Somebody, at(0, 60_499)), "cooling_down 1/3", "also for a person");
    for (bottle, now) in [(2, 60_500), (3, 130_000)] {
        assert_eq!(ask(&mut east, ALARM, at(0, now)), format!("started {bottle}/3"));
        end(&mut east, Done::Taken, at(0, now + 500));
    }
    assert_eq!(ask(&mut east, ALARM, at(0, 900_000)), "no_bottle 3/3");
    journal(&mut east, Act::Refilled { sampler: id("east"), bottles: 2 }, at(0, 950_000));
    assert_eq!(ask(&mut east, ALARM, at(0, 960_000)), "started 1/2");
}

#[test]
fn what_did_not_switch_costs_no_bottle_and_no_time() {
    let mut east = samplers();
    ask(&mut east, ALARM, at(0, 0));
    assert_eq!(end(&mut east, Done::NotSwitched, at(0, 1)), "failed 1/3");
    assert_eq!(ask(&mut east, ALARM, at(0, 2)), "started 1/3");
    assert_eq!(end(&mut east, Done::Uncertain, at(0, 3)), "uncertain 1/3");
    assert_eq!(ask(&mut east, ALARM, at(0, 4)), "cooling_down 1/3");
}

#[test]
fn nothing_is_taken_for_a_shelved_alarm_or_by_what_cannot_be_switched() {
    let mut east = samplers();
    let shelved = Asked::Alarm { seq: Seq(7), is_shelved: true };
    assert_eq!(ask(&mut east, shelved, at(0, 0)), "shelved 0/3");
    let act = east.take(&id("east"), ALARM, false, &at(0, 0));
    assert_eq!(journal(&mut east, act, at(0, 0)), "unavailable 0/3");
    let act = east.take(&id("west"), ALARM, true, &at(0, 0));
    assert_eq!(east.pulse(&act), None);
    assert_eq!(journal(&mut east, act, at(0, 0)), "unavailable 0/0");
}

#[test]
fn only_a_start_moves_a_line_and_never_for_longer_than_the_bound() {
    let long = Sampler { id: id("east"), on_ms: u32::MAX, cool_down_s: 0, bottles: 1 };
    let east = Samplers::new([long], None);
    for step in SampleStep::ALL {
        let act = Act::Sampled { sampler: id("east"), step, bottle: 1, bottles: 1, alarm: None };
        let expected = (step == SampleStep::Started).then(|| Pulse { id: id("east"), on_ms: ON_MS_MAX });
        assert_eq!(east.pulse(&act), expected);
    }
}

#[test]
fn after_a_crash_the_bottle_is_used_and_the_sample_uncertain() {
    let mut east = samplers();
    ask(&mut east, ALARM, at(0, 1_000));
    let setups = east.setups.values().cloned();
    let mut again = Samplers::new(setups, Some(&east.to_bytes()));
    assert_eq!(again, east);
    let now = at(1, 5_000);
    let outstanding = again.outstanding();
    assert_eq!(outstanding.len(), 1);
    for act in outstanding {
        assert!(matches!(act, Act::Sampled { alarm: Some(Seq(7)), .. }));
        assert_eq!(journal(&mut again, act, now), "uncertain 1/3");
    }
    assert_eq!(again.outstanding(), []);
    assert_eq!(ask(&mut again, ALARM, at(1, 6_000)), "cooling_down 1/3");
    // Of another boot without a clock nobody knows more than how long this one lasts.
    assert_eq!(ask(&mut again, ALARM, at(2, 59_999)), "cooling_down 1/3");
    assert_eq!(ask(&mut again, ALARM, at(2, 60_000)), "started 2/3");
}

#[test]
fn a_state_that_cannot_be_read_is_none() {
    let east = samplers();
    assert_eq!(Samplers::new(east.setups.values().cloned(), Some(b"\xff")), east);
}
