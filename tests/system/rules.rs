//! Rules tried before they are trusted: tests that a technician writes, the journal of a running box played to the rules in
//! force (R2: nothing differs) and to others, and what stands behind an alarm.

use std::fs;
use std::path::Path;

use serde_json::json;
use system_tests::{Answer, Device, Peer, Sensor, World, until};

const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n\
                    high = 80\ndeadband = 5\npriority = \"high\"\n";

/// A box that raised an alarm twice, acknowledged the first one, and was killed in between.
fn alarmed() -> World {
    let sensor = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&sensor), "");
    fs::write(world.path("rules.toml"), RULE).unwrap();
    world.start_gateway();
    let measure = |world: &World, n: u64, cod: &str| {
        let payload = format!(r#"{{"n":{n},"cod":{cod}}}"#);
        Peer::sensor("paho_sensor.py", world, &sensor).with("--count", 1).with("--payload", payload).run().exits(0);
    };
    measure(&world, 1, "95.5");
    world.weir(&["alarm", "ack", "cod-high", "cod-1", "--reason", "seen"]).exits(0);
    world.kill_gateway();
    world.start_gateway();
    [(2, "96"), (3, "40"), (4, "82.5"), (5, "78"), (6, "75")].iter().for_each(|(n, cod)| measure(&world, *n, cod));
    world
}

fn rules(world: &World, verb: &[&str], file: &str) -> Answer {
    let file = world.path(file).display().to_string();
    world.weir(&[&["rules"], verb, &["--rules", &file]].concat())
}

