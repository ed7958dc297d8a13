//! The newcomer's first command: ends within its time, all numbers agree, and an auditor verifies what it leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a surprise is a failure")]

use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::{Answer, Peer};

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
    let auditor =
        Peer::new("verify_cose.py").args([&dir]).args(["--flips", "1000", "--flip-files", "1"]).run().exits(0);
    let verified = &auditor.summary()["verified"];
    for kind in ["batch", "receipt", "checkpoint"] {
        assert!(verified[kind].as_u64() > Some(0), "{verified:#}");
    }
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
