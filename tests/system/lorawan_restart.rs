//! Restarts of the gateway under load, while somebody keeps its UDP socket open as systemd does: packet forwarders repeat
//! nothing, and yet no frame is lost.

use std::fs;
use std::net::UdpSocket;

use system_tests::{Device, Peer, World, until};

const DEVICES: u64 = 10;
/// Of each device; at 50 uplinks/s of all they take twelve seconds.
const FRAMES: u64 = 60;
const INTERVAL_MS: u64 = 1_000 * DEVICES / 50;
const RESTARTS: u64 = 4;

#[test]
fn a_restart_under_fifty_uplinks_a_second_loses_none() {
    let devices: Vec<Device> =
        (1..=DEVICES).map(|n| Device::lora(&format!("level-{n}"), &format!("260100{n:02}"))).collect();
    let mut world = World::prepared(&devices, "");
    let socket = UdpSocket::bind(("127.0.0.1", world.gwmp_port)).unwrap();
    world.start_gateway_activated(&socket);
    let file = world.path("sent.jsonl");
    let peer = Peer::lora(&world).args(["--unconfirmed"]).with("--count", FRAMES).with("--interval", INTERVAL_MS);
    let running = peer.with("--sent", file.display()).start();
    let sent = || fs::read_to_string(&file).unwrap_or_default().lines().count() as u64;
    for restart in 1..=RESTARTS {
        let due = restart * DEVICES * FRAMES / (RESTARTS + 1);
        until("enough are sent", 60, || (sent() >= due).then_some(()));
        assert_eq!(world.gateway.take().unwrap().terminate(), Some(0));
        world.start_gateway_activated(&socket);
    }
    // While nobody listened no PUSH_ACK came, which the forwarder counts; the kernel kept its datagrams.
    assert_eq!(running.finish().number("uplinks"), DEVICES * FRAMES);
    for device in &devices {
        world.until_count(&format!("/gateway/devices/{}/accepted", device.name), FRAMES);
        for none in ["missed", "duplicate", "rejected", "shed"] {
            assert_eq!(world.count(&format!("/gateway/devices/{}/{none}", device.name)), 0, "{} {none}", device.name);
        }
    }
    world.verify().exits(0);
}
