//! What the journal says of alarms: a record confirms the transition it was made from and no other one, and it is right.

use record::{AlarmState, AlarmTransition, Body, Record, RecordAt};

use super::kinds::{records, rules};
use crate::{Engine, RuleSet};

const RULES: &str =
    "[[rule]]\nid = \"r\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 80\n";

fn journaled(at: &RecordAt, step: AlarmTransition) -> RecordAt {
    RecordAt { seq: at.seq, record: Record { stamp: at.record.stamp, body: Body::Alarm(step) } }
}

/// An engine to which two devices and two rules have raised alarms that are not journaled, and these.
fn waiting() -> (Engine, Vec<(RecordAt, AlarmTransition)>) {
    let other = RULES.replace("\"r\"", "\"s\"");
    let mut engine = Engine::new(RuleSet::from_toml(&format!("{RULES}{other}")).unwrap());
    let raised = records("0s a/cod 81 | 1s b/cod 82")
        .into_iter()
        .flat_map(|at| engine.apply(&at).into_iter().map(|step| (at.clone(), step)).collect::<Vec<_>>())
        .collect();
    (engine, raised)
}

fn names(engine: &Engine) -> Vec<String> {
    engine.outstanding().map(|step| format!("{} {}", step.rule, step.source)).collect()
}

#[test]
fn a_record_confirms_one_of_several_that_wait() {
    let (mut engine, raised) = waiting();
    assert_eq!(names(&engine), ["r a", "s a", "r b", "s b"]);
    for (nth, left) in [(2, vec!["r a", "s a", "s b"]), (1, vec!["r a", "s b"]), (3, vec!["r a"]), (0, vec![])] {
        let (at, step) = &raised[nth];
        drop(engine.apply(&journaled(at, step.clone())));
        assert_eq!(names(&engine), left);
    }
}

#[test]
fn what_the_journal_says_otherwise_is_so() {
    let (mut engine, raised) = waiting();
    let (at, step) = &raised[0];
    drop(engine.apply(&journaled(at, AlarmTransition { to: AlarmState::ReturnedUnacknowledged, ..step.clone() })));
    assert_eq!(names(&engine), ["s a", "r b", "s b"], "its own will not come any more");
    let again = engine.apply(&records("0s 1 | 1s 1 | 2s a/cod 81")[2]);
    assert_eq!(
        again.iter().map(|step| (step.rule.as_str(), step.from)).collect::<Vec<_>>(),
        [("r", AlarmState::ReturnedUnacknowledged)]
    );
}

/// Alarms are read back from long before the frames: that hour began unseen.
#[test]
fn an_alarm_of_long_ago_tells_no_time() {
    let (_, raised) = waiting();
    let mut engine = Engine::new(rules("mean", "high = 50\nwindow = \"1h\"\nshare_min_percent = 50"));
    drop(engine.apply(&journaled(&raised[0].0, raised[0].1.clone())));
    let minutes = (65..190).step_by(10).map(|minute| format!("{minute}min 99")).collect::<Vec<_>>().join(" | ");
    let found = records(&minutes).iter().flat_map(|at| engine.apply(at)).map(|step| step.cause.0).collect::<Vec<_>>();
    assert_eq!(found, [11], "of the second hour, with the last of its readings");
}
