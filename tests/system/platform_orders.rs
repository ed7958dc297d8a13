//! What a platform orders of a box: signed by its own key or by a stranger's program, journaled, carried out, and for rules
//! only kept if the box goes on delivering.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use system_tests::config::{BOX, devices_toml};
use system_tests::{Answer, Device, Party, Peer, Row, Sensor, World, until};

const FRAMES: u64 = 150;
const ALLOWED: &str = "[commands]\nsampling = [\"municipal\"]\nrules = [\"municipal\"]\ntrial_s = 10\n";
const LOWER: &str =
    "[[rule]]\nid = \"lower\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 30\n";

/// A box and its two platforms, of which it believes the first by the key that its technician pinned.
fn world(devices: &[Device], more: &str) -> World {
    let mut world = World::box_only(devices, more);
    world.start_platforms();
    world.start_sync();
    let key = world.platforms[0].public_key();
    world.weir(&["identity", "pin", "municipal", &key, "--reason", "set up by hand"]).exits(0);
    world
}

fn config(world: &World) -> String {
    world.path("municipal-platform.toml").display().to_string()
}

fn order(world: &World, what: &[&str]) -> Answer {
    let config = config(world);
    let common = ["--box", BOX, "--config", &config, "--reason", "restored from a backup", "--json"];
    world.weir(&[&["platform", "order"], what, &common].concat())
}

/// What became of the newest order.
fn state(world: &World) -> (String, Option<String>) {
    let told = world.weir(&["platform", "orders", BOX, "--config", &config(world), "--json"]).json();
    let newest = told["orders"].as_array().unwrap().last().expect("something was ordered");
    (newest["state"].as_str().unwrap().to_owned(), newest["refused"].as_str().map(str::to_owned))
}

fn until_state(world: &World, expected: &str) {
    until(&format!("the order is {expected}"), 60, || (state(world).0 == expected).then_some(()));
}

