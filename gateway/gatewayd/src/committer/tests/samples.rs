//! Retained samples: journaled before the line is switched, one bottle for one alarm, whatever crashes; and signals.

use batch::PlatformId;
use record::{Act, Actor, Body, RelayId, SampleStep};
use relay::{Done, Pulse};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::bench::{Bench, COLD, WARM, heard};
use super::commanded::{audits, command, enrol, send};
use crate::config::Relay;
use crate::order::{Order, Ordered};
use crate::relays::Command;

const RULES: &str = r#"
[[rule]]
id = "warm"
kind = "limit"
devices = ["flow-1"]
quantity = "temperature_1"
unit = "Cel"
high = 20
priority = "high"
sample = "east"
"#;

fn relays() -> Vec<Relay> {
    relays_cooling(0)
}

fn relays_cooling(cool_down_s: u32) -> Vec<Relay> {
    #[derive(serde::Deserialize)]
    struct File {
        relay: Vec<Relay>,
    }
    let file: File = toml::from_str(&format!(
        r#"
relay = [
  {{ name = "east", use = "sampler", chip = "gpiochip0", line = 1, on_ms = 500, cool_down_s = {cool_down_s}, bottles = 2 }},
  {{ name = "lamp", use = "signal", chip = "gpiochip0", line = 2 }},
]
"#
    ))
    .unwrap();
    file.relay
}

fn east() -> RelayId {
    RelayId::new("east").unwrap()
}

/// What is journaled of samples, as `started 1/2`.
fn steps(bench: &Bench) -> Vec<String> {
    let step = |body: &Body| match body {
        Body::Audit(audit) => match &audit.act {
            Act::Sampled { step, bottle, bottles, .. } => Some(format!("{} {bottle}/{bottles}", step.as_str())),
            _ => None,
        },
        _ => None,
    };
    bench.records().iter().filter_map(|at| step(&at.record.body)).collect()
}

fn told(bench: &Bench) -> Vec<Command> {
    bench.switched.try_iter().collect()
}

fn pulsed(bench: &Bench) -> usize {
    let is_pulse = |command: &Command| match command {
        Command::Pulse(pulse) => {
            assert_eq!(pulse, &Pulse { id: east(), on_ms: 500 });
            true
        }
        Command::Signals(_) => false,
    };
    told(bench).iter().filter(|command| is_pulse(command)).count()
}

/// What the relays' thread says.
fn done(bench: &mut Bench, done: Done) {
    let (answer, _) = oneshot::channel();
    bench.take(Vec::new(), Vec::new(), vec![Ordered { order: Order::PulseDone { relay: east(), done }, answer }]);
}

#[test]
fn an_alarm_takes_one_bottle_and_a_return_takes_none() {
    let mut bench = Bench::wired(&relays(), RULES);
    bench.apply([heard(1, WARM)]);
    assert_eq!((steps(&bench), pulsed(&bench)), (vec!["started 1/2".to_owned()], 1));
    let alarm = bench.records().iter().find(|at| matches!(at.record.body, Body::Alarm(_))).unwrap().seq;
    let because = |act: &Act| matches!(act, Act::Sampled { alarm: Some(seq), .. } if *seq == alarm);
    let is_box = |body: &Body| matches!(body, Body::Audit(audit) if because(&audit.act) && audit.by == Actor::Box);
    assert!(bench.records().iter().any(|at| is_box(&at.record.body)), "it names the alarm");
    bench.apply([heard(2, WARM)]);
    assert_eq!(pulsed(&bench), 0, "the alarm stands");
    done(&mut bench, Done::Taken);
    bench.apply([heard(3, COLD)]);
    bench.apply([heard(4, WARM)]);
    assert_eq!(pulsed(&bench), 1, "it is raised again");
    bench.apply([heard(5, COLD)]);
    bench.apply([heard(6, WARM)]);
    assert_eq!(steps(&bench), ["started 1/2", "taken 1/2", "started 2/2", "busy 2/2"]);
    done(&mut bench, Done::Taken);
    bench.apply([heard(7, COLD)]);
    bench.apply([heard(8, WARM)]);
    assert_eq!(steps(&bench)[4..], ["taken 2/2", "no_bottle 2/2"]);
    let refill = json!({"do": "audit", "act": "refilled", "sampler": "east", "bottles": 24, "reason": ""});
    bench.order(&refill).unwrap();
    bench.apply([heard(9, COLD)]);
    bench.apply([heard(10, WARM)]);
    assert_eq!(steps(&bench)[6..], ["started 1/24"]);
}

