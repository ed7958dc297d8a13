//! Confirmed uplinks on a disk that needs more than a second for a commit: the answer goes into whichever window is still
//! open, else the device repeats its frame; never is there an answer without a record.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{Device, Disk, Radio, World, until};

/// Nothing else commits while a frame is under way: a tree head is signed once a day.
const CALM: &str = "merge_ms = 0\n[checkpoint]\nseconds_max = 86400\nrecords_max = 1000000\n";
/// After RX1, and before RX2 at 2 s must leave.
const BEFORE_RX2: Duration = Duration::from_millis(1_200);
/// After RX2 of a device that listens after 1 s.
const TOO_LATE: Duration = Duration::from_millis(2_500);
/// A device gives up waiting after RX2; this is for the machine around it, too.
const SILENCE_MS: u64 = 4_000;
/// MAC commands 08, RXTimingSetupReq and RXTimingSetupAns.
const RX_TIMING_SETUP: u64 = 8;

/// A box that has stored a frame already, so that each commit is one sync, and its device.
fn start() -> (World, Radio) {
    let devices = [Device::lora("level-1", "26010001")];
    let mut world = World::on_disk(&devices, CALM);
    world.start_gateway();
    let mut radio = Radio::start(&world, &devices);
    radio.confirmed("level-1", json!({ "fcnt": 0 }));
    (world, radio)
}

fn slow(world: &World, sync: Duration) {
    world.disk.as_ref().unwrap().slow(sync);
}

/// The counters in the journal.
fn stored(world: &World) -> Vec<u64> {
    let records = world.records_of(Some("level-1"));
    records.iter().filter_map(|record| record["link"]["f_cnt"].as_u64()).collect()
}

fn window(answer: &Value) -> (u64, f64, &str) {
    (answer["delay_us"].as_u64().unwrap(), answer["freq"].as_f64().unwrap(), answer["datr"].as_str().unwrap())
}

#[test]
fn a_commit_of_1200_ms_is_answered_in_rx2() {
    let (world, mut radio) = start();
    slow(&world, BEFORE_RX2);
    let answer = radio.confirmed("level-1", json!({ "fcnt": 1 }));
    assert_eq!(window(&answer), (2_000_000, 869.525, "SF12BW125"), "{answer:#}");
    assert_eq!(stored(&world), [0, 1]);
    slow(&world, Disk::SYNC);
    let answer = radio.confirmed("level-1", json!({ "fcnt": 2 }));
    assert_eq!(window(&answer), (1_000_000, 868.1, "SF7BW125"), "{answer:#}");
    radio.assert_silence();
}

#[test]
fn a_commit_of_2500_ms_is_not_answered_and_its_repetition_is() {
    let (world, mut radio) = start();
    slow(&world, TOO_LATE);
    let phy = radio.frame("level-1", json!({ "fcnt": 1 }));
    let frame = json!({ "do": "uplink", "device": "level-1", "phy": phy, "wait_ms": SILENCE_MS });
    for _ in 0..2 {
        assert_eq!(radio.ask(frame.clone()), json!({ "silent": true }), "both windows are over");
    }
    slow(&world, Disk::SYNC);
    until("both are stored", 30, || (world.count("/gateway/devices/level-1/duplicate") == 1).then_some(()));
    assert_eq!(stored(&world), [0, 1], "once");
    radio.assert_silence();
    let answer = radio.ask(frame);
    assert_eq!((&answer["ack"], &answer["delay_us"]), (&json!(true), &json!(1_000_000)), "{answer:#}");
    assert_eq!(stored(&world), [0, 1]);
    assert_eq!(world.count("/gateway/devices/level-1/duplicate"), 2);
}

#[test]
fn where_the_disk_is_slow_devices_are_told_to_wait_longer() {
    let devices = [Device::joining("level-1", "1.0.3", "24e124538c458373")];
    let mut world = World::on_disk(&devices, CALM);
    world.start_gateway();
    let mut radio = Radio::start(&world, &devices);
    radio.join("level-1", 1, json!({}));
    assert_eq!(radio.confirmed("level-1", json!({}))["delay_us"], 1_000_000);
    let config = fs::read_to_string(world.path("gateway.toml")).unwrap();
    fs::write(world.path("gateway.toml"), config + "[lorawan]\nrx1_delay_s = 5\n").unwrap();
    world.start_gateway();
    radio.pull();
    let told = radio.confirmed("level-1", json!({}));
    assert_eq!(told["delay_us"], 1_000_000, "it does not know yet: {told:#}");
    assert!(told["mac"].as_array().unwrap().contains(&json!([RX_TIMING_SETUP, "05"])), "{told:#}");
    let done = json!({ "f_opts": format!("{RX_TIMING_SETUP:02x}") });
    assert_eq!(radio.confirmed("level-1", done)["delay_us"], 5_000_000);
    slow(&world, TOO_LATE);
    let answer = radio.confirmed("level-1", json!({}));
    assert_eq!(window(&answer), (5_000_000, 868.1, "SF7BW125"), "{answer:#}");
    assert_eq!(stored(&world), [0, 1, 2, 3]);
    slow(&world, Disk::SYNC);
}
