//! A test frame goes the way of a sensor's, from the MQTT port to every platform's receipt, is marked as a test everywhere, and
//! counts nowhere.

use std::path::Path;

use serde_json::{Value, json};
use system_tests::{Device, Party, Sensor, World, until};

use crate::evidence_file::unzipped;

/// Of two devices: every reading counts, and a test frame would count as one.
const MEANS: &str = "[checkpoint]\nseconds_max = 1\n[aggregates]\nperiods = [\"1m\"]\nlate_s = 1\n";
/// Whatever comes in raises it.
const RULE: &str =
    "[[rule]]\nid = \"any\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 0\n";

fn tests_at(party: &Party) -> Vec<String> {
    party.audits().into_iter().filter(|(act, ..)| act == "self_tested").map(|(.., reason)| reason).collect()
}

#[test]
fn a_test_frame_has_every_receipt_and_is_no_reading() {
    let cod = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&cod), MEANS);
    std::fs::write(world.path("rules.toml"), RULE).unwrap();
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    Sensor::connect(&world, &cod).publish(r#"{"n": 1, "cod": -1}"#);
    let (before, tallies) = (world.export(), world.status()["gateway"]["devices"].clone());
    let told = world.weir(&["self-test", "--reason", "modem replaced", "--json"]).exits(0).json();
    assert_eq!((&told["ok"], &told["port"]), (&json!(true), &json!("mqtt")), "{told}");
    let receipts: Vec<(&Value, &Value)> =
        told["platforms"].as_array().unwrap().iter().map(|one| (&one["name"], &one["receipt"])).collect();
    assert_eq!(receipts, [(&json!("municipal"), &json!(true)), (&json!("provincial"), &json!(true))]);
    for party in &world.platforms {
        assert_eq!(tests_at(party), ["modem replaced"], "{}: an order of that kind, and nothing else", party.name);
        assert!(party.rows().iter().all(|row| row.source == "cod-1"), "{}", party.name);
    }
    assert_eq!(world.export(), before, "no reading more");
    assert!(world.status()["gateway"]["alarms"].as_array().unwrap().is_empty(), "no rule saw it");
    let counted = |devices: &Value| {
        let each = devices.as_object().unwrap().iter();
        each.map(|(name, device)| (name.clone(), device["tally"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(counted(&world.status()["gateway"]["devices"]), counted(&tallies), "and no frame of anybody");

    let seq = told["seq"].as_u64().unwrap();
    let tail = world.weir(&["tail", "-n", "1000", "--json"]).exits(0).json_lines();
    let record = tail.iter().find(|record| record["seq"] == seq).unwrap();
    assert_eq!((&record["kind"], &record["act"]), (&json!("audit"), &json!("self_tested")), "{record}");
    for (lang, words) in [("en", "SELF-TEST, no measurement"), ("zh", "自检测试，非监测数据")] {
        let text = world.weir(&["--lang", lang, "tail", "-n", "1000"]).exits(0).out;
        assert!(text.contains(words), "{text}");
    }
    until("the box has signed a tree head over it", 30, || {
        (world.count("/gateway/journal/checkpoint") > seq).then_some(())
    });
    let hour = |hours| (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours)).to_string();
    let file = world.path("test.evidence").display().to_string();
    let (from, to) = (hour(-1), hour(1));
    world.weir(&["evidence", "export", "--from", &from, "--to", &to, "--reason", "x", "-o", &file]).exits(0);
    let report = unzipped(Path::new(&file), "report.html");
    assert!(report.contains("自检测试帧（非监测数据）self-test frame, no measurement"), "{report}");
    world.delivered();
    world.audit();
    world.verify().exits(0);
}

#[test]
fn who_is_not_let_in_or_too_late_is_told_what_to_do() {
    let cod = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&cod), "");
    let refused = world.weir(&["self-test"]).exits(3);
    assert!(refused.err.contains("weir-gateway"), "{}", refused.err);
    world.start_gateway();
    // Without the upload daemon the frame is stored, and that is all.
    let told = world.weir(&["self-test"]).exits(1);
    assert!(told.out.contains("record") && told.out.contains("weir-sync"), "{told:?}");
    world.start_platforms();
    world.start_sync();
    world.platforms[1].stop();
    let told = world.weir(&["self-test", "--wait", "3"]).exits(1);
    assert!(told.out.contains("receipt") && told.out.contains("no receipt yet"), "{told:?}");
    assert!(told.out.lines().any(|line| line.starts_with("! provincial: ") && line.contains("try: ")), "{told:?}");
    world.platforms[1].restart();
    world.weir(&["self-test", "--wait", "60"]).exits(0);
    until("both hold all three", 60, || world.platforms.iter().all(|party| tests_at(party).len() == 3).then_some(()));

    let forged = json!({"do": "audit", "act": "self_tested", "port": "mqtt", "frame": "00"});
    assert_eq!(world.ask_gateway(&forged)["ok"], false, "no test without a frame");
    let devices = std::fs::read_to_string(world.path("devices.toml")).unwrap();
    std::fs::write(world.path("devices.toml"), devices.replace("cod-1", "weir-self-test")).unwrap();
    let refused = world.weir(&["config", "check", &world.path("gateway.toml").display().to_string()]).exits(255);
    assert!(refused.out.contains("weir-self-test"), "{refused:?}");
}

#[test]
fn a_box_without_mqtt_is_tested_by_its_control_socket() {
    let mut world = World::prepared(&[Device::lora("level-1", "26011d01")], "");
    let text = std::fs::read_to_string(world.path("gateway.toml")).unwrap();
    std::fs::write(world.path("gateway.toml"), text.replace("[mqtt]\n", "[mqtt]\nenabled = false\n")).unwrap();
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    let told = world.weir(&["self-test", "--json"]).exits(0).json();
    assert_eq!(told["port"], "control", "{told}");
    assert!(world.platforms.iter().all(|party| tests_at(party).len() == 1));
}
