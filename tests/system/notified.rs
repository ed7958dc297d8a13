//! People told of alarms, end to end: robots that nobody here wrote and that check each message, a ladder that climbs until
//! somebody acknowledges, SIGKILL in the middle, a link that is down.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::config::write_secret;
use system_tests::peer::Running;
use system_tests::{Device, Peer, Sensor, World, until};

const KEY: &str = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa";
const SIGN: &str = "SECa1b2c3d4e5f6";

/// The robots, each at its path.
struct Robots {
    dir: PathBuf,
    _server: Running,
    port: u16,
}

impl Robots {
    /// At this port, or at 0 any.
    fn start(world: &World, port: u16) -> Robots {
        let dir = world.path("robots");
        fs::create_dir_all(&dir).unwrap();
        let _ = fs::remove_file(dir.join("port"));
        let peer = Peer::new("webhooks.py").with("--dir", dir.display()).with("--port", port);
        let server = peer.with("--key", KEY).with("--sign", SIGN).start();
        let port = until("the robots listen", 20, || fs::read_to_string(dir.join("port")).ok()?.parse().ok());
        Robots { dir, _server: server, port }
    }

    /// How each path answers its next requests.
    fn set_moods(&self, moods: &Value) {
        fs::write(self.dir.join("moods.json"), moods.to_string()).unwrap();
    }

