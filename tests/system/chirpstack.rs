//! A ChirpStack beside the box, and what the box tells in ChirpStack's format. The far ends are made of the protobuf types
//! that ChirpStack itself is made of.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use system_tests::peer::{Finished, Running};
use system_tests::radio::PATIENT;
use system_tests::row::values;
use system_tests::{Answer, Device, Peer, Radio, World, until};

const DATA_EUI: &str = "0101010101010101";
const OBJECT_EUI: &str = "0202020202020202";
const APPLICATION: &str = "2f0b8a4c-1d2e-4c6b-9a51-1d0c7d1f2b11";

/// Two devices of a ChirpStack, it, and a program that reads events.
fn entries() -> Vec<Device> {
    vec![
        Device::chirpstack("data", DATA_EUI, "data"),
        Device::chirpstack("object", OBJECT_EUI, "object"),
        Device::cod("other"),
        Device::integration("chirpstack", "chirpstack"),
        Device::integration("node-red", "reader"),
    ]
}

fn world() -> World {
    World::box_only(&entries(), "")
}

fn password(name: &str) -> String {
    Device::integration(name, "reader").password()
}

/// `chirpstack.py` with both devices.
fn chirpstack(world: &World, level: u8) -> Peer {
    Peer::new("chirpstack.py")
        .with("--port", world.mqtt_port)
        .with("--user", "chirpstack")
        .with("--password", password("chirpstack"))
        .with("--level", level)
        .with("--device", format!("data:{DATA_EUI}"))
        .with("--device", format!("object:{OBJECT_EUI}"))
}

fn subscriber(world: &World, user: &str, filter: &str) -> Peer {
    Peer::new("chirpstack_subscriber.py")
        .with("--port", world.mqtt_port)
        .with("--user", user)
        .with("--password", password(user))
        .with("--filter", filter)
}

/// A subscriber that is subscribed by now.
fn subscribed(world: &World, peer: Peer) -> Running {
    let ready = world.path("ready");
    let running = peer.with("--ready", ready.display()).start();
    until("the reader is subscribed", 20, || ready.exists().then_some(()));
    running
}

fn messages(finished: &Finished) -> Vec<&Value> {
    finished.lines.iter().filter(|line| line["event"] == "message").collect()
}

/// Frames and evidence of a device, of all its history.
fn records(world: &World, source: &str) -> Vec<Value> {
    world.weir(&["tail", "-n", "20000", "--source", source, "--json"]).exits(0).json_lines()
}

/// A3 over all sources: only the ChirpStack publishes in these worlds.
fn conserved(world: &World) {
    let status = world.status();
    let devices = status["gateway"]["devices"].as_object().unwrap();
    let kinds = ["accepted", "duplicate", "rejected", "shed"];
    let count = |device: &Value| kinds.iter().map(|kind| device[*kind].as_u64().unwrap()).sum::<u64>();
    let counted: u64 = devices.values().map(count).sum();
    assert_eq!(status["gateway"]["mqtt"]["counters"]["received"], counted, "{devices:#?}");
}

/// What a frame says, as `chirpstack.py` says it.
fn said(record: &Value) -> Value {
    let link = &record["link"];
    let best =
        |heard: &Value| format!("{} {} {}", heard["gateway"].as_str().unwrap(), heard["rssi_dbm"], heard["snr_ddb"]);
    let mut heard_by: Vec<String> = link["heard_by"].as_array().unwrap().iter().map(best).collect();
    heard_by.sort();
    let reading = record["readings"].get(0);
    let value = reading.map(|reading| {
        let text = reading["value"].as_str().map_or_else(|| reading["value"].to_string(), str::to_owned);
        text.parse::<f64>().unwrap()
    });
    assert_eq!(link["by"], "chirpstack", "weaker than a frame that this box verified: {record}");
    json!({
        "device": record["source"], "f_cnt": link["f_cnt"], "dev_addr": link["dev_addr"], "f_port": link["f_port"],
        "frequency_hz": link["frequency_hz"], "value": value, "heard_by": heard_by,
        "gps_ms": reading.map_or(Value::Null, |reading| reading["at_ms"].clone()),
    })
}

