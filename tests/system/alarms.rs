//! Alarms as a technician meets them: listed, acknowledged once, over when the value is back; the same after a SIGKILL, and
//! told to both platforms with who has seen them.

use std::fs;

use serde_json::{Value, json};
use system_tests::config::devices_toml;
use system_tests::{Device, Peer, World, until};

const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n\
                    high = 80\ndeadband = 5\npriority = \"high\"\n";

/// What needs time to pass: nothing else comes that could tell the rules how late it is.
const SILENT: &str = "[[rule]]\nid = \"cod-silent\"\nkind = \"silence\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nfor_s = 3\n\
                      tier = \"attention\"\n";

/// A sensor, its box under these rules, and the platforms.
fn judging(rules: &str) -> (World, Device) {
    let sensor = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&sensor), "");
    fs::write(world.path("rules.toml"), rules).unwrap();
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    (world, sensor)
}

/// The states in `weir alarm list --json`.
fn states(world: &World) -> Vec<String> {
    let list = world.weir(&["alarm", "list", "--json"]);
    let alarms = list.json()["alarms"].as_array().unwrap().clone();
    list.exits(i32::from(!alarms.is_empty()));
    alarms.iter().map(|alarm| alarm["state"].as_str().unwrap().to_owned()).collect()
}

/// Waits until exactly these states stand: what is shown follows what is acknowledged by a moment.
fn stand(world: &World, expected: &[&str]) {
    until(&format!("these alarms stand: {expected:?}"), 20, || (states(world) == expected).then_some(()));
}

