//! What people read in Chinese has no English sentence left in it.

use std::collections::BTreeSet;
use std::fs;

use system_tests::{Device, Sensor, World, until};

/// A storm-water outfall.
const DOSSIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/outfall.toml");
const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 30\n";

/// Names that are the same in Chinese: of things, protocols, units and files.
const NAMES: &str = include_str!("translated.txt");

/// Words of a text that look English: letters alone, three at least, and no part of a name with digits, dots, dashes or slashes.
/// What stands behind `try:` is to be typed.
fn words(text: &str) -> BTreeSet<String> {
    let names: BTreeSet<&str> = NAMES.split_whitespace().collect();
    let typed = |line: &str| line.split("try:").next().unwrap_or_default().to_owned();
    let lines: Vec<String> = text.lines().map(typed).collect();
    let is_between =
        |letter: char| letter.is_whitespace() || "，。：；（）「」、,;()[]\"'|".contains(letter) || !letter.is_ascii();
    let pieces = lines.iter().flat_map(|line| line.split(is_between));
    let pieces = pieces.map(|piece| piece.trim_matches(|letter: char| ".:!?·-".contains(letter)));
    let is_word = |piece: &&str| piece.len() >= 3 && piece.bytes().all(|byte| byte.is_ascii_alphabetic());
    pieces.filter(is_word).filter(|piece| !names.contains(piece)).map(str::to_owned).collect()
}

fn world() -> World {
    let devices = [Device::cod("cod-1"), Device::cod("cod-2")];
    let mut world = World::prepared(&devices, "[checkpoint]\nseconds_max = 1\n");
    fs::write(world.path("rules.toml"), RULE).unwrap();
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    world.weir(&["outfall", "add", DOSSIER, "--reason", "普查"]).exits(0);
    let mut sensor = Sensor::connect(&world, &devices[0]);
    sensor.publish(r#"{"n": 1, "cod": 20.5}"#);
    sensor.publish(r#"{"n": 2, "cod": 40.5}"#);
    until("the alarm stands", 20, || (world.status()["gateway"]["alarms"].as_array()?.len() == 1).then_some(()));
    world.delivered();
    world
}

#[test]
fn no_verb_answers_in_english_where_chinese_is_asked_for() {
    let world = world();
    let alarm = world.records() - 1;
    world.weir(&["evidence", "pin", "--alarm", &alarm.to_string(), "--reason", "线索"]).exits(0);
    let code = "FA-231081-0001-SH-00";
    let hour_ago = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1)).to_string();
    let taken = ["--outfall", code, "--by", "王工", "--taken", &hour_ago, "--value", "cod=35.2"];
    world.weir(&[&["manual", "add"], &taken[..]].concat()).exits(0);
    let went = ["--outfall", code, "--by", "王工", "--at", &hour_ago, "--state", "dry", "--finding", "无水"];
    world.weir(&[&["patrol", "add"], &went[..]].concat()).exits(0);
    let verbs: [&[&str]; 20] = [
        &["status"],
        &["self-test"],
        &["doctor", "--all"],
        &["alarm", "list"],
        &["alarm", "ack", "cod-high", "cod-1", "--reason", "已派人"],
        &["tail", "-n", "100"],
        &["device", "list"],
        &["device", "show", "cod-1"],
        &["device", "strangers"],
        &["outfall", "list"],
        &["outfall", "show", code],
        &["outfall", "history", code],
        &["evidence", "pins"],
        &["sync", "parked"],
        &["notify", "list"],
        &["verify"],
        &["journal", "check"],
        &["metrics", "--list"],
        &["manual", "list"],
        &["patrol", "list"],
    ];
    let mut found = String::new();
    for verb in verbs {
        let verb: Vec<&str> = if verb[0] == "device" { [verb, &["--config-dir", "."]].concat() } else { verb.to_vec() };
        let config_dir = world.config_dir();
        let verb: Vec<&str> =
            verb.into_iter().map(|word| if word == "." { config_dir.as_str() } else { word }).collect();
        let answer = world.weir(&[&["--lang", "zh"], verb.as_slice()].concat());
        let english = words(&answer.out);
        if !english.is_empty() {
            found += &format!("{}: {}\n", verb.join(" "), english.into_iter().collect::<Vec<_>>().join(" "));
        }
    }
    assert_eq!(found, "", "translate these, or add a name to translated.txt");
}