#[test]
fn a_thousand_events_with_any_defaults_left_out_are_read_right_and_stored_once() {
    for (level, seed) in [(4, 1), (5, 2)] {
        let world = world();
        let told = world.path("told.jsonl");
        let peer = chirpstack(&world, level).args(["--again"]).with("--seed", seed);
        let finished = peer.with("--count", 1_000).with("--told", told.display()).run().exits(0);
        assert_eq!((finished.number("acknowledged"), finished.number("connects")), (2_000, 1));
        let mut expected: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for line in fs::read_to_string(&told).unwrap().lines() {
            let mut said: Value = serde_json::from_str(line).unwrap();
            // Only a reading has a time.
            if said["value"].is_null() {
                said["gps_ms"] = Value::Null;
            }
            expected.entry(said["device"].as_str().unwrap().to_owned()).or_default().push(said);
        }
        for (device, expected) in &expected {
            let frames: Vec<Value> = records(&world, device).iter().map(said).collect();
            assert!(frames == *expected, "{device}: {frames:#?}");
        }
        let counted =
            |kind: &str| ["data", "object"].map(|name| world.count(&format!("/gateway/devices/{name}/{kind}")));
        assert_eq!(counted("accepted").iter().sum::<u64>(), 1_000);
        assert_eq!(counted("duplicate").iter().sum::<u64>(), 1_000);
        conserved(&world);
    }
}

#[test]
fn what_chirpstack_could_not_decrypt_is_evidence_once_and_says_what_to_do() {
    let world = world();
    chirpstack(&world, 4).args(["--encrypted", "--again"]).with("--count", 20).run().exits(0);
    let refused: Vec<Value> = ["data", "object"].iter().flat_map(|device| records(&world, device)).collect();
    assert_eq!(refused.len(), 20);
    for record in &refused {
        assert_eq!(record["why"], "undecodable", "{record}");
        assert!(record["detail"].as_str().unwrap().contains("joinServerContext"), "{record}");
        let raw = record["raw"].as_str().expect("the event's bytes are kept");
        assert!(!raw.is_empty());
    }
    conserved(&world);
}

#[test]
fn other_events_are_counted_by_kind_and_code_and_never_refused() {
    for level in [4, 5] {
        let world = world();
        let finished = chirpstack(&world, level).args(["--news"]).run().exits(0);
        assert_eq!(finished.number("connects"), 1);
        let device = world.status()["gateway"]["devices"]["data"].clone();
        let told = device["network_server"].as_object().unwrap();
        for kind in ["join", "ack", "txack", "status", "location", "log UPLINK_MIC", "log OTAA", "log UNKNOWN"] {
            assert_eq!(told[kind], 1, "{kind}: {told:?}");
        }
        assert_eq!(told.len(), 17, "{told:?}");
        assert_eq!((&device["battery"], &device["margin_db"]), (&json!("96 %"), &json!(7)));
        let shown = world.weir(&["status"]).out;
        assert!(shown.contains("data: ChirpStack tells ERROR EXPIRED: about EXPIRED"), "{shown}");
        assert!(world.weir(&["--lang", "zh", "status"]).out.contains("ChirpStack 报告"));
        assert_eq!(world.count("/gateway/devices/chirpstack/accepted"), 17);
        conserved(&world);
    }
}

#[test]
fn strangers_are_counted_listed_and_acknowledged_however_many_they_are() {
    for level in [4, 5] {
        let world = world();
        let peer = Peer::new("chirpstack.py").with("--port", world.mqtt_port).with("--user", "chirpstack");
        let peer = peer.with("--password", password("chirpstack")).with("--level", level);
        // More than the evidence budget of an hour.
        let finished = peer.with("--device", "data:0909090909090909").with("--count", 300).run().exits(0);
        assert_eq!((finished.number("acknowledged"), finished.number("connects")), (300, 1), "no error loop");
        assert_eq!(world.count("/gateway/devices//rejected"), 300);
        let kept = world.refusals_of(None).len();
        assert!((1..300).contains(&kept), "{kept} within the budget");
        let listed = world.ask(&json!({"do": "strangers"}));
        let stranger = &listed["strangers"][0];
        assert_eq!((&stranger["kind"], &stranger["frames"]), (&json!("chirpstack"), &json!(300)), "{listed}");
        assert_eq!(stranger["address"], "0909090909090909");
        assert!(stranger["cure"].as_str().unwrap().contains("--link chirpstack"));
        conserved(&world);
    }
}

