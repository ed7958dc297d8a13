//! SIGKILL around the commit of confirmed uplinks, round after round: before it nothing is owed, and behind it the device
//! repeats its frame and is acknowledged once more. In the end each acknowledged frame is one record.

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{Device, Disk, Radio, World, until};

const DEVICES: u64 = 4;
/// Rounds of an ordinary run, half a minute; `WEIR_KILL_ROUNDS=200` asks for those of a release.
const ROUNDS: u64 = 100;
/// How long a commit takes while it is shot at, so that half of the shots hit it.
const SYNC: Duration = Duration::from_millis(25);
/// Between the frames of a round, which so are in different moments of it.
const PAUSE: Duration = Duration::from_millis(8);
/// The latest moment of a shot, after the last frame.
const AIM_MS: u64 = 41;
/// Without an answer within RX2 the device repeats its frame.
const REPEAT_MS: u64 = 2_500;

/// What a shot found of a frame.
#[derive(Debug, Default)]
struct Found {
    unstored: u64,
    stored_unacknowledged: u64,
    acknowledged: u64,
}

fn rounds() -> u64 {
    std::env::var("WEIR_KILL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("WEIR_KILL_ROUNDS is a number"))
}

fn address(n: u64) -> String {
    format!("2601000{n}")
}

/// The devices whose downlinks nobody waited for: DevAddr stands in bytes 1 to 4, the lowest first.
fn answered(radio: &mut Radio) -> BTreeSet<String> {
    let answered = radio.ask(json!({ "do": "stray" }));
    let address = |downlink: &Value| {
        let phy = downlink["phy"].as_str().unwrap();
        [8, 6, 4, 2].map(|at| &phy[at..at + 2]).concat()
    };
    answered["stray"].as_array().unwrap().iter().map(address).collect()
}

/// Counters of the frames in the journal, by device, as often as they are there.
fn stored(world: &World, newest: u64) -> BTreeMap<String, Vec<u64>> {
    let records = world.weir(&["tail", "-n", &newest.to_string(), "--json"]).exits(0).json_lines();
    let mut stored: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in records.iter().filter(|record| record["link"]["f_cnt"].is_u64()) {
        assert!(record["why"].is_null(), "refused: {record:#}");
        let source = record["source"].as_str().unwrap().to_owned();
        stored.entry(source).or_default().push(record["link"]["f_cnt"].as_u64().unwrap());
    }
    stored
}

#[test]
fn killed_around_the_commit_each_acknowledged_frame_is_one_record() {
    let devices: Vec<Device> = (1..=DEVICES).map(|n| Device::lora(&format!("level-{n}"), &address(n))).collect();
    let mut world = World::on_disk(&devices, "merge_ms = 0\n");
    let socket = UdpSocket::bind(("127.0.0.1", world.gwmp_port)).unwrap();
    world.start_gateway_activated(&socket);
    let mut radio = Radio::start(&world, &devices);
    let (rounds, mut found) = (rounds(), Found::default());
    for round in 0..rounds {
        world.disk.as_ref().unwrap().slow(SYNC);
        let mut frames = Vec::new();
        for device in &devices {
            frames.push(radio.send(&device.name, json!({ "fcnt": round })));
            sleep(PAUSE);
        }
        sleep(Duration::from_millis(round * 37 % AIM_MS));
        world.kill_gateway();
        world.disk.as_ref().unwrap().slow(Disk::SYNC);
        let early = answered(&mut radio);
        let journal = stored(&world, 4 * DEVICES);
        world.start_gateway_activated(&socket);
        radio.pull();
        for ((n, device), phy) in (1..).zip(&devices).zip(frames) {
            let is_stored = journal.get(&device.name).is_some_and(|counters| counters.contains(&round));
            if early.contains(&address(n)) {
                assert!(is_stored, "round {round}: {} was acknowledged before it was stored", device.name);
                found.acknowledged += 1;
                continue;
            }
            *if is_stored { &mut found.stored_unacknowledged } else { &mut found.unstored } += 1;
            let again = json!({ "do": "uplink", "device": device.name, "phy": phy, "wait_ms": REPEAT_MS });
            let answer = until("the repeated frame is acknowledged", 60, || {
                let answer = radio.ask(again.clone());
                (answer["silent"] != true).then_some(answer)
            });
            assert_eq!(answer["ack"], true, "round {round}: {}: {answer:#}", device.name);
        }
        // What the killed one had answered, and nobody had read before: the device had its answer twice.
        answered(&mut radio);
    }
    let each_once: Vec<u64> = (0..rounds).collect();
    let journal = stored(&world, 100_000);
    for device in &devices {
        assert_eq!(journal[&device.name], each_once, "{}: each acknowledged frame is one record", device.name);
    }
    println!("{rounds} kills, {} frames: {found:?}", rounds * DEVICES);
    assert!(found.unstored > 0 && found.stored_unacknowledged > 0, "every kind of moment was hit: {found:?}");
    world.verify().exits(0);
}
