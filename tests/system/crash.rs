//! SIGKILL of the gateway under load, fifty times: what a sensor saw acknowledged is in the journal after every
//! restart (A1), nothing is there twice, and in the end everything is on both platforms once (J2, D3).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use system_tests::row::{once, values};
use system_tests::{Device, Peer, World, until};

const KILLS: u64 = 50;
/// Acknowledgements between two kills, at least: every kill hits a gateway at work.
const ACKNOWLEDGED_BETWEEN_KILLS: usize = 40;
/// Messages per second and sensor; what an outage delayed comes in one burst.
const RATE: u64 = 120;

/// Protocol level, QoS, window, further options.
const SENSORS: [(&str, u8, u8, u8, &[&str]); 4] = [
    ("v4-q1", 4, 1, 16, &[]),
    ("v5-q1", 5, 1, 16, &[]),
    ("v4-q2", 4, 2, 8, &["--keep-session"]),
    ("v5-q2", 5, 2, 8, &["--keep-session"]),
];

fn acknowledged_by_all(world: &World) -> BTreeMap<&'static str, BTreeSet<u64>> {
    SENSORS.iter().map(|(name, ..)| (*name, world.acknowledged(name))).collect()
}

fn total(acknowledged: &BTreeMap<&'static str, BTreeSet<u64>>) -> usize {
    acknowledged.values().map(BTreeSet::len).sum()
}

#[test]
fn fifty_kills_under_load_lose_and_double_nothing() {
    let devices: Vec<Device> = SENSORS.iter().map(|(name, ..)| Device::cod(name)).collect();
    let mut world = World::start(&devices);
    let stop = world.path("stop");
    let sensors: Vec<_> = SENSORS
        .iter()
        .zip(&devices)
        .map(|((name, level, qos, window, more), device)| {
            let sensor = Peer::sensor("paho_sensor.py", &world, device).with("--level", level).with("--qos", qos);
            let sensor = sensor.with("--window", window).args(*more).with("--rate", RATE).with("--deadline", 300);
            let sensor = sensor.with("--count", 1_000_000).with("--until", stop.display());
            sensor.with("--acked", world.path(&format!("{name}.acked")).display()).start()
        })
        .collect();
    for kill in 1..=KILLS {
        let before = total(&acknowledged_by_all(&world));
        until("sensors are acknowledged", 30, || {
            let now = total(&acknowledged_by_all(&world));
            (now >= before + ACKNOWLEDGED_BETWEEN_KILLS).then_some(())
        });
        // Different moments of the commit's cycle: 0 to 96 ms in steps that share no factor with it.
        sleep(Duration::from_millis(kill * 37 % 97));
        world.kill_gateway();
        // Journaled is asked after acknowledged: what is acknowledged meanwhile cannot be missed by accident.
        let acknowledged = acknowledged_by_all(&world);
        world.start_gateway();
        let rows = world.export();
        for (name, numbers) in &acknowledged {
            let journaled = values(&rows, name, "n");
            let missing: Vec<_> = numbers.iter().filter(|n| !journaled.contains_key(&n.to_string())).collect();
            assert!(missing.is_empty(), "kill {kill}: {name} saw acknowledged what is not in the journal: {missing:?}");
            let doubled: Vec<_> = journaled.iter().filter(|(_, count)| **count > 1).collect();
            assert!(doubled.is_empty(), "kill {kill}: {name}: twice in the journal: {doubled:?}");
        }
    }
    fs::write(&stop, "").unwrap();
    let sent: Vec<u64> = sensors.into_iter().map(|sensor| sensor.finish().exits(0).number("sent")).collect();
    let rows = world.delivered();
    for ((name, ..), sent) in SENSORS.iter().zip(sent) {
        assert_eq!(values(&rows, name, "n"), once(1..=sent), "{name}: each number once");
    }
    world.verify().exits(0);
}
