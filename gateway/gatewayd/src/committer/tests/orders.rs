//! What a technician orders, stored before it is answered.

use batch::EvidenceSeal;
use journal::{PINS_MAX, Pins};
use record::{Act, Actor, Audit, Body, RecordAt, Seq, SeqRange};
use serde_json::json;

use super::bench::{Bench, COLD, WARM, flow, heard};

#[test]
fn a_command_survives_a_restart_and_goes_with_the_next_answer() {
    let mut bench = Bench::new();
    let answer = bench.order(&json!({"do": "send", "device": "flow-1", "payload": "0102", "f_port": 5})).unwrap();
    assert_eq!(answer, json!({"id": 1}));
    bench = bench.reopen("boot-a");
    assert_eq!(bench.reader().commands().unwrap().len(), 1);
    bench.apply([heard(0, WARM)]);
    let down = bench.confirmed.try_recv().unwrap();
    // Header and MIC, FPort, two bytes, and whatever is asked of the device in between.
    assert!(down.phy.len() >= 15, "{}", hex::encode(down.phy));
    assert!(bench.reader().commands().unwrap().is_empty(), "it needs no acknowledgement");
    let answer = bench.order(&json!({"do": "send", "device": "cod-1", "payload": "01"})).unwrap();
    assert_eq!(answer, json!({"id": 2}), "an MQTT device takes commands as well, and numbers are never given twice");
    assert_eq!(bench.reader().commands().unwrap().len(), 1, "until the device has acknowledged it");
}

#[test]
fn what_is_not_stored_is_not_answered_as_done() {
    let mut bench = Bench::new();
    let stuck = bench.stuck_disk();
    let refused = bench.order(&json!({"do": "send", "device": "flow-1", "payload": "01"})).unwrap_err();
    assert!(refused.contains("nothing has changed"), "{refused}");
    drop(stuck);
    bench.apply([heard(0, WARM)]);
    assert!(bench.reader().commands().unwrap().is_empty());
    let down = bench.confirmed.try_recv().unwrap();
    assert_eq!(down.phy[0], 0x60, "an acknowledgement without the command that was not stored");
}

#[test]
fn sessions_move_and_what_was_sent_stays_sent() {
    let mut old = Bench::new();
    old.apply([heard(0, WARM), heard(1, WARM)]);
    let export = old.order(&json!({"do": "export_sessions"})).unwrap();
    assert_eq!(export["count"], 1);
    let mut new = Bench::new();
    let import = json!({"do": "import_sessions", "sessions": export["sessions"]});
    assert_eq!(new.order(&import).unwrap(), json!({"count": 1}));
    assert_ne!(new.committer.restored.ingest.session(&flow()), old.committer.restored.ingest.session(&flow()));
    new = new.reopen("boot-b");
    new.apply([heard(0, WARM), heard(1, WARM)]);
    assert_eq!(new.tally(Some("flow-1")).accepted, 0, "a frame of the old box is not taken twice");
    new.apply([heard(2, WARM)]);
    assert_eq!(new.tally(Some("flow-1")).accepted, 1);
}

#[test]
fn sessions_that_are_moved_late_take_nothing_back() {
    let mut old = Bench::new();
    old.apply([heard(0, WARM)]);
    let export = old.order(&json!({"do": "export_sessions"})).unwrap();
    let import = json!({"do": "import_sessions", "sessions": export["sessions"]});
    let mut new = Bench::new();
    new.order(&import).unwrap();
    new.apply([heard(1, WARM), heard(2, WARM)]);
    let session = new.committer.restored.ingest.session(&flow());
    assert_eq!(new.order(&import).unwrap(), json!({"count": 1}));
    assert_eq!(new.committer.restored.ingest.session(&flow()), session, "no counter of either direction fell");
    new.apply([heard(1, WARM)]);
    assert_eq!(new.tally(Some("flow-1")).rejected, 1, "a frame that this box took is still old");
}

