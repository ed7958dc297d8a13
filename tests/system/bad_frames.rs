//! Bad input from the field: each gets the protocol's own refusal, is counted, and the sensor beside it does not notice.
//! (Unknown DevAddr, wrong MIC and replayed frames: `lorawan.rs`.)

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use system_tests::row::{once, values};
use system_tests::{Device, Finished, Peer, Row, World, until};

/// Longest that the well-behaved sensor may wait for an acknowledgement, beside everything else on two cores.
const TOOK_MS_MAX: f64 = 1_000.0;

/// A world with a well-behaved sensor at work, beside which something bad happens.
struct Beside {
    world: World,
    good: Device,
    bad: Device,
    sensor: Option<system_tests::peer::Running>,
}

impl Beside {
    fn start(bad: Device) -> Beside {
        let good = Device::cod("good");
        let world = World::start(&[good.clone(), bad.clone(), Device::cod("other")]);
        let sensor = Peer::sensor("paho_sensor.py", &world, &good).with("--count", 1_000_000).with("--rate", 50);
        let sensor = Some(sensor.with("--until", world.path("stop").display()).start());
        let beside = Beside { world, good, bad, sensor };
        let at_work = || (beside.world.count("/gateway/devices/good/accepted") > 0).then_some(());
        until("the good sensor is at work", 10, at_work);
        beside
    }

    /// The bad device's sensor with a payload or other options.
    fn misbehave(&self, level: u8, options: &[&str]) -> Finished {
        let peer = Peer::sensor("paho_sensor.py", &self.world, &self.bad).with("--level", level);
        peer.with("--count", 1).with("--deadline", 3).args(options).run()
    }

    fn mqtt(&self, counter: &str) -> u64 {
        self.world.count(&format!("/gateway/mqtt/counters/{counter}"))
    }

    fn device(&self, counter: &str) -> u64 {
        self.world.count(&format!("/gateway/devices/{}/{counter}", self.bad.name))
    }

    /// The good sensor ends: every message acknowledged at once, on one connection, and delivered. Returns all rows.
    fn end(mut self) -> Vec<Row> {
        std::fs::write(self.world.path("stop"), "").unwrap();
        let sensor = self.sensor.take().unwrap().finish().exits(0);
        assert_eq!(sensor.number("connects"), 1, "the good sensor lost its connection");
        let took_ms = sensor.summary()["took_ms"]["max"].as_f64().unwrap();
        assert!(took_ms < TOOK_MS_MAX, "the good sensor waited {took_ms} ms");
        let rows = self.world.delivered();
        assert_eq!(values(&rows, &self.good.name, "n"), once(1..=sensor.number("sent")));
        rows
    }
}

/// Sends bytes to the MQTT port and returns what comes back before the connection is closed.
fn answer(world: &World, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", world.mqtt_port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("not closed: {error}"),
        _ => answer,
    }
}

#[test]
fn a_malformed_connect_is_closed_and_counted() {
    let beside = Beside::start(Device::cod("bad"));
    let connects: [&[u8]; 4] = [
        b"\x10\x03\x00\x04M",                              // ends within the protocol's name
        b"\x10\xff\xff\xff\xff\x01",                       // a length of five bytes
        b"\x10\x0e\x00\x04MQTT\x04\x01\x00\x3c\x00\x02ab", // the reserved flag (MQTT 3.1.1 [MQTT-3.1.2-3])
        b"GET / HTTP/1.1\r\nhost: weir\r\n\r\n",           // another protocol
    ];
    for (nth, connect) in connects.into_iter().enumerate() {
        let answer = answer(&beside.world, connect);
        assert!(answer.is_empty() || answer[0] >> 4 == 2 || answer[0] >> 4 == 14, "CONNACK, DISCONNECT or nothing");
        let counted = beside.mqtt("malformed") + beside.mqtt("protocol_error");
        assert_eq!(counted, nth as u64 + 1, "{connect:02x?} is counted");
    }
    beside.end();
}

#[test]
fn an_oversize_packet_is_refused_and_counted() {
    let beside = Beside::start(Device::cod("bad"));
    for level in [4, 5] {
        let before = beside.mqtt("oversize");
        beside.misbehave(level, &["--bytes", "400000"]).exits(1);
        assert!(beside.mqtt("oversize") > before, "level {level}");
    }
    assert_eq!(beside.device("accepted"), 0);
    beside.end();
}

