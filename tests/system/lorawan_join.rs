//! lora-packet joins, in LoRaWAN 1.0 and 1.1: both ends derive the same keys; a DevNonce serves once, also after a power
//! cut; an accept that is lost costs nothing; and whoever may not join is answered with silence and counted.

use serde_json::json;
use system_tests::radio::{PATIENT, eui};
use system_tests::{Device, Radio, World};

/// A root key that is nobody's.
const WRONG_KEY: &str = "000102030405060708090a0b0c0d0e0f";

/// The five channels of EU868 beside the default ones, 867.1 to 867.9 MHz in 100 Hz, then CFListType 0 (RP002-1.0.4
/// §2.4.4).
const CF_LIST: &str = "184f84e85684b85e84886684586e8400";

fn level(version: &str) -> Device {
    Device::joining("level-1", version, "24e124538c458373")
}

/// A box with one device, and a bystander by whom the order of things can be told.
fn world(version: &str) -> (World, Radio) {
    let devices = [level(version), Device::lora("bystander", "26010001")];
    let world = World::box_only(&devices, PATIENT);
    let radio = Radio::start(&world, &devices);
    (world, radio)
}

fn restart(world: &mut World, radio: &mut Radio) {
    world.kill_gateway();
    world.start_gateway();
    radio.pull();
}

/// All frames before this one are judged, and none of them was answered.
fn assert_silence(radio: &mut Radio) {
    radio.confirmed("bystander", json!({}));
    radio.assert_silence();
}

fn temperatures(world: &World) -> Vec<String> {
    let rows = world.export();
    rows.into_iter().filter(|row| row.source == "level-1").map(|row| row.value).collect()
}

#[test]
fn both_ends_derive_the_same_keys_and_speak() {
    for version in ["1.0.2", "1.0.4", "1.1"] {
        let (world, mut radio) = world(version);
        let accept = radio.join("level-1", 1, json!({}));
        let told = |key: &str| accept[key].clone();
        assert_eq!(told("delay_us"), 5_000_000, "{version}: JOIN_ACCEPT_DELAY1 after the request");
        assert_eq!((told("freq"), told("datr")), (json!(868.1), json!("SF7BW125")), "{version}: RX1");
        assert_eq!((told("rx_delay"), told("cf_list")), (json!(5), json!(CF_LIST)), "{version}");
        // The device checks MIC, DevAddr and counter of each downlink with its own keys.
        let ack = radio.confirmed("level-1", json!({ "fcnt": 0 }));
        assert_eq!(ack["delay_us"], 5_000_000, "{version}: RX1 as the accept said");
        radio.confirmed("level-1", json!({}));
        assert_eq!(temperatures(&world), ["0", "0.1"], "{version}: decrypted with the right AppSKey");
        radio.assert_silence();
    }
}

#[test]
fn a_1_1_device_is_answered_in_encrypted_options() {
    let (world, mut radio) = world("1.1");
    radio.join("level-1", 1, json!({}));
    // RekeyInd of minor version 1, and LinkCheckReq.
    let answer = radio.confirmed("level-1", json!({ "fcnt": 0, "f_opts": "0b0102" }));
    let mac = answer["mac"].as_array().unwrap();
    assert!(mac.contains(&json!([0x0b, "01"])), "RekeyConf of the same version: {answer:#}");
    // 9.5 dB of SNR are 17 above the floor of SF7, -7.5 dB.
    assert!(mac.contains(&json!([0x02, "1101"])), "LinkCheckAns: {answer:#}");
    assert_eq!(temperatures(&world), ["0"]);
}

#[test]
fn a_dev_nonce_serves_once_also_after_a_power_cut() {
    // 1.0.2 and 1.0.3 remember which were used; from 1.0.4 on they must rise.
    for (version, lower_is_fine) in [("1.0.3", true), ("1.0.4", false), ("1.1", false)] {
        let (mut world, mut radio) = world(version);
        radio.join("level-1", 7, json!({}));
        radio.confirmed("level-1", json!({ "fcnt": 0 }));
        radio.join("level-1", 9, json!({}));
        radio.confirmed("level-1", json!({ "fcnt": 0 }));
        for round in 1..=2 {
            radio.join("level-1", 7, json!({ "wait": false }));
            assert_silence(&mut radio);
            assert_eq!(world.refusals_of(Some("level-1")), vec!["nonce_reused"; round], "{version}");
            restart(&mut world, &mut radio);
        }
        radio.confirmed("level-1", json!({}));
        radio.join("level-1", 8, json!({ "wait": lower_is_fine }));
        if !lower_is_fine {
            assert_silence(&mut radio);
            assert_eq!(world.refusals_of(Some("level-1")).len(), 3, "{version}");
        }
        // A technician's way out for a device that forgot its nonces.
        world.ask(&json!({ "do": "flush_nonces", "device": "level-1" }));
        radio.join("level-1", 7, json!({}));
        radio.confirmed("level-1", json!({ "fcnt": 0 }));
        radio.assert_silence();
    }
}

#[test]
fn a_lost_accept_leaves_the_old_session_working() {
    let (mut world, mut radio) = world("1.0.3");
    let first = radio.join("level-1", 1, json!({}));
    radio.confirmed("level-1", json!({ "fcnt": 0 }));
    let lost = radio.join("level-1", 2, json!({ "take": false }));
    assert_ne!(lost["dev_addr"], first["dev_addr"]);
    radio.confirmed("level-1", json!({}));
    restart(&mut world, &mut radio);
    radio.confirmed("level-1", json!({}));
    // The same request within ten seconds is the same request: the same accept, for a device that missed it.
    let again = radio.join("level-1", 3, json!({ "take": false }));
    let same = radio.join("level-1", 3, json!({}));
    assert_eq!(again["phy"], same["phy"], "as it was sent before");
    radio.confirmed("level-1", json!({ "fcnt": 0 }));
    assert_eq!(temperatures(&world), ["0", "0.1", "0.2", "0"]);
    radio.assert_silence();
}

#[test]
fn who_may_not_join_is_answered_with_silence_and_counted() {
    let devices = [level("1.0.3"), Device::lora("bystander", "26010001")];
    let stranger = Device::joining("stranger", "1.0.3", "70b3d57ed0000001");
    let world = World::box_only(&devices, PATIENT);
    let [level, bystander] = devices;
    let mut radio = Radio::start(&world, &[level, bystander, stranger]);
    radio.join("level-1", 1, json!({ "wait": false, "wrong_key": WRONG_KEY }));
    radio.join("stranger", 1, json!({ "wait": false }));
    radio.join("stranger", 2, json!({ "wait": false, "via": [{ "gateway": "c" }] }));
    assert_silence(&mut radio);
    assert_eq!(world.refusals_of(Some("level-1")), ["bad_mic"]);
    assert_eq!(world.refusals_of(None), ["unknown_dev_eui", "unknown_dev_eui"]);
    world.until_count("/gateway/devices/level-1/rejected", 1);
    world.until_count("/gateway/devices//rejected", 2);
    let strangers = world.ask(&json!({ "do": "strangers" }));
    let listed = &strangers["strangers"][0];
    assert_eq!((&listed["kind"], &listed["frames"]), (&json!("join"), &json!(2)), "{strangers:#}");
    assert_eq!(listed["address"], "70b3d57ed0000001 24e124c0002a0001");
    assert_eq!(listed["gateway"], eui("c"));
    // The forged request has not used up the nonce.
    radio.join("level-1", 1, json!({}));
    radio.confirmed("level-1", json!({ "fcnt": 0 }));
    world.until_count("/gateway/devices/level-1/accepted", 2);
}