fn command_files(party: &Party) -> Vec<PathBuf> {
    let folder = party.state.path().join("commands").join(BOX);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Hands a command to the gateway, as the upload daemon does.
fn hand_over(world: &World, command: &Path) -> Value {
    let command = hex::encode(fs::read(command).unwrap());
    world.ask(&json!({"do": "command", "platform": "municipal", "command": command}))
}

fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

#[test]
fn a_platform_that_lost_everything_has_it_sent_once_more() {
    let device = Device::cod("cod-1");
    let mut world = world(std::slice::from_ref(&device), "");
    Peer::sensor("paho_sensor.py", &world, &device).with("--count", FRAMES).run().exits(0);
    let before = world.delivered();

    // Its disk is gone, its key is not.
    world.platforms[0].stop();
    for name in ["platform.db", "platform.db-wal", "platform.db-shm"] {
        drop(fs::remove_file(world.platforms[0].state.path().join(name)));
    }
    world.platforms[0].restart();
    let end = world.records() - 1;
    let refused = order(&world, &["resend", "5-3"]).exits(2);
    assert!(refused.err.contains("is no range of records"), "{refused:?}");
    order(&world, &["resend", &format!("0-{end}"), "9000000-9000010"]).exits(0);
    assert_eq!(state(&world), ("waiting".into(), None));
    let mut sensor = Sensor::connect(&world, &device);
    sensor.publish(r#"{"n": 9001, "cod": 20.5}"#);
    until_state(&world, "journaled");
    // However often the daemon ends in between.
    world.restart_sync();
    let journal = world.export();
    until("it has all again", 60, || {
        let is_all = in_order(world.platforms[0].rows()) == in_order(journal.clone());
        (is_all && before.len() as u64 == FRAMES * 2).then_some(())
    });
    sensor.publish(r#"{"n": 9002, "cod": 20.5}"#);
    world.delivered();
    let of = &world.platforms[1].get("/v1/status")["boxes"][0];
    assert_eq!(of["doubled"], 0, "the other platform is not sent anything twice");
    assert!(world.verify().exits(0).json()["holds"].as_bool().unwrap());
    let told = world.weir(&["tail", "-n", "1000"]).out;
    assert!(told.contains("AUDIT by platform municipal: command"), "{told}");

    // Once is once: the same order does nothing more, and a second one is another.
    let files = command_files(&world.platforms[0]);
    assert_eq!(hand_over(&world, &files[0])["repeated"], true);
    let taken = |world: &World| world.destinations()[0]["delivered"]["records"].as_u64().unwrap();
    let records = taken(&world);
    order(&world, &["resend", "3"]).exits(0);
    sensor.publish(r#"{"n": 9003, "cod": 20.5}"#);
    until_state(&world, "journaled");
    world.delivered();
    assert_eq!(taken(&world), records + 3, "the frame, the box's record of the order, and the one record again");
}

#[test]
fn a_program_of_others_orders_by_the_cddl_and_nobody_else_is_obeyed() {
    let device = Device::cod("cod-1");
    let world = world(std::slice::from_ref(&device), "");
    let mut sensor = Sensor::connect(&world, &device);
    sensor.publish(r#"{"n": 1, "cod": 20.5}"#);
    world.delivered();
    let seed = fs::read_to_string(world.platforms[0].state.key()).unwrap();
    let sign = |key: &str, number: u64, what: &[&str]| {
        let out = world.path("command.cose");
        Peer::new("sign_command.py")
            .with("--key", key.trim())
            .with("--platform", "municipal")
            .with("--box", BOX)
            .with("--number", number)
            .with("--reason", "by another program")
            .with("--out", out.display())
            .args(what)
            .run()
            .exits(0);
        hex::encode(fs::read(out).unwrap())
    };
    let ask = |command: String| {
        let request = json!({"do": "command", "platform": "municipal", "command": command});
        let answer = world.ask_gateway(&request);
        answer["error"].as_str().map_or_else(|| Ok(answer.clone()), |why| Err(why.to_owned()))
    };
    let stranger = "11".repeat(32);
    assert!(ask(sign(&stranger, 1, &["--resend", "0", "1"])).is_err());
    let answer = ask(sign(&seed, 1, &["--resend", "0", "1"])).unwrap();
    assert_eq!(answer["refused"], Value::Null, "{answer}");
    let answer = ask(sign(&seed, 2, &["--sampling", "cod-1", "60"])).unwrap();
    assert!(answer["refused"].as_str().unwrap().contains("[commands]"), "{answer}");
    let devices = world.path("devices.toml").display().to_string();
    let answer = ask(sign(&seed, 3, &["--devices", &devices])).unwrap();
    assert!(answer["refused"].as_str().unwrap().contains("[commands]"), "{answer}");
    let answer = ask(sign(&seed, 4, &["--retain", "east"])).unwrap();
    assert!(answer["refused"].as_str().unwrap().contains("[commands]"), "{answer}");
    let late = ask(sign(&seed, 5, &["--resend", "0", "1", "--until", "1"])).unwrap();
    let clock = world.status()["gateway"]["clock"]["state"].clone();
    // A box without a clock does not know that it is late.
    assert_eq!(late["refused"].is_null(), clock == "unset", "{late} {clock}");
    let audits = world.delivered().len();
    assert!(audits > 0);
    let told: Vec<String> = world.platforms[1].audits().into_iter().map(|(act, ..)| act).collect();
    assert_eq!(told.iter().filter(|act| *act == "commanded").count(), 5, "every platform is told: {told:?}");
}

#[test]
fn commanded_rules_stay_only_if_the_box_goes_on_delivering() {
    let device = Device::cod("cod-1");
    let mut world = world(std::slice::from_ref(&device), ALLOWED);
    let rules = world.path("lower.toml");
    fs::write(&rules, LOWER).unwrap();
    let mut sensor = Sensor::connect(&world, &device);
    sensor.publish(r#"{"n": 1, "cod": 20.5}"#);

    fs::write(world.path("broken.toml"), "[[rule]]\nid = 7").unwrap();
    let broken = order(&world, &["rules", &world.path("broken.toml").display().to_string()]).exits(3);
    assert!(broken.err.contains("line 2"), "{broken:?}");
    order(&world, &["rules", &rules.display().to_string()]).exits(0);
    sensor.publish(r#"{"n": 2, "cod": 21.5}"#);
    until_state(&world, "kept");
    let shown = world.weir(&["rules", "show", "--json"]).exits(0).json();
    assert_eq!((&shown["platform"], &shown["toml"]), (&"municipal".into(), &LOWER.into()));
    sensor.publish(r#"{"n": 3, "cod": 31.5}"#);
    let alarms = |world: &World| world.status()["gateway"]["alarms"].as_array().unwrap().len();
    until("the new rule raises an alarm", 20, || (alarms(&world) == 1).then_some(()));
    for (lang, words) in [("en", "rules of municipal are in force"), ("zh", "平台 municipal 下达的规则")] {
        let text = world.weir(&["--lang", lang, "status"]).out;
        assert!(text.contains(words), "{text}");
    }
    world.kill_gateway();
    world.start_gateway();
    let shown = world.weir(&["rules", "show", "--json"]).exits(0).json();
    assert_eq!(shown["platform"], "municipal", "a restart keeps what was kept");

    // Whatever the next ones say, the platform does not hear of it in time.
    drop(world.sync.take());
    fs::write(&rules, LOWER.replace("30", "300")).unwrap();
    order(&world, &["rules", &rules.display().to_string()]).exits(0);
    let answer = hand_over(&world, command_files(&world.platforms[0]).last().unwrap());
    assert_eq!(answer["trial"], true, "{answer}");
    let trial = world.status()["gateway"]["rules"]["trial_s"].as_u64();
    assert!(trial.is_some_and(|rest_s| rest_s <= 10), "{trial:?}");
    until("the trial is over", 30, || world.status()["gateway"]["rules"]["trial_s"].is_null().then_some(()));
    let shown = world.weir(&["rules", "show", "--json"]).exits(0).json();
    assert_eq!(shown["toml"], LOWER, "those before are in force again");
    world.restart_sync();
    until_state(&world, "rolled_back");

    // By hand beats all, and is told.
    fs::write(world.path("rules.toml"), "# by hand\n").unwrap();
    world.kill_gateway();
    world.start_gateway();
    assert!(world.status()["gateway"]["rules"].is_null());
    world.delivered();
    let acts: Vec<String> = world.platforms[1].audits().into_iter().map(|(act, ..)| act).collect();
    assert_eq!(acts.iter().filter(|act| *act == "settled").count(), 3, "{acts:?}");
    let text = world.weir(&["--lang", "zh", "tail", "-n", "200"]).out;
    assert!(text.contains("已回退") && text.contains("已被人工修改"), "{text}");
}

#[test]
fn a_device_is_told_how_often_to_measure() {
    let device = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&device), ALLOWED);
    let sampling = "[device.sampling]\ntext = '{\"period_s\":{s}}'\nperiod_s_min = 30\n[device.codec]";
    let toml = devices_toml(std::slice::from_ref(&device)).replace("[device.codec]", sampling);
    fs::write(world.path("devices.toml"), toml).unwrap();
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    let client = || {
        Peer::new("kept_session.py")
            .with("--port", world.mqtt_port)
            .with("--user", &device.name)
            .with("--password", device.password())
            .with("--level", 5)
    };
    client().args(["--subscribe"]).with("--commands", 0).run().exits(0);
    let key = world.platforms[0].public_key();
    world.weir(&["identity", "pin", "municipal", &key, "--reason", "set up by hand"]).exits(0);
    order(&world, &["sampling", "cod-1", "60"]).exits(0);
    Peer::sensor("paho_sensor.py", &world, &device).with("--count", 3).run().exits(0);
    until_state(&world, "journaled");
    world.device(&["sample", "cod-1", "90"]).exits(0);
    let refused = world.device(&["sample", "cod-1", "20"]).exits(3);
    assert!(refused.err.contains("takes 30 to 86400 s"), "{refused:?}");
    let heard = client().args(["--subscribe"]).with("--commands", 2).run().exits(0);
    assert_eq!(heard.summary()["commands"], json!([r#"{"period_s":60}"#, r#"{"period_s":90}"#]));
    order(&world, &["sampling", "cod-1", "20"]).exits(0);
    Peer::sensor("paho_sensor.py", &world, &device).with("--count", 3).run().exits(0);
    until_state(&world, "refused");
    assert!(state(&world).1.unwrap().contains("takes 30 to 86400 s"));
}

/// What systemd does once the gateway has ended to work by other files.
fn let_it_start_anew(world: &mut World) {
    let ended = world.gateway.take().expect("it runs").wait();
    assert_eq!(ended, Some(70), "a restart helps");
    world.start_gateway();
}

#[test]
fn commanded_files_are_tried_by_one_start_and_stay_if_the_box_hears_and_delivers() {
    let device = Device::cod("cod-1");
    let more = ALLOWED.replace("trial_s", "configuration = [\"municipal\"]\ntrial_s");
    let mut world = world(std::slice::from_ref(&device), &more);
    let publish = |world: &World, n: u64, cod: &str| {
        Sensor::connect(world, &device).publish(&format!(r#"{{"n": {n}, "cod": {cod}}}"#));
    };
    publish(&world, 1, "20.5");
    let own = |world: &World, name: &str| fs::read_to_string(world.path(name)).unwrap();
    let (own_gateway, own_devices) = (own(&world, "gateway.toml"), own(&world, "devices.toml"));
    let up_to = |max: u32| own_devices.replace("quantity = \"cod\"", &format!("quantity = \"cod\"\nmax = {max}"));

    fs::write(world.path("broken.toml"), "[[device]\n").unwrap();
    let broken = order(&world, &["configuration", "--devices", &world.path("broken.toml").display().to_string()]);
    assert!(broken.exits(3).err.contains("line 1"));
    // A range that the sensor's values are beyond.
    let narrow = world.path("narrow.toml");
    fs::write(&narrow, up_to(30)).unwrap();
    order(&world, &["configuration", "--devices", &narrow.display().to_string()]).exits(0);
    publish(&world, 2, "40.5");
    let_it_start_anew(&mut world);
    for (lang, words) in
        [("en", "configuration files of municipal are on trial"), ("zh", "平台 municipal 下达的配置文件试运行中")]
    {
        let text = world.weir(&["--lang", lang, "status"]).out;
        assert!(text.contains(words), "{text}");
    }
    // It delivers, and heard no device yet.
    until_state(&world, "journaled");
    publish(&world, 3, "40.5");
    until_state(&world, "kept");
    let bad = |world: &World| world.status()["gateway"]["devices"]["cod-1"]["readings_bad"].as_u64();
    assert_eq!(bad(&world), Some(1), "the value is out of the new range");
    world.kill_gateway();
    world.start_gateway();
    publish(&world, 4, "41.5");
    assert_eq!(bad(&world), Some(1), "a restart keeps what was kept");
    assert_eq!(own(&world, "devices.toml"), own_devices, "the box's own file is as it was");

    // Under these nobody can reach it, whatever it delivers.
    let silent = world.path("silent.toml");
    fs::write(&silent, own_gateway.replace("[mqtt]", "[mqtt]\nenabled = false")).unwrap();
    order(&world, &["configuration", "--gateway", &silent.display().to_string()]).exits(0);
    publish(&world, 5, "20.5");
    let_it_start_anew(&mut world);
    assert!(world.status()["gateway"]["mqtt"].is_null());
    let_it_start_anew(&mut world);
    until_state(&world, "rolled_back");
    publish(&world, 6, "42.5");
    assert_eq!(bad(&world), Some(1), "what was kept before is in force again");

    // A crash on trial, and a change by hand.
    order(&world, &["configuration", "--gateway", &silent.display().to_string()]).exits(0);
    publish(&world, 7, "20.5");
    let_it_start_anew(&mut world);
    world.kill_gateway();
    world.start_gateway();
    assert!(!world.status()["gateway"]["mqtt"].is_null());
    fs::write(world.path("devices.toml"), up_to(50)).unwrap();
    world.kill_gateway();
    world.start_gateway();
    publish(&world, 8, "43.5");
    assert_eq!(bad(&world), Some(0), "by hand beats all");
    assert!(world.status()["gateway"]["config_of"].is_null());
    world.delivered();
    let told = world.weir(&["--lang", "zh", "tail", "-n", "200"]).out;
    assert!(told.contains("（配置文件）") && told.contains("已被人工修改"), "{told}");
}
