//! A platform that takes small batches only: what fits comes in smaller ones, what can never fit is named, and goes once the
//! platform was mended.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a surprise is a failure")]

use std::fs;

use serde_json::Value;
use system_tests::{Device, Peer, World, until};

const FRAMES: u64 = 300;

/// A codec's text is one record; this one is larger than the platform reads, packed too.
fn long_codec() -> String {
    // Linear congruential noise (Numerical Recipes) in hex: half of it cannot be packed away.
    let noise = std::iter::successors(Some(1u32), |n| Some(n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)));
    let noise: String = noise.take(4_000).map(|n| format!("{n:08x}")).collect();
    format!("// {noise}\nfunction decodeUplink(input) {{ return {{ data: {{ level: input.bytes[0] }} }} }}\n")
}

fn municipal(world: &World) -> Value {
    let status = world.status();
    let all = status["sync"]["destinations"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["name"] == "municipal").unwrap_or_default()
}

fn covers(world: &World, parked: u64) {
    until(&format!("municipal holds all but {parked}"), 60, || {
        let (one, end) = (municipal(world), world.records());
        (one["covered"].as_u64()? + parked == end && one["parked"] == parked && one["missing"] == 0).then_some(())
    });
}

#[test]
fn what_a_platform_cannot_take_is_named_and_sent_again() {
    let (cod, level) = (Device::cod("cod-1"), Device::lora("level-1", "26010001").with_script("long.js"));
    let mut world = World::prepared(&[cod.clone(), level], "");
    fs::write(world.path("long.js"), long_codec()).unwrap();
    world.start_gateway();
    Peer::sensor("paho_sensor.py", &world, &cod).with("--count", FRAMES).with("--window", 50).run().exits(0);
    world.start_platforms();
    let (small, config) = ("body_bytes_max = 4096\n", world.path("municipal-platform.toml"));
    let usual = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{small}{usual}")).unwrap();
    world.platforms[0].restart();
    world.start_sync();

    covers(&world, 1);
    let parked = world.weir(&["sync", "parked", "--json"]).exits(1).json();
    let [one] = parked["parked"].as_array().unwrap().as_slice() else { panic!("{parked}") };
    assert_eq!((&one["platform"], &one["records"]), (&"municipal".into(), &1.into()));
    assert!(one["reason"].as_str().unwrap().contains("413"), "{one}");
    let name = one["batch"].as_str().unwrap();
    for (lang, words) in
        [("en", ["municipal", "413", "weir sync retry"]), ("zh", ["平台答复", "413", "weir sync retry"])]
    {
        let text = world.weir(&["--lang", lang, "sync", "parked"]).exits(1).out;
        assert!(words.iter().all(|word| text.contains(word)) && text.contains(&name[..12]), "{text}");
    }

    // No name, a wrong one, and one that the platform refuses again.
    let unknown = world.weir(&["sync", "retry", "municipal", "0000"]).exits(3);
    assert!(unknown.err.contains("weir sync parked"), "{}", unknown.err);
    assert!(world.weir(&["sync", "retry", "moon"]).exits(3).err.contains("weir status"));
    assert_eq!(world.weir(&["sync", "retry", "municipal", "--json"]).exits(0).json()["batches"], 1);
    until("it is refused again", 30, || {
        let again = municipal(&world)["counters"]["parked"].as_u64()? == 2;
        again.then_some(())
    });

    fs::write(&config, &usual).unwrap();
    world.platforms[0].restart();
    let sent = world.weir(&["sync", "retry", "municipal", &name[..8], "--json"]).exits(0);
    assert_eq!(sent.json()["batches"], 1);
    covers(&world, 0);
    let rows = world.delivered();
    assert_eq!(rows.iter().filter(|row| row.source == "cod-1" && row.quantity == "n").count() as u64, FRAMES);
    assert!(world.weir(&["sync", "parked"]).exits(0).out.contains("no platform refused"));
}
