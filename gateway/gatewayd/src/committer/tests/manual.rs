//! What people enter by hand: a record like all others, and no reading.

use record::dossier::Day;
use record::{Body, ClockSource, Manual};
use serde_json::{Value, json};

use super::bench::Bench;
use crate::clock::{Discipline, wall_ms};

const CODE: &str = "FA-231081-0001-SH-00";
/// A limit that the sample is far above.
const STRICT: &str =
    "[[rule]]\nid = \"strict\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 1\n";

fn synchronised() -> Option<Discipline> {
    Some(Discipline { synchronised: true, error_ms: 12, source: ClockSource::Ntp, leap_second: false })
}

const DAY_MS: i64 = 86_400_000;

/// The day in Beijing since which the outfall is in use, counted from 1970.
fn since() -> i64 {
    (wall_ms().0 + 8 * 3_600_000) / DAY_MS - 400
}

/// A box that knows the time, with one outfall.
fn bench() -> Bench {
    let mut bench = Bench::asking(tempfile::tempdir().unwrap(), "boot-a", synchronised);
    let mut dossier: Value =
        serde_json::from_str(include_str!("../../../../../sync/record/tests/outfall.json")).unwrap();
    dossier["state"] = "in_use".into();
    dossier["state_since"] = Day::of(since()).unwrap().to_string().into();
    let request = json!({ "do": "register", "how": "add", "dossiers": [dossier], "reason": "survey" });
    bench.order(&request).unwrap();
    bench
}

fn sample(values: &[(&str, &str)]) -> Value {
    let values: Vec<Value> =
        values.iter().map(|(quantity, value)| json!({ "quantity": quantity, "value": value })).collect();
    json!({
        "do": "enter", "what": "sample", "outfall": CODE, "at_ms": wall_ms().0 - 3_600_000, "person": "王工",
        "values": values,
    })
}

fn patrol() -> Value {
    json!({
        "do": "enter", "what": "patrol", "outfall": CODE, "at_ms": wall_ms().0 - 60_000, "person": "王工",
        "finding": "no water",
    })
}

fn with(mut request: Value, key: &str, value: impl Into<Value>) -> Value {
    request[key] = value.into();
    request
}

fn entries(bench: &Bench) -> Vec<Manual> {
    let entered = bench.records().into_iter().filter_map(|at| match at.record.body {
        Body::Manual(manual) => Some(manual),
        _ => None,
    });
    entered.collect()
}

#[test]
fn an_entry_is_journaled_with_its_units_and_who_typed_it() {
    let mut bench = bench();
    let mut request = sample(&[("nh3_n", "0.025"), ("cod", "35.20")]);
    request["values"][0]["detection"] = "below_limit".into();
    request["values"][1]["unit"] = "mg/L".into();
    request["values"][1]["method"] = "HJ 828-2017".into();
    request["files"] = json!([{ "name": "报告.pdf", "sha256": "00".repeat(32) }]);
    request["by"] = "root".into();
    let seq = bench.order(&request).unwrap()["seq"].as_u64().unwrap();
    assert_eq!(seq + 1, bench.records().len() as u64);
    let [Manual::Sample(sample)] = &entries(&bench)[..] else { panic!("one sample") };
    assert_eq!(sample.entry.by, record::Actor::User(1_000), "the kernel says who");
    let values: Vec<String> = sample
        .values
        .iter()
        .map(|of| format!("{} {} {} {} {:?}", of.quantity, of.detection.as_str(), of.value, of.unit, of.method))
        .collect();
    assert_eq!(values, ["cod found 35.2 mg/L Some(\"HJ 828-2017\")", "nh3_n below_limit 0.025 mg/L None"]);
    assert_eq!(sample.entry.files[0].name.as_str(), "报告.pdf");
    bench.order(&with(patrol(), "state", "dry")).unwrap();
    assert!(matches!(&entries(&bench)[1], Manual::Patrol(patrol) if patrol.state == Some(record::PatrolState::Dry)));
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let mut bench = bench();
    let mut refused = |request: &Value, why: &str| {
        let before = bench.records().len();
        let said = bench.order(request).unwrap_err();
        assert!(said.contains(why) && said.contains("try:"), "{said}");
        assert_eq!(bench.records().len(), before);
    };
    let (now, cod) = (wall_ms().0, || sample(&[("cod", "35.2")]));
    refused(&with(cod(), "outfall", "B-2"), "outfall B-2 has no dossier");
    refused(&with(cod(), "at_ms", now + 6 * 60_000), "is in the future");
    refused(&with(patrol(), "at_ms", now + 6 * 60_000), "--at");
    let begun = since() * DAY_MS - 8 * 3_600_000;
    refused(&with(cod(), "at_ms", begun - 1), "23:59 (UTC+8) is before outfall");
    refused(&with(cod(), "at_ms", now - 6 * 366 * 86_400_000), "more than 5 years ago");
    refused(&sample(&[("nh3n", "1")]), "nh3n is neither registered nor limited");
    refused(&sample(&[("nh3n", "1")]), "`nh3_n`");
    let mut other = cod();
    other["values"][0]["unit"] = "g/L".into();
    refused(&other, "cod is entered in mg/L, not in g/L");
    refused(&with(with(cod(), "replaces", 0), "reason", "typo"), "record 0 is no manual entry");
    // Within what a watch is wrong, and as far back as records are kept.
    bench.order(&with(cod(), "at_ms", now + 60_000)).unwrap();
    bench.order(&with(cod(), "at_ms", begun)).unwrap();
}

