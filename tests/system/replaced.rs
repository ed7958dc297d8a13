//! A box was lost. Another machine takes its place with a backup and a key of its own: it delivers, nothing is doubled, and
//! what the lost one signed is still proven.

use std::fs;

use serde_json::Value;
use system_tests::config::BOX;
use system_tests::{Device, Peer, World, until};

const FRAMES: u64 = 200;

fn frames(world: &World, sensor: &Device, first: u64) {
    Peer::sensor("paho_sensor.py", world, sensor).with("--first", first).with("--count", FRAMES).run().exits(0);
}

/// Lets this machine's key in at both platforms.
fn enroll(world: &World) {
    let config = world.path("sync.toml").display().to_string();
    for party in &world.platforms {
        let platform = world.path(&format!("{}-platform.toml", party.name)).display().to_string();
        let made = world.weir(&["platform", "invite", BOX, "--config", &platform, "--json"]).exits(0).json();
        let (url, code) = (format!("https://127.0.0.1:{}", party.port), made["code"].as_str().unwrap().to_owned());
        world.weir(&["identity", "enroll", "--config", &config, &url, &code]).exits(0);
    }
}

/// Both platforms have each frame of the sensor, once.
fn delivered(world: &World, frames: u64) {
    until("nothing is parked and all is delivered", 60, || {
        let status = world.status();
        let all = status["sync"]["destinations"].as_array()?.clone();
        assert!(all.iter().all(|one| one["parked"] == 0), "{all:#?}");
        let is_done = |one: &Value| one["missing"] == 0 && one["end"].as_u64() == Some(world.records());
        all.iter().all(is_done).then_some(())
    });
    for party in &world.platforms {
        let ours = party.rows().into_iter().filter(|row| row.source == "cod-1" && row.quantity == "n");
        let mut numbers: Vec<u64> = ours.map(|row| row.value.parse().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=frames).collect::<Vec<_>>(), "{}: each once", party.name);
    }
}

#[test]
fn another_machine_takes_the_place_of_a_lost_one() {
    let sensor = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&sensor), "[checkpoint]\nrecords_max = 50\n");
    world.start_gateway();
    world.start_strange_platforms();
    fs::write(world.path("sync.toml"), "state_dir = \"state\"\nrun_dir = \"run\"\n").unwrap();
    enroll(&world);
    world.restart_sync();
    frames(&world, &sensor, 1);
    delivered(&world, FRAMES);
    let lost = world.public_key();
    let stick = world.path("stick").display().to_string();
    world.weir(&["backup", &stick]).exits(0);

    // Everything of it is gone, its key as well.
    (world.gateway, world.sync) = (None, None);
    fs::remove_dir_all(world.path("state")).unwrap();
    fs::create_dir(world.path("state")).unwrap();
    world.weir(&["restore", &stick]).exits(0);
    world.start_gateway();
    let status = world.status();
    assert!(status["gateway"]["journal"]["salvaged"].is_null(), "nothing is damaged: {status:#}");
    let key = world.public_key();
    assert_ne!(key, lost);
    enroll(&world);
    world.restart_sync();
    frames(&world, &sensor, FRAMES + 1);
    delivered(&world, 2 * FRAMES);

    let told = world.verify().exits(0).out;
    assert!(told.contains("a machine before this one") && told.contains(&lost_id(&world)), "{told}");
    let file = world.path("box.weirlog").display().to_string();
    world.weir(&["export", "--journal", "-o", &file]).exits(0);
    world.weir(&["verify", &file, "--key", &key]).exits(0);
    // Without anybody's word for the new machine, what the lost one signed is all that is proven.
    let alone = world.weir(&["verify", &file, "--key", &lost]).exits(1);
    assert!(alone.out.contains("proven: records before") && alone.out.contains("nobody vouches"), "{}", alone.out);
    let platform = format!("{}={}", world.platforms[0].name, world.platforms[0].public_key());
    let vouched = world.weir(&["verify", &file, "--key", &lost, "--platform", &platform]).exits(0);
    assert!(vouched.out.contains(&format!("by the word of platform {}", world.platforms[0].name)), "{}", vouched.out);
    world.weir(&["verify", &file, "--key", &key, "--platform", &platform]).exits(0);
    // A copy of the copy still knows both.
    world.weir(&["backup", &world.path("second").display().to_string()]).exits(0);
    assert_eq!(fs::read_dir(world.path("second/keys")).unwrap().count(), 2);
    // Without the lost one's key its signatures prove nothing.
    fs::remove_dir_all(world.path("state/identity/former")).unwrap();
    world.verify().exits(1);
}

/// The name of the one key that is remembered.
fn lost_id(world: &World) -> String {
    let entry = fs::read_dir(world.path("state/identity/former")).unwrap().next().unwrap().unwrap();
    entry.path().file_stem().unwrap().to_string_lossy().into_owned()
}
