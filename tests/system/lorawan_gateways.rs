//! Packet forwarders as they are: several that hear the same frame, that refuse downlinks or never say, that somebody
//! impersonates, and that send whatever they heard.

use serde_json::{Value, json};
use system_tests::radio::{PATIENT, eui};
use system_tests::{Device, Radio, World, until};

/// Rxpk in one datagram, and the bytes of it that UDP cannot exceed by much (65,507).
const RXPK: u64 = 150;
const DATAGRAM_BYTES_MIN: u64 = 55_000;

fn level() -> Device {
    Device::joining("level-1", "1.0.3", "24e124538c458373")
}

/// What status says of a gateway.
fn gateway(world: &World, name: &str) -> Value {
    world.status()["gateway"]["gwmp"]["gateways"][eui(name)].clone()
}

#[test]
fn two_gateways_make_one_record_and_one_downlink_through_the_better_one() {
    let devices = [level()];
    // The longest wait for a copy that there is; both copies come at once, and nobody else could have a third.
    let world = World::box_only(&devices, "merge_ms = 500\n[lorawan]\nrx1_delay_s = 5\n");
    let mut radio = Radio::without_gateway(&world, &devices);
    radio.gateway("a", json!({}));
    radio.gateway("b", json!({}));
    let via =
        |a: f64, b: f64| json!([{ "gateway": "a", "snr": a, "rssi": -101 }, { "gateway": "b", "snr": b, "rssi": -95 }]);
    radio.join("level-1", 1, json!({ "via": via(-3.0, 7.0) }));
    radio.confirmed("level-1", json!({ "fcnt": 0, "via": via(7.0, -3.0) }));
    radio.assert_silence();
    let records = world.records_of(Some("level-1"));
    assert_eq!(records.len(), 2, "the join and the frame: {records:#?}");
    let link = &records[1]["link"];
    assert_eq!((link["gateway"].as_str(), &link["snr_ddb"]), (Some(eui("a").as_str()), &json!(70)), "{link:#}");
    let others = link["others"].as_array().unwrap();
    assert_eq!(others.len(), 1, "{link:#}");
    assert_eq!((others[0]["gateway"].as_str(), &others[0]["rssi_dbm"]), (Some(eui("b").as_str()), &json!(-95)));
    for name in ["a", "b"] {
        assert_eq!(radio.counts(name)["pull_resp"], 1, "{name}: the accept through b, the acknowledgement through a");
    }
    // LinkCheckAns tells the device: 14 dB, by both.
    let ms = json!({ "fcnt": 1, "f_opts": "02", "via": via(7.0, 2.0), "wait_ms": 3_000 });
    let answer = until("an answer", 30, || {
        let answer = radio.unconfirmed("level-1", ms.clone());
        (answer["silent"] != true).then_some(answer)
    });
    assert!(answer["mac"].as_array().unwrap().contains(&json!([2, "0e02"])), "{answer:#}");
}

#[test]
fn what_forwarders_say_of_downlinks_is_understood() {
    let devices = [level()];
    let world = World::box_only(&devices, PATIENT);
    let mut radio = Radio::without_gateway(&world, &devices);
    let verdicts = [
        ("a", "NONE", "down"),
        ("b", "TOO_LATE", "down"),
        ("c", "TOO_EARLY", "down"),
        ("d", "COLLISION_PACKET", "down"),
        ("e", "COLLISION_BEACON", "down"),
        ("f", "TX_POWER", "down"),
        ("g", "empty", "down"),
        ("h", "NONE", "up"),
        ("i", "silent", "down"),
    ];
    for (name, tx_ack, socket) in verdicts {
        radio.gateway(name, json!({ "tx_ack": tx_ack, "tx_ack_socket": socket }));
    }
    radio.join("level-1", 1, json!({ "via": [{ "gateway": "a" }] }));
    for (fcnt, (name, tx_ack, _)) in verdicts.iter().enumerate().skip(1) {
        let ack = radio.confirmed("level-1", json!({ "fcnt": fcnt, "via": [{ "gateway": name }] }));
        let refused = ack["refused"].as_array().unwrap();
        let timing = ["TOO_LATE", "TOO_EARLY", "COLLISION_PACKET", "COLLISION_BEACON"].contains(tx_ack);
        if timing {
            let rx2 = (&ack["delay_us"], &ack["freq"]);
            assert_eq!(rx2, (&json!(6_000_000), &json!(869.525)), "{tx_ack}: RX2: {ack:#}");
            assert_eq!((refused.len(), &refused[0]["delay_us"]), (1, &json!(5_000_000)), "{tx_ack}: RX1 before");
        } else {
            assert_eq!((&ack["delay_us"], refused.len()), (&json!(5_000_000), 0), "{tx_ack}: RX1: {ack:#}");
        }
        let queued = u64::from(*tx_ack != "silent");
        let seen = until(&format!("{tx_ack} is counted"), 30, || {
            let seen = gateway(&world, name);
            (seen["counters"]["tx_queued"] == queued).then_some(seen)
        });
        let told = if timing { json!({ *tx_ack: 1 }) } else { json!({}) };
        assert_eq!(seen["tx_refused"], told, "{tx_ack}: {seen:#}");
        assert_eq!(seen["counters"]["tx_ack_unmatched"], 0, "{tx_ack}: {seen:#}");
    }
    // Of which nothing was ever heard is known after five seconds.
    let silent = format!("/gateway/gwmp/gateways/{}/tx_refused/no_tx_ack", eui("i"));
    world.until_count(&silent, 1);
}