#[test]
fn an_entry_that_is_wrong_in_itself_is_refused() {
    let refused = |request: &Value, why: &str| {
        let said = crate::manual::Entering::parse(request, Some(1_000)).unwrap_err();
        assert!(said.contains(why), "{said}");
    };
    let cod = || sample(&[("cod", "35.2")]);
    refused(&with(cod(), "person", " "), "--by: a text is empty");
    refused(&with(cod(), "person", "x".repeat(101)), "--by: a text has 101 bytes, at most 100");
    refused(&with(cod(), "note", "x".repeat(1_001)), "--note: a text has 1001 bytes");
    refused(&with(cod(), "laboratory", "a\nb"), "--lab: a text is to be one line");
    refused(&with(cod(), "person", Value::Null), "--by NAME");
    refused(&with(cod(), "values", json!([])), "--value cod=35.2");
    refused(&sample(&[("cod", "much")]), "`much` is not a decimal number");
    refused(&sample(&[("cod", "1"), ("cod", "2")]), "cod is there twice");
    let many: Vec<(String, &str)> = (0..65).map(|n| (format!("q{n}"), "1")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    refused(&sample(&many), "at most 64 values");
    let mut below = sample(&[("cod", "0")]);
    below["values"][0]["detection"] = "below_limit".into();
    refused(&below, "a detection limit is above zero");
    refused(&with(cod(), "replaces", 3), "--reason TEXT");
    refused(&with(cod(), "files", json!([{ "name": "a", "sha256": "00" }])), "64 hex digits");
    let file = json!({ "name": "a", "sha256": "00".repeat(32) });
    refused(&with(cod(), "files", vec![file; 9]), "--file: a list has 9 entries");
    refused(&with(patrol(), "finding", ""), "--finding: a text is empty");
    refused(&with(patrol(), "state", "odd"), "no state of an outfall");
    refused(&with(cod(), "what", "reading"), "not sample or patrol");
    assert!(crate::manual::Entering::parse(&cod(), None).unwrap_err().contains("who asks"));
}

#[test]
fn a_correction_is_another_entry_and_only_one() {
    let mut bench = bench();
    let seq = |answer: Value| answer["seq"].as_u64().unwrap();
    let correcting = |of: u64, request: Value| with(with(request, "replaces", of), "reason", "typed wrong");
    let first = seq(bench.order(&sample(&[("cod", "35.2")])).unwrap());
    let said = bench.order(&correcting(first, patrol())).unwrap_err();
    assert!(said.contains("is a sample, and a patrol cannot replace it"), "{said}");
    let second = seq(bench.order(&correcting(first, sample(&[("cod", "53.2")]))).unwrap());
    // Also by a start that knows only what is on the disk, and of two in one transaction.
    bench = bench.reopen("boot-b");
    let said = bench.order(&correcting(first, sample(&[("cod", "1")]))).unwrap_err();
    assert!(said.contains(&format!("replaced already, by record {second}")), "{said}");
    let twice = correcting(second, sample(&[("cod", "52.3")]));
    let answers = bench.orders(&[&twice, &twice]);
    assert!(answers[0].is_ok() && answers[1].as_ref().unwrap_err().contains("replaced already"), "{answers:?}");
    assert_eq!(entries(&bench).len(), 3, "what was entered stays");
}

/// Whatever is typed, no rule hears of it; and what is not on the disk was not entered.
#[test]
fn no_rule_judges_what_was_entered() {
    let mut bench = bench().reopen_with_rules("boot-b", STRICT);
    let before = bench.kinds();
    bench.order(&sample(&[("cod", "999")])).unwrap();
    bench = bench.reopen_with_rules("boot-b", STRICT);
    assert_eq!(bench.kinds(), format!("{before} manual"));
    assert!(bench.alarms().is_empty());
    let stuck = bench.stuck_disk();
    assert!(bench.order(&patrol()).unwrap_err().contains("nothing has changed"));
    drop(stuck);
    assert_eq!(entries(&bench).len(), 1);
}
