//! What the gateway keeps for MQTT clients over a SIGKILL: sessions that they asked for, and commands to them.

use serde_json::Value;
use system_tests::peer::Finished;
use system_tests::{Answer, Device, Peer, World};

/// `kept_session.py` as this device.
fn client(world: &World, device: &Device, level: u8) -> Peer {
    Peer::new("kept_session.py")
        .with("--port", world.mqtt_port)
        .with("--user", &device.name)
        .with("--password", device.password())
        .with("--level", level)
}

fn present(client: Peer) -> bool {
    client.run().exits(0).summary()["present"].as_bool().unwrap()
}

fn commands(finished: &Finished) -> Vec<&str> {
    finished.summary()["commands"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn send(world: &World, device: &Device, text: &str) -> Answer {
    let config_dir = world.path("").display().to_string();
    world.weir(&["device", "--config-dir", &config_dir, "send", &device.name, &format!("text:{text}")])
}

#[test]
fn a_session_outlives_the_gateway_until_its_client_forgets_it() {
    let device = Device::cod("kept-1");
    for level in [4, 5] {
        let mut world = World::box_only(std::slice::from_ref(&device), "");
        assert!(!present(client(&world, &device, level).args(["--subscribe"])), "level {level}: the first time");
        world.kill_gateway();
        world.start_gateway();
        send(&world, &device, "sample now").exits(0);
        let back = client(&world, &device, level).with("--commands", 1).run().exits(0);
        assert_eq!(back.summary()["present"], Value::Bool(true), "level {level}: kept over a SIGKILL");
        assert_eq!(commands(&back), ["sample now"], "level {level}: the subscription was kept with it");
        assert!(!present(client(&world, &device, level).args(["--forget"])), "level {level}");
        world.kill_gateway();
        world.start_gateway();
        assert!(!present(client(&world, &device, level)), "level {level}: forgotten for good");
    }
}

#[test]
fn commands_wait_for_their_device_over_restarts_and_come_once_acknowledged() {
    let (device, other) = (Device::cod("kept-2"), Device::cod("kept-3"));
    let mut world = World::box_only(&[device.clone(), other.clone()], "");
    for text in ["one", "two", "three"] {
        send(&world, &device, text).exits(0);
    }
    world.kill_gateway();
    world.start_gateway();
    // Of another device nothing is told.
    client(&world, &other, 4).args(["--subscribe", "--forget"]).run().exits(0);
    let first = client(&world, &device, 5).args(["--subscribe"]).with("--commands", 3).run().exits(0);
    assert_eq!(commands(&first), ["one", "two", "three"], "oldest first");
    world.kill_gateway();
    world.start_gateway();
    client(&world, &device, 5).args(["--subscribe"]).with("--commands", 0).run().exits(0);

    for number in 0..32 {
        send(&world, &other, &format!("{number}")).exits(0);
    }
    let full = send(&world, &other, "one too many").exits(3);
    assert!(full.err.contains("32 commands wait"), "{full:?}");
    let nobody = send(&world, &Device::cod("nobody"), "x").exits(3);
    assert!(nobody.err.contains("weir device list"), "{nobody:?}");
}
