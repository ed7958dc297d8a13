//! `weir metrics`, read by Prometheus' own client.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use system_tests::{Device, Peer, Sensor, World, until};

fn read(world: &World) -> Value {
    let file = world.path("weir.prom");
    let printed = world.weir(&["metrics"]).exits(0).out;
    world.weir(&["metrics", "--to", &file.display().to_string()]).exits(0);
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), printed.lines().count());
    Peer::new("metrics.py").args([file]).run().exits(0).summary()["families"].clone()
}

/// The value of a sample with these labels.
fn value(families: &Value, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let has = |sample: &&Value| labels.iter().all(|(key, text)| sample[0][*key] == *text);
    families[name]["samples"].as_array()?.iter().find(has)?[1].as_f64()
}

#[test]
fn the_numbers_are_those_of_the_box_and_each_is_explained() {
    let devices = [Device::cod("cod-1"), Device::cod("cod-2")];
    let mut world = World::start(&devices);
    let mut sensor = Sensor::connect(&world, &devices[0]);
    for n in 1..=5 {
        sensor.publish(&format!(r#"{{"n": {n}, "cod": 20.5}}"#));
    }
    world.delivered();
    let families = read(&world);
    let of = |name: &str, labels: &[(&str, &str)]| value(&families, name, labels);
    assert_eq!(of("weir_frames_total", &[("device", "cod-1"), ("verdict", "accepted")]), Some(5.0));
    assert_eq!(of("weir_frames_total", &[("device", "cod-2"), ("verdict", "accepted")]), Some(0.0));
    assert_eq!(of("weir_device_seen_seconds", &[("device", "cod-2")]), None, "it never said anything");
    for name in ["municipal", "provincial"] {
        assert_eq!(of("weir_destination_missing_records", &[("destination", name)]), Some(0.0));
        assert!(of("weir_destination_receipts_total", &[("destination", name)]) >= Some(1.0));
    }
    assert_eq!(of("weir_up", &[("daemon", "gateway")]), Some(1.0));
    assert_eq!(of("weir_journal_records_total", &[]), Some(world.records() as f64));
    assert_eq!(of("weir_info", &[("box", "outfall-1")]), Some(1.0));

    for lang in ["en", "zh"] {
        let listed = world.weir(&["--lang", lang, "metrics", "--list"]).exits(0).out;
        let listed: BTreeSet<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let told = families.as_object().unwrap().keys();
        assert!(told.clone().count() > 15 && told.clone().all(|name| listed.contains(name.as_str())), "{listed:?}");
    }
    world.kill_gateway();
    until("the gateway is known to be away", 10, || {
        (value(&read(&world), "weir_up", &[("daemon", "gateway")]) == Some(0.0)).then_some(())
    });
    assert!(world.weir(&["metrics", "--to", "/proc/none/weir.prom"]).exits(3).err.contains("try: ls -ld"));
}