#[test]
fn the_topic_of_another_device_is_refused_and_counted() {
    let beside = Beside::start(Device::cod("bad"));
    let refused = beside.misbehave(5, &["--topic", "d/other/up"]).exits(1);
    assert_eq!(refused.summary()["refused"]["Not authorized"], 1, "{:#}", refused.summary());
    assert_eq!(beside.mqtt("foreign_topic"), 1);
    // MQTT 3.1.1 has no way to tell it but to close.
    let closed = beside.misbehave(4, &["--topic", "d/other/up"]);
    assert!(beside.mqtt("foreign_topic") >= 2, "{:#}", closed.summary());
    let rows = beside.end();
    assert!(rows.iter().all(|row| row.source == "good"), "nothing of it is stored as a reading");
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_and_counted() {
    let beside = Beside::start(Device::cod("bad"));
    for level in [4, 5] {
        for (options, counter) in
            [(["--password", "a wrong one"], "bad_password"), (["--user", "nobody-known"], "unknown_device")]
        {
            let before = beside.mqtt(counter);
            let refused = beside.misbehave(level, &options).exits(3);
            let reason =
                refused.lines.iter().find_map(|line| line["reason"].as_str()).unwrap_or_default().to_lowercase();
            assert!(reason.contains("not authorized") || reason.contains("bad user name"), "level {level}: {reason}");
            assert_eq!(beside.mqtt(counter), before + 1, "level {level}");
        }
    }
    beside.end();
}

#[test]
fn text_and_nan_where_a_number_belongs_are_readings_without_value() {
    let beside = Beside::start(Device::cod("bad"));
    for (nth, payload) in [r#"{"n":1,"cod":"forty"}"#, r#"{"n":1,"cod":NaN}"#].into_iter().enumerate() {
        beside.misbehave(5, &["--payload", payload]).exits(0);
        let nth = nth as u64 + 1;
        assert_eq!((beside.device("accepted"), beside.device("readings_bad")), (nth, nth), "{payload} is counted");
    }
    let rows = beside.end();
    for row in rows.iter().filter(|row| row.source == "bad" && row.quantity == "cod") {
        assert_eq!((&*row.value, &*row.unit, &*row.quality), ("", "mg/L", "not_a_number"));
    }
}

#[test]
fn a_frame_that_cannot_be_decoded_is_refused_kept_as_evidence_and_counted() {
    let beside = Beside::start(Device::cod("bad"));
    let refused = beside.misbehave(5, &["--payload", r#"{"n":1,"cod":"#]).exits(1);
    assert_eq!(refused.summary()["refused"]["Payload format invalid"], 1, "{:#}", refused.summary());
    assert_eq!((beside.device("accepted"), beside.device("rejected")), (0, 1));
    let tail = beside.world.weir(&["tail", "-n", "100000", "--json", "--source", "bad"]).exits(0).json_lines();
    let kept: Vec<&Value> = tail.iter().filter(|record| record["kind"] == "rejected").collect();
    let [record] = kept[..] else { panic!("one piece of evidence: {tail:#?}") };
    let evidence = (record["why"].as_str(), record["raw"].as_str());
    assert_eq!(evidence, (Some("undecodable"), Some("7b226e223a312c22636f64223a")), "with its exact bytes");
    assert!(beside.world.status()["gateway"]["devices"]["bad"]["refusal"].is_string(), "the status says why");
    for party in &beside.world.platforms {
        until("the refusal is on the platform", 10, || (party.refusals() == ["undecodable"]).then_some(()));
    }
    assert!(beside.end().iter().all(|row| row.source == "good"), "it is no reading");
}

#[test]
fn a_unit_nobody_knows_is_kept_and_not_believed() {
    let beside = Beside::start(Device::senml("bad"));
    beside.misbehave(5, &["--payload", r#"[{"n":"cod","u":"mgg/L","v":4.25}]"#]).exits(0);
    assert_eq!((beside.device("accepted"), beside.device("readings_bad")), (1, 1));
    let rows = beside.end();
    assert_eq!(reading(&rows, "bad", "cod"), ("4.25", "mgg/L", "unknown_unit"));
}

/// Value, unit and quality of the one reading of a device's quantity.
fn reading<'a>(rows: &'a [Row], source: &str, quantity: &str) -> (&'a str, &'a str, &'a str) {
    let found: Vec<&Row> = rows.iter().filter(|row| row.source == source && row.quantity == quantity).collect();
    let [row] = found[..] else { panic!("one reading: {found:?}") };
    (&row.value, &row.unit, &row.quality)
}