#[test]
fn an_integration_has_its_own_topics_and_no_others() {
    let mut world = world();
    let before = world.records();
    let publish = |user: &str, topic: &str| {
        Peer::new("paho_sensor.py")
            .with("--port", world.mqtt_port)
            .with("--user", user)
            .with("--password", password(user))
            .with("--topic", topic)
            .with("--count", 1)
            .with("--deadline", 3)
            .run()
    };
    let event = |eui: &str| format!("application/{APPLICATION}/device/{eui}/event/up");
    let foreign = [
        ("chirpstack", "d/other/up".to_owned()),
        ("chirpstack", format!("application/{APPLICATION}/device/{DATA_EUI}/command/down")),
        ("chirpstack", format!("{}/x", event(DATA_EUI))),
        ("node-red", event(DATA_EUI)),
        ("other", event(DATA_EUI)),
    ];
    for (count, (user, topic)) in (1..).zip(&foreign) {
        assert_ne!(publish(user, topic).code, Some(0), "{user} {topic}");
        world.until_count("/gateway/mqtt/counters/foreign_topic", count);
    }
    let refused = [
        ("chirpstack", "application/+/device/+/event/+"),
        ("chirpstack", "#"),
        ("node-red", "d/other/up"),
        ("node-red", "application/+/device/+/command/down"),
        ("node-red", "#"),
        ("other", "application/+/device/+/event/+"),
    ];
    for (user, filter) in refused {
        let finished = subscriber(&world, user, filter).run().exits(3);
        assert_eq!(finished.lines[0]["codes"], json!([0x80]), "{user} {filter}");
    }
    assert_eq!(world.count("/gateway/mqtt/counters/subscribe_refused"), refused.len() as u64);
    // What the edge refused is counted into the journal with the next transaction, or at the end.
    assert_eq!(world.gateway.take().unwrap().terminate(), Some(0));
    world.start_gateway();
    let rejected = ["chirpstack", "node-red"].map(|name| world.count(&format!("/gateway/devices/{name}/rejected")));
    assert_eq!((rejected, world.records()), ([3, 1], before), "counted, and nothing of it is stored");
}

#[test]
fn a_killed_gateway_loses_no_acknowledged_event_and_doubles_none() {
    let mut world = world();
    let (acked, told) = (world.path("acked"), world.path("told.jsonl"));
    let count = 3_000;
    let peer = Peer::new("chirpstack.py").with("--port", world.mqtt_port).with("--user", "chirpstack");
    let peer = peer.with("--password", password("chirpstack")).with("--device", format!("object:{OBJECT_EUI}"));
    let peer = peer.with("--count", count).with("--rate", 400).with("--window", 60).with("--deadline", 120);
    let running = peer.with("--acked", acked.display()).with("--told", told.display()).start();
    let lines = || fs::read_to_string(&acked).unwrap_or_default().lines().count();
    for _ in 0..6 {
        let before = lines();
        until("events are acknowledged", 30, || (lines() > before + 150).then_some(()));
        world.kill_gateway();
        world.start_gateway();
    }
    let finished = running.finish().exits(0);
    assert_eq!(finished.number("acknowledged"), count);
    assert!(finished.number("connects") > 6);
    let expected: Vec<Value> =
        fs::read_to_string(&told).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let key = |said: &Value| format!("{} {} {}", said["dev_addr"], said["f_cnt"], said["value"]);
    let frames: Vec<String> = records(&world, "object").iter().map(|record| key(&said(record))).collect();
    assert_eq!(frames.len(), expected.len(), "stored once each");
    assert!(frames == expected.iter().map(key).collect::<Vec<_>>(), "in the order in which they were sent");
}

