//! Bare `weir` in a terminal that nobody here wrote: pages, an alarm acknowledged, checks, and the end.

use std::fs;

use serde_json::Value;
use system_tests::{Answer, Device, Peer, Sensor, World, until, weir_binary};

const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 30\n";

fn world() -> (World, Sensor) {
    let device = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&device), "");
    fs::write(world.path("rules.toml"), RULE).unwrap();
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    let mut sensor = Sensor::connect(&world, &device);
    for n in 1..=20 {
        sensor.publish(&format!(r#"{{"n": {n}, "cod": {n}.5}}"#));
    }
    sensor.publish(r#"{"n": 21, "cod": 40.5}"#);
    until("the alarm stands", 20, || (world.status()["gateway"]["alarms"].as_array()?.len() == 1).then_some(()));
    (world, sensor)
}

fn type_into(world: &World, lang: &str, term: &str, steps: &[&str]) -> Value {
    let dirs = [world.path("state"), world.path("run")].map(|dir| dir.display().to_string());
    let peer = steps.iter().fold(Peer::new("terminal.py").with("--term", term), |peer, step| peer.with("--step", step));
    let program = weir_binary().display().to_string();
    let peer = peer.args(["--", &program, "--state-dir", &dirs[0], "--run-dir", &dirs[1], "--lang", lang]);
    peer.run().exits(0).summary().clone()
}

#[test]
fn an_alarm_is_seen_and_acknowledged_on_a_small_terminal() {
    let (world, _sensor) = world();
    let steps = [
        "see:! alarm cod-high cod-1",
        "type:2",
        "see:last readings",
        "type:4",
        "see:municipal",
        "type:t",
        "see:ALARM cod-high",
        "type:a",
        "see:What do you know of it?",
        "type:sludge\\n",
        "see:acknowledged, journaled as record",
        "type:\\t",
        "see:municipal",
        "type:d",
        "see:checks",
        "type:q",
        "end:0",
    ];
    let summary = type_into(&world, "en", "vt100", &steps);
    let acknowledged = world.status()["gateway"]["alarms"][0]["state"].clone();
    assert_eq!(acknowledged, "acknowledged");
    let told = world.weir(&["tail", "-n", "50"]).out;
    assert!(told.contains("sludge"), "the reason is journaled: {told}");
    let bytes = summary["bytes"].as_u64().unwrap();
    eprintln!("the whole of it cost {bytes} bytes");
    assert!(bytes < 24_000, "3 s of 64 kbit/s: {bytes}");
    let devices = &summary["screens"][1];
    assert!(devices.to_string().contains("cod-1            mqtt"), "{devices}");
}

#[test]
fn it_speaks_chinese_and_says_when_nobody_answers() {
    let (mut world, _sensor) = world();
    type_into(&world, "zh", "linux", &["see:报警 cod-high", "type:4", "see:最近回执", "type:\\e", "end:0"]);
    world.kill_gateway();
    let dead = type_into(
        &world,
        "zh",
        "xterm-256color",
        &["see:采集服务", "type:3a", "see:此处没有待确认的报警", "type:q", "end:0"],
    );
    assert!(dead["screens"][0].to_string().contains("项异常"), "{dead}");
}

#[test]
fn without_a_terminal_it_prints_the_status() {
    let (world, _sensor) = world();
    let dirs = [world.path("state"), world.path("run")].map(|dir| dir.display().to_string());
    let bare = Answer::of_weir(&["--state-dir", &dirs[0], "--run-dir", &dirs[1], "--lang", "en"]).exits(1);
    assert!(bare.out.starts_with("! alarm cod-high") && bare.out.contains("platform"), "{bare:?}");
    let dumb = type_into(&world, "en", "dumb", &["see:on the way", "end:1"]);
    assert!(dumb["screens"][0].to_string().contains("cod-1"), "{dumb}");
}
