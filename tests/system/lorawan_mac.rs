//! MAC commands, decoded by the device itself: the time, the quality of the link, a sign of life, and the eight channels
//! that a CN470 gateway hears.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use system_tests::radio::PATIENT;
use system_tests::{Device, Radio, World};

const LINK_CHECK: u64 = 0x02;
const LINK_ADR: u64 = 0x03;
const DEVICE_TIME: u64 = 0x0d;
/// GPS time began on 1980-01-06 and knows no leap seconds; there were 18 until now (IERS Bulletin C).
const GPS_EPOCH_UNIX_S: u64 = 315_964_800;
const LEAP_S: u64 = 18;
/// The first channel of CN470's usual block, 486.3 MHz, and where its uplinks are answered (RP002-1.0.4 §2.8).
const CN470_FREQ: f64 = 486.3;
const CN470_RX1: f64 = 506.7;

fn world(device: Device, more: &str) -> (World, Radio) {
    let devices = [device];
    let world = World::box_only(&devices, &format!("{more}{PATIENT}"));
    let radio = Radio::start(&world, &devices);
    (world, radio)
}

/// The bytes of each MAC command of this kind in a downlink.
fn commands(downlink: &Value, cid: u64) -> Vec<Vec<u8>> {
    let mac = downlink["mac"].as_array().unwrap_or_else(|| panic!("no mac: {downlink:#}"));
    let of_kind = mac.iter().filter(|command| command[0] == cid);
    of_kind.map(|command| bytes(command[1].as_str().unwrap())).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn gps_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - GPS_EPOCH_UNIX_S + LEAP_S
}

#[test]
fn devices_get_the_time_from_a_trusted_clock_only() {
    let (world, mut radio) = world(Device::lora("level-1", "26010001"), "");
    let earliest = gps_s();
    let answer = radio.confirmed("level-1", json!({ "f_opts": "0d" }));
    let latest = gps_s();
    let told = commands(&answer, DEVICE_TIME);
    let state = world.status()["gateway"]["clock"]["state"].as_str().unwrap().to_owned();
    match (state.as_str(), told.as_slice()) {
        ("synchronised", [time]) => {
            let seconds = u64::from(u32::from_le_bytes([time[0], time[1], time[2], time[3]]));
            // A second before, because this clock and the box's are rounded down in different places.
            assert!((earliest - 1..=latest).contains(&seconds), "{seconds} is not from {earliest} to {latest}");
        }
        // Right after a good hour it is still within half a second, later it is not.
        ("holdover", [] | [_]) | ("unset", []) => {}
        _ => panic!("the clock is {state} and the device was told {told:?}"),
    }
}

#[test]
fn devices_learn_how_well_they_are_heard() {
    let (_world, mut radio) = world(Device::lora("level-1", "26010001"), "");
    // SNR, data rate, and the margin above that data rate's floor: -7.5 dB at SF7, -20 dB at SF12, whole decibels.
    for (snr, datr, margin) in [(9.5, "SF7BW125", 17), (-7.5, "SF7BW125", 0), (-19.0, "SF12BW125", 1)] {
        let options = json!({
            "f_opts": "02", "via": [{ "gateway": "a", "snr": snr }], "datr": datr, "wait_ms": 30_000,
        });
        // Each answer is short, but at SF12 its airtime is not: the next uplink goes through another gateway.
        let mut options = options;
        options["via"][0]["gateway"] = json!(["a", "b", "c"][usize::from(snr < 0.0) + usize::from(snr < -10.0)]);
        let answer = radio.unconfirmed("level-1", options);
        assert_eq!(commands(&answer, LINK_CHECK), [[margin, 1]], "{snr} dB at {datr}: {answer:#}");
    }
}

#[test]
fn devices_that_ask_for_a_sign_of_life_get_one() {
    let (_world, mut radio) = world(Device::lora("level-1", "26010001"), "");
    radio.send("level-1", json!({ "confirmed": false, "adr": true }));
    let answer = radio.unconfirmed("level-1", json!({ "adr": true, "adr_ack_req": true }));
    assert_eq!(answer["ack"], false, "nothing was to be acknowledged: {answer:#}");
    radio.assert_silence();
}

#[test]
fn cn470_devices_that_join_learn_windows_and_channels() {
    let device = Device::joining("level-1", "1.0.3", "24e124538c458373");
    let (_world, mut radio) = world(device, "region = \"CN470\"\n");
    let accept = radio.join("level-1", 1, json!({ "freq": CN470_FREQ }));
    assert_eq!((&accept["freq"], &accept["delay_us"]), (&json!(CN470_RX1), &json!(5_000_000)), "{accept:#}");
    let cf_list = bytes(accept["cf_list"].as_str().unwrap());
    if !cf_list.is_empty() {
        // CFListType 1: six masks of 16 channels, little-endian (RP002-1.0.4 §2.8.2).
        assert_eq!((cf_list.len(), cf_list[15]), (16, 1), "{accept:#}");
        let masks = cf_list.chunks(2).take(6).map(|mask| u16::from_le_bytes([mask[0], mask[1]]));
        let mut enabled = BTreeSet::new();
        masks.enumerate().for_each(|(group, mask)| set(&mut enabled, group, mask));
        assert_eq!(enabled, (80..88).collect(), "{accept:#}");
    }
    let ack = radio.confirmed("level-1", json!({ "fcnt": 0, "freq": CN470_FREQ }));
    assert_eq!((&ack["freq"], &ack["delay_us"]), (&json!(CN470_RX1), &json!(5_000_000)), "{ack:#}");
}

#[test]
fn cn470_devices_that_do_not_join_are_brought_to_eight_channels() {
    let (world, mut radio) = world(Device::lora("level-1", "26010001"), "region = \"CN470\"\n");
    let mut enabled: BTreeSet<usize> = (0..96).collect();
    let mut answers = String::new();
    // Enough for six masks, and for answers that a busy machine could not give before RX1.
    for _ in 0..20 {
        let options = json!({ "freq": CN470_FREQ, "f_opts": answers, "wait_ms": 3_000 });
        let downlink = radio.unconfirmed("level-1", merged(options, json!({ "confirmed": true })));
        answers.clear();
        if downlink["silent"] == true {
            continue;
        }
        for request in commands(&downlink, LINK_ADR) {
            let (mask, control) = (u16::from_le_bytes([request[1], request[2]]), usize::from(request[3] >> 4 & 7));
            match control {
                0..=5 => set(&mut enabled, control, mask),
                6 => enabled = (0..96).collect(),
                _ => panic!("ChMaskCntl {control} is reserved: {downlink:#}"),
            }
            answers.push_str("0307");
        }
        if enabled.len() == 8 {
            break;
        }
    }
    assert_eq!(enabled, (80..88).collect::<BTreeSet<_>>(), "486.3 to 487.7 MHz");
    // Having said so, the device is left in peace.
    let quiet = radio.unconfirmed("level-1", json!({ "freq": CN470_FREQ, "f_opts": answers, "adr_ack_req": true }));
    assert_eq!(commands(&quiet, LINK_ADR), [[0_u8; 4]; 0], "{quiet:#}");
    assert!(world.count("/gateway/devices/level-1/accepted") > 0);
}

/// Enables of one group of 16 channels those in the mask, and no others.
fn set(enabled: &mut BTreeSet<usize>, group: usize, mask: u16) {
    for bit in 0..16 {
        let channel = 16 * group + bit;
        if mask >> bit & 1 == 1 {
            enabled.insert(channel)
        } else {
            enabled.remove(&channel)
        };
    }
}

fn merged(mut options: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        options[key] = value.clone();
    }
    options
}
