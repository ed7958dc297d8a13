//! Sealed MQTT frames by a client written from README.md alone (pycose): stored with what the seal proves; replays,
//! forks, other keys, other devices' frames and bare payloads are refused, counted and kept as evidence.

use serde_json::Value;
use system_tests::row::{once, values};
use system_tests::{Device, Finished, Peer, World};

/// RFC 8032 §7.1, TEST 1: seed and public key.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

struct Bench {
    world: World,
    signer: Device,
    mac: Device,
}

impl Bench {
    fn new(seal: &str) -> Bench {
        let signer = Device::sealed("cod-1", seal, &format!("ed25519 = \"{PUBLIC}\""));
        let mac = Device::sealed("cod-2", seal, &format!("mac_key = \"{SECRET}\""));
        Bench { world: World::box_only(&[signer.clone(), mac.clone()], ""), signer, mac }
    }

    fn send(&self, device: &Device, alg: &str, key: &str, options: &[&str]) -> Finished {
        let sensor = Peer::sensor("sealed_sensor.py", &self.world, device).with("--alg", alg).with("--key", key);
        sensor.with("--deadline", 10).args(options).run()
    }

    fn counted(&self, device: &Device, counter: &str) -> u64 {
        self.world.count(&format!("/gateway/devices/{}/{counter}", device.name))
    }

    /// The refused frames of a device must have this reason, and as many must be kept.
    fn refused(&self, device: &Device, count: u64, reason: &str) {
        assert_eq!(self.counted(device, "rejected"), count);
        let status = self.world.status();
        let refusal = status["gateway"]["devices"][&device.name]["refusal"].as_str().unwrap_or_default();
        assert!(refusal.starts_with(reason), "{refusal}");
        let kept = self.records().into_iter().filter(|record| record.to_string().contains(&format!("\"{reason}\"")));
        assert_eq!(kept.count() as u64, count, "evidence of each");
    }

    fn records(&self) -> Vec<Value> {
        self.world.weir(&["tail", "--json", "-n", "1000"]).exits(0).json_lines()
    }
}

#[test]
fn sealed_frames_are_stored_with_what_the_seal_proves() {
    let bench = Bench::new("required");
    bench.send(&bench.signer, "eddsa", SEED, &["--count", "5"]).exits(0);
    bench.send(&bench.mac, "hmac256", SECRET, &["--count", "5"]).exits(0);
    bench.send(&bench.mac, "hmac64", SECRET, &["--count", "5", "--first", "6"]).exits(0);
    let rows = bench.world.export();
    assert_eq!(values(&rows, "cod-1", "n"), once(1..=5));
    assert_eq!(values(&rows, "cod-2", "n"), once(1..=10));
    let seals: Vec<String> = bench
        .records()
        .iter()
        .filter_map(|record| find(record, "seal"))
        .map(|seal| {
            assert!(seal["device_ms"].as_i64() > Some(0), "{seal}");
            format!("{} {}", seal["alg"], seal["counter"])
        })
        .collect();
    let expected = [("-8", 1..=5), ("5", 1..=5), ("4", 6..=10)];
    let expected: Vec<String> =
        expected.into_iter().flat_map(|(alg, n)| n.map(move |n| format!("{alg} {n}"))).collect();
    assert_eq!(seals, expected);
}

/// The first value under this key, at any depth.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields
            .get(key)
            .filter(|found| !found.is_null())
            .or_else(|| fields.values().find_map(|value| find(value, key))),
        Value::Array(items) => items.iter().find_map(|item| find(item, key)),
        _ => None,
    }
}

#[test]
fn a_frame_sent_twice_is_stored_once_and_acknowledged_twice() {
    let bench = Bench::new("required");
    let sent = bench.send(&bench.signer, "eddsa", SEED, &["--count", "5", "--repeat"]).exits(0);
    assert_eq!(sent.number("acknowledged"), 10);
    assert_eq!(values(&bench.world.export(), "cod-1", "n"), once(1..=5));
    assert_eq!(bench.counted(&bench.signer, "duplicate"), 5);
}

#[test]
fn a_replay_is_refused_also_after_a_restart() {
    let mut bench = Bench::new("required");
    bench.send(&bench.mac, "hmac256", SECRET, &["--count", "100"]).exits(0);
    bench.world.kill_gateway();
    bench.world.start_gateway();
    // Another connection, the counters from before: far below the window.
    bench.send(&bench.mac, "hmac256", SECRET, &["--count", "5"]).exits(1);
    bench.refused(&bench.mac, 5, "replayed");
    assert_eq!(values(&bench.world.export(), "cod-2", "n"), once(1..=100));
}

#[test]
fn other_bytes_under_one_counter_are_refused() {
    let bench = Bench::new("required");
    bench.send(&bench.mac, "hmac256", SECRET, &["--count", "4", "--same-counter"]).exits(1);
    bench.refused(&bench.mac, 3, "forked");
    assert_eq!(values(&bench.world.export(), "cod-2", "n"), once(1..=1));
}

#[test]
fn a_wrong_key_another_name_and_another_kind_are_refused() {
    let bench = Bench::new("required");
    bench.send(&bench.mac, "hmac256", SEED, &["--count", "2"]).exits(1);
    bench.send(&bench.mac, "hmac256", SECRET, &["--count", "2", "--name", "cod-1"]).exits(1);
    bench.send(&bench.mac, "eddsa", SEED, &["--count", "2"]).exits(1);
    bench.refused(&bench.mac, 6, "bad_seal");
    assert!(bench.world.export().is_empty());
}

#[test]
fn a_bare_payload_is_taken_only_where_seals_are_optional() {
    let strict = Bench::new("required");
    strict.send(&strict.signer, "eddsa", SEED, &["--count", "2", "--bare"]).exits(1);
    strict.refused(&strict.signer, 2, "bad_seal");
    let lenient = Bench::new("optional");
    lenient.send(&lenient.signer, "eddsa", SEED, &["--count", "2", "--bare"]).exits(0);
    lenient.send(&lenient.signer, "eddsa", SEED, &["--count", "2", "--first", "3"]).exits(0);
    assert_eq!(values(&lenient.world.export(), "cod-1", "n"), once(1..=4));
}
