//! The script behind the README's table "Nothing acknowledged is lost" still plays its scenario, and Weir keeps what
//! the table says of it. What others lose is theirs: it is reported, not judged.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use system_tests::{Answer, tools, weir_binary};

const MESSAGES: u64 = 500;

#[test]
fn weir_loses_nothing_where_others_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.json");
    let mut script = Command::new(tools("venv/bin/python"));
    script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("compare")).env("WEIR_BIN", weir_binary());
    script.args(["--messages", &MESSAGES.to_string(), "--kills", "1", "--idle", "3"]);
    script.args(["--only", "mosquitto", "--only", "weir", "--dir"]).arg(folder.path());
    let answer = Answer::of(script.arg("--json").arg(&rows)).exits(0);

    let text = fs::read_to_string(&rows).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [mosquitto, weir] = &rows[..] else { panic!("two rows: {text}") };
    let number = |row: &Value, key: &str| row[key].as_u64().unwrap_or_else(|| panic!("no number {key}: {row}"));
    assert_eq!((&mosquitto["peer"], &weir["peer"]), (&"mosquitto".into(), &"weir".into()));
    for row in &rows {
        assert_eq!(number(row, "acknowledged"), MESSAGES, "{row}");
        // Its queue has room for all: what it loses it loses by the kill, as far as the scenario reached both ends.
        assert!(number(row, "received") > 0, "the restored link carries something: {row}");
        assert_eq!(number(row, "received") + number(row, "lost"), MESSAGES, "{row}");
        let begins = format!("| {} | 1 | {MESSAGES} |", row["title"].as_str().unwrap());
        assert!(answer.out.lines().any(|line| line.starts_with(&begins)), "{}", answer.out);
    }
    for key in ["lost", "doubled"] {
        assert_eq!(number(weir, key), 0, "{weir}");
    }
    println!("mosquitto lost {} of {MESSAGES}", number(mosquitto, "lost"));
}
