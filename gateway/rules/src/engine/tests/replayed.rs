//! R2 for every kind at once: an engine that read back no more than it has to goes on as one that saw everything.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use record::{
    AlarmTransition, Body, Boot, BootNo, ClockQuality, Decimal, Frame, Link, MonoMs, Quality, Quantity, Reading,
    Record, RecordAt, RuleId, Seq, SourceId, Stamp, Unit, UnixMs,
};

use crate::{Engine, RuleSet};

/// One of each kind, with times short enough that some minutes of records reach beyond them.
const RULES: &str = r#"
late_s = 60
[[rule]]
id = "limit"
kind = "limit"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
high = 6
deadband = 1
on_delay_s = 120
off_delay_s = 120
cold = { temperature = "b/water_temperature", at = 4, high = 8, fresh_s = 600 }
suppress_while = [{ alarm = "mean" }, { value = "b/water_temperature", above = 4, fresh_s = 600 }]
[[rule]]
id = "latched"
kind = "limit"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
high = 7
latched = true
suppress_while = [{ alarm = "dry", device = "b" }]
[[rule]]
id = "expr"
kind = "expr"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
expr = "value / (newest - 3.0) > 1.0 && value >= mean && (count > 2.0 || !latched) && lowest < 4.0"
fresh_s = 300
on_delay_s = 30
[rule.inputs]
newest = "b/flow"
mean = { of = "cod", window_s = 600, stat = "mean" }
count = { of = "b/cod", window_s = 300, stat = "count" }
lowest = { of = "b/flow", window_s = 900, stat = "min" }
latched = { alarm = "latched" }
[[rule]]
id = "rise"
kind = "change"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
rise = 5
within_s = 600
[[rule]]
id = "mean"
kind = "mean"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
high = 4
window = "10min"
share_min_percent = 20
weighted_by = "b/flow"
[[rule]]
id = "load"
kind = "load"
devices = ["a"]
quantity = "cod"
unit = "mg/L"
high = 0.0005
window = "10min"
flow = "b/flow"
share_min_percent = 20
[[rule]]
id = "silence"
kind = "silence"
devices = ["*"]
quantity = "cod"
for_s = 300
[[rule]]
id = "stuck"
kind = "stuck"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
for_s = 240
band = 2
[[rule]]
id = "implausible"
kind = "implausible"
devices = ["*"]
quantity = "cod"
readings = 2
[[rule]]
id = "apart"
kind = "disagreement"
devices = ["a"]
quantity = "cod"
unit = "mg/L"
with = "b/cod"
high = 5
fresh_s = 300
[[rule]]
id = "unstable"
kind = "unstable"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
high = 6
times = 3
within_s = 900
relax_after = 2
[[rule]]
id = "dry"
kind = "dry_weather"
devices = ["b"]
quantity = "flow"
unit = "m3/h"
high = 3
rain = "b/rain"
dry_h = 1
effective = 9
share_min_percent = 50
[[rule]]
id = "surge"
kind = "surge"
devices = ["b"]
quantity = "flow"
unit = "m3/h"
high = 1
times = 1.5
baseline_h = 1
share_min_percent = 20
hours = "08:30-23:00"
"#;

/// What one step of a story is.
#[derive(Debug, Clone)]
enum Step {
    Says { device: &'static str, quantity: &'static str, value: i64, good: bool },
    Boots,
    Passes,
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let says = (prop::sample::select(vec!["a", "b"]), 0i64..10, prop::bool::weighted(0.85));
    let cod = says.prop_map(|(device, value, good)| Step::Says { device, quantity: "cod", value, good });
    let beside = (prop::sample::select(vec!["flow", "water_temperature", "rain"]), 0i64..6);
    let beside = beside.prop_map(|(quantity, value)| Step::Says { device: "b", quantity, value, good: true });
    let step = prop_oneof![12 => cod, 8 => beside, 1 => Just(Step::Boots), 1 => Just(Step::Passes)];
    prop::collection::vec((0u64..90, step), 100..260)
}

/// The records of a story with every alarm behind its cause, as the field daemon writes them.
fn write(engine: &mut Engine, records: &mut Vec<RecordAt>, body: Body, stamp: Stamp) -> Vec<AlarmTransition> {
    let mut all = Vec::new();
    let mut waiting = vec![body];
    while let Some(body) = waiting.pop() {
        let seq = Seq(u64::try_from(records.len()).unwrap());
        let at = RecordAt { seq, record: Record { stamp, body } };
        let steps = engine.apply(&at);
        records.push(at);
        waiting.extend(steps.iter().rev().cloned().map(Body::Alarm));
        all.extend(steps);
    }
    all
}

fn bodies(steps: &[(u64, Step)]) -> Vec<(Stamp, Body)> {
    let (mut boot, mut booted_s, mut now_s) = (0, 0, 0);
    let mut bodies = Vec::new();
    for (seconds, step) in steps {
        now_s += seconds;
        if matches!(step, Step::Boots) {
            (boot, booted_s) = (boot + 1, now_s);
        }
        let stamp = Stamp {
            boot: BootNo(boot),
            mono_ms: MonoMs((now_s - booted_s) * 1_000),
            wall_ms: UnixMs(1_767_225_600_000 + i64::try_from(now_s * 1_000).unwrap()),
            clock: ClockQuality::Synchronised,
        };
        let body = match step {
            Step::Boots => Body::Boot(Boot { boot_id: boot.to_string(), version: String::new() }),
            Step::Passes => Body::Gap(record::Gap {
                why: record::GapReason::Age,
                ranges: Default::default(),
                frames: 0,
                rejected: 0,
                other: 0,
                bytes: 0,
            }),
            Step::Says { device, quantity, value, good } => {
                let quantity = Quantity::new(quantity).unwrap();
                let unit = Unit::new(Quantity::from_code(quantity.code().unwrap()).unwrap().1).unwrap();
                let quality = if *good { Quality::Good } else { Quality::OutOfRange };
                let reading = Reading { quantity, unit, value: Some(Decimal::from(*value)), quality, at_ms: None };
                let link = Link::Serial { port: "p".into(), seal: None };
                let source = SourceId::new(device).unwrap();
                Body::Frame(Frame { source, link, raw: vec![], readings: vec![reading], codec: None, texts: vec![] })
            }
        };
        bodies.push((stamp, body));
    }
    bodies
}

