//! What platforms command: who is believed, what is journaled, and rules that must prove themselves.

use batch::{Command, Order, PlatformId, Receipt, SigningKey, TreeHead};
use record::merkle::Hash;
use record::{Act, Actor, AlarmState, Audit, Body, Seq, SeqRange, SeqRanges, Settlement, SourceId, UnixMs};
use serde_json::{Value, json};

use super::bench::{Bench, COLD, WARM, heard};

pub(super) const COOLER: &str = r#"
[[rule]]
id = "cool"
kind = "limit"
devices = ["*"]
quantity = "temperature_1"
unit = "Cel"
high = 10
"#;

const CITY_SEED: [u8; 32] = [3; 32];

pub(super) fn city() -> SigningKey {
    SigningKey::from_seed(&CITY_SEED)
}

/// A bench whose journal believes the city, and allows it everything.
pub(super) fn bench() -> Bench {
    allow(Bench::new())
}

fn allow(mut bench: Bench) -> Bench {
    let city = vec![PlatformId::new("city").unwrap()];
    bench.committer.parts.commands_allowed.sampling = city.clone();
    bench.committer.parts.commands_allowed.rules = city;
    bench
}

pub(super) fn enrol(bench: &mut Bench) {
    let key = city().public().to_string();
    bench.order(&json!({"do": "audit", "act": "enrolled", "platform": "city", "key": key, "reason": "x"})).unwrap();
}

pub(super) fn command(number: u64, order: Order) -> Command {
    Command {
        platform: PlatformId::new("city").unwrap(),
        box_id: batch::BoxId::new("outfall-1").unwrap(),
        number,
        issued_ms: UnixMs(0),
        until_ms: UnixMs(i64::MAX),
        order,
        reason: "the bureau wants it".into(),
    }
}

pub(super) fn send(bench: &mut Bench, command: &Command) -> Result<Value, String> {
    send_signed(bench, command, &city())
}

fn send_signed(bench: &mut Bench, command: &Command, key: &SigningKey) -> Result<Value, String> {
    let bytes = command.sign(key).unwrap();
    bench.order(&json!({"do": "command", "platform": "city", "command": hex::encode(bytes)}))
}

fn resend() -> Order {
    Order::Resend { records: [SeqRange { first: Seq(0), last: Seq(3) }].into_iter().collect() }
}

pub(super) fn rules() -> Order {
    Order::Rules { toml: COOLER.into() }
}

/// A receipt of the city that holds everything before this number.
pub(super) fn receipt(end: u64, key: &SigningKey) -> String {
    let receipt = Receipt {
        platform: PlatformId::new("city").unwrap(),
        box_id: batch::BoxId::new("outfall-1").unwrap(),
        batch: batch::BatchId([1; 32]),
        holds: [SeqRange { first: Seq(0), last: Seq(end - 1) }].into_iter().collect(),
        head: TreeHead { size: end, root: Hash([0; 32]) },
        received_ms: UnixMs(0),
        command: None,
        left_out: SeqRanges::new(),
    };
    hex::encode(receipt.sign(key))
}

pub(super) fn prove(bench: &mut Bench, receipt: &str) -> Result<Value, String> {
    bench.order(&json!({"do": "prove", "platform": "city", "receipt": receipt}))
}

pub(super) fn audits(bench: &Bench) -> Vec<Audit> {
    let audit = |body| match body {
        Body::Audit(audit) => Some(audit),
        _ => None,
    };
    bench.records().into_iter().filter_map(|at| audit(at.record.body)).collect()
}

pub(super) fn raised(bench: &Bench, rule: &str) -> usize {
    let is_raised = |body: &Body| matches!(body, Body::Alarm(step) if step.rule.as_str() == rule && step.to == AlarmState::Unacknowledged);
    bench.records().iter().filter(|at| is_raised(&at.record.body)).count()
}

#[test]
fn only_who_is_pinned_commands_and_every_command_is_journaled() {
    let mut bench = bench();
    let no_key = send(&mut bench, &command(1, resend())).unwrap_err();
    assert!(no_key.contains("weir identity pin city KEY"), "{no_key}");
    enrol(&mut bench);
    let other = SigningKey::from_seed(&[4; 32]);
    assert!(send_signed(&mut bench, &command(1, resend()), &other).is_err());
    let elsewhere = Command { box_id: batch::BoxId::new("outfall-2").unwrap(), ..command(1, resend()) };
    assert!(send(&mut bench, &elsewhere).unwrap_err().contains("for box outfall-2"));
    assert_eq!(audits(&bench).len(), 1, "nothing of that is journaled");

    let answer = send(&mut bench, &command(5, resend())).unwrap();
    assert_eq!([&answer["refused"], &answer["trial"]], [&Value::Null, &json!(false)]);
    let newest = audits(&bench).pop().unwrap();
    assert_eq!((newest.by, newest.reason.as_str()), (Actor::Platform("city".into()), "the bureau wants it"));
    let Act::Commanded { number: 5, order, command: bytes, refused: None } = newest.act else { panic!("another act") };
    assert_eq!((order.as_str(), Command::verify(&bytes, &city().public()).unwrap()), ("resend", command(5, resend())));

    for number in [5, 4] {
        assert_eq!(send(&mut bench, &command(number, resend())).unwrap(), json!({"repeated": true}));
    }
    bench = allow(bench.reopen("boot-b"));
    assert_eq!(send(&mut bench, &command(5, resend())).unwrap(), json!({"repeated": true}), "also after a restart");
    assert_eq!(audits(&bench).len(), 2);
}