/// One value of the sensor, judged.
fn measure(world: &World, sensor: &Device, n: u64, cod: &str) {
    let payload = format!(r#"{{"n":{n},"cod":{cod}}}"#);
    Peer::sensor("paho_sensor.py", world, sensor).with("--count", 1).with("--payload", payload).run().exits(0);
}

/// The transitions so far, as the journal has them.
fn steps(world: &World) -> Vec<(String, String)> {
    let all = world.weir(&["tail", "-n", "1000", "--json"]).exits(0).json_lines();
    let word = |alarm: &Value, key: &str| alarm[key].as_str().unwrap().to_owned();
    all.iter().filter(|at| at["kind"] == "alarm").map(|alarm| (word(alarm, "from"), word(alarm, "to"))).collect()
}

#[test]
fn an_alarm_is_acknowledged_once_and_everybody_hears_who_did() {
    let (mut world, sensor) = judging(RULE);
    let ack = |world: &World, more: &[&str]| world.weir(&[&["alarm", "ack", "cod-high", "cod-1"], more].concat());
    stand(&world, &[]);
    let early = ack(&world, &[]).exits(3);
    assert!(early.err.contains("weir alarm list"), "{}", early.err);

    measure(&world, &sensor, 1, "95.5");
    stand(&world, &["unacknowledged"]);
    let zh = world.weir(&["--lang", "zh", "alarm", "list"]).exits(1).out;
    assert!(zh.contains("未确认") && zh.contains("weir alarm ack cod-high cod-1"), "{zh}");
    ack(&world, &["--reason", "a technician is on the way"]).exits(0);
    stand(&world, &["acknowledged"]);
    let twice = ack(&world, &[]).exits(3);
    assert!(twice.err.contains("waits for anyone"), "{}", twice.err);

    world.kill_gateway();
    world.start_gateway();
    stand(&world, &["acknowledged"]);
    measure(&world, &sensor, 2, "96");
    stand(&world, &["acknowledged"]);
    measure(&world, &sensor, 3, "40");
    stand(&world, &[]);

    measure(&world, &sensor, 4, "99");
    measure(&world, &sensor, 5, "41");
    stand(&world, &["returned_unacknowledged"]);
    ack(&world, &[]).exits(0);
    stand(&world, &[]);
    let names: Vec<_> = steps(&world);
    let step = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let expected = [
        step("normal", "unacknowledged"),
        step("unacknowledged", "acknowledged"),
        step("acknowledged", "normal"),
        step("normal", "unacknowledged"),
        step("unacknowledged", "returned_unacknowledged"),
        step("returned_unacknowledged", "normal"),
    ];
    assert_eq!(names, expected, "R1");
    for party in &world.platforms {
        until("the platform has both orders and all steps", 60, || {
            let seen = party.audits();
            let acts: Vec<(&str, &str)> =
                seen.iter().map(|(act, _, _, reason)| (act.as_str(), reason.as_str())).collect();
            let alarms = party.get(&format!("/v1/boxes/{}/alarms", system_tests::config::BOX));
            let steps = alarms["items"].as_array().map_or(0, Vec::len);
            (acts == [("acknowledged", "a technician is on the way"), ("acknowledged", "")] && steps == 6).then_some(())
        });
    }
    world.verify().exits(0);
}

#[test]
fn a_device_that_falls_silent_is_told_and_a_start_begins_its_silence_anew() {
    let (mut world, sensor) = judging(SILENT);
    measure(&world, &sensor, 1, "40");
    stand(&world, &["unacknowledged"]);
    let zh = world.weir(&["--lang", "zh", "alarm", "list"]).exits(1).out;
    assert!(zh.contains("无数据时长") && zh.contains("关注") && zh.contains("3 s"), "{zh}");

    world.kill_gateway();
    world.start_gateway();
    stand(&world, &["unacknowledged"]);
    measure(&world, &sensor, 2, "41");
    stand(&world, &["returned_unacknowledged"]);
    stand(&world, &["unacknowledged"]);
    let step = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let expected = [
        step("normal", "unacknowledged"),
        step("unacknowledged", "returned_unacknowledged"),
        step("returned_unacknowledged", "unacknowledged"),
    ];
    assert_eq!(steps(&world), expected);
    // The journal played to the same rules finds the same (R2), although nothing else told the time.
    let file = world.path("rules.toml").display().to_string();
    let same = world.weir(&["rules", "backtest", "--rules", &file, "--json"]).exits(0).json();
    assert_eq!(same["same"], 3, "{same}");
    let city = &world.platforms[0];
    let told = until("the platform knows what was silent", 20, || {
        let alarms = city.get("/v1/boxes/outfall-1/alarms")["items"].as_array().unwrap().clone();
        (alarms.len() == 3).then_some(alarms)
    });
    let grounds = |alarm: &Value| ["measure", "unit", "span_s", "tier"].map(|key| alarm[key].clone());
    assert_eq!(grounds(&told[0]), [Value::from("silence"), "s".into(), 3.into(), "attention".into()]);
}

#[test]
fn a_device_measures_more_often_while_its_alarm_stands() {
    let device = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&device), "");
    let sampling = "[device.sampling]\ntext = '{\"period_s\":{s}}'\n[device.codec]";
    let toml = devices_toml(std::slice::from_ref(&device)).replace("[device.codec]", sampling);
    fs::write(world.path("devices.toml"), toml).unwrap();
    let quick = |rule: &str, high: u32| {
        let rule = RULE.replace("cod-high", rule).replace("high = 80", &format!("high = {high}"));
        format!("{rule}sampling = {{ alarm_s = 60, normal_s = 900 }}\n")
    };
    fs::write(world.path("rules.toml"), quick("cod-high", 80) + &quick("cod-very-high", 200)).unwrap();
    world.start_gateway();
    let client = || {
        Peer::new("kept_session.py")
            .with("--port", world.mqtt_port)
            .with("--user", &device.name)
            .with("--password", device.password())
            .with("--level", 5)
    };
    client().args(["--subscribe"]).with("--commands", 0).run().exits(0);
    // Both rise, one returns, then the other: it measures slowly again only then.
    for (n, cod) in [(1, "95"), (2, "300"), (3, "100"), (4, "96"), (5, "40")] {
        measure(&world, &device, n, cod);
    }
    let heard = client().args(["--subscribe"]).with("--commands", 3).run().exits(0);
    let commands = [r#"{"period_s":60}"#, r#"{"period_s":60}"#, r#"{"period_s":900}"#];
    assert_eq!(heard.summary()["commands"], json!(commands));
}