#[test]
fn after_a_crash_in_the_middle_no_second_bottle_is_filled() {
    let mut bench = Bench::wired(&relays(), RULES);
    bench.apply([heard(1, WARM)]);
    assert_eq!(pulsed(&bench), 1);
    for boot in ["boot-a", "boot-b"] {
        bench = bench.rewired(boot, RULES);
        assert_eq!(pulsed(&bench), 0);
        bench.apply([heard(1, WARM)]);
        assert_eq!(pulsed(&bench), 0);
        assert_eq!(steps(&bench), ["started 1/2", "uncertain 1/2"], "told once");
    }
    // What the journal lost of its states its records have.
    let path = bench.folder.path().join("journal/journal.db");
    let restored = bench.committer.samplers.clone();
    let Bench { folder, committer, switched, .. } = bench;
    drop((committer, switched));
    rusqlite::Connection::open(&path).unwrap().execute("DELETE FROM state WHERE name = 'samplers'", []).unwrap();
    let bench = Bench::wired_at(folder, &relays(), RULES);
    assert_eq!(bench.committer.samplers, restored);
}

#[test]
fn what_is_not_stored_switches_nothing() {
    let mut bench = Bench::wired(&relays(), RULES);
    told(&bench);
    let path = bench.folder.path().join("journal/journal.db");
    let before = steps(&bench);
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch("CREATE TRIGGER full BEFORE INSERT ON state BEGIN SELECT RAISE(ABORT, 'full'); END").unwrap();
    bench.apply([heard(1, WARM)]);
    assert_eq!((pulsed(&bench), steps(&bench)), (0, before));
    db.execute_batch("DROP TRIGGER full").unwrap();
    bench.apply([heard(2, WARM)]);
    assert_eq!((pulsed(&bench), steps(&bench)), (1, vec!["started 1/2".to_owned()]));
}

#[test]
fn a_person_is_refused_like_an_alarm_and_each_refusal_is_journaled() {
    let mut bench = Bench::wired(&relays(), RULES);
    let take = json!({"do": "take_sample", "sampler": "east", "reason": "clue 7"});
    let answer = bench.order(&take).unwrap();
    assert_eq!((&answer["sampled"]["step"], pulsed(&bench)), (&json!("started"), 1));
    let answer = bench.order(&take).unwrap();
    assert_eq!((&answer["sampled"]["step"], pulsed(&bench)), (&json!("busy"), 0));
    done(&mut bench, Done::NotSwitched);
    assert_eq!(steps(&bench), ["started 1/2", "busy 1/2", "failed 1/2"]);
    let by = |body: &Body| match body {
        Body::Audit(audit) if matches!(audit.act, Act::Sampled { step: SampleStep::Busy, .. }) => {
            Some((audit.by.clone(), audit.reason.clone()))
        }
        _ => None,
    };
    let refused = bench.records().iter().find_map(|at| by(&at.record.body));
    assert_eq!(refused, Some((Actor::User(1_000), "clue 7".to_owned())));
    for name in ["lamp", "west"] {
        let why = bench.order(&json!({"do": "take_sample", "sampler": name, "reason": "x"})).unwrap_err();
        assert!(why.contains("weir sampler list"), "{why}");
        let why = bench.order(&json!({"do": "audit", "act": "refilled", "sampler": name, "bottles": 1})).unwrap_err();
        assert!(why.contains("weir sampler list"), "{why}");
    }
}

#[test]
fn a_shelved_alarm_takes_no_sample() {
    let mut bench = Bench::wired(&relays(), RULES);
    let until = bench.committer.stamp().wall_ms.0 + 3_600_000;
    let shelve =
        json!({"do": "audit", "act": "shelved", "rule": "warm", "source": "flow-1", "until_ms": until, "reason": "x"});
    bench.order(&shelve).unwrap();
    bench.apply([heard(1, WARM)]);
    assert_eq!((steps(&bench), pulsed(&bench)), (vec!["shelved 0/2".to_owned()], 0));
}

#[test]
fn a_lamp_is_on_until_somebody_has_seen_the_alarm() {
    let mut bench = Bench::wired(&relays(), RULES);
    let lamp = |bench: &mut Bench| {
        bench.committer.light();
        let last = told(bench).into_iter().rev().find_map(|command| match command {
            Command::Signals(wanted) => Some(wanted[&RelayId::new("lamp").unwrap()]),
            Command::Pulse(_) => None,
        });
        last.map_or("as before", |on| if on { "on" } else { "off" })
    };
    assert_eq!(lamp(&mut bench), "off");
    bench.apply([heard(1, WARM)]);
    assert_eq!(lamp(&mut bench), "on");
    bench.apply([heard(2, WARM)]);
    assert_eq!(lamp(&mut bench), "as before");
    bench.order(&json!({"do": "audit", "act": "acknowledged", "rule": "warm", "source": "flow-1"})).unwrap();
    assert_eq!(lamp(&mut bench), "off");
}

