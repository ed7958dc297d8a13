//! MQTT sensors that nobody here wrote: what they saw acknowledged is journaled and on both platforms, once.

use system_tests::row::{once, values};
use system_tests::{Device, Peer, World};

const LEVELS: [u8; 2] = [4, 5];
const QOS: [u8; 3] = [0, 1, 2];
const COUNT: u64 = 60;

/// One device for each protocol level and QoS.
fn devices() -> Vec<(Device, u8, u8)> {
    let pairs = LEVELS.iter().flat_map(|level| QOS.iter().map(move |qos| (*level, *qos)));
    pairs.map(|(level, qos)| (Device::cod(&format!("v{level}-q{qos}")), level, qos)).collect()
}

fn world(devices: &[(Device, u8, u8)]) -> World {
    World::start(&devices.iter().map(|(device, ..)| device.clone()).collect::<Vec<_>>())
}

#[test]
fn paho_at_every_level_and_qos_is_stored_once() {
    let devices = devices();
    let world = world(&devices);
    let sensors: Vec<_> = devices
        .iter()
        .map(|(device, level, qos)| {
            let peer = Peer::sensor("paho_sensor.py", &world, device);
            peer.with("--level", level).with("--qos", qos).with("--count", COUNT).start()
        })
        .collect();
    for sensor in sensors {
        assert_eq!(sensor.finish().exits(0).number("acknowledged"), COUNT);
    }
    compare(&world, &devices);
}

#[test]
fn mosquitto_pub_at_every_level_and_qos_is_stored_once() {
    let devices = devices();
    let world = world(&devices);
    let start =
        |(device, level, qos): &(Device, u8, u8)| Peer::mosquitto(&world, device, *level, *qos, 1, COUNT).start();
    let sensors: Vec<_> = devices.iter().map(start).collect();
    for sensor in sensors {
        assert_eq!(sensor.finish().exits(0).number("sent"), COUNT);
    }
    compare(&world, &devices);
}

fn compare(world: &World, devices: &[(Device, u8, u8)]) {
    // QoS 0 has no acknowledgement that could be awaited.
    for (device, ..) in devices {
        let accepted = format!("/gateway/devices/{}/accepted", device.name);
        system_tests::until("all frames are stored", 10, || (world.count(&accepted) >= COUNT).then_some(()));
    }
    let rows = world.delivered();
    for (device, ..) in devices {
        assert_eq!(values(&rows, &device.name, "n"), once(1..=COUNT), "{}", device.name);
    }
    world.verify().exits(0);
}
