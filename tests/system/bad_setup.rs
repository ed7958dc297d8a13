//! Bad input from the desk: configuration, ports, folders and keys. Each error names the cause and the next step.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;

use system_tests::{Answer, Device, Peer, World, until};

/// Exit status: could not be done.
const FAILED: i32 = 3;
/// Exit status: the configuration is refused, starting again will not help.
const CONFIG: i32 = 255;

/// `weir gateway run` refuses to start with this status and says all of this.
fn refuses(world: &World, code: i32, says: &[&str]) {
    let config = world.path("gateway.toml").display().to_string();
    let answer = world.weir(&["gateway", "run", "--config", &config]).exits(code);
    for text in says {
        assert!(answer.err.contains(text), "`{text}` is missing in:\n{}", answer.err);
    }
}

/// `weir config check` refuses this file and says all of this; `--json` too.
fn check_refuses(world: &World, file: &str, says: &[&str]) {
    let path = world.path(file).display().to_string();
    let answer = world.weir(&["config", "check", &path]).exits(255);
    for text in says {
        assert!(answer.out.contains(text), "`{text}` is missing in:\n{}", answer.out);
    }
    let json = world.weir(&["config", "check", "--json", &path]).exits(255).json();
    assert!(json["ok"] == false && json["files"][0]["error"].is_string(), "{json:#}");
}

fn edit(world: &World, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(world.path(file)).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(world.path(file), text.replace(from, to)).unwrap();
}

#[test]
fn a_key_that_does_not_exist_is_named_with_its_line() {
    let world = World::prepared(&[Device::cod("cod-1")], "[commit]\nlinger = 5\n");
    let says = ["gateway.toml", "line 9", "linger", "linger_ms", "weir config check"];
    refuses(&world, CONFIG, &says);
    check_refuses(&world, "gateway.toml", &says);
}

#[test]
fn every_file_refuses_unknown_keys() {
    let world = World::start(&[Device::cod("cod-1")]);
    let rule = "[[rule]]\nid = \"high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 80\n";
    fs::write(world.path("rules.toml"), rule).unwrap();
    for file in ["gateway.toml", "devices.toml", "keys.toml", "rules.toml", "sync.toml", "municipal-platform.toml"] {
        let path = world.path(file).display().to_string();
        world.weir(&["config", "check", &path]).exits(0);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("colour = \"red\"\n{text}")).unwrap();
        check_refuses(&world, file, &[file, "colour", "line 1"]);
        fs::write(&path, text).unwrap();
    }
}

#[test]
fn keys_that_others_can_read_are_refused_with_the_cure() {
    let world = World::prepared(&[Device::cod("cod-1")], "");
    let keys = world.path("keys.toml");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o640)).unwrap();
    let says = ["keys.toml", "0640", "chmod 600"];
    refuses(&world, CONFIG, &says);
    check_refuses(&world, "keys.toml", &says);
    check_refuses(&world, "devices.toml", &says);
}

#[test]
fn a_device_without_its_key_is_named() {
    let world = World::prepared(&[Device::cod("cod-1")], "");
    edit(&world, "keys.toml", "[cod-1]", "[cod-2]");
    refuses(&world, CONFIG, &["devices.toml", "line 1", "cod-1", "`password`", "keys.toml"]);
}

#[test]
fn a_unit_nobody_knows_is_refused_with_the_nearest() {
    let world = World::prepared(&[Device::cod("cod-1")], "");
    edit(&world, "devices.toml", "mg/L", "mgg/L");
    let says = ["devices.toml", "cod-1", "mgg/L", "did you mean"];
    refuses(&world, CONFIG, &says);
    check_refuses(&world, "devices.toml", &says);
}

#[test]
fn a_port_in_use_is_named_with_the_way_to_find_who_uses_it() {
    let world = World::prepared(&[Device::cod("cod-1")], "");
    let mqtt = TcpListener::bind(("127.0.0.1", world.mqtt_port)).unwrap();
    refuses(&world, FAILED, &[&world.mqtt_port.to_string(), "in use", "ss -"]);
    drop(mqtt);
    let _gwmp = UdpSocket::bind(("127.0.0.1", world.gwmp_port)).unwrap();
    refuses(&world, FAILED, &[&world.gwmp_port.to_string(), "in use", "ss -"]);
}