#[test]
fn what_is_not_allowed_or_cannot_be_is_refused_in_the_journal() {
    let mut bench = Bench::new();
    enrol(&mut bench);
    let sampling = |device: &str| Order::Sampling { device: SourceId::new(device).unwrap(), period_s: 60 };
    let refused = |bench: &mut Bench, number: u64, order: Order, expected: &str| {
        let answer = send(bench, &command(number, order)).unwrap();
        assert!(answer["refused"].as_str().unwrap().contains(expected), "{answer}");
        let Act::Commanded { refused: Some(why), .. } = audits(bench).pop().unwrap().act else { panic!("not refused") };
        assert!(why.contains(expected), "{why}");
    };
    refused(&mut bench, 1, sampling("cod-1"), "[commands] of this box's gateway.toml does not allow city that");
    refused(&mut bench, 2, rules(), "does not allow");
    bench = allow(bench);
    refused(&mut bench, 3, sampling("cod-9"), "there is no device `cod-9`");
    refused(&mut bench, 4, sampling("cod-1"), "does not say how device `cod-1` is told its period");
    refused(&mut bench, 5, Order::Rules { toml: "[[rule]]".into() }, "line 1");
    bench.committer.parts.commands_allowed.resend = false;
    refused(&mut bench, 6, resend(), "does not allow");
}

#[test]
fn a_flood_of_commands_waits() {
    let mut bench = bench();
    enrol(&mut bench);
    for number in 1..=60 {
        send(&mut bench, &command(number, resend())).unwrap();
    }
    assert!(send(&mut bench, &command(61, resend())).unwrap_err().contains("within an hour"));
    assert_eq!(audits(&bench).len(), 61);
}

#[test]
fn rules_that_prove_themselves_stay_until_somebody_changes_the_file() {
    let mut bench = bench();
    enrol(&mut bench);
    bench.apply([heard(0, COLD)]);
    assert_eq!(raised(&bench, "cool"), 0);
    let answer = send(&mut bench, &command(1, rules())).unwrap();
    assert_eq!(answer["trial"], true);
    let seq = answer["seq"].as_u64().unwrap();
    assert_eq!(raised(&bench, "cool"), 1, "the last hours are judged anew, as after a restart");
    bench.apply([heard(1, WARM)]);
    assert_eq!(raised(&bench, "warm"), 0, "the box's own rules are out of force");

    assert!(prove(&mut bench, &receipt(seq, &city())).unwrap_err().contains("does not hold record"));
    assert!(prove(&mut bench, &receipt(seq + 1, &SigningKey::from_seed(&[4; 32]))).is_err(), "another key");
    assert_eq!(prove(&mut bench, &receipt(seq + 1, &city())).unwrap(), json!({"kept": seq}));
    let settled = audits(&bench).pop().unwrap();
    assert_eq!((settled.by, settled.act), (Actor::Box, Act::Settled { command: Seq(seq), outcome: Settlement::Kept }));
    assert!(prove(&mut bench, &receipt(seq + 1, &city())).is_err(), "nothing is on trial any more");

    bench = allow(bench.reopen("boot-b"));
    bench.apply([heard(2, WARM)]);
    assert_eq!(raised(&bench, "warm"), 0, "they are in force after a restart");
    assert_eq!(bench.board.lock().unwrap().rules.as_ref().unwrap().command, Seq(seq));

    bench = bench.reopen_with_rules("boot-c", &format!("{COOLER}\n# by hand"));
    let settled = audits(&bench).pop().unwrap();
    assert_eq!(settled.act, Act::Settled { command: Seq(seq), outcome: Settlement::Superseded });
    assert!(bench.board.lock().unwrap().rules.is_none());
}

#[test]
fn rules_without_a_receipt_in_time_are_rolled_back() {
    let mut bench = bench();
    enrol(&mut bench);
    bench.committer.parts.commands_allowed.trial_s = 0;
    let answer = send(&mut bench, &command(1, rules())).unwrap();
    let seq = answer["seq"].as_u64().unwrap();
    bench.apply([heard(0, WARM)]);
    let settled = audits(&bench).pop().unwrap();
    assert_eq!(settled.act, Act::Settled { command: Seq(seq), outcome: Settlement::RolledBack });
    assert!(settled.reason.contains("no receipt of city"), "{}", settled.reason);
    assert!(prove(&mut bench, &receipt(seq + 1, &city())).is_err(), "too late");
    bench.apply([heard(1, WARM)]);
    assert_eq!(raised(&bench, "warm"), 1, "the box's own are in force again");
}

