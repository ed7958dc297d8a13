//! The newcomer's first command: ends within its time, all numbers agree, and an auditor verifies what it leaves.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::{Answer, Daemon, Peer, until, weir_binary};

/// What the demo promises.
const TIME_MAX: Duration = Duration::from_secs(90);

#[test]
fn the_demo_keeps_its_promises_within_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("demo");
    let began = Instant::now();
    let answer = Answer::of_weir(&["demo", "--json", "--dir", dir.to_str().unwrap()]).exits(0);
    assert!(began.elapsed() < TIME_MAX, "{:?}", began.elapsed());
    let shown = answer.json();

    let mut rows = Vec::new();
    collect(&shown, &mut rows);
    assert!(rows.len() >= 4, "sources on two platforms: {shown:#}");
    for row in rows {
        let number = |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("{key} in {row:#}"));
        assert_eq!((number("missing"), number("doubled")), (0, 0), "{row:#}");
        assert!(number("acknowledged") <= number("sent"), "{row:#}");
        assert!(number("acknowledged") <= number("journaled"), "{row:#}");
        assert_eq!(number("delivered"), number("journaled"), "{row:#}");
        assert!(number("sent") > 0, "{row:#}");
    }
    evidence_of_the_alarm(&shown, &dir);
    let auditor =
        Peer::new("verify_cose.py").args([&dir]).args(["--flips", "1000", "--flip-files", "1"]).run().exits(0);
    let verified = &auditor.summary()["verified"];
    for kind in ["batch", "receipt", "checkpoint"] {
        assert!(verified[kind].as_u64() > Some(0), "{verified:#}");
    }
}

/// The file for the alarm, as an inspector with the public keys sees it.
fn evidence_of_the_alarm(shown: &Value, dir: &Path) {
    let file = shown["evidence"]["file"].as_str().unwrap_or_else(|| panic!("no evidence: {shown:#}"));
    assert_eq!(Path::new(file), dir.join("alarm.evidence"));
    let key = |path: &str| fs::read_to_string(dir.join(path)).unwrap().trim().to_owned();
    let mut arguments = vec!["--json".to_owned(), "--key".into(), key("state/identity/box.pub")];
    for platform in ["city", "province"] {
        let key = key(&format!("artifacts/{platform}/platform.pub"));
        arguments.extend(["--platform".to_owned(), format!("{platform}={key}")]);
    }
    let python = Peer::new("verify_evidence.py").args([file]).args(&arguments).run().exits(0);
    let mut all = vec!["verify", file];
    all.extend(arguments.iter().map(String::as_str));
    let told = Answer::of_weir(&all).exits(0).json();
    for (word, expected) in [("records", 1), ("readings", 1), ("receipts", 2), ("alarm", 1), ("complete", 1)] {
        for findings in [&told["findings"], &python.summary()["findings"]] {
            let findings = findings.as_array().unwrap().iter();
            let proven = findings.filter(|finding| finding["word"] == word && finding["state"] == "proven").count();
            assert_eq!(proven, expected, "{word}: {told:#}");
        }
    }
}

#[test]
fn a_held_demo_lets_anyone_in_with_what_access_json_says() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("demo");
    let mut command = Command::new(weir_binary());
    command.args(["demo", "--hold", "--json", "--dir"]).arg(&dir);
    let mut demo = Daemon::spawn(command, &folder.path().join("demo.log"));
    let access: Value = until("access.json", 90, || {
        demo.check();
        serde_json::from_slice(&std::fs::read(dir.join("access.json")).ok()?).ok()
    });
    let at = |pointer: &str| access.pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {access:#}")).clone();
    let text = |pointer: &str| at(pointer).as_str().unwrap_or_else(|| panic!("{pointer} in {access:#}")).to_owned();
    let devices = at("/mqtt/devices");
    let spare = devices.as_array().unwrap().iter().find(|device| device["name"] == "spare-json").unwrap();
    let field = |key: &str| spare[key].as_str().unwrap().to_owned();
    let published = Command::new("mosquitto_pub")
        .args(["-h", &text("/mqtt/host"), "-p", &at("/mqtt/port").to_string(), "-q", "1"])
        .args(["-i", &field("name"), "-u", &field("name"), "-P", &field("password"), "-t", &field("topic")])
        .args(["-m", r#"{"n": 1, "cod": 12.75}"#])
        .status();
    assert!(published.unwrap().success());
    for place in ["/platforms/0", "/platforms/1"] {
        let url = format!("{}/v1/boxes/{}/readings?source=spare-json", text(&format!("{place}/url")), text("/box"));
        let token = at(&format!("{place}/read_token"));
        let authorization = format!("Authorization: Bearer {}", token.as_str().unwrap_or(""));
        until("the reading at the platform", 30, || {
            let ca_file = text(&format!("{place}/ca_file"));
            let answer = Command::new("curl").args(["-sS", "--cacert", &ca_file, "-H", &authorization, &url]).output();
            String::from_utf8(answer.unwrap().stdout).unwrap().contains("12.75").then_some(())
        });
    }
    assert_eq!(demo.terminate(), Some(0), "held until it is told to end");
}

/// Every object that has both `sent` and `doubled`, wherever it stands.
fn collect<'a>(value: &'a Value, rows: &mut Vec<&'a Value>) {
    match value {
        Value::Object(object) if object.contains_key("sent") && object.contains_key("doubled") => rows.push(value),
        Value::Object(object) => object.values().for_each(|value| collect(value, rows)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, rows)),
        _ => {}
    }
}