#[test]
fn hostile_events_cost_nothing_but_themselves() {
    for level in [4, 5] {
        let world = world();
        let other = Device::cod("other");
        let sensor = Peer::sensor("paho_sensor.py", &world, &other).with("--count", 200).with("--rate", 50).start();
        let peer = chirpstack(&world, level).args(["--hostile"]).with("--count", 400).with("--seed", level);
        let finished = peer.run().exits(0);
        assert_eq!((finished.number("acknowledged"), finished.number("connects")), (402, 1));
        let sensor = sensor.finish().exits(0);
        assert_eq!((sensor.number("acknowledged"), sensor.number("connects")), (200, 1));
        for device in ["data", "object"] {
            let last = records(&world, device).pop().unwrap();
            assert!(last["link"]["f_cnt"].as_u64() >= Some(1_000_000), "the sound one behind all others: {last}");
        }
        assert!(world.count("/gateway/devices/chirpstack/rejected") > 100);
        conserved(&world);
        assert_eq!(values(&world.export(), "other", "n").len(), 200);
    }
}

fn send(world: &World, device: &str, payload: &str, more: &[&str]) -> Answer {
    let config_dir = world.path("").display().to_string();
    let mut arguments = vec!["device", "--config-dir", &config_dir, "send", device, payload];
    arguments.extend(more);
    world.weir(&arguments)
}

#[test]
fn devices_of_a_chirpstack_are_added_like_others_and_none_may_speak_as_it() {
    let world = world();
    let config_dir = world.path("").display().to_string();
    let add = |more: &[&str]| {
        let arguments = ["device", "--config-dir", &config_dir, "add", "new", "--codec", "=data"];
        world.weir(&[&arguments, more].concat())
    };
    let spoof = add(&["--link", "mqtt", "--topic", "application/1/device/0101010101010101/event/up"]);
    assert!(spoof.code != Some(0) && spoof.err.contains("whose events are believed"), "{spoof:?}");
    let twin = add(&["--link", "chirpstack", "--dev-eui", DATA_EUI]);
    assert!(twin.code != Some(0) && twin.err.contains("is that of `data`"), "{twin:?}");
    add(&["--link", "chirpstack", "--dev-eui", "0303030303030303"]).exits(0);
    let shown = world.weir(&["device", "--config-dir", &config_dir, "show", "new", "--json"]).exits(0).json();
    assert_eq!((&shown["link"], &shown["identity"]["dev_eui"]), (&json!("chirpstack"), &json!("0303030303030303")));
}

#[test]
fn commands_go_through_chirpstack_once_it_listens_also_after_a_restart() {
    let mut world = world();
    let unheard = send(&world, "data", "0a3c", &[]).exits(3);
    assert!(unheard.err.contains("first frame"), "{unheard:?}");
    chirpstack(&world, 4).with("--count", 30).run().exits(0);
    let too_long = send(&world, "data", &"00".repeat(243), &[]).exits(3);
    assert!(too_long.err.contains("at most 242"), "{too_long:?}");
    let sent = send(&world, "data", "0a3c", &["--fport", "10", "--confirmed"]).exits(0);
    assert!(sent.out.contains("until ChirpStack has it"), "{sent:?}");
    send(&world, "object", "ff", &[]).exits(0);
    world.kill_gateway();
    world.start_gateway();
    // As ChirpStack asks for them; and alone in a share, as some set it up.
    let filter = "application/+/device/+/command/+";
    let first = subscriber(&world, "chirpstack", filter).with("--count", 2).args(["--keep-session"]).run().exits(0);
    let got = messages(&first);
    let topic = |eui: &str| format!("application/{APPLICATION}/device/{eui}/command/down");
    assert_eq!((got[0]["topic"].as_str(), &got[0]["qos"]), (Some(topic(DATA_EUI).as_str()), &json!(1)));
    let fields = |at: usize| ["devEui", "confirmed", "fPort", "data"].map(|name| got[at]["fields"][name].clone());
    assert_eq!(fields(0), [json!(DATA_EUI), json!(true), json!(10), json!("Cjw=")]);
    assert_eq!(fields(1), [json!(OBJECT_EUI), json!(false), json!(1), json!("/w==")]);
    assert_ne!(got[0]["fields"]["id"], got[1]["fields"]["id"]);
    // What it has acknowledged it does not get again, over a restart and a new session.
    world.kill_gateway();
    world.start_gateway();
    send(&world, "data", "01", &[]).exits(0);
    let shared = "$share/all/application/+/device/+/command/+";
    let second = subscriber(&world, "chirpstack", shared).with("--level", 5).run().exits(0);
    assert_eq!(messages(&second)[0]["fields"]["data"], "AQ==");
}

