//! Commands to LoRaWAN devices: kept until the device has them, whatever happens to the box.

use serde_json::{Value, json};
use system_tests::radio::PATIENT;
use system_tests::{Device, Radio, World};

fn world(device: Device) -> (World, Radio) {
    let devices = [device];
    let world = World::box_only(&devices, PATIENT);
    let radio = Radio::start(&world, &devices);
    (world, radio)
}

fn restart(world: &mut World, radio: &mut Radio) {
    world.kill_gateway();
    world.start_gateway();
    radio.pull();
}

fn queue(world: &World, payload: &str, confirmed: bool) {
    let order = json!({
        "do": "send", "device": "valve-1", "payload": payload, "f_port": 10, "confirmed": confirmed,
    });
    assert!(world.ask(&order)["id"].is_u64());
}

fn command(downlink: &Value) -> (Value, Value, Value) {
    (downlink["f_port"].clone(), downlink["payload"].clone(), downlink["confirmed"].clone())
}

#[test]
fn a_class_a_device_gets_its_commands_with_its_answers_once_each() {
    for version in ["1.0.3", "1.1"] {
        let (mut world, mut radio) = world(Device::joining("valve-1", version, "24e124538c458373"));
        radio.join("valve-1", 1, json!({}));
        queue(&world, "0aff", false);
        queue(&world, "0b", false);
        restart(&mut world, &mut radio);
        let first = radio.confirmed("valve-1", json!({ "fcnt": 0 }));
        assert_eq!(command(&first), (json!(10), json!("0aff"), json!(false)), "{version}: {first:#}");
        assert_eq!(first["f_pending"], true, "{version}: there is more: {first:#}");
        restart(&mut world, &mut radio);
        // An uplink that asks for nothing is answered as well, because something waits.
        let second = radio.unconfirmed("valve-1", json!({}));
        assert_eq!(command(&second), (json!(10), json!("0b"), json!(false)), "{version}: {second:#}");
        assert_eq!((&second["f_pending"], &second["ack"]), (&json!(false), &json!(false)), "{version}");
        let third = radio.confirmed("valve-1", json!({}));
        assert_eq!(third["payload"], "", "{version}: {third:#}");
        radio.assert_silence();
    }
}

#[test]
fn a_confirmed_command_is_sent_until_the_device_says_that_it_has_it() {
    for version in ["1.0.3", "1.1"] {
        let (mut world, mut radio) = world(Device::joining("valve-1", version, "24e124538c458373"));
        radio.join("valve-1", 1, json!({}));
        queue(&world, "0c", true);
        let first = radio.unconfirmed("valve-1", json!({ "fcnt": 0 }));
        assert_eq!(command(&first), (json!(10), json!("0c"), json!(true)), "{version}: {first:#}");
        restart(&mut world, &mut radio);
        let again = radio.unconfirmed("valve-1", json!({}));
        assert_eq!(command(&again), command(&first), "{version}: not acknowledged yet");
        // 1.1: the acknowledgement's MIC names the downlink that it acknowledges.
        let done = radio.confirmed("valve-1", json!({ "ack": true }));
        assert_eq!(done["payload"], "", "{version}: {done:#}");
        restart(&mut world, &mut radio);
        let quiet = radio.confirmed("valve-1", json!({}));
        assert_eq!(quiet["payload"], "", "{version}: {quiet:#}");
        radio.assert_silence();
    }
}

#[test]
fn a_class_c_device_gets_its_command_at_once() {
    let (world, mut radio) = world(Device::lora("valve-1", "26010001").with_lorawan("class = \"C\""));
    radio.confirmed("valve-1", json!({}));
    queue(&world, "0d", false);
    let command_heard = radio.listen("valve-1");
    assert_eq!(command(&command_heard), (json!(10), json!("0d"), json!(false)), "{command_heard:#}");
    let rx2 = (&command_heard["freq"], &command_heard["datr"]);
    assert_eq!(rx2, (&json!(869.525), &json!("SF12BW125")), "where it listens all the time");
    assert_eq!(radio.confirmed("valve-1", json!({}))["payload"], "");
    radio.assert_silence();
}
