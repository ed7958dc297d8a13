//! lora-packet devices beside one whose codec works until it is stopped: it costs its own device its first window, and
//! nobody else.

use std::fs;

use serde_json::json;
use system_tests::{Device, Radio, World};

/// Loops on every frame until its limit.
const ENDLESS: &str = "function decodeUplink(input) { while (true); }";

/// RX1, after the end of the uplink.
const RX1_US: u64 = 1_000_000;

#[test]
fn a_codec_that_runs_to_its_limit_on_every_frame_costs_no_other_device_its_first_window() {
    let slow = Device::lora("slow-1", "26010099").with_script("slow.js");
    let others: Vec<Device> = (1..=30).map(|n| Device::lora(&format!("level-{n}"), &format!("260100{n:02}"))).collect();
    let devices: Vec<Device> = others.iter().cloned().chain([slow]).collect();
    let mut world = World::prepared(&devices, "merge_ms = 0\n");
    fs::write(world.path("slow.js"), ENDLESS).unwrap();
    world.start_gateway();
    let mut radio = Radio::start(&world, &devices);
    let mut slow_frames = 0;
    for round in 0..2 {
        for (n, device) in others.iter().enumerate() {
            // More of them than its codec can refuse: one is always with the decoders, and others wait behind it.
            if n % 3 == 0 {
                radio.send("slow-1", json!({ "confirmed": false, "on_air": true }));
                slow_frames += 1;
            }
            // One frame after the other, as the air carries them: no transmitter has two answers for one moment.
            let answer = radio.confirmed(&device.name, json!({ "on_air": true }));
            assert_eq!(answer["delay_us"], RX1_US, "{} in round {round}: {answer:#}", device.name);
        }
    }
    for device in &others {
        assert_eq!(world.count(&format!("/gateway/devices/{}/accepted", device.name)), 2, "{}", device.name);
    }
    world.until_count("/gateway/devices/slow-1/rejected", slow_frames);
    // The longest runs, and then the frames of a codec that is stopped: each is evidence.
    assert!(world.refusals_of(Some("slow-1")).iter().all(|why| why == "undecodable"));
}