    /// Every request so far.
    fn requests(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.join("requests.jsonl")).unwrap_or_default();
        // The last line may be half written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The texts that this robot has taken.
    fn taken(&self, path: &str) -> Vec<String> {
        let all = self.requests();
        let wrong: Vec<&Value> = all.iter().filter(|request| !request["wrong"].is_null()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let of_path = all.iter().filter(|request| request["path"] == path && request["accepted"] == true);
        of_path.map(|request| request["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until this robot has taken so many.
    fn take(&self, path: &str, count: usize) -> Vec<String> {
        until(&format!("{path} has {count} messages"), 30, || {
            let taken = self.taken(path);
            (taken.len() >= count).then_some(taken)
        })
    }
}

/// `sync.toml` without a platform, and whom to tell.
fn configure(world: &World, port: u16, notify: &str) {
    fs::write(world.path("sync.toml"), "state_dir = \"state\"\nrun_dir = \"run\"\nnotify_file = \"notify.toml\"\n")
        .unwrap();
    write_secret(&world.path("robot.secret"), &format!("key = \"{KEY}\"\n"));
    write_secret(&world.path("signing.secret"), &format!("key = \"{KEY}\"\nsign = \"{SIGN}\"\n"));
    let channel = |kind: &str, secret: &str| {
        format!(
            "[[channel]]\nname = \"{kind}-robot\"\nkind = \"{kind}\"\nurl = \"https://127.0.0.1:{port}/{kind}\"\n\
             secret_file = \"{secret}.secret\"\nca_file = \"robots/ca.pem\"\n"
        )
    };
    let channels = [channel("wecom", "robot"), channel("dingtalk", "signing"), channel("json", "robot")].concat();
    let backoff = "[backoff]\nbase_ms = 100\nceiling_ms = 400\n";
    fs::write(world.path("notify.toml"), format!("{notify}{backoff}{channels}")).unwrap();
}

fn rule(device: &str, priority: &str) -> String {
    format!(
        "[[rule]]\nid = \"{device}-high\"\nkind = \"limit\"\ndevices = [\"{device}\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n\
         high = 80\ndeadband = 5\npriority = \"{priority}\"\n"
    )
}

/// One value of the sensor, judged.
fn measure(world: &World, sensor: &Device, n: u64, cod: &str) {
    let payload = format!(r#"{{"n":{n},"cod":{cod}}}"#);
    Peer::sensor("paho_sensor.py", world, sensor).with("--count", 1).with("--payload", payload).run().exits(0);
}

/// What is journaled of who was told: outcome, level.
fn evidence(world: &World) -> Vec<(String, String)> {
    let all = world.weir(&["tail", "-n", "1000", "--json"]).exits(0).json_lines();
    let word = |at: &Value, key: &str| at[key].as_str().unwrap().to_owned();
    all.iter().filter(|at| at["act"] == "notified").map(|at| (word(at, "outcome"), word(at, "level"))).collect()
}

/// How many messages each channel has taken of the one alarm, as `weir notify list` tells it.
fn delivered(world: &World) -> Vec<u64> {
    let list = world.weir(&["notify", "list", "--json"]).exits(1).json();
    let told = list["notify"]["episodes"][0]["told"].as_array().cloned().unwrap_or_default();
    told.iter().map(|one| one["delivered"].as_u64().unwrap()).collect()
}

const LADDER: &str = "repeat_s = 3\nrepeats_a_day_max = 1\ntimeout_s = 2\n\
    [[level]]\nname = \"村\"\nwait_s = 4\nchannels = [\"wecom-robot\"]\npeople = [{ name = \"张三\", userid = \"zhangsan\" }]\n\
    [[level]]\nname = \"镇\"\nwait_s = 4\nchannels = [\"dingtalk-robot\"]\npeople = [{ name = \"李四\", mobile = \"13800000000\" }]\n\
    [[level]]\nname = \"市\"\nchannels = [\"json-robot\"]\n";

#[test]
fn an_alarm_climbs_over_bad_robots_and_a_kill_until_somebody_has_seen_it() {
    let sensor = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&sensor), "");
    fs::write(world.path("rules.toml"), rule("cod-1", "high")).unwrap();
    world.start_gateway();
    let robots = Robots::start(&world, 0);
    configure(&world, robots.port, LADDER);
    world.weir(&["config", "check", &world.path("sync.toml").display().to_string()]).exits(0);
    // One that refuses, one that fails, and then takes it; one that takes it and never says so, and then does.
    robots.set_moods(&json!({"/wecom": ["errcode", "500"], "/dingtalk": ["hang"]}));
    world.restart_sync();

    measure(&world, &sensor, 1, "95.5");
    let village = robots.take("/wecom", 1);
    let text = &village[0];
    for part in ["预警", "outfall-1", "cod-1", "95.5 mg/L", "上限 80 mg/L", "不是超标", "可能重复", "村", "<@zhangsan>"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("weir alarm ack cod-1-high cod-1"), "{text}");
    // What was not confirmed when it is killed may come again.
    until("it knows that the robot has it", 20, || (delivered(&world).first() == Some(&1)).then_some(()));
    world.sync = None;
    world.restart_sync();

    let town = robots.take("/dingtalk", 2);
    assert!(town[0].contains("镇") && !town[0].contains("可能重复") && town[1].contains("可能重复"), "{town:?}");
    assert!(town[1].contains("@13800000000"), "{town:?}");
    let city = robots.take("/json", 2);
    assert!(city[1].contains("第 2 次通知"), "{city:?}");
    assert_eq!(robots.taken("/wecom").len(), 1, "once told is told");
    until("the list says so", 20, || (delivered(&world) == [1, 1, 2]).then_some(()));
    assert!(world.weir(&["--lang", "zh", "notify", "list"]).exits(1).out.contains("未确认"));

    world.weir(&["alarm", "ack", "cod-1-high", "cod-1", "--reason", "seen"]).exits(0);
    until("the acknowledgement is known", 20, || {
        (world.weir(&["notify", "list", "--json"]).json()["notify"]["unseen"] == 0).then_some(())
    });
    let before = robots.requests().len();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(robots.requests().len(), before, "an acknowledgement ends it");
    measure(&world, &sensor, 2, "40");
    for (path, count) in [("/wecom", 2), ("/dingtalk", 3), ("/json", 3)] {
        let told = robots.take(path, count);
        assert!(told[count - 1].contains("恢复"), "{told:?}");
    }
    let expected = [("delivered", "村"), ("escalated", "镇"), ("escalated", "市")];
    let expected = expected.map(|(outcome, level)| (outcome.to_owned(), level.to_owned()));
    until("who was told is journaled", 20, || (evidence(&world) == expected).then_some(()));
    until("all is told", 20, || world.weir(&["notify", "list"]).code.filter(|code| *code == 0));
    let log = fs::read_to_string(world.path("sync.log")).unwrap();
    assert!(log.contains("people were told") && !log.contains(KEY) && !log.contains(SIGN), "secrets stay secret");
    let status = world.weir(&["status", "--json"]).out;
    assert!(status.contains("wecom-robot") && !status.contains(KEY), "{status}");
    world.verify().exits(0);
}

#[test]
fn what_waited_for_the_link_leaves_with_it_the_oldest_first_and_a_program_hears_it_too() {
    let sensors = ["cod-1", "cod-2", "cod-3"].map(Device::cod);
    let mut world = World::prepared(&sensors, "");
    let rules = [rule("cod-1", "high"), rule("cod-2", "high"), rule("cod-3", "low")].concat();
    fs::write(world.path("rules.toml"), rules).unwrap();
    world.start_gateway();
    let robots = Robots::start(&world, 0);
    let port = robots.port;
    let horn = world.path("horn");
    fs::write(&horn, format!("#!/bin/sh\ncat >> {}\n", world.path("heard.jsonl").display())).unwrap();
    fs::set_permissions(&horn, fs::Permissions::from_mode(0o755)).unwrap();
    let levels = format!(
        "[[level]]\nname = \"village\"\nwait_s = 600\nchannels = [\"json-robot\", \"horn\"]\n\
         [[channel]]\nname = \"horn\"\nkind = \"exec\"\nprogram = \"{}\"\n",
        horn.display()
    );
    configure(&world, port, &format!("language = \"en\"\n{levels}"));
    world.restart_sync();
    drop(robots);

    for (n, sensor) in (1..).zip(sensors.iter().rev()) {
        measure(&world, sensor, n, "95");
    }
    until("the program heard of all", 20, || {
        let heard = fs::read_to_string(world.path("heard.jsonl")).unwrap_or_default();
        (heard.lines().count() == 3).then_some(())
    });
    let status = until("the channel is said to fail", 20, || {
        let status = world.weir(&["status"]);
        status.out.contains("json-robot tells nobody").then_some(status)
    });
    status.exits(1);
    let failed = world.weir(&["notify", "test", "village"]).exits(1);
    assert!(failed.out.contains("json-robot") && failed.out.contains("horn: it has"), "{}", failed.out);

    let robots = Robots::start(&world, port);
    world.ask_sync(&json!({"do": "link_up"}));
    let told = robots.take("/json", 3);
    for (text, sensor) in told.iter().zip(["cod-3", "cod-2", "cod-1"]) {
        assert!(text.contains(sensor) && text.contains("not a verdict"), "the oldest first: {told:?}");
    }
    let heard = fs::read_to_string(world.path("heard.jsonl")).unwrap();
    let first: Value = serde_json::from_str(heard.lines().next().unwrap()).unwrap();
    assert_eq!((&first["alarms"][0]["source"], &first["alarms"][0]["priority"]), (&json!("cod-3"), &json!("low")));

    world.weir(&["notify", "test", "json-robot"]).exits(0);
    assert!(robots.take("/json", 4)[3].contains("[TEST]"));
    let unknown = world.weir(&["notify", "test", "nobody"]).exits(3);
    assert!(unknown.err.contains("weir notify list"), "{}", unknown.err);
}

/// A23 of the domain: a notification leaves within 60 s when any link exists. It is the middle of quiet hours, and one of the
/// two ways is held by somebody who never answers.
#[test]
fn a_closed_outfall_that_discharges_is_told_within_a_minute_by_the_way_that_is_open() {
    const OUTFALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/outfall.toml");
    let codec = "kind = \"json\"\n[[device.codec.fields]]\npath = \"/flow\"\nquantity = \"flow\"\nunit = \"m3/h\"\n";
    let sensor = Device::mqtt("flow-1", codec);
    let mut world = World::prepared(std::slice::from_ref(&sensor), "");
    let devices = fs::read_to_string(world.path("devices.toml")).unwrap();
    let named = "name = \"flow-1\"\n";
    fs::write(
        world.path("devices.toml"),
        devices.replace(named, &format!("{named}outfall = \"FA-231081-0001-SH-00\"\n")),
    )
    .unwrap();
    fs::write(
        world.path("rules.toml"),
        "[[rule]]\nid = \"rebound\"\nkind = \"rebound\"\ndevices = [\"flow-1\"]\nquantity = \"flow\"\nunit = \"m3/h\"\n\
         high = 0.2\npriority = \"critical\"\ntier = \"emergency\"\n",
    )
    .unwrap();
    world.start_gateway();
    let dossier = fs::read_to_string(OUTFALL).unwrap();
    let closed = world.path("closed.toml");
    fs::write(&closed, dossier.replace("state = \"remediating\"", "state = \"abolished\"")).unwrap();
    world.weir(&["outfall", "add", closed.to_str().unwrap(), "--reason", "取缔"]).exits(0);
    let robots = Robots::start(&world, 0);
    robots.set_moods(&json!({"/dingtalk": ["hang", "hang", "hang", "hang"]}));
    let level =
        "quiet_hours = \"00:00-23:59\"\n[[level]]\nname = \"镇\"\nchannels = [\"dingtalk-robot\", \"json-robot\"]\n";
    configure(&world, robots.port, level);
    world.restart_sync();

    let sent = Instant::now();
    Sensor::connect(&world, &sensor).publish(r#"{"flow": 3.4}"#);
    let told = robots.take("/json", 1);
    assert!(sent.elapsed() < Duration::from_secs(60), "{:?}", sent.elapsed());
    assert!(told[0].contains("rebound") && told[0].contains("flow-1") && told[0].contains("3.4 m3/h"), "{told:?}");
}

/// Its unit would be killed after 20 s.
#[test]
fn a_stop_waits_for_no_program_that_hangs() {
    let sensor = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&sensor), "");
    fs::write(world.path("rules.toml"), rule("cod-1", "high")).unwrap();
    world.start_gateway();
    let horn = world.path("horn");
    fs::write(&horn, format!("#!/bin/sh\ntouch {}\nexec sleep 55\n", world.path("begun").display())).unwrap();
    fs::set_permissions(&horn, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(world.path("sync.toml"), "state_dir = \"state\"\nrun_dir = \"run\"\nnotify_file = \"notify.toml\"\n")
        .unwrap();
    let notify = format!(
        "timeout_s = 60\n[[level]]\nname = \"village\"\nchannels = [\"horn\"]\n\
         [[channel]]\nname = \"horn\"\nkind = \"exec\"\nprogram = \"{}\"\n",
        horn.display()
    );
    fs::write(world.path("notify.toml"), notify).unwrap();
    world.restart_sync();
    measure(&world, &sensor, 1, "95.5");
    until("the program runs", 20, || world.path("begun").exists().then_some(()));
    let begun = Instant::now();
    assert_eq!(world.sync.take().unwrap().terminate(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn a_secret_that_others_can_read_and_an_unknown_key_are_refused() {
    let world = World::prepared(&[], "");
    let robots = Robots::start(&world, 0);
    configure(&world, robots.port, LADDER);
    let file = world.path("notify.toml");
    let check = |code: i32| world.weir(&["config", "check", &file.display().to_string()]).exits(code).out;
    check(0);
    fs::set_permissions(world.path("robot.secret"), fs::Permissions::from_mode(0o640)).unwrap();
    let told = check(255);
    assert!(told.contains("readable by others") && told.contains("chmod 600") && !told.contains(KEY), "{told}");
    fs::set_permissions(world.path("robot.secret"), fs::Permissions::from_mode(0o600)).unwrap();
    write_secret(&world.path("robot.secret"), &format!("token = \"{KEY}\"\n"));
    let told = check(255);
    assert!(told.contains("write it anew") && !told.contains(KEY), "{told}");
    fs::write(&file, "colour = 1\n").unwrap();
    assert!(check(255).contains("unknown field `colour`"));
}

#[test]
fn a_refused_notify_toml_keeps_no_data_from_the_platforms() {
    let device = Device::cod("cod-1");
    let mut world = World::box_only(std::slice::from_ref(&device), "");
    world.start_platforms();
    let sync = fs::read_to_string(world.sync_config()).unwrap();
    fs::write(world.path("sync.toml"), format!("notify_file = \"notify.toml\"\n{sync}")).unwrap();
    fs::write(world.path("notify.toml"), "colour = 1\n").unwrap();
    world.restart_sync();
    Sensor::connect(&world, &device).publish(r#"{"n": 1, "cod": 20.5}"#);
    world.delivered();
    for (lang, words) in [("en", "! notify.toml is refused: "), ("zh", "! notify.toml 被拒绝")] {
        let told = world.weir(&["--lang", lang, "status"]).exits(1).out;
        let line = told.lines().find(|line| line.starts_with(words)).unwrap_or_else(|| panic!("{told}"));
        assert!(line.contains("colour") && line.contains("weir config check"), "{line}");
    }
}