#[test]
fn a_forgotten_counter_is_stored_before_it_is_answered() {
    let mut bench = Bench::new();
    bench.apply([heard(500, WARM), heard(0, WARM)]);
    assert_eq!(bench.tally(Some("flow-1")).rejected, 1);
    let reset = json!({"do": "reset_counter", "device": "flow-1"});
    let stuck = bench.stuck_disk();
    let refused = bench.order(&reset).unwrap_err();
    assert!(refused.contains("nothing has changed"), "{refused}");
    drop(stuck);
    bench.apply([heard(0, WARM)]);
    assert_eq!(bench.tally(Some("flow-1")).rejected, 2);
    assert_eq!(bench.order(&reset).unwrap(), json!({"highest": 500}));
    bench = bench.reopen("boot-b");
    bench.apply([heard(0, WARM)]);
    let tally = bench.tally(Some("flow-1"));
    assert_eq!((tally.accepted, tally.rejected), (2, 2));
}

#[test]
fn history_under_the_same_codec_stays_as_it_is() {
    let mut bench = Bench::new();
    bench.apply([heard(0, WARM), heard(1, WARM)]);
    let records = bench.records().len();
    let answer = bench.order(&json!({"do": "redecode", "device": "flow-1"})).unwrap();
    assert_eq!(answer, json!({"redecoded": 0, "failed": 0, "unreadable": 0}));
    assert_eq!(bench.records().len(), records);
}

#[test]
fn old_frames_after_a_restart_give_no_record_and_no_downlink() {
    let mut bench = Bench::new();
    bench.apply((0..20).map(|f_cnt| heard(f_cnt, WARM)));
    while bench.confirmed.try_recv().is_ok() {}
    bench = bench.reopen("boot-b");
    let frames = |bench: &Bench| bench.kinds().matches("frame").count();
    let before = frames(&bench);
    bench.apply((0..19).map(|f_cnt| heard(f_cnt, WARM)));
    assert_eq!(frames(&bench), before);
    assert!(bench.confirmed.try_recv().is_err());
    let tally = bench.tally(Some("flow-1"));
    assert_eq!((tally.accepted, tally.rejected), (20, 19), "received 39 (A3)");
}

#[test]
fn evidence_is_sealed_within_bounds_and_nothing_is_stored_for_it() {
    let mut bench = Bench::new();
    let records = bench.records().len();
    let seal = |members: usize, reason: &str| {
        let asked = json!({"sources": [], "from_ms": 1, "to_ms": 2, "reason": reason, "alarm": null});
        let members = vec![json!(["report.html", "07".repeat(32)]); members];
        json!({"do": "seal_evidence", "asked": asked, "report_version": 1, "members": members})
    };
    let answer = bench.order(&seal(1, "clue 7")).unwrap();
    let cose = hex::decode(answer["seal"].as_str().unwrap()).unwrap();
    let sealed = EvidenceSeal::verify(&cose, &bench.committer.parts.key.public()).unwrap();
    assert_eq!((sealed.asked.reason.as_str(), sealed.members[0].sha256.0), ("clue 7", [7; 32]));
    let refused = bench.order(&seal(EvidenceSeal::MEMBERS_MAX + 1, "")).unwrap_err();
    assert!(refused.contains("ask for less"), "{refused}");
    assert!(bench.order(&seal(1, &"x".repeat(2_000))).unwrap_err().contains("reason"));
    assert_eq!(bench.records().len(), records);
}

