//! Sensors behind transparent LoRa modules, written in Python from README.md alone: what they saw acknowledged is stored
//! once, whatever happens on the line; nothing hostile is stored or acknowledged.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use system_tests::row::{once, values};
use system_tests::{Device, Finished, Peer, World, until};

const PORT: &str = "[[serial]]\nname = \"lora-1\"\npath = \"port\"\n";

fn world() -> World {
    World::box_only(&[Device::serial("level-7", 7), Device::serial("rain-300", 300)], PORT)
}

/// Plays both devices with these options until each frame is acknowledged, and looks for each in the journal once.
fn check(count: u64, options: &[&str]) -> (World, Finished) {
    let world = world();
    let played = Peer::serial(&world).with("--count", count).args(options).run().exits(0);
    each_once(&world, count);
    (world, played)
}

fn each_once(world: &World, count: u64) {
    let rows = world.export();
    for device in ["level-7", "rain-300"] {
        assert_eq!(values(&rows, device, "n"), once(1..=count), "{device}: each frame once");
    }
}

/// What status says of the port.
fn port(world: &World) -> Value {
    world.status()["gateway"]["serial"][0].clone()
}

fn device(world: &World, name: &str, counter: &str) -> u64 {
    world.count(&format!("/gateway/devices/{name}/{counter}"))
}

#[test]
fn two_devices_are_acknowledged_and_stored_once() {
    let (world, played) = check(20, &["--cut"]);
    assert_eq!(played.number("acknowledged"), 40);
    let port = port(&world);
    assert_eq!((&port["opened"], &port["name"]), (&1.into(), &"lora-1".into()), "{port}");
    assert_eq!((port["noise"].as_u64(), port["crc_differs"].as_u64()), (Some(0), Some(0)), "{port}");
    assert!(port["acknowledged"].as_u64() >= Some(40), "{port}");
}

#[test]
fn garbage_and_half_frames_cost_no_frame() {
    let (world, played) = check(30, &["--garbage", "--halves", "--cut"]);
    assert_eq!(played.number("acknowledged"), 60);
    let port = port(&world);
    assert!(port["noise"].as_u64() > Some(0) && port["incomplete"].as_u64() > Some(0), "{port}");
    assert_eq!(device(&world, "level-7", "rejected") + device(&world, "rain-300", "rejected"), 0);
}

#[test]
fn devices_that_talk_at_once_repeat_themselves() {
    let (_, played) = check(10, &["--collide", "--garbage"]);
    assert!(played.number("repeats") >= 10, "a mixed frame is no frame");
}

#[test]
fn unconfirmed_frames_are_stored_and_not_answered() {
    let world = world();
    let peer = Peer::serial(&world).with("--count", 5).with("--timeout", 1_000).args(["--unconfirmed"]);
    peer.run().exits(0);
    until("they are stored", 30, || (device(&world, "rain-300", "accepted") == 5).then_some(()));
    each_once(&world, 5);
    assert_eq!(port(&world)["acknowledged"], 0);
}

#[test]
fn an_adapter_is_pulled_out_and_plugged_in_again() {
    let (world, played) = check(8, &["--vanish", "5", "--deadline", "150"]);
    assert_eq!(played.number("vanished"), 3);
    let port = port(&world);
    assert!(port["opened"].as_u64() >= Some(3), "{port}");
    let log = fs::read_to_string(world.path("gateway.log")).unwrap();
    let lines = log.lines().filter(|line| line.contains("serial port")).count();
    assert!(lines < 40, "{lines} lines are too many for a few seconds without an adapter:\n{log}");
    // The far end has ended, and its adapter with it.
    let said = until("status says that it is gone", 30, || {
        let port = self::port(&world);
        (port["open"] == false).then(|| port["error"].as_str().unwrap_or_default().to_owned())
    });
    assert!(said.contains("try:"), "{said}");
    let wrong = world.status()["wrong"].to_string();
    assert!(wrong.contains("serial port lora-1"), "{wrong}");
}

#[test]
fn a_killed_gateway_loses_and_doubles_nothing() {
    let mut world = world();
    let acked = world.path("acked.jsonl");
    let acknowledged = || -> Vec<Value> {
        let text = fs::read_to_string(&acked).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let peer = Peer::serial(&world).with("--count", 60).with("--acked", acked.display()).with("--deadline", 240);
    let playing = peer.args(["--halves"]).start();
    for kill in 1..=6 {
        until("devices are acknowledged", 60, || (acknowledged().len() >= kill * 12).then_some(()));
        world.kill_gateway();
        let seen = acknowledged();
        world.start_gateway();
        let rows = world.export();
        let journaled: BTreeMap<_, _> =
            ["level-7", "rain-300"].into_iter().map(|name| (name, values(&rows, name, "n"))).collect();
        for line in seen {
            let (name, n) = (line["device"].as_str().unwrap(), line["counter"].to_string());
            assert_eq!(journaled[name].get(&n), Some(&1), "kill {kill}: {name} saw {n} acknowledged");
        }
    }
    playing.finish().exits(0);
    each_once(&world, 60);
    world.weir(&["verify"]).exits(0);
}

/// Sends ten frames of one kind that is not good between good ones. They are not answered, but counted for `level-7`
/// and kept as evidence; the good ones beside them are stored.
fn hostile(kind: &str, reason: &str, stored: &[u64]) {
    let world = world();
    Peer::serial(&world).with("--hostile", kind).with("--count", 10).run().exits(0);
    assert_eq!(device(&world, "level-7", "rejected"), 10);
    let refusal = world.status()["gateway"]["devices"]["level-7"]["refusal"].as_str().unwrap_or_default().to_owned();
    assert!(refusal.starts_with(reason), "{refusal}");
    assert_eq!(values(&world.export(), "level-7", "n"), once(stored.iter().copied()));
    let records = world.records();
    assert!(records >= 10 + stored.len() as u64, "{records} records are too few for evidence of each");
}

#[test]
fn another_key_is_refused() {
    hostile("key", "bad_seal", &[1, 2]);
}

#[test]
fn a_frame_of_another_name_is_refused() {
    hostile("name", "bad_seal", &[1, 2]);
}

#[test]
fn our_own_acknowledgement_is_no_frame() {
    hostile("reflect", "bad_seal", &[1, 2]);
}

#[test]
fn other_bytes_under_a_used_counter_are_refused() {
    hostile("fork", "forked", &[1, 2]);
}

#[test]
fn an_old_frame_is_refused() {
    hostile("replay", "replayed", &[1, 101, 102]);
}

#[test]
fn the_newest_frame_sent_again_is_acknowledged_again_and_stored_once() {
    let world = world();
    Peer::serial(&world).with("--hostile", "repeat").with("--count", 3).run().exits(0);
    assert!(device(&world, "level-7", "duplicate") >= 3);
    assert_eq!(values(&world.export(), "level-7", "n"), once([1, 2]));
}

#[test]
fn a_frame_with_any_bit_flipped_is_refused() {
    let world = world();
    // The envelope of its first frame has 48 bytes.
    let bits = 48 * 8;
    Peer::serial(&world).with("--hostile", "flip").with("--count", bits).run().exits(0);
    // Where the kid was flipped, nobody knows whose it was.
    let refused = ["", "level-7", "rain-300"].map(|name| device(&world, name, "rejected"));
    assert_eq!(refused.iter().sum::<u64>(), bits);
    assert_eq!(values(&world.export(), "level-7", "n"), once([1, 2]));
}
