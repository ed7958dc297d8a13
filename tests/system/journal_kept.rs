//! What the box keeps: sealed beside the running gateway, backed up, found rotten, and gone on with.

use std::fs;

use serde_json::Value;
use system_tests::{Device, Peer, World, until};

/// More than a table of records holds.
const FRAMES: u64 = 17_000;

fn frames(world: &World, sensor: &Device, first: u64, count: u64) {
    let peer = Peer::sensor("paho_sensor.py", world, sensor).with("--first", first).with("--count", count);
    peer.with("--window", 64).run().exits(0);
}

fn kinds(world: &World) -> Vec<String> {
    let tail = world.weir(&["tail", "-n", "200", "--json"]).exits(0).json_lines();
    tail.iter().map(|record| record["kind"].as_str().unwrap().to_owned()).collect()
}

fn check(world: &World, exit: i32) -> Value {
    world.weir(&["journal", "check", "--json"]).exits(exit).json()
}

#[test]
fn a_station_seals_backs_up_rots_and_goes_on() {
    let sensor = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&sensor), "");
    // One sensor stands for a station of many: it may send as much as they would.
    let config = fs::read_to_string(world.path("gateway.toml")).unwrap();
    let faster = "[mqtt]\npackets_per_second_max = 1_000_000\nbytes_per_second_max = 100_000_000\n";
    fs::write(world.path("gateway.toml"), config.replace("[mqtt]\n", faster)).unwrap();
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    frames(&world, &sensor, 1, FRAMES);
    until("a table is sealed", 30, || (world.count("/gateway/journal/keeping/whole") == 1).then_some(()));
    let whole = check(&world, 0);
    assert_eq!((&whole["well"], &whole["gone"]), (&Value::from(true), &Value::from(0)));
    assert_eq!(whole["parts"][0]["stage"], "whole");
    world.delivered();
    let readings = world.export().len() as u64;
    assert_eq!(readings, 2 * FRAMES, "two of each frame");

    // A copy on a stick, put back on another box that has nothing.
    let stick = world.path("stick").display().to_string();
    let made = world.weir(&["backup", &stick, "--json"]).exits(0).json();
    assert_eq!(made["records"], world.records());
    let elsewhere = world.path("elsewhere");
    fs::create_dir_all(elsewhere.join("state")).unwrap();
    assert_eq!(World::weir_in(&elsewhere, &["restore", &stick, "--json"]).exits(0).json()["root"], made["root"]);
    let restored = World::weir_in(&elsewhere, &["export", "--json"]).exits(0).json_lines();
    assert_eq!(restored.len() as u64, readings);
    World::weir_in(&elsewhere, &["restore", &stick]).exits(3);

    // Rot in a file: found by whoever looks, and mended by the next start, which reads everything.
    world.kill_gateway();
    let file = world.path("state/journal/blocks/000000000000.blocks");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::write(&file, &bytes).unwrap();
    let rotten = check(&world, 1);
    assert_eq!(rotten["well"], false);
    assert!(!rotten["parts"][0]["damaged"].as_array().unwrap().is_empty(), "{rotten:#}");
    world.start_gateway();
    until("the damage is told", 60, || kinds(&world).iter().any(|kind| kind == "gap").then_some(()));
    let quarantine = world.path("state/journal/quarantine/0/000000000000.blocks");
    until("the damaged file is kept", 30, || quarantine.exists().then_some(()));
    assert_eq!(fs::read(&quarantine).unwrap(), bytes);
    until("nothing is damaged any more", 30, || {
        world.weir(&["journal", "check", "--json"]).json()["well"].as_bool().filter(|well| *well)
    });
    world.weir(&["verify", "--sync-config", &world.path("sync.toml").display().to_string()]).exits(0);

    // A database that is no database: the box starts, says so, and takes and delivers what comes.
    world.kill_gateway();
    let database = world.path("state/journal/journal.db");
    // Pages in the log would stand in for those that are damaged.
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(connection);
    let mut bytes = fs::read(&database).unwrap();
    let pages = bytes.len() / 1024 - 1;
    bytes[..64].fill(0);
    bytes[1024 * (pages / 2)..1024 * (pages / 2 + 1)].fill(0xff);
    fs::write(&database, &bytes).unwrap();
    world.start_gateway();
    assert!(world.status()["gateway"]["journal"]["salvaged"].is_string(), "{:#}", world.status());
    let before = world.export().len() as u64;
    assert!(before + 2 * (256 + 16) > readings, "{before} of {readings}: a block, and the records of a page");
    frames(&world, &sensor, FRAMES + 1, 50);
    assert_eq!(world.export().len() as u64, before + 2 * 50);
    let end = world.records();
    until("what came after the damage is delivered", 60, || {
        let status = world.status();
        let destinations = status["sync"]["destinations"].as_array()?.clone();
        let drained =
            |d: &Value| d["missing"] == 0 && d["outstanding"] == 0 && d["covered"].as_u64() > Some(end - 1_000);
        (destinations.len() == 2 && destinations.iter().all(drained)).then_some(())
    });
    world.weir(&["verify", "--sync-config", &world.path("sync.toml").display().to_string()]).exits(0);
}