#[test]
fn the_journal_played_to_its_own_rules_changes_nothing_and_to_others_it_is_told() {
    let world = alarmed();
    let same = rules(&world, &["backtest", "--json"], "rules.toml").exits(0).json();
    assert_eq!((&same["frames"], &same["same"]), (&6.into(), &5.into()), "{same}");
    rules(&world, &["backtest", "--from", "2020-01-01T00:00:00Z"], "rules.toml").exits(0);
    let before = rules(&world, &["backtest", "--to", "2020-01-01T00:00:00Z", "--json"], "rules.toml").exits(0).json();
    assert_eq!(before["frames"], 0);

    fs::write(world.path("other.toml"), RULE.replace("high = 80", "high = 90").replace("deadband = 5", "deadband = 1"))
        .unwrap();
    let other = rules(&world, &["backtest", "--json"], "other.toml").exits(1).json();
    let steps = |key: &str| -> Vec<String> {
        let word =
            |step: &serde_json::Value| format!("{} {}", step["step"]["to"].as_str().unwrap(), step["step"]["value"]);
        other[key].as_array().unwrap().iter().map(word).collect()
    };
    assert_eq!(other["same"], 3, "{other}");
    assert_eq!(steps("added"), Vec::<String>::new());
    assert_eq!(steps("removed"), [r#"unacknowledged "82.5""#, r#"returned_unacknowledged "75""#]);
    let text = rules(&world, &["backtest"], "other.toml").exits(1).out;
    assert!(text.contains("- ") && text.contains("82.5") && text.contains("cod-high"), "{text}");
    let zh = world.path("other.toml").display().to_string();
    let zh = world.weir(&["--lang", "zh", "rules", "backtest", "--rules", &zh]).exits(1).out;
    assert!(zh.contains("减少 2 次") && zh.contains("规则"), "{zh}");
    fs::write(world.path("broken.toml"), "[[rule]]\nhihg = 1\n").unwrap();
    let broken = rules(&world, &["backtest"], "broken.toml").exits(3);
    assert!(broken.err.contains("hihg") && broken.err.contains("weir rules check"), "{}", broken.err);
}

#[test]
fn an_alarm_is_explained_by_what_decided() {
    let world = alarmed();
    let all = world.weir(&["tail", "-n", "1000", "--json"]).exits(0).json_lines();
    let alarms: Vec<&serde_json::Value> = all.iter().filter(|at| at["kind"] == "alarm").collect();
    let seq = alarms[3]["seq"].to_string();
    let told = rules(&world, &["explain", &seq, "--json"], "rules.toml").exits(0).json();
    assert_eq!(told["cause"]["seq"], alarms[3]["cause"], "{told}");
    let before: Vec<&serde_json::Value> = told["before"].as_array().unwrap().iter().map(|at| &at["seq"]).collect();
    assert_eq!(before, alarms[..3].iter().map(|at| &at["seq"]).collect::<Vec<_>>());
    assert_eq!(told["rule_unchanged"], true);
    let text = rules(&world, &["explain", &seq], "rules.toml").exits(0).out;
    for words in
        ["82.5 mg/L", "acknowledged -> normal", "judges so today", "cod > 80 mg/L", "weir evidence export --alarm"]
    {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    fs::write(world.path("other.toml"), RULE.replace("high = 80", "high = 90")).unwrap();
    let text = rules(&world, &["explain", &seq], "other.toml").exits(0).out;
    assert!(text.contains("is another one today"), "{text}");
    assert!(rules(&world, &["explain", "0"], "rules.toml").exits(3).err.contains("weir tail"));
}

#[test]
fn the_shipped_tests_are_played() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
    let path = |name: &str| config.join(name).display().to_string();
    let (tests, shipped) = (path("rules.test.toml"), path("rules.toml"));
    let answer = Answer::of_weir(&["rules", "test", &tests, "--rules", &shipped]);
    assert!(answer.exits(0).out.contains("a short peak raises nothing"));
    let folder = tempfile::tempdir().unwrap();
    let hasty = folder.path().join("rules.toml");
    fs::write(&hasty, fs::read_to_string(&shipped).unwrap().replace("on_delay_s = 10", "on_delay_s = 0")).unwrap();
    let failed = Answer::of_weir(&["rules", "test", &tests, "--rules", &hasty.display().to_string()]).exits(1);
    assert!(failed.out.contains("happened, not expected: 5s cod-high unacknowledged"), "{}", failed.out);
    Answer::of_weir(&["config", "check", &tests, &shipped]).exits(0);
    for sort in ["any-outfall", "expression", "first-alarm", "stormwater", "treatment-plant"] {
        let [rules, tests] = ["toml", "test.toml"].map(|end| path(&format!("rules.d/{sort}.{end}")));
        Answer::of_weir(&["config", "check", &rules, &tests]).exits(0);
        Answer::of_weir(&["rules", "test", &tests, "--rules", &rules]).exits(0);
    }
    // A folder is all of its files: rules with rules, tests with tests.
    let folder = path("rules.d");
    Answer::of_weir(&["config", "check", &folder]).exits(0);
    assert!(Answer::of_weir(&["rules", "check", &folder]).exits(0).out.starts_with("ok, "));
    let some = tempfile::tempdir().unwrap();
    for name in
        ["first-alarm", "steady-flow"].iter().flat_map(|sort| [format!("{sort}.toml"), format!("{sort}.test.toml")])
    {
        fs::copy(path(&format!("rules.d/{name}")), some.path().join(name)).unwrap();
    }
    let some = some.path().display().to_string();
    let all = Answer::of_weir(&["rules", "test", &some, "--rules", &shipped, "--rules", &some]).exits(0).out;
    assert!(
        all.contains("a latched alarm stays") && all.contains("a slow day") && all.ends_with("failed 0\n"),
        "{all}"
    );
    let none = Answer::of_weir(&["rules", "test", "/nowhere.toml", "--rules", &shipped]).exits(3);
    assert!(none.err.contains("/nowhere.toml"), "{}", none.err);
}

/// What somebody changes in the files counts at once, and no sensor notices.
#[test]
fn changed_rules_count_without_a_start_and_no_connection_is_lost() {
    let device = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&device), "");
    fs::write(world.path("rules.toml"), RULE).unwrap();
    world.start_gateway();
    let mut sensor = Sensor::connect(&world, &device);
    sensor.publish(r#"{"n":1,"cod":50}"#);
    assert_eq!(world.status()["gateway"]["alarms"], json!([]));
    let uptime = |world: &World| world.status()["gateway"]["uptime_ms"].as_u64().unwrap();
    let before = uptime(&world);

    fs::write(world.path("rules.toml"), "[[rule]]\nhihg = 1\n").unwrap();
    let refused = world.weir(&["rules", "reload", "--reason", "new limit"]).exits(3);
    assert!(refused.err.contains("hihg"), "{refused:?}");
    fs::write(world.path("rules.toml"), RULE.replace("high = 80", "high = 40")).unwrap();
    let counts = || world.weir(&["rules", "show"]).out.contains("high = 80").then_some(());
    until("what counts is kept and shown, not what stands in the file", 10, counts);
    let told = world.weir(&["rules", "reload", "--reason", "new limit"]).exits(0).out;
    assert!(told.contains("1 rules are in force now, journaled as record"), "{told}");
    let alarms = world.status()["gateway"]["alarms"].clone();
    assert_eq!((&alarms[0]["rule"], &alarms[0]["source"]), (&json!("cod-high"), &json!("cod-1")), "{alarms}");
    assert!(world.weir(&["rules", "show"]).exits(0).out.contains("high = 40"));
    let zh = world.weir(&["--lang", "zh", "rules", "reload", "--reason", "x"]).exits(0).out;
    assert!(zh.contains("文件没有变化"), "{zh}");

    let new = world.path("new-rules.toml");
    fs::write(&new, RULE.replace("high = 80", "high = 60")).unwrap();
    let apply =
        ["config", "apply", "--config-dir", &world.config_dir(), &new.display().to_string(), "--reason", "back"];
    let told = world.weir(&apply).exits(0).out;
    assert!(told.ends_with("it is in force\n"), "{told}");
    sensor.publish(r#"{"n":2,"cod":70}"#);
    let alarms = world.status()["gateway"]["alarms"].clone();
    assert_eq!((alarms.as_array().unwrap().len(), &alarms[0]["rule"]), (1, &json!("cod-high")), "{alarms}");
    assert!(uptime(&world) > before, "the same process, and the sensor's first connection");
    let acts: Vec<_> = world.weir(&["tail", "-n", "50", "--json"]).exits(0).json_lines();
    assert_eq!(
        acts.iter().filter(|record| record.to_string().contains("configured")).count(),
        2,
        "one for each change"
    );
}