#[test]
fn an_order_is_journaled_with_who_gave_it_or_refused_with_what_to_do() {
    let mut bench = Bench::new();
    bench.apply([heard(0, WARM)]);
    let end = bench.records().len() as u64;
    let mut order = |mut request: serde_json::Value| {
        request["do"] = "audit".into();
        bench.order(&request)
    };
    let records = json!({"first": 0, "last": 1});
    let pinned = order(json!({"act": "pinned", "records": records, "reason": "the bureau asked"})).unwrap();
    assert_eq!(pinned, json!({ "seq": end }));
    let released = json!({"act": "released", "pin": end});
    assert_eq!(order(released.clone()).unwrap(), json!({"seq": end + 1}));
    for (request, expected) in [
        (released, format!("record {end} is no pin · try: weir evidence pins")),
        (
            json!({"act": "dropped", "platform": "municipal", "records": records}),
            "what is given up needs a reason".into(),
        ),
        (
            json!({"act": "pinned", "records": {"first": 0, "last": end + 9}}),
            format!("the journal ends before record {}", end + 2),
        ),
    ] {
        let refused = order(request).unwrap_err();
        assert!(refused.starts_with(&expected), "{refused}");
    }
    let dropped = json!({"act": "dropped", "platform": "municipal", "records": records, "reason": "never taken"});
    assert_eq!(order(dropped).unwrap(), json!({"seq": end + 2}));
    let orders: Vec<String> = bench
        .records()
        .into_iter()
        .filter_map(|at| match at.record.body {
            Body::Audit(audit) => Some(format!("{:?} {}", audit.by, audit.act.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(orders, ["User(1000) pinned", "User(1000) released", "User(1000) dropped"]);
}

#[test]
fn pins_are_counted_and_each_is_known_after_a_restart() {
    let mut bench = Bench::new();
    let pin = json!({"do": "audit", "act": "pinned", "records": {"first": 0, "last": 0}});
    for n in 0..PINS_MAX {
        assert!(bench.order(&pin).is_ok(), "pin {n}");
    }
    let mut bench = bench.reopen("boot-b");
    let refused = bench.order(&pin).unwrap_err();
    assert!(refused.contains("weir evidence release"), "{refused}");
}

/// Each frame of a warm sensor is above this; what is raised is kept with the second before it.
const GRAVE: &str = "[[rule]]\nid = \"warm\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"temperature_1\"\nunit = \"Cel\"\nhigh = 25\n\
                     keep = { before_s = 3600, after_s = 0 }\n";

#[tokio::test]
async fn records_around_a_grave_alarm_are_pinned_once_whatever_stops_the_box() {
    let pins = |bench: &Bench| -> Vec<(u64, u64, String)> {
        let pin = |at: RecordAt| match at.record.body {
            Body::Audit(Audit { by: Actor::Box, act: Act::Pinned { records }, reason }) => {
                Some((records.first.0, records.last.0, reason))
            }
            _ => None,
        };
        bench.records().into_iter().filter_map(pin).collect()
    };
    let mut bench = Bench::new().reopen_with_rules("boot-a", GRAVE);
    bench.apply([heard(0, WARM), heard(1, COLD), heard(2, WARM)]);
    assert_eq!(bench.kinds(), "boot codec codec frame alarm frame alarm frame alarm");
    assert_eq!(pins(&bench), [], "its time is not over");
    let mut bench = bench.reopen_with_rules("boot-a", GRAVE);
    bench.apply([heard(3, WARM)]);
    assert_eq!(pins(&bench), [(0, 8, "alarms 4, 8".to_owned())]);
    let mut bench = bench.reopen_with_rules("boot-a", GRAVE);
    bench.apply([heard(4, WARM)]);
    assert_eq!(pins(&bench).len(), 1, "once");
    // Nobody released it: it is held like any other.
    let mut held = Pins::default();
    held.catch_up(&bench.reader()).unwrap();
    assert!(held.hold(SeqRange { first: Seq(4), last: Seq(4) }) && held.iter().len() == 1);
}

#[tokio::test]
async fn nothing_is_pinned_for_what_is_not_grave() {
    let mut bench = Bench::new()
        .reopen_with_rules("boot-a", &GRAVE.replace("keep = { before_s = 3600, after_s = 0 }", "keep = false"));
    bench.apply([heard(0, WARM)]);
    bench.apply([heard(1, WARM)]);
    assert_eq!(bench.kinds(), "boot codec codec frame alarm frame");
}