#[test]
fn a_shelved_alarm_is_set_aside_and_not_forgotten() {
    let (mut world, sensor) = judging(RULE);
    measure(&world, &sensor, 1, "95.5");
    stand(&world, &["unacknowledged"]);
    let shelve = |world: &World, more: &[&str]| world.weir(&[&["alarm"], more].concat());
    let no_reason = shelve(&world, &["shelve", "cod-high", "cod-1"]).exits(3);
    assert!(no_reason.err.contains("--reason TEXT"), "{no_reason:?}");
    let nobody = shelve(&world, &["shelve", "cod-high", "cod-9", "--reason", "x"]).exits(3);
    assert!(nobody.err.contains("no rule cod-high judges cod-9"), "{nobody:?}");
    assert!(shelve(&world, &["shelve", "cod-high", "cod-1", "--hours", "25"]).exits(2).err.contains("1..=24"));
    shelve(&world, &["shelve", "cod-high", "cod-1", "--hours", "8", "--reason", "the probe is in the workshop"])
        .exits(0);

    // It is still told, and no reason to act any more; a restart does not take it from the shelf.
    world.kill_gateway();
    world.start_gateway();
    let zh = world.weir(&["--lang", "zh", "alarm", "list"]).exits(0).out;
    assert!(zh.contains("搁置至") && zh.contains("cod-high"), "{zh}");
    let json = world.weir(&["alarm", "list", "--json"]).exits(0).json();
    assert!(json["alarms"][0]["shelved_until_ms"].as_i64().unwrap() > 0, "{json}");
    measure(&world, &sensor, 2, "40");
    measure(&world, &sensor, 3, "99");
    assert_eq!(steps(&world).len(), 3, "it is judged as ever");

    shelve(&world, &["unshelve", "cod-high", "cod-1"]).exits(0);
    // The order is journaled; the rules hear of it a moment later.
    until("it is off the shelf", 20, || (world.weir(&["alarm", "list"]).code == Some(1)).then_some(()));
    stand(&world, &["unacknowledged"]);
    assert!(shelve(&world, &["unshelve", "cod-high", "cod-1"]).exits(3).err.contains("is not shelved"));
    let city = &world.platforms[0];
    let told = until("the platform knows who set it aside", 20, || {
        let acts: Vec<_> = city.audits().into_iter().filter(|(act, ..)| act == "shelved").collect();
        (acts.len() == 2).then_some(acts)
    });
    assert_eq!(told[0].3, "the probe is in the workshop");
}

const LATCHED: &str = "[[rule]]\nid = \"mains\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 80\n\
                       latched = true\n\
                       [[rule]]\nid = \"pump\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 50\n\
                       suppress_while = [{ alarm = \"mains\" }]\n";

/// What repeats another alarm is journaled and delivered as suppressed, and shown to nobody; what latches is let go by a person.
#[test]
fn a_latched_alarm_is_reset_and_what_it_suppresses_shows_once_it_is() {
    let (mut world, sensor) = judging(LATCHED);
    measure(&world, &sensor, 1, "95.5");
    let list = |world: &World, more: &[&str]| world.weir(&[&["alarm", "list"], more].concat());
    let shown = until("both alarms stand", 20, || {
        let out = list(&world, &[]).out;
        out.contains("suppress").then_some(out)
    });
    assert!(shown.contains("mains") && !shown.contains("pump") && shown.contains("for now: 1"), "{shown}");
    assert!(list(&world, &["--all"]).out.contains("pump cod-1"), "{shown}");
    let status = world.weir(&["--lang", "zh", "status"]).out;
    assert!(status.contains("按规则暂时抑制的报警：1 个") && !status.contains("pump"), "{status}");
    let json = list(&world, &["--json"]).json();
    let of = |rule: &str| json["alarms"].as_array().unwrap().iter().find(|one| one["rule"] == rule).unwrap().clone();
    assert_eq!((&of("pump")["suppression"], &of("mains")["suppression"]), (&json!("by_design"), &json!(null)));

    // It stays when the value is back, over a restart, until it is seen and reset.
    measure(&world, &sensor, 2, "60");
    let order =
        |world: &World, verb: &str| world.weir(&["alarm", verb, "mains", "cod-1", "--reason", "the fuse is new"]);
    let unseen = order(&world, "reset").exits(3).err;
    assert!(unseen.contains("weir alarm ack"), "{unseen}");
    order(&world, "ack").exits(0);
    world.kill_gateway();
    world.start_gateway();
    let told = until("its value is back", 20, || {
        let out = list(&world, &[]).out;
        out.contains("to be reset").then_some(out)
    });
    assert!(told.contains("weir alarm reset mains cod-1") && told.contains("for now: 1"), "{told}");
    order(&world, "reset").exits(0);
    let shown = until("what it suppressed is shown", 20, || {
        let out = list(&world, &[]).out;
        out.contains("pump").then_some(out)
    });
    assert!(!shown.contains("mains") && !shown.contains("for now"), "{shown}");
    assert!(order(&world, "reset").exits(3).err.contains("no such alarm"));

    let city = &world.platforms[0];
    until("the platform knows who reset it", 20, || {
        city.audits().into_iter().any(|(act, _, _, reason)| act == "reset" && reason == "the fuse is new").then_some(())
    });
    let lines = world.weir(&["tail", "-n", "50", "--json"]).exits(0).json_lines();
    let steps: Vec<String> = lines
        .iter()
        .filter(|at| at["kind"] == "alarm")
        .map(|at| format!("{} {} {}", at["rule"], at["to"], at["suppression"]).replace('"', ""))
        .collect();
    assert_eq!(
        steps,
        ["mains unacknowledged null", "pump unacknowledged by_design", "mains acknowledged null", "mains normal null"]
    );
}
