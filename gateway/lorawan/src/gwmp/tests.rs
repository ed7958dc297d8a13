use expect_test::{Expect, expect};

use super::*;

const HEADER: [u8; 12] = [2, 0xab, 0xcd, 0, 0, 0x16, 0xc0, 1, 0xf1, 0x53, 0xa1, 0x4c];

fn datagram(kind: u8, body: &str) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    bytes[3] = kind;
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

/// The error and its cause in one line.
fn chain(error: &GwmpError) -> String {
    use std::error::Error;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn push(body: &str) -> PushData {
    match Packet::parse(&datagram(0, body)) {
        Ok(Packet::PushData(push)) => push,
        other => panic!("{other:?}"),
    }
}

/// One rxpk: the protocol's own LoRa example with fields replaced or added.
fn check_rxpk(fields: &str, expected: Expect) {
    let mut object: serde_json::Value = serde_json::from_str(
        r#"{"tmst":3512348611,"chan":2,"rfch":0,"freq":866.349812,"stat":1,"modu":"LORA","datr":"SF7BW125",
            "codr":"4/6","rssi":-35,"lsnr":5.1,"size":4,"data":"AQIDBA=="}"#,
    )
    .unwrap();
    let replaced: serde_json::Value = serde_json::from_str(fields).unwrap();
    for (name, value) in replaced.as_object().unwrap() {
        match value {
            serde_json::Value::Null => object.as_object_mut().unwrap().remove(name),
            value => object.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    let push = push(&format!(r#"{{"rxpk":[{object}]}}"#));
    let text = match (&push.rxpk[..], &push.skipped[..]) {
        ([rxpk], []) => format!("{rxpk:?}"),
        ([], [Skipped { why, .. }]) => why.to_string(),
        other => panic!("{other:?}"),
    };
    expected.assert_eq(&text);
}

#[test]
fn rxpk_as_in_the_protocol() {
    check_rxpk(
        "{}",
        expect![[
            r#"Rxpk { phy: [1, 2, 3, 4], tmst_us: 3512348611, time: None, gps_ms: None, frequency_hz: 866349812, channel: Some(2), rf_chain: Some(0), crc: Ok, data_rate: SF7BW125, coding_rate: Some("4/6"), rssi_dbm: Some(-35), snr_ddb: Some(51) }"#
        ]],
    );
    check_rxpk(
        r#"{"modu":"FSK","datr":50000,"rssi":-75,"lsnr":null,"codr":"OFF","time":"2013-03-31T16:21:17.532038Z","tmms":1048778496532}"#,
        expect![[
            r#"Rxpk { phy: [1, 2, 3, 4], tmst_us: 3512348611, time: Some("2013-03-31T16:21:17.532038Z"), gps_ms: Some(1048778496532), frequency_hz: 866349812, channel: Some(2), rf_chain: Some(0), crc: Ok, data_rate: FSK50000, coding_rate: Some("OFF"), rssi_dbm: Some(-75), snr_ddb: None }"#
        ]],
    );
    check_rxpk(
        r#"{"rssi":null,"lsnr":null,"chan":null,"rfch":null,"codr":null,"modu":null}"#,
        expect![
            "Rxpk { phy: [1, 2, 3, 4], tmst_us: 3512348611, time: None, gps_ms: None, frequency_hz: 866349812, channel: None, rf_chain: None, crc: Ok, data_rate: SF7BW125, coding_rate: None, rssi_dbm: None, snr_ddb: None }"
        ],
    );
}

#[test]
fn forwarders_add_fields_of_their_own() {
    let added =
        r#"{"jver":1,"mid":8,"rssis":-40,"foff":-1337,"ftime":123,"rsig":[{"ant":0,"chan":7}],"aesk":0,"brd":0}"#;
    check_rxpk(
        added,
        expect![[
            r#"Rxpk { phy: [1, 2, 3, 4], tmst_us: 3512348611, time: None, gps_ms: None, frequency_hz: 866349812, channel: Some(2), rf_chain: Some(0), crc: Ok, data_rate: SF7BW125, coding_rate: Some("4/6"), rssi_dbm: Some(-35), snr_ddb: Some(51) }"#
        ]],
    );
}

#[test]
fn crc_status() {
    let of = |stat: &str| {
        let body = format!(r#"{{"rxpk":[{{"tmst":1,"freq":868.1,{stat}"datr":"SF7BW125","size":1,"data":"QA"}}]}}"#);
        push(&body).rxpk[0].crc
    };
    assert_eq!(of(r#""stat":1,"#), CrcStatus::Ok);
    assert_eq!(of(r#""stat":-1,"#), CrcStatus::Bad);
    assert_eq!(of(r#""stat":0,"#), CrcStatus::None);
    assert_eq!(of(""), CrcStatus::Absent);
    let usable = [CrcStatus::Ok, CrcStatus::Absent, CrcStatus::Bad, CrcStatus::None].map(CrcStatus::is_usable);
    assert_eq!(usable, [true, true, false, false]);
}

#[test]
fn base64_in_all_four_forms() {
    for data in ["+//+/w==", "+//+/w", "-__-_w==", "-__-_w"] {
        let body = format!(r#"{{"rxpk":[{{"tmst":1,"freq":868.1,"datr":"SF7BW125","size":4,"data":"{data}"}}]}}"#);
        assert_eq!(push(&body).rxpk[0].phy, [0xfb, 0xff, 0xfe, 0xff], "{data}");
    }
}

#[test]
fn rxpk_that_cannot_be_used() {
    check_rxpk(
        r#"{"tmst":null}"#,
        expect![
            "rxpk is not an object with tmst, freq, datr, size and data at column 140: check the forwarder's version"
        ],
    );
    check_rxpk(
        r#"{"tmst":-1}"#,
        expect![
            "rxpk is not an object with tmst, freq, datr, size and data at column 149: check the forwarder's version"
        ],
    );
    check_rxpk(
        r#"{"tmst":4294967296}"#,
        expect![
            "rxpk is not an object with tmst, freq, datr, size and data at column 157: check the forwarder's version"
        ],
    );
    check_rxpk(r#"{"freq":-1}"#, expect!["rxpk freq is not a frequency in MHz: check the forwarder's configuration"]);
    check_rxpk(
        r#"{"freq":1e300}"#,
        expect!["rxpk freq is not a frequency in MHz: check the forwarder's configuration"],
    );
    check_rxpk(
        r#"{"datr":"SF13BW125"}"#,
        expect!["rxpk modu and datr are neither LoRa SF7..SF12 nor FSK: only these are served"],
    );
    check_rxpk(
        r#"{"datr":50000}"#,
        expect!["rxpk modu and datr are neither LoRa SF7..SF12 nor FSK: only these are served"],
    );
    check_rxpk(
        r#"{"modu":"LR-FHSS","datr":"M0CW137"}"#,
        expect!["rxpk modu and datr are neither LoRa SF7..SF12 nor FSK: only these are served"],
    );
    check_rxpk(r#"{"data":"AQID!A=="}"#, expect!["rxpk data is not base64: check the forwarder's version"]);
    check_rxpk(
        r#"{"size":5}"#,
        expect!["rxpk size is 5 but data has 4 bytes, of 1 to 255: the datagram is damaged or made up"],
    );
    check_rxpk(
        r#"{"size":0,"data":""}"#,
        expect!["rxpk size is 0 but data has 0 bytes, of 1 to 255: the datagram is damaged or made up"],
    );
    let long = "A".repeat(342);
    check_rxpk(
        &format!(r#"{{"size":256,"data":"{long}"}}"#),
        expect!["rxpk size is 256 but data has 256 bytes, of 1 to 255: the datagram is damaged or made up"],
    );
    check_rxpk(
        &format!(r#"{{"size":4294967295,"data":"{}"}}"#, "A".repeat(50_000)),
        expect!["rxpk size is 4294967295 but data has 37500 bytes, of 1 to 255: the datagram is damaged or made up"],
    );
    check_rxpk(
        &format!(r#"{{"time":"{}"}}"#, "9".repeat(65)),
        expect![[
            r#"Rxpk { phy: [1, 2, 3, 4], tmst_us: 3512348611, time: None, gps_ms: None, frequency_hz: 866349812, channel: Some(2), rf_chain: Some(0), crc: Ok, data_rate: SF7BW125, coding_rate: Some("4/6"), rssi_dbm: Some(-35), snr_ddb: Some(51) }"#
        ]],
    );
}

#[test]
fn one_bad_rxpk_does_not_spoil_the_others() {
    let good = |size: usize| {
        format!(
            r#"{{"tmst":{size},"freq":868.1,"datr":"SF7BW125","size":{size},"data":"{}"}}"#,
            &"AAAAAAAA"[..(size * 4).div_ceil(3)]
        )
    };
    let push = push(&format!(r#"{{"rxpk":[{},7,{},{{}},{},null,"x",[[]]],"stat":[]}}"#, good(1), good(2), good(3)));
    assert_eq!(push.rxpk.iter().map(|rxpk| rxpk.tmst_us).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(push.skipped.iter().map(|skipped| skipped.index).collect::<Vec<_>>(), [1, 3, 5, 6, 7]);
    assert_eq!(push.stat, None);
}

#[test]
fn one_damaged_text_does_not_spoil_the_others() {
    let object = r#"{"tmst":1,"freq":868.1,"datr":"SF7BW125","size":3,"data":"QUFB"}"#;
    let mut bytes = datagram(0, &format!(r#"{{"rxpk":[{object},{object}],"desc":"~"}}"#));
    for byte in bytes.iter_mut().filter(|byte| **byte == b'~') {
        *byte = 0xff;
    }
    let first_data = bytes.windows(4).position(|window| window == b"QUFB").unwrap();
    bytes[first_data] = 0xff;
    let Ok(Packet::PushData(push)) = Packet::parse(&bytes) else { panic!("a PUSH_DATA") };
    assert_eq!((push.rxpk.len(), &push.skipped[..]), (1, &[Skipped { index: 0, why: RxpkError::Base64 }][..]));
}

#[test]
fn push_data_with_stat_only_or_nothing() {
    let body = r#"{"stat":{"time":"2014-01-12 08:59:28 GMT","lati":46.24,"long":3.2523,"alti":145,"rxnb":2,"rxok":2,"rxfw":2,"ackr":100.0,"dwnb":2,"txnb":2,"temp":23.1}}"#;
    expect![[r#"Some(Stat { time: Some("2014-01-12 08:59:28 GMT"), lati: Some(46.24), long: Some(3.2523), alti: Some(145.0), rxnb: Some(2), rxok: Some(2), rxfw: Some(2), ackr: Some(100.0), dwnb: Some(2), txnb: Some(2) })"#]].assert_eq(&format!("{:?}", push(body).stat));
    assert_eq!(push("{}").rxpk, []);
    assert_eq!(push(r#"{"rxpk":null,"stat":null}"#).stat, None);
}

#[test]
fn at_most_255_rxpk() {
    let of = |count: usize| {
        let objects = vec![r#"{"tmst":1,"freq":868.1,"datr":"SF7BW125","size":1,"data":"QA"}"#; count].join(",");
        Packet::parse(&datagram(0, &format!(r#"{{"rxpk":[{objects}]}}"#)))
    };
    assert!(matches!(of(255), Ok(Packet::PushData(push)) if push.rxpk.len() == 255));
    assert!(matches!(of(256), Err(GwmpError::TooManyRxpk { count: 256 })));
}

#[test]
fn datagrams_that_are_none() {
    let check = |bytes: &[u8], expected: Expect| {
        expected.assert_eq(&match Packet::parse(bytes) {
            Ok(packet) => format!("{packet:?}"),
            Err(error) => chain(&error),
        })
    };
    check(
        &[],
        expect!["datagram of 0 bytes has the wrong length for its kind: is something else sending to this port?"],
    );
    check(
        &[2, 0, 0],
        expect!["datagram of 3 bytes has the wrong length for its kind: is something else sending to this port?"],
    );
    check(
        &HEADER[..11],
        expect!["datagram of 11 bytes has the wrong length for its kind: is something else sending to this port?"],
    );
    check(
        &[1, 0, 0, 0],
        expect!["protocol version 1 is not 2: update the packet forwarder, or find what else sends to this port"],
    );
    check(
        &datagram(3, "{}"),
        expect!["datagram kind 0x03 is not one that a gateway sends: point the forwarder at the server's port"],
    );
    check(
        &datagram(9, ""),
        expect!["datagram kind 0x09 is not one that a gateway sends: point the forwarder at the server's port"],
    );
    check(
        &datagram(2, "x"),
        expect!["datagram of 13 bytes has the wrong length for its kind: is something else sending to this port?"],
    );
    check(
        &HEADER,
        expect!["failed to read the JSON of a PUSH_DATA: check the packet forwarder's version: not a JSON object"],
    );
    check(
        &datagram(0, r#"{"rxpk":{}}"#),
        expect![
            "failed to read the JSON of a PUSH_DATA: check the packet forwarder's version: invalid type: map, expected a sequence at line 1 column 8"
        ],
    );
    check(
        &datagram(0, r#"{"rxpk":[],"rxpk":[]}"#),
        expect![
            "failed to read the JSON of a PUSH_DATA: check the packet forwarder's version: duplicate field `rxpk` at line 1 column 17"
        ],
    );
    check(
        &[datagram(0, "{"), vec![0xff, b'}']].concat(),
        expect![
            "failed to read the JSON of a PUSH_DATA: check the packet forwarder's version: key must be a string at line 1 column 2"
        ],
    );
    check(&vec![2; DATAGRAM_BYTES_MAX + 1], expect!["datagram of 65508 bytes is longer than 65,507: refuse it"]);
    check(
        &datagram(5, "{"),
        expect![
            "failed to read the JSON of a TX_ACK: check the packet forwarder's version: EOF while parsing an object at line 1 column 1"
        ],
    );
}

#[test]
fn deep_json_is_answered() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(3_000), close.repeat(3_000));
        assert_eq!(push(&format!(r#"{{"x":{deep},"rxpk":[{deep}],"stat":{deep}}}"#)).skipped.len(), 1);
        for field in ["time", "datr", "data", "other"] {
            let rxpk = format!(r#"{{"tmst":1,"freq":868.1,"size":1,"data":"QA","{field}":{deep}}}"#);
            assert_eq!(push(&format!(r#"{{"rxpk":[{rxpk}]}}"#)).skipped.len(), 1);
        }
        let _ = Packet::parse(&datagram(5, &format!(r#"{{"txpk_ack":{deep}}}"#)));
    }
}

#[test]
fn acknowledgements_are_four_bytes() {
    let ack = |kind| Header::parse(&datagram(kind, "")).unwrap().acknowledgement().map(hex::encode);
    assert_eq!(ack(0).as_deref(), Some("02abcd01"));
    assert_eq!(ack(2).as_deref(), Some("02abcd04"));
    assert_eq!(ack(5), None);
}

#[test]
fn tx_ack() {
    let check = |body: &str, expected: Expect| match Packet::parse(&datagram(5, body)) {
        Ok(Packet::TxAck(ack)) => {
            assert_eq!((ack.token, ack.eui), (Token([0xab, 0xcd]), "0016c001f153a14c".parse().unwrap()));
            expected.assert_eq(&format!("{:?}", ack.outcome));
        }
        other => panic!("{other:?}"),
    };
    check("", expect!["Queued"]);
    check("\0", expect!["Queued"]);
    check(" \n", expect!["Queued"]);
    check("{}", expect!["Queued"]);
    check(r#"{"txpk_ack":null}"#, expect!["Queued"]);
    check(r#"{"txpk_ack":{}}"#, expect!["Queued"]);
    check(r#"{"txpk_ack":{"error":"NONE"}}"#, expect!["Queued"]);
    check(r#"{"txpk_ack":{"warn":"TX_POWER","value":20}}"#, expect!["QueuedAtOtherPower { power_dbm: Some(20) }"]);
    check(r#"{"txpk_ack":{"error":"TX_POWER","value":14}}"#, expect!["QueuedAtOtherPower { power_dbm: Some(14) }"]);
    check(r#"{"txpk_ack":{"error":"NONE","warn":"TX_POWER"}}"#, expect!["QueuedAtOtherPower { power_dbm: None }"]);
    check(r#"{"txpk_ack":{"error":"TOO_LATE"}}"#, expect!["Refused(TooLate)"]);
    check(r#"{"txpk_ack":{"error":"ANYTHING_ELSE"}}"#, expect!["Refused(Unknown)"]);
    for error in TxError::ALL {
        assert_eq!(TxError::ALL[error.index()], error);
        let body = format!(r#"{{"txpk_ack":{{"error":"{}"}}}}"#, error.code());
        let Ok(Packet::TxAck(ack)) = Packet::parse(&datagram(5, &body)) else { panic!("a TX_ACK: {body}") };
        assert_eq!(ack.outcome, TxOutcome::Refused(error));
    }
}

#[test]
fn pull_resp_as_in_the_protocol() {
    let txpk = Txpk {
        time: TxTime::Counter { tmst_us: 2_000_000 },
        frequency_hz: 868_100_000,
        power_dbm: 14,
        data_rate: "SF7BW125".parse().unwrap(),
        phy: vec![0x60; 12],
    };
    let datagram = pull_resp(Token([0x12, 0x34]), &txpk);
    assert_eq!(datagram[..4], [2, 0x12, 0x34, 3]);
    expect![[r#"{"txpk":{"imme":false,"tmst":2000000,"freq":868.1,"rfch":0,"powe":14,"modu":"LORA","datr":"SF7BW125","codr":"4/5","ipol":true,"ncrc":true,"size":12,"data":"YGBgYGBgYGBgYGBg"}}"#]]
        .assert_eq(str::from_utf8(&datagram[4..]).unwrap());
}
