//! Frame counters as LoRaWAN devices really count: past 16 bits, on through outages, and from 0 again when they lose it.

use serde_json::json;
use system_tests::radio::PATIENT;
use system_tests::{Device, Radio, World};

fn world(device: Device) -> (World, Radio) {
    let devices = [device, Device::lora("bystander", "26010002")];
    let world = World::box_only(&devices, PATIENT);
    let radio = Radio::start(&world, &devices);
    (world, radio)
}

fn restart(world: &mut World, radio: &mut Radio) {
    world.kill_gateway();
    world.start_gateway();
    radio.pull();
}

/// The counters of the stored frames, in order.
fn stored(world: &World) -> Vec<u64> {
    let frames = world.records_of(Some("level-1")).into_iter().filter(|record| record["why"].is_null());
    frames.map(|record| record["link"]["f_cnt"].as_u64().expect("f_cnt")).collect()
}

#[test]
fn devices_that_counted_on_through_an_outage_are_heard() {
    let (mut world, mut radio) = world(Device::lora("level-1", "26010001"));
    // Past 16 bits; then gaps of 1, 20,000 and 100,000 frames, beyond the MAX_FCNT_GAP of old, 16,384.
    let counters: [u64; 7] = [65_535, 65_536, 65_537, 65_539, 85_540, 185_541, 185_542];
    for (nth, fcnt) in counters.iter().enumerate() {
        radio.confirmed("level-1", json!({ "fcnt": fcnt }));
        if nth % 3 == 1 {
            restart(&mut world, &mut radio);
        }
    }
    assert_eq!(stored(&world), counters);
    // Loss can be told from the first frame on.
    world.until_count("/gateway/devices/level-1/missed", 1 + 20_000 + 100_000);
    radio.assert_silence();
}

#[test]
fn a_counter_that_begins_anew_is_refused_with_its_reason() {
    let (mut world, mut radio) = world(Device::lora("level-1", "26010001"));
    radio.confirmed("level-1", json!({ "fcnt": 500 }));
    for rounds in 1..=2 {
        radio.send("level-1", json!({ "fcnt": 0 }));
        radio.confirmed("bystander", json!({}));
        radio.assert_silence();
        assert_eq!(world.refusals_of(Some("level-1")), vec!["counter_reset"; rounds]);
        restart(&mut world, &mut radio);
    }
    radio.confirmed("level-1", json!({ "fcnt": 501 }));
    assert_eq!(stored(&world), [500, 501]);
}

#[test]
fn a_counter_may_begin_anew_where_the_device_table_says_so() {
    let (mut world, mut radio) = world(Device::lora("level-1", "26010001").with_lorawan("counter_reset = true"));
    radio.confirmed("level-1", json!({ "fcnt": 500 }));
    radio.confirmed("level-1", json!({ "fcnt": 0 }));
    world.until_count("/gateway/devices/level-1/counter_resets", 1);
    restart(&mut world, &mut radio);
    radio.confirmed("level-1", json!({ "fcnt": 1 }));
    // The frame of before the reset is behind no longer: that is what the option costs, and why it is none by default.
    assert_eq!(stored(&world), [500, 0, 1]);
    assert_eq!(world.refusals_of(Some("level-1")), [""; 0]);
}
