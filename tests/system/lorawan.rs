//! lora-packet as LoRaWAN devices behind a Semtech UDP packet forwarder: acknowledged in RX1 after the commit, stored
//! once, and whatever is not theirs is answered with silence and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use system_tests::row::values;
use system_tests::{Device, Finished, Peer, Row, World, until};

/// A forwarder waits 20 ms for a PUSH_ACK between receptions (`PUSH_TIMEOUT_MS` of lora_pkt_fwd is 100); ours are
/// measured beside several processes on two cores.
const PUSH_ACK_MS_P50_MAX: f64 = 20.0;
/// RX1 opens 1 s after the uplink's end; the concentrator wants its downlink before that.
const ACK_MS_MAX: f64 = 950.0;
/// How long a silent test listens: past the end of RX2, 2 s after the uplink.
const SILENCE_MS: u64 = 2_300;

fn level(n: u8) -> Device {
    Device::lora(&format!("level-{n}"), &format!("260100{n:02}"))
}

/// The texts of the two readings that `lora_device.js` said it sent, in the order of its frames.
fn sent(world: &World, file: &str) -> Vec<(u64, String, String)> {
    let text = fs::read_to_string(world.path(file)).unwrap();
    let frames = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let number = |v: &serde_json::Value| plain(v.as_str().unwrap());
    frames.map(|f| (f["fcnt"].as_u64().unwrap(), number(&f["temperature"]), number(&f["analog"]))).collect()
}

/// Without zeros behind the point, as `record::Decimal` is compared: 1.50 and 1.5 are one number.
fn plain(decimal: &str) -> String {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.').into() } else { decimal.into() }
}

fn counted(values: BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    values.into_iter().map(|(value, count)| (plain(&value), count)).collect()
}

/// The rows of one device hold each sent frame's readings exactly once.
fn assert_stored_once(rows: &[Row], device: &Device, sent: &[(u64, String, String)]) {
    let mut unique = sent.to_vec();
    unique.sort();
    unique.dedup();
    let tally = |texts: Vec<&String>| {
        texts.into_iter().fold(BTreeMap::new(), |mut tally: BTreeMap<String, usize>, text| {
            *tally.entry(text.clone()).or_default() += 1;
            tally
        })
    };
    let (temperature, analog) = (unique.iter().map(|f| &f.1).collect(), unique.iter().map(|f| &f.2).collect());
    assert_eq!(counted(values(rows, &device.name, "temperature_1")), tally(temperature), "{}", device.name);
    assert_eq!(counted(values(rows, &device.name, "analog_input_2")), tally(analog), "{}", device.name);
}

fn accepted(world: &World, device: &Device) -> u64 {
    world.count(&format!("/gateway/devices/{}/accepted", device.name))
}

fn assert_no_errors(finished: &Finished) {
    assert_eq!(finished.number("errors_count"), 0, "{:#}", finished.summary());
    assert_eq!(finished.number("push_ack_missing"), 0, "{:#}", finished.summary());
}