#[test]
fn a_platforms_port_in_use_is_named() {
    let mut world = World::box_only(&[Device::cod("cod-1")], "");
    world.start_platforms();
    // A second platform on the same port, with a folder of its own.
    let config = fs::read_to_string(world.path("municipal-platform.toml")).unwrap();
    let second = world.path("second-platform.toml");
    fs::write(&second, config.replace("state_dir = \"municipal\"", "state_dir = \"second\"")).unwrap();
    let answer = world.weir(&["platform", "run", "--config", &second.display().to_string()]).exits(3);
    let port = world.platforms[0].port.to_string();
    assert!(answer.err.contains(&port) && answer.err.contains("in use"), "{}", answer.err);
}

/// Below a file there is no folder for anybody, root included.
#[test]
fn an_unwritable_folder_is_named_with_the_next_step() {
    let world = World::prepared(&[Device::cod("cod-1")], "");
    edit(&world, "gateway.toml", "state_dir = \"state\"", "state_dir = \"devices.toml/state\"");
    refuses(&world, FAILED, &["devices.toml/state", "try: "]);
    edit(&world, "gateway.toml", "state_dir = \"devices.toml/state\"", "state_dir = \"state\"");
    edit(&world, "gateway.toml", "run_dir = \"run\"", "run_dir = \"devices.toml/run\"");
    refuses(&world, FAILED, &["devices.toml/run", "try: "]);
}

#[test]
fn a_platform_with_the_wrong_key_is_not_believed_and_the_other_gets_everything() {
    let sensor = Device::cod("cod-1");
    let mut world = World::start(std::slice::from_ref(&sensor));
    let [wrong, right] = [&world.platforms[1], &world.platforms[0]].map(|party| party.public_key());
    let sync = fs::read_to_string(world.path("sync.toml")).unwrap();
    fs::write(world.path("sync.toml"), sync.replace(&right, &wrong)).unwrap();
    world.restart_sync();
    let covered = covered(&world, "municipal");
    publish(&world, &sensor, 1);
    let (error, answer) = unhappy(&world, "municipal");
    assert!(error.contains("key"), "{error}");
    assert!(answer.out.contains("municipal") && answer.out.contains("· try: "), "{}", answer.out);
    assert_eq!(self::covered(&world, "municipal"), covered, "no coverage by a receipt that does not verify (D1)");
    world.verify().exits(0);
    // With the right key everything is there once: the batches are the same (D2).
    fs::write(world.path("sync.toml"), sync).unwrap();
    world.restart_sync();
    world.delivered();
}

#[test]
fn a_platform_that_does_not_know_the_box_says_so_and_the_other_gets_everything() {
    let sensor = Device::cod("cod-1");
    let mut world = World::start(std::slice::from_ref(&sensor));
    world.delivered();
    world.platforms[0].enrol(None);
    world.platforms[0].restart();
    publish(&world, &sensor, 1);
    let (error, answer) = unhappy(&world, "municipal");
    assert!(error.contains("unknown_box") && error.contains("weir identity"), "{error}");
    assert!(answer.out.contains("municipal"), "{}", answer.out);
    let status = world.platforms[0].get("/v1/status");
    assert!(status["refused"]["unknown_box"].as_u64() >= Some(1), "the platform counts it: {status:#}");
    world.platforms[0].enrol(Some(&world.public_key()));
    world.platforms[0].restart();
    world.delivered();
}

fn publish(world: &World, sensor: &Device, first: u64) {
    let sensor = Peer::sensor("paho_sensor.py", world, sensor).with("--first", first).with("--count", 30);
    assert_eq!(sensor.run().exits(0).number("acknowledged"), 30);
}

fn destination(world: &World, name: &str) -> serde_json::Value {
    let status = world.status();
    let destinations = status["sync"]["destinations"].as_array().expect("destinations").iter();
    destinations.into_iter().find(|destination| destination["name"] == name).expect("the destination").clone()
}

fn covered(world: &World, name: &str) -> u64 {
    destination(world, name)["covered"].as_u64().unwrap()
}

/// Waits until provincial has all and `name` has an error; returns its words and `weir status`, which exits with 1.
fn unhappy(world: &World, name: &str) -> (String, Answer) {
    let error = until("the platform's trouble shows", 20, || {
        let other = destination(world, "provincial");
        let (healthy, error) = (other["missing"] == 0 && other["last_error"].is_null(), destination(world, name));
        let error = error["last_error"].as_object()?.clone();
        healthy.then(|| serde_json::to_string(&error).unwrap())
    });
    (error, world.weir(&["status"]).exits(1))
}