#[test]
fn who_pulls_in_the_name_of_another_gateway_is_refused_and_told_of() {
    let devices = [level()];
    let world = World::box_only(&devices, PATIENT);
    let mut radio = Radio::start(&world, &devices);
    radio.join("level-1", 1, json!({ "via": [{ "gateway": "a" }] }));
    let thief = json!({ "eui": eui("b"), "local": "127.0.0.2", "answered": false });
    radio.gateway("thief", thief);
    world.until_count("/gateway/gwmp/refused/gateways/address_changed", 1);
    radio.confirmed("level-1", json!({ "fcnt": 0, "via": [{ "gateway": "b" }] }));
    radio.send("level-1", json!({ "fcnt": 1, "via": [{ "gateway": "thief" }] }));
    radio.confirmed("level-1", json!({ "fcnt": 2, "via": [{ "gateway": "c" }] }));
    radio.assert_silence();
    let thief = radio.counts("thief");
    let answered = ["push_ack", "pull_ack", "pull_resp"].map(|kind| thief[kind].as_u64());
    assert_eq!(answered, [Some(0); 3], "nothing at all: {thief:#}");
    let conflict = gateway(&world, "b")["address_conflict"].clone();
    assert_eq!(conflict["from"], "127.0.0.2", "{conflict:#}");
    assert!(conflict["datagrams"].as_u64() >= Some(2), "its PULL_DATA and its PUSH_DATA: {conflict:#}");
    let status = world.weir(&["status"]);
    assert!(status.out.contains("127.0.0.2"), "a technician sees it: {}", status.out);
    assert_eq!(world.records_of(Some("level-1")).len(), 3, "the join and two frames");
}

#[test]
fn a_datagram_full_of_frames_is_taken_in_order() {
    let devices = [Device::lora("level-1", "26010001")];
    let world = World::box_only(&devices, PATIENT);
    let mut radio = Radio::start(&world, &devices);
    // 44 temperatures a frame.
    let payload: String = (1..=44).map(|channel| format!("{channel:02x}670100")).collect();
    let frame = |radio: &mut Radio, fcnt| {
        let options = json!({ "fcnt": fcnt, "confirmed": false, "payload": payload });
        json!({ "phy": radio.frame("level-1", options) })
    };
    let frames: Vec<Value> = (1..=RXPK).map(|fcnt| frame(&mut radio, fcnt)).collect();
    let pushed = radio.push("a", &frames);
    let bytes = pushed["bytes"].as_u64().unwrap();
    assert!((DATAGRAM_BYTES_MIN..65_000).contains(&bytes), "{bytes}");
    radio.confirmed("level-1", json!({ "fcnt": RXPK + 1 }));
    let counters: Vec<u64> =
        world.records_of(Some("level-1")).iter().map(|record| record["link"]["f_cnt"].as_u64().unwrap()).collect();
    assert_eq!(counters, (1..=RXPK + 1).collect::<Vec<_>>(), "each once, in its order");
    assert_eq!(radio.counts("a")["push_ack_missing"], 0);
}

#[test]
fn what_is_no_good_is_counted_and_not_stored() {
    let devices = [Device::lora("level-1", "26010001")];
    let foreigner = Device::lora("foreigner", "fc0147ab");
    let world = World::box_only(&devices, PATIENT);
    let [level] = devices;
    let mut radio = Radio::start(&world, &[level, foreigner]);
    let mut frames = Vec::new();
    for (fcnt, stat) in [(1, -1), (2, 0), (3, -1), (4, 1)] {
        frames.push(json!({ "phy": radio.frame("level-1", json!({ "fcnt": fcnt })), "stat": stat }));
    }
    frames.push(json!({ "phy": radio.frame("foreigner", json!({})), "stat": 1 }));
    frames.push(json!({ "phy": radio.frame("foreigner", json!({})), "stat": -1 }));
    radio.push("b", &frames[..3]);
    radio.push("b", &frames[4..]);
    radio.confirmed("level-1", json!({ "fcnt": 5 }));
    radio.assert_silence();
    let counters = gateway(&world, "b")["counters"].clone();
    let counted = ["rx", "crc_bad", "crc_none"].map(|kind| counters[kind].as_u64());
    assert_eq!(counted, [Some(1), Some(3), Some(1)], "{counters:#}");
    let records = world.records_of(Some("level-1"));
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(world.refusals_of(None), ["unknown_dev_addr"]);
    world.until_count("/gateway/devices//rejected", 1);
    let strangers = world.ask(&json!({ "do": "strangers" }));
    let stranger = &strangers["strangers"][0];
    assert_eq!((&stranger["kind"], &stranger["address"]), (&json!("foreign network"), &json!("fc0147ab")));
}

#[test]
fn every_form_of_base64_is_read() {
    let devices = [Device::lora("level-1", "26010001")];
    let world = World::box_only(&devices, PATIENT);
    let mut radio = Radio::start(&world, &devices);
    let forms = ["padded", "bare", "url", "url_bare"];
    let mut frames = Vec::new();
    for fcnt in 1..=40_u64 {
        let form = forms[usize::try_from(fcnt % 4).unwrap()];
        let options = json!({ "fcnt": fcnt, "confirmed": false });
        frames.push(json!({ "phy": radio.frame("level-1", options), "base64": form }));
    }
    let sent = radio.push("a", &frames)["data"].to_string();
    for mark in ['=', '+', '/', '-', '_'] {
        assert!(sent.contains(mark), "{mark} is among them: {sent}");
    }
    radio.confirmed("level-1", json!({ "fcnt": 41 }));
    let records = world.records_of(Some("level-1"));
    assert_eq!(records.len(), 41);
    for (record, frame) in records.iter().zip(&frames) {
        assert_eq!(record["raw"], frame["phy"], "the exact bytes");
    }
}