#[test]
fn rules_that_flood_the_station_with_alarms_are_rolled_back() {
    let mut bench = bench();
    enrol(&mut bench);
    let between = Order::Rules { toml: COOLER.replace("10", "20") };
    let seq = send(&mut bench, &command(1, between)).unwrap()["seq"].as_u64().unwrap();
    // Each frame is a step: over the limit, back, over it again.
    (0..200).for_each(|f_cnt| bench.apply([heard(f_cnt, if f_cnt % 2 == 0 { WARM } else { COLD })]));
    assert!(bench.committer.trial.is_some(), "200 are borne");
    bench.apply([heard(200, WARM)]);
    bench.apply([heard(201, COLD)]);
    let is_settled = |audit: &Audit| matches!(audit.act, Act::Settled { .. });
    let settled = audits(&bench).into_iter().find(is_settled).expect("the trial is over");
    assert_eq!(settled.act, Act::Settled { command: Seq(seq), outcome: Settlement::RolledBack });
    assert!(settled.reason.contains("more than 200 alarms"), "{}", settled.reason);
}

#[test]
fn a_restart_ends_a_trial() {
    let mut bench = bench();
    enrol(&mut bench);
    let seq = send(&mut bench, &command(1, rules())).unwrap()["seq"].as_u64().unwrap();
    assert!(send(&mut bench, &command(2, rules())).unwrap()["refused"].as_str().unwrap().contains("on trial"));
    bench = bench.reopen("boot-a");
    let settled = audits(&bench).pop().unwrap();
    assert_eq!(settled.act, Act::Settled { command: Seq(seq), outcome: Settlement::RolledBack });
    bench.apply([heard(0, WARM)]);
    assert_eq!([raised(&bench, "warm"), raised(&bench, "cool")], [1, 0]);
}

#[test]
fn a_command_that_is_not_stored_has_not_happened() {
    let mut bench = bench();
    enrol(&mut bench);
    let stuck = bench.stuck_disk();
    assert!(send(&mut bench, &command(1, rules())).unwrap_err().contains("nothing has changed"));
    drop(stuck);
    assert!(bench.committer.trial.is_none());
    let answer = send(&mut bench, &command(1, rules())).unwrap();
    assert_eq!(answer["trial"], true, "its number is still new");
    let stuck = bench.stuck_disk();
    let seq = answer["seq"].as_u64().unwrap();
    assert!(prove(&mut bench, &receipt(seq + 1, &city())).is_err());
    drop(stuck);
    assert_eq!(prove(&mut bench, &receipt(seq + 1, &city())).unwrap(), json!({"kept": seq}));
}

#[test]
fn what_is_known_of_platforms_follows_from_the_journal() {
    let mut bench = bench();
    enrol(&mut bench);
    send(&mut bench, &command(7, resend())).unwrap();
    let stored = bench.committer.platforms.clone();
    // As a journal that an older program wrote, or whose states were lost.
    let states = [(super::super::platforms::STATE.to_owned(), Vec::new())].into_iter().collect();
    bench.committer.journal.commit(&journal::Transaction { states, ..Default::default() }).unwrap();
    assert_eq!(super::super::platforms::Platforms::open(&bench.reader()).unwrap(), stored);
}

#[test]
fn an_order_to_close_a_gate_is_refused_and_that_is_journaled() {
    let mut bench = bench();
    enrol(&mut bench);
    let known = command(7, Order::Rules { toml: "gate".into() }).sign(&city()).unwrap();
    // The same with another order in the place of rules, signed anew: a platform that knows more than this box.
    let bytes = resigned(&known, [0x82, 0x02, 0x81, 0x64], [0x82, 0x09, 0x81, 0x64]);
    let request = json!({"do": "command", "platform": "city", "command": hex::encode(&bytes)});
    let answer = bench.order(&request).unwrap();
    assert!(answer["refused"].as_str().unwrap().contains("storm-water"), "{answer}");
    let Audit { by, act: Act::Commanded { number: 7, order, command, refused: Some(why) }, .. } =
        audits(&bench).pop().unwrap()
    else {
        panic!("not journaled")
    };
    assert_eq!((by, order.as_str(), command), (Actor::Platform("city".into()), "unknown 9", bytes));
    assert!(why.contains("no such order"));
    assert_eq!(bench.order(&request).unwrap()["repeated"], true);
    assert_eq!(bench.switched.try_iter().count(), 0);
    let stranger = json!({"do": "command", "platform": "city", "command": hex::encode(known)});
    assert_eq!(bench.order(&stranger).unwrap()["repeated"], true, "its number is used up");
}

/// A signed command with these bytes of its payload changed, signed by the city.
fn resigned(command: &[u8], from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    use coset::{CoseSign1, TaggedCborSerializable};
    use ed25519_dalek::Signer;
    let mut cose = CoseSign1::from_tagged_slice(command).unwrap();
    let payload = cose.payload.as_mut().unwrap();
    let at = payload.windows(4).position(|window| window == from).unwrap();
    payload[at..at + 4].copy_from_slice(&to);
    let key = ed25519_dalek::SigningKey::from_bytes(&CITY_SEED);
    cose.signature = key.sign(&cose.tbs_data(&[])).to_bytes().to_vec();
    cose.to_tagged_vec().unwrap()
}
