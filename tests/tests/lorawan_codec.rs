//! lora-packet devices beside one whose codec works until it is stopped: it costs nobody else an
//! acknowledgement.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a surprise is a failure")]

use std::fs;

use serde_json::json;
use system_tests::radio::eui;
use system_tests::{Device, Radio, World};

/// Loops on every frame until its limit.
const ENDLESS: &str = "function decodeUplink(input) { while (true); }";

#[test]
fn a_codec_that_runs_to_its_limit_on_every_frame_costs_no_other_device_its_acknowledgement() {
    let slow = Device::lora("slow-1", "26010099").with_script("slow.js");
    let others: Vec<Device> = (1..=30).map(|n| Device::lora(&format!("level-{n}"), &format!("260100{n:02}"))).collect();
    let devices: Vec<Device> = others.iter().cloned().chain([slow]).collect();
    let mut world = World::prepared(&devices, "merge_ms = 0\n");
    fs::write(world.path("slow.js"), ENDLESS).unwrap();
    world.start_gateway();
    let mut radio = Radio::start(&world, &devices);
    let mut slow_frames = 0;
    for (n, device) in others.iter().enumerate() {
        // One is always with the decoders, and others wait behind it.
        if n % 2 == 0 {
            radio.send("slow-1", json!({ "confirmed": false }));
            slow_frames += 1;
        }
        // A gateway of its own for each: a transmitter that waits to answer one device is mute for the next.
        let gateway = format!("gateway-{n}");
        radio.gateway(&gateway, json!({ "eui": eui(&gateway) }));
        let answer = radio.confirmed(&device.name, json!({ "via": [{ "gateway": gateway }] }));
        // In RX1, or in RX2 where another answer is on the air at that moment.
        assert_eq!(answer["ack"], true, "{}: {answer:#}", device.name);
    }
    for device in &others {
        assert_eq!(world.count(&format!("/gateway/devices/{}/accepted", device.name)), 1, "{}", device.name);
    }
    world.until_count("/gateway/devices/slow-1/rejected", slow_frames);
    // The longest runs, and then the frames of a codec that is stopped: each is evidence.
    assert!(world.refusals_of(Some("slow-1")).iter().all(|why| why == "undecodable"));
}
