//! A box on a machine whose clock is as it is: it never says more of the time than the kernel does. Nothing here sets a
//! clock.

use serde_json::Value;
use system_tests::{Device, Peer, World};

/// Each line of the journal as `weir tail --json` has it.
fn tail(world: &World) -> Vec<Value> {
    world.weir(&["tail", "--json", "--lines", "1000"]).exits(0).json_lines()
}

#[test]
fn what_is_known_of_the_time_is_told_and_nothing_more() {
    let sensor = Device::cod("cod-1");
    let mut world = World::box_only(std::slice::from_ref(&sensor), "");
    Peer::sensor("paho_sensor.py", &world, &sensor).with("--count", 3).run().exits(0);
    let clock = world.status()["gateway"]["clock"].clone();
    let records = tail(&world);
    let frames: Vec<&Value> = records.iter().filter(|record| record["kind"] == "frame").collect();
    let told = records.iter().any(|record| record["kind"] == "clock");
    assert_eq!(frames.len(), 3, "{records:?}");
    let basis = |record: &&Value| record["true_time"]["basis"].as_str().unwrap().to_owned();
    let bases: Vec<String> = frames.iter().map(basis).collect();
    let export = world.weir(&["export", "--json"]).exits(0).json_lines();
    if clock["state"] == "unset" {
        assert!(!told && clock["source"].is_null() && clock["error_ms"].is_null(), "{clock}");
        assert_eq!(bases, ["unknown"; 3], "nobody ever told it");
        assert!(export.iter().all(|row| row["true_time"].is_null() && row["clock"] == "unset"), "{export:?}");
        let notes = world.weir(&["status"]).out;
        assert!(notes.contains("timedatectl set-ntp true"), "says what to do: {notes}");
    } else {
        assert!(told && clock["source"].is_string() && clock["error_ms"].is_u64(), "{clock}");
        assert!(bases.iter().all(|basis| basis != "unknown"), "{bases:?}");
        assert!(export.iter().all(|row| row["true_time"].is_string()), "{export:?}");
    }

    // The next start of the daemon goes on from there.
    world.kill_gateway();
    world.start_gateway();
    Peer::sensor("paho_sensor.py", &world, &sensor).with("--count", 1).with("--first", 100).run().exits(0);
    let stamps: Vec<(u64, u64, i64)> = tail(&world)
        .iter()
        .map(|record| {
            let stamp = &record["stamp"];
            let number = |name: &str| stamp[name].as_u64().unwrap();
            (number("boot"), number("mono_ms"), stamp["wall_ms"].as_i64().unwrap())
        })
        .collect();
    assert!(stamps.is_sorted() && stamps.is_sorted_by_key(|(.., wall_ms)| *wall_ms), "{stamps:?}");
}
