//! Events as ChirpStack 4 writes them, with what it leaves out, and damaged ones.

use proptest::prelude::*;

use super::*;

const EVENT: &str = r#"{"deduplicationId":"3ac7e3c4-4401-4b8d-9386-a5c902f9202d","time":"2020-10-01T09:30:53.592Z",
  "deviceInfo":{"tenantId":"..","applicationId":"..","deviceName":"t","devEui":"0101010101010101","tags":{"k":"v"}},
  "devAddr":"01020304","adr":true,"dr":5,"fPort":2,"data":"AQI=","object":{"level_mm":1234.0},
  "rxInfo":[{"gatewayId":"0016c001f153a14d","uplinkId":1,"rssi":-90,"snr":-3.25},
            {"gatewayId":"0016c001f153a14c","uplinkId":4217106255,"gwTime":"2020-10-01T09:30:53.592123456+00:00",
             "timeSinceGpsEpoch":"1285579871.592s","rssi":-36,"snr":10.5,"context":"E3OWOQ==","crcStatus":"CRC_OK"}],
  "txInfo":{"frequency":867100000,"modulation":{"lora":{"bandwidth":125000,"spreadingFactor":11,"codeRate":"CR_4_5"}}},
  "regionConfigId":"eu868"}"#;

#[test]
fn an_event_as_chirpstack_writes_it() {
    let up = Up::parse(EVENT.as_bytes()).unwrap();
    assert_eq!((up.dev_addr, up.f_cnt, up.f_port, up.confirmed), (0x0102_0304, 0, 2, false), "fCnt 0 is absent");
    assert_eq!(up.payload, Payload::Plain(vec![1, 2]));
    assert_eq!(up.object.as_deref(), Some(r#"{"level_mm":1234.0}"#), "digit by digit");
    assert!(up.deduplication_id.is_some());
    assert_eq!(DeduplicationId::of(EVENT.as_bytes()), up.deduplication_id);
    assert_eq!((up.frequency_hz, up.data_rate.as_deref()), (867_100_000, Some("SF11BW125")));
    let heard: Vec<_> = up.heard_by.iter().map(|r| (r.gateway.to_string(), r.snr_ddb, r.rssi_dbm, r.tmst_us)).collect();
    let best = ("0016c001f153a14c".to_owned(), Some(105), Some(-36), 4_217_106_255);
    assert_eq!(heard, [best, ("0016c001f153a14d".to_owned(), Some(-33), Some(-90), 1)], "best first");
    // 2020-10-01T09:30:53.592Z, by both of the gateway's clocks.
    assert_eq!(up.heard_at, Some(GatewayTime::Gps(UnixMs(1_601_544_653_592))));
    let without_gps = EVENT.replace("timeSinceGpsEpoch", "other");
    let clock = GatewayTime::Clock(UnixMs(1_601_544_653_592));
    assert_eq!(Up::parse(without_gps.as_bytes()).unwrap().heard_at, Some(clock));
}

#[test]
fn all_that_may_be_absent_is() {
    let up = Up::parse(br#"{"deviceInfo":{"devEui":"0101010101010101"}}"#).unwrap();
    assert_eq!((up.dev_addr, up.f_cnt, up.f_port, up.frequency_hz), (0, 0, 0, 0));
    assert_eq!((up.payload, up.object, up.deduplication_id), (Payload::Plain(Vec::new()), None, None));
    assert!(up.heard_by.is_empty() && up.heard_at.is_none() && up.data_rate.is_none());
}

#[test]
fn what_cannot_be_used_says_why() {
    let check = |json: &str, expected: &str| {
        assert!(Up::parse(json.as_bytes()).unwrap_err().to_string().contains(expected), "{json}");
    };
    let with = |more: &str| format!(r#"{{"deviceInfo":{{"devEui":"0101010101010101"}},{more}}}"#);
    check("[]", "json=true");
    check(&with(r#""fCnt":"7""#), "json=true");
    check("{}", "devEui");
    check(r#"{"deviceInfo":{"devEui":"01"}}"#, "devEui");
    check(&with(r#""devAddr":"x""#), "devAddr");
    check(&with(r#""fPort":256"#), "fPort 256");
    check(&with(r#""data":"*""#), "base64");
    check(&with(&format!(r#""data":"{}""#, STANDARD.encode([0; 243]))), "242");
    check(&with(r#""rxInfo":[{}]"#), "gatewayId");
    let many = vec![r#"{"gatewayId":"0016c001f153a14c"}"#; 65].join(",");
    check(&with(&format!(r#""rxInfo":[{many}]"#)), "65 entries");
    check(&format!("{{{}}}", " ".repeat(EVENT_BYTES_MAX)), "longer");
}

#[test]
fn what_chirpstack_could_not_decrypt_is_marked() {
    let json = br#"{"deviceInfo":{"devEui":"0101010101010101"},"data":"AQI=","joinServerContext":{}}"#;
    let up = Up::parse(json).unwrap();
    assert_eq!(up.payload, Payload::Encrypted(vec![1, 2]));
}

#[test]
fn durations() {
    let cases = [("0s", Some(0)), ("1.5s", Some(1_500)), ("1.000000001s", Some(1_000)), ("7.05s", Some(7_050))];
    let bad = [("1.", None), ("s", None), ("-1s", None), ("1.1234567890s", None), ("99999999999999999999s", None)];
    for (text, expected) in cases.into_iter().chain(bad) {
        assert_eq!(seconds_ms(text), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Up::parse(&bytes);
    }

    #[test]
    fn a_damaged_event_is_answered(at in 0usize..1000, byte in any::<u8>()) {
        let mut bytes = EVENT.as_bytes().to_vec();
        let place = at % bytes.len();
        bytes[place] = byte;
        let _ = Up::parse(&bytes);
    }
}