fn retain(sampler: &str) -> batch::Order {
    batch::Order::RetainedSample { sampler: RelayId::new(sampler).unwrap() }
}

/// What the box answers a platform that orders a sample: why it refuses.
fn refusal(bench: &mut Bench, number: u64, sampler: &str) -> Option<String> {
    let answer = send(bench, &command(number, retain(sampler))).unwrap();
    assert_eq!(answer["trial"], false, "{answer}");
    answer["refused"].as_str().map(str::to_owned)
}

#[test]
fn a_platform_that_may_has_a_sample_retained_within_the_limits_of_everybody() {
    let mut bench = Bench::wired(&relays(), RULES);
    enrol(&mut bench);
    assert!(refusal(&mut bench, 1, "east").unwrap().contains("[commands]"), "nobody may, unless it is said");
    bench.committer.parts.commands_allowed.retained_sample = vec![PlatformId::new("city").unwrap()];
    assert!(refusal(&mut bench, 2, "lamp").unwrap().contains("there is no sampler lamp"));
    assert_eq!((steps(&bench), pulsed(&bench)), (Vec::<String>::new(), 0));

    assert_eq!(refusal(&mut bench, 3, "east"), None);
    assert_eq!((steps(&bench), pulsed(&bench)), (vec!["started 1/2".to_owned()], 1));
    let journaled = audits(&bench);
    let [.., order, sample] = journaled.as_slice() else { panic!("{journaled:?}") };
    assert!(matches!(&order.act, Act::Commanded { number: 3, refused: None, .. }), "the order before what it does");
    assert!(matches!(&sample.act, Act::Sampled { step: SampleStep::Started, alarm: None, .. }), "{sample:?}");
    assert_eq!((&sample.by, sample.reason.as_str()), (&Actor::Platform("city".into()), "the bureau wants it"));

    assert_eq!(send(&mut bench, &command(3, retain("east"))).unwrap(), json!({"repeated": true}));
    assert!(refusal(&mut bench, 4, "east").unwrap().contains("it is at work"));
    done(&mut bench, Done::Taken);
    assert_eq!(refusal(&mut bench, 5, "east"), None);
    done(&mut bench, Done::Uncertain);
    assert!(refusal(&mut bench, 6, "east").unwrap().contains("2 of its 2 bottles are used"));
    assert_eq!(steps(&bench)[1..], ["busy 1/2", "taken 1/2", "started 2/2", "uncertain 2/2", "no_bottle 2/2"]);
    assert_eq!(pulsed(&bench), 1, "the second bottle");
}

#[test]
fn a_platform_does_not_hurry_a_sampler_and_a_restart_forgets_no_order() {
    let mut bench = Bench::wired(&relays_cooling(3_600), RULES);
    enrol(&mut bench);
    let city = vec![PlatformId::new("city").unwrap()];
    bench.committer.parts.commands_allowed.retained_sample = city.clone();
    assert_eq!(refusal(&mut bench, 1, "east"), None);
    // The program ends in the middle of it: the bottle counts, and the order that came again takes no other.
    let mut bench = bench.rewired("boot-a", RULES);
    bench.committer.parts.commands_allowed.retained_sample = city;
    told(&bench);
    assert_eq!(send(&mut bench, &command(1, retain("east"))).unwrap()["repeated"], Value::Bool(true));
    assert!(refusal(&mut bench, 2, "east").unwrap().contains("a short time ago"));
    assert_eq!(
        (steps(&bench), pulsed(&bench)),
        (["started 1/2", "uncertain 1/2", "cooling_down 1/2"].map(str::to_owned).to_vec(), 0)
    );
}

#[test]
fn an_order_that_is_not_stored_switches_nothing_and_can_come_again() {
    let mut bench = Bench::wired(&relays(), RULES);
    enrol(&mut bench);
    bench.committer.parts.commands_allowed.retained_sample = vec![PlatformId::new("city").unwrap()];
    let stuck = bench.stuck_disk();
    assert!(send(&mut bench, &command(1, retain("east"))).is_err());
    drop(stuck);
    assert_eq!((steps(&bench), pulsed(&bench)), (Vec::<String>::new(), 0));
    assert_eq!(refusal(&mut bench, 1, "east"), None);
    assert_eq!((steps(&bench), pulsed(&bench)), (vec!["started 1/2".to_owned()], 1));
}