/// A restarted engine: of what was before `from` it reads alarms alone.
fn read_back(rules: &RuleSet, records: &[RecordAt], from: usize) -> Engine {
    let mut engine = Engine::new(rules.clone());
    for (nth, at) in records.iter().enumerate() {
        if nth >= from || matches!(at.record.body, Body::Alarm(_)) {
            engine.apply(at);
        }
    }
    engine
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn r2_every_kind_goes_on_after_a_restart(steps in steps(), at in any::<prop::sample::Index>()) {
        let rules = RuleSet::from_toml(RULES).unwrap();
        let bodies = bodies(&steps);
        let cut = at.index(bodies.len());
        let (mut engine, mut records) = (Engine::new(rules.clone()), Vec::new());
        for (stamp, body) in &bodies[..cut] {
            write(&mut engine, &mut records, body.clone(), *stamp);
        }
        // Twice the reach back, and one record more: that of which the time tells that it is far enough.
        let reach_ms = i64::try_from(2 * rules.reach_ms()).unwrap();
        let end_ms = bodies[cut].0.wall_ms.0;
        let from = records.iter().rposition(|at: &RecordAt| at.record.stamp.wall_ms.0 < end_ms - reach_ms).unwrap_or(0);
        let mut restarted = read_back(&rules, &records, from);
        let now = records.last().map_or(bodies[cut].0, |at: &RecordAt| at.record.stamp);
        prop_assert_eq!(restarted.alarms(&now), engine.alarms(&now));
        let mut copy = records.clone();
        for (stamp, body) in &bodies[cut..] {
            let (one, two) = (write(&mut engine, &mut records, body.clone(), *stamp), write(&mut restarted, &mut copy, body.clone(), *stamp));
            prop_assert_eq!(one, two);
        }
    }

    #[test]
    fn ticks_between_records_find_nothing_else(steps in steps(), ticks in prop::collection::vec(0u64..200_000, 0..60)) {
        let rules = RuleSet::from_toml(RULES).unwrap();
        let bodies = bodies(&steps);
        let play = |ticks: &[u64]| {
            let (mut engine, mut records, mut all) = (Engine::new(rules.clone()), Vec::new(), Vec::new());
            for (nth, (stamp, body)) in bodies.iter().enumerate() {
                if let Some((ahead, next)) = ticks.get(nth).zip(bodies.get(nth + 1)) && next.0.boot == stamp.boot {
                    all.extend(write(&mut engine, &mut records, body.clone(), *stamp));
                    let ms = (*ahead).min(next.0.mono_ms.0 - stamp.mono_ms.0);
                    let now = Stamp {
                        mono_ms: MonoMs(stamp.mono_ms.0 + ms),
                        wall_ms: UnixMs(stamp.wall_ms.0 + i64::try_from(ms).unwrap()),
                        ..*stamp
                    };
                    for step in engine.tick(&now) {
                        all.extend(write(&mut engine, &mut records, Body::Alarm(step.clone()), now));
                        all.push(step);
                    }
                } else {
                    all.extend(write(&mut engine, &mut records, body.clone(), *stamp));
                }
            }
            // Numbers of records differ, for an alarm that comes sooner takes one; and so may which of two alarms is first.
            let mut stories: BTreeMap<(RuleId, SourceId), Vec<AlarmTransition>> = BTreeMap::new();
            for step in all {
                let alarm = (step.rule.clone(), step.source.clone());
                stories.entry(alarm).or_default().push(AlarmTransition { cause: Seq(0), ..step });
            }
            stories
        };
        prop_assert_eq!(play(&ticks), play(&[]));
    }
}

/// The property has teeth: without what was before, the same stories go on otherwise.
#[test]
fn r2_fails_for_an_engine_that_reads_nothing_back() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let rules = RuleSet::from_toml(RULES).unwrap();
    let mut differ = 0;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let bodies = bodies(&steps().new_tree(&mut runner).unwrap().current());
        let (mut engine, mut records) = (Engine::new(rules.clone()), Vec::new());
        let cut = bodies.len() / 2;
        for (stamp, body) in &bodies[..cut] {
            seen.extend(write(&mut engine, &mut records, body.clone(), *stamp).into_iter().map(|step| step.rule));
        }
        let mut restarted = read_back(&rules, &records, records.len());
        let mut copy = records.clone();
        let mut go_on = |(stamp, body): &(Stamp, Body)| {
            let one = write(&mut engine, &mut records, body.clone(), *stamp);
            let two = write(&mut restarted, &mut copy, body.clone(), *stamp);
            one != two
        };
        differ += u32::from(bodies[cut..].iter().any(&mut go_on));
    }
    assert!(differ > 20, "{differ}");
    assert_eq!(seen.len(), rules.iter().count(), "every kind has raised something: {seen:?}");
}
