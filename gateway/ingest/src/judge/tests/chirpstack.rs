//! Events of a ChirpStack beside the box.

use expect_test::{Expect, expect};
use record::{SourceId, UnixMs};

use super::bench::{Bench, event, show};
use crate::{Arrival, Ruling};

fn check(arrivals: impl IntoIterator<Item = Arrival>, expected: Expect) {
    let mut bench = Bench::new();
    let shown: Vec<String> = arrivals.into_iter().map(|arrival| show(&bench.judge(arrival))).collect();
    expected.assert_eq(&shown.join("\n"));
}

/// Cayenne: channel 1 is 27.2 degrees.
const WARM: &str = r#","fPort":2,"data":"AWcBEA==""#;

fn up(more: &str) -> Arrival {
    event(1, "up", &format!("{WARM}{more}"))
}

/// An event that says who it is, as all of ChirpStack's do.
fn named(id: u8, dev_addr: u8, f_cnt: u32) -> Arrival {
    named_with(WARM, id, dev_addr, f_cnt)
}

fn named_with(data: &str, id: u8, dev_addr: u8, f_cnt: u32) -> Arrival {
    let id = format!("3ac7e3c4-4401-4b8d-9386-a5c902f92{id:03x}");
    event(1, "up", &format!(r#"{data},"deduplicationId":"{id}","devAddr":"{dev_addr:08x}","fCnt":{f_cnt}"#))
}

#[test]
fn an_event_is_decoded_by_our_codec_or_from_what_chirpstack_decoded() {
    check(
        [
            up(r#","fCnt":7,"object":{"other":1}"#),
            event(2, "up", r#","data":"AWcBEA==","object":{"level_mm":1234.5}"#),
            event(2, "up", r#","fCnt":1,"data":"AWcBEA==""#),
            event(2, "up", r#","fCnt":2"#),
            event(1, "up", r#","fCnt":8"#),
            event(1, "up", r#","fCnt":9,"data":"AWc=""#),
            up(r#","fCnt":10,"joinServerContext":{"sessionKeyId":"x"}"#),
        ],
        expect![[r#"
            accepted gate-1 #7 temperature_1 27.2 Cel
            accepted gate-2 #0 level 1.2345 m
            undecodable gate-2 kept: event has no `object`: give the device profile a codec in ChirpStack, or read the device's own bytes with payload = "data"
            accepted gate-2 #2
            accepted gate-1 #8
            undecodable gate-1 kept: byte 2: type 103 (temperature) needs 2 bytes and 0 are left: the frame was cut
            undecodable gate-1 kept: payload is still encrypted (joinServerContext): let ChirpStack's own join server keep the application key"#]],
    );
}

#[test]
fn an_event_delivered_again_is_stored_once_in_any_order_and_over_a_restart() {
    let mut bench = Bench::new();
    // A gap beyond the window, a new session, and the counter anew.
    let cold = r#","data":"AWcArA==""#;
    let events = || [named(1, 1, 1), named(2, 1, 500), named(3, 2, 0), named(4, 2, 1), named_with(cold, 5, 2, 0)];
    for event in events() {
        assert!(show(&bench.judge(event)).starts_with("accepted gate-1"));
    }
    for event in events() {
        assert_eq!(show(&bench.judge(event)), "duplicate gate-1");
    }
    bench.restart();
    for event in events() {
        assert_eq!(show(&bench.judge(event)), "duplicate gate-1");
    }
    let encrypted = || up(r#","fCnt":90,"joinServerContext":{}"#);
    assert!(show(&bench.judge(encrypted())).starts_with("undecodable"));
    assert_eq!(show(&bench.judge(encrypted())), "duplicate gate-1", "its evidence is kept once");
}

#[test]
fn a_frame_published_twice_under_other_names_is_one_frame() {
    check(
        [named(1, 1, 7), named(2, 1, 7), named(3, 1, 6), named(4, 1, 7)],
        expect![[r#"
            accepted gate-1 #7 temperature_1 27.2 Cel
            duplicate gate-1
            accepted gate-1 #6 temperature_1 27.2 Cel
            duplicate gate-1"#]],
    );
}

#[test]
fn who_is_not_in_the_table_and_what_is_no_event_is_evidence_within_the_budget() {
    check(
        [
            event(9, "up", ""),
            event(1, "up", r#","fCnt":-1"#),
            event(1, "rejoin", ""),
            event(9, "up", r#","fCnt":1"#),
            event(9, "log", r#","level":"ERROR","code":"OTAA""#),
            event(1, "log", r#","level":"ERROR","code":"UPLINK_MIC""#),
        ],
        expect![[r#"
            unknown_dev_eui ? kept: no device has [device.chirpstack] dev_eui 0909090909090909 · try: weir device add
            malformed chirpstack kept: event is not the JSON of a ChirpStack 4 `up` event: set `json=true` in ChirpStack's MQTT integration: invalid value: integer `-1`, expected u32 at line 1 column 53
            unsupported_type chirpstack counted: ChirpStack 4 has no event `rejoin`: is the topic that of an integration?
            unknown_dev_eui ? counted: no device has [device.chirpstack] dev_eui 0909090909090909 · try: weir device add
            told chirpstack of ?: Log { level: "ERROR", code: "OTAA", description: "" }
            told chirpstack of gate-1: Log { level: "ERROR", code: "UPLINK_MIC", description: "" }"#]],
    );
}

#[test]
fn readings_have_the_time_of_a_gateway_with_gps_and_of_no_other() {
    let mut bench = Bench::new();
    let mut at = |more: &str| match bench.judge(up(more)).ruling {
        Ruling::Accepted { frame, .. } => frame.readings[0].at_ms,
        other => panic!("{other:?}"),
    };
    let gateway = r#""gatewayId":"0016c001f153a14c","gwTime":"2020-10-01T09:30:53.592Z""#;
    assert_eq!(at(&format!(r#","fCnt":1,"rxInfo":[{{{gateway}}}]"#)), None);
    let gps = format!(r#","fCnt":2,"rxInfo":[{{{gateway},"timeSinceGpsEpoch":"1285579871.592s"}}]"#);
    assert_eq!(at(&gps), Some(UnixMs(1_601_544_653_592)));
}

#[test]
fn the_application_of_a_device_is_known_from_its_last_event() {
    let mut bench = Bench::new();
    let gate = SourceId::new("gate-1").unwrap();
    assert_eq!(bench.ingest.application_id(&gate), None);
    bench.judge(named(1, 1, 1));
    bench.restart();
    assert_eq!(bench.ingest.application_id(&gate), Some("app-7"));
}