#[test]
fn confirmed_uplinks_are_acknowledged_in_rx1_and_stored_once() {
    let devices = [level(1), level(2), level(3)];
    let world = World::start(&devices);
    let sent_file = world.path("sent.jsonl");
    let peer = Peer::lora(&world).with("--count", 5).with("--sent", sent_file.display()).run().exits(0);
    assert_no_errors(&peer);
    assert_eq!((peer.number("acknowledged"), peer.number("rx1"), peer.number("rx2")), (15, 15, 0));
    let ms = |pointer: &str| peer.summary().pointer(pointer).and_then(|v| v.as_f64()).expect("milliseconds");
    assert!(ms("/push_ack_ms/p50") < PUSH_ACK_MS_P50_MAX, "{:#}", peer.summary());
    assert!(ms("/ack_ms/max") < ACK_MS_MAX, "{:#}", peer.summary());
    let rows = world.delivered();
    let text = fs::read_to_string(&sent_file).unwrap();
    for device in &devices {
        let own = text.lines().filter(|line| line.contains(device.dev_addr.as_deref().unwrap()));
        fs::write(world.path("own.jsonl"), own.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        assert_stored_once(&rows, device, &sent(&world, "own.jsonl"));
    }
}

#[test]
fn unconfirmed_uplinks_are_stored_and_not_answered() {
    let world = World::start(&[level(1)]);
    let file = world.path("sent.jsonl");
    let peer =
        Peer::lora(&world).args(["--unconfirmed", "--silence"]).with("--interval", 5).with("--sent", file.display());
    let peer = peer.with("--count", 50).run().exits(0);
    assert_no_errors(&peer);
    until("all are stored", 10, || (accepted(&world, &level(1)) == 50).then_some(()));
    assert_stored_once(&world.delivered(), &level(1), &sent(&world, "sent.jsonl"));
}

#[test]
fn a_retransmission_is_acknowledged_again_and_stored_once() {
    let device = level(1);
    let world = World::start(std::slice::from_ref(&device));
    let file = world.path("sent.jsonl");
    let peer = Peer::lora(&world).with("--count", 3).with("--repeat", 2).with("--interval", 1_200);
    let peer = peer.with("--sent", file.display()).run().exits(0);
    assert_no_errors(&peer);
    assert!(peer.number("reacknowledged_max") >= 1, "{:#}", peer.summary());
    assert_eq!(peer.number("uplinks"), 9);
    assert_eq!(accepted(&world, &device), 3);
    assert_eq!(world.count("/gateway/devices/level-1/duplicate"), 6);
    assert_stored_once(&world.delivered(), &device, &sent(&world, "sent.jsonl"));
}

#[test]
fn replayed_frames_are_refused_also_after_a_restart() {
    let device = level(1);
    let mut world = World::box_only(std::slice::from_ref(&device), "");
    let file = world.path("sent.jsonl").display().to_string();
    Peer::lora(&world)
        .args(["--unconfirmed"])
        .with("--count", 6)
        .with("--interval", 5)
        .with("--sent", &file)
        .run()
        .exits(0);
    until("all are stored", 10, || (accepted(&world, &device) == 6).then_some(()));
    // The newest frame may rightly be acknowledged again: it is not replayed here.
    let text = fs::read_to_string(&file).unwrap();
    let old: Vec<&str> = text.lines().take(5).collect();
    fs::write(world.path("old.jsonl"), old.join("\n")).unwrap();
    let replay = |world: &World| {
        let peer = Peer::lora(world).with("--attack", "replay").with("--frames", world.path("old.jsonl").display());
        assert_no_errors(&peer.with("--timeout", SILENCE_MS).run().exits(0));
    };
    let refused = |world: &World| {
        ["rejected", "duplicate", "shed"].map(|kind| world.count(&format!("/gateway/devices/level-1/{kind}")))
    };
    replay(&world);
    let before = refused(&world);
    assert_eq!(before.iter().sum::<u64>(), 5, "each replayed frame is counted: {before:?}");
    let tail = world.weir(&["tail", "-n", "1000", "--json"]).exits(0).json_lines();
    assert!(tail.iter().any(|record| record["why"] == "replayed"), "with its reason");
    world.kill_gateway();
    world.start_gateway();
    replay(&world);
    let after = refused(&world);
    assert_eq!(after.iter().sum::<u64>(), 10, "also after a restart: {before:?} {after:?}");
    assert_eq!(accepted(&world, &device), 6);
    assert_eq!(world.export().len(), 12, "two readings of each of six frames, and none of a replayed one");
}

#[test]
fn frames_of_strangers_are_answered_with_silence_and_counted() {
    let device = level(1);
    let mut world = World::box_only(std::slice::from_ref(&device), "");
    for attack in ["mic", "devaddr", "flips"] {
        let before = world.status();
        let peer = Peer::lora(&world).with("--attack", attack).with("--timeout", SILENCE_MS).run().exits(0);
        assert_no_errors(&peer);
        let (before, after) = (before["gateway"]["devices"].clone(), world.status()["gateway"]["devices"].clone());
        let rises = |kind: &str| {
            let count = |devices: &serde_json::Value| -> u64 {
                devices.as_object().unwrap().values().map(|device| device[kind].as_u64().unwrap()).sum()
            };
            count(&after) - count(&before)
        };
        assert_eq!(rises("accepted"), 0, "{attack}");
        assert_eq!(rises("rejected") + rises("shed"), peer.number("uplinks"), "{attack}: each is counted\n{after:#}");
    }
    let tail = world.weir(&["tail", "-n", "100000", "--json"]).exits(0).json_lines();
    let told: BTreeSet<&str> = tail.iter().filter_map(|record| record["why"].as_str()).collect();
    assert!(told.contains("bad_mic") && told.contains("unknown_dev_addr"), "the evidence names its reason: {told:?}");
    // Nothing of all that stands in the way of the real device, also after a restart.
    for first in [1, 2] {
        assert_no_errors(&Peer::lora(&world).with("--count", 1).with("--fcnt", first).run().exits(0));
        world.kill_gateway();
        world.start_gateway();
    }
    assert_eq!(world.export().len(), 4);
}

#[test]
fn the_gateways_counter_may_wrap_between_uplink_and_acknowledgement() {
    let world = World::box_only(&[level(1)], "");
    // 67,296 µs before the wrap: the first uplink is before it, its RX1 behind.
    let peer = Peer::lora(&world).with("--count", 3).with("--tmst", 4_294_900_000_u32).run().exits(0);
    assert_no_errors(&peer);
    assert_eq!(peer.number("rx1"), 3);
}

#[test]
fn frame_counters_may_skip_and_pass_sixteen_bits() {
    let device = level(1);
    let mut world = World::box_only(std::slice::from_ref(&device), "");
    let file = world.path("sent.jsonl").display().to_string();
    let from = |world: &World, fcnt: u32, step: u32, count: u32| {
        let peer = Peer::lora(world).with("--fcnt", fcnt).with("--step", step).with("--count", count);
        assert_no_errors(&peer.with("--sent", &file).run().exits(0));
    };
    from(&world, 1, 16_000, 3); // gaps below MAX_FCNT_GAP, 16,384 (LoRaWAN 1.0.4 §4.3.1.5)
    from(&world, 48_000, 16_000, 2); // 48,000 and 64,000
    from(&world, 65_534, 1, 4); // 65,534 to 65,537
    world.kill_gateway();
    world.start_gateway();
    from(&world, 65_538, 1, 1); // the upper half is remembered
    assert_eq!(accepted(&world, &device), 10);
    assert_stored_once(&world.export(), &device, &sent(&world, "sent.jsonl"));
}