#[test]
fn readers_get_events_that_the_types_of_chirpstack_read_strictly() {
    let mut devices = entries();
    let radio = [Device::joining("level", "1.0.3", "0011223344556677"), Device::lora("flow", "26010001")];
    devices.extend(radio.iter().cloned());
    let world =
        World::box_only(&devices, &format!("{PATIENT}[chirpstack]\npublish = true\napplication_id = \"river\"\n"));
    let events =
        subscribed(&world, subscriber(&world, "node-red", "application/+/device/+/event/up").with("--count", 4));
    let mut air = Radio::start(&world, &radio);
    air.join("level", 1, json!({}));
    air.confirmed("level", json!({"payload": "01670110", "f_port": 2}));
    air.confirmed("flow", json!({"fcnt": 0, "payload": "0167ff", "f_port": 85}));
    // MAC commands alone are between the device and its network.
    air.confirmed("level", json!({"f_port": 0, "payload": "02"}));
    air.confirmed("flow", json!({"fcnt": 1, "payload": "01670110", "f_port": 85}));
    // What a ChirpStack hands in is passed on as well.
    chirpstack(&world, 4).with("--count", 1).run().exits(0);
    let finished = events.finish().exits(0);
    let got = messages(&finished);
    let topics: Vec<&str> = got.iter().map(|message| message["topic"].as_str().unwrap()).collect();
    assert_eq!(topics[0], "application/river/device/0011223344556677/event/up");
    assert!(topics[1].starts_with("application/river/device/02") && topics[1] == topics[2], "{topics:?}");
    assert!(topics[3].starts_with(&format!("application/{APPLICATION}/")), "{topics:?}");
    let level = &got[0]["fields"];
    let fields = ["fPort", "confirmed", "data", "dr", "regionConfigId"].map(|name| level[name].clone());
    assert_eq!(fields, [json!(2), json!(true), json!("AWcBEA=="), json!(5), json!("eu868")]);
    assert_eq!(level["deviceInfo"]["deviceName"], "level");
    assert_eq!(level["object"], json!({"temperature_1": 27.2}));
    assert_eq!(level["rxInfo"].as_array().map(Vec::len), Some(1));
    assert_eq!(level["rxInfo"][0]["crcStatus"], "CRC_OK");
    assert_eq!(level["txInfo"]["modulation"]["lora"]["spreadingFactor"], 7);
    let undecodable = &got[1]["fields"];
    assert_eq!((&undecodable["data"], undecodable.get("object")), (&json!("AWf/"), None), "others may know it");
    assert_eq!(got[2]["fields"]["devAddr"], "26010001");
    assert_eq!((&got[1]["fields"]["fCnt"], &got[2]["fields"]["fCnt"]), (&json!(0), &json!(1)));
}

#[test]
fn nothing_is_told_unless_it_is_configured() {
    let mut devices = entries();
    let flow = Device::lora("flow", "26010001");
    devices.push(flow.clone());
    let world = World::box_only(&devices, PATIENT);
    let events = subscribed(&world, subscriber(&world, "node-red", "application/#").with("--count", 1));
    let mut air = Radio::start(&world, std::slice::from_ref(&flow));
    air.confirmed("flow", json!({"fcnt": 1, "payload": "01670110"}));
    chirpstack(&world, 4).with("--count", 1).run().exits(0);
    let finished = events.finish().exits(0);
    let topic = messages(&finished)[0]["topic"].as_str().unwrap();
    assert!(topic.starts_with(&format!("application/{APPLICATION}/")), "only what ChirpStack hands in: {topic}");
}
