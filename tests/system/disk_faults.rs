//! A disk that is full, read-only or broken below one of the box's folders: what cannot be stored is not acknowledged,
//! nobody dies, and intake goes on by itself when the disk does.

use std::fs::{self, File};
use std::io::{Read, pipe};
use std::os::unix::fs::symlink;
use std::process::Stdio;

use serde_json::Value;
use system_tests::disk::Trouble;
use system_tests::row::{once, values};
use system_tests::{Device, Disk, Peer, World, until};

const TROUBLES: [Trouble; 3] = [Trouble::Full, Trouble::ReadOnly, Trouble::Broken];
/// Exit status: could not be done.
const FAILED: i32 = 3;
/// Acknowledgements before, and refusals during a trouble.
const SEVERAL: u64 = 60;
const RULE: &str = "[[rule]]\nid = \"high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 200\n";

fn disk(world: &World) -> &Disk {
    world.disk.as_ref().expect("on a disk")
}

fn until_acknowledged(world: &World, name: &str, more: u64) {
    let count = || world.acknowledged(name).len() as u64;
    let before = count();
    until(&format!("{name} is acknowledged"), 60, || (count() >= before + more).then_some(()));
}

fn until_refused(world: &World, refusals: u64) {
    let before = disk(world).refused();
    until("the disk refuses", 60, || (disk(world).refused() >= before + refusals).then_some(()));
}

fn alive(world: &mut World) {
    world.gateway.as_mut().into_iter().chain(world.sync.as_mut()).for_each(system_tests::Daemon::check);
}

/// A box that delivers, and sensors of both protocol levels at work until the file `stop` is there.
fn at_work(rate: u64) -> (World, Vec<system_tests::peer::Running>, Vec<Device>) {
    let devices = vec![Device::cod("v4-q1"), Device::cod("v5-q2"), Device::cod("cod-1")];
    let all: Vec<Device> = devices.iter().cloned().chain([Device::lora("level-1", "26010001")]).collect();
    let mut world = World::on_disk(&all, "");
    fs::write(world.path("rules.toml"), RULE).unwrap();
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    let stop = world.path("stop").display().to_string();
    let sensor = |device: &Device, level: u8, qos: u8| {
        let peer = Peer::sensor("paho_sensor.py", &world, device).with("--level", level).with("--qos", qos);
        let peer = peer.with("--rate", rate).with("--count", 1_000_000).with("--until", &stop).with("--deadline", 300);
        let peer = if qos == 2 { peer.args(["--keep-session"]) } else { peer };
        peer.with("--acked", world.path(&format!("{}.acked", device.name)).display()).start()
    };
    let sensors = vec![sensor(&devices[0], 4, 1), sensor(&devices[1], 5, 2)];
    (world, sensors, devices)
}

#[test]
fn a_journal_that_cannot_be_written_acknowledges_nothing_and_goes_on_by_itself() {
    let (mut world, sensors, devices) = at_work(60);
    let loud = "{\"n\":%n,\"cod\":999}";
    for (nth, trouble) in TROUBLES.into_iter().enumerate() {
        until_acknowledged(&world, "v4-q1", SEVERAL);
        disk(&world).fail("state/journal", trouble);
        until_refused(&world, 1);
        until("the status says so", 30, || {
            world.status().pointer("/gateway/journal/failing")?.as_str().map(str::to_owned)
        });
        // Asked for before the journal: what is acknowledged meanwhile cannot be missed by accident.
        let before = [world.acknowledged("v4-q1"), world.acknowledged("v5-q2")];
        let alarm = Peer::sensor("paho_sensor.py", &world, &devices[2]).with("--payload", loud).with("--count", 1);
        let alarm = alarm.with("--first", nth + 1).with("--deadline", 120).start();
        let uplink = Peer::lora(&world).with("--count", 1).with("--fcnt", nth + 1).with("--tries", 100).start();
        until_refused(&world, 5);
        alive(&mut world);
        let rows = world.export();
        for (name, numbers) in ["v4-q1", "v5-q2"].into_iter().zip(before) {
            let stored = values(&rows, name, "n");
            let missing: Vec<_> = numbers.iter().filter(|n| !stored.contains_key(&n.to_string())).collect();
            assert!(missing.is_empty(), "{trouble:?}: {name}: acknowledged and not stored: {missing:?}");
        }
        assert!(disk(&world).heal() > 0);
        until_acknowledged(&world, "v4-q1", SEVERAL);
        assert_eq!(alarm.finish().exits(0).number("acknowledged"), 1, "{trouble:?}: the alarm's frame comes through");
        assert_eq!(uplink.finish().exits(0).number("acknowledged"), 1, "{trouble:?}: so does the LoRaWAN frame");
        assert_eq!(world.status().pointer("/gateway/journal/failing"), Some(&Value::Null), "{trouble:?}: healed");
        assert!(!world.status()["gateway"]["alarms"].as_array().unwrap().is_empty(), "{trouble:?}: the alarm stands");
        alive(&mut world);
    }
    fs::write(world.path("stop"), "").unwrap();
    let sent: Vec<u64> = sensors.into_iter().map(|sensor| sensor.finish().exits(0).number("sent")).collect();
    let rows = world.delivered();
    for (name, sent) in ["v4-q1", "v5-q2"].into_iter().zip(sent) {
        assert_eq!(values(&rows, name, "n"), once(1..=sent), "{name}: each number once");
    }
    assert!(world.count("/gateway/devices/v4-q1/shed") > 0, "what came to nothing is counted (A3)");
    world.verify().exits(0);
}

#[test]
fn an_outbox_that_cannot_be_written_delays_delivery_and_nothing_else() {
    let (mut world, sensors, _) = at_work(40);
    for trouble in TROUBLES {
        until_acknowledged(&world, "v4-q1", SEVERAL);
        disk(&world).fail("state/outbox", trouble);
        until_refused(&world, 5);
        until_acknowledged(&world, "v4-q1", SEVERAL);
        alive(&mut world);
        assert_eq!(world.status().pointer("/gateway/journal/failing"), Some(&Value::Null), "{trouble:?}");
        assert!(disk(&world).heal() > 0);
        let end = world.records();
        until(&format!("{trouble:?}: receipts come again"), 60, || {
            let status = world.status();
            let mut destinations = status["sync"]["destinations"].as_array()?.iter();
            destinations.all(|destination| destination["covered"].as_u64() >= Some(end)).then_some(())
        });
    }
    fs::write(world.path("stop"), "").unwrap();
    sensors.into_iter().for_each(|sensor| drop(sensor.finish().exits(0)));
    world.delivered();
    world.verify().exits(0);
}

#[test]
fn a_box_that_cannot_open_its_files_says_so_and_starts_once_it_can() {
    let device = Device::cod("cod-1");
    let mut world = World::on_disk(std::slice::from_ref(&device), "");
    let config = world.path("gateway.toml").display().to_string();
    for trouble in TROUBLES {
        disk(&world).fail("state", trouble);
        let answer = world.weir(&["gateway", "run", "--config", &config]).exits(FAILED);
        assert!(answer.err.contains("disk/state") || answer.err.contains("/state/"), "{trouble:?}: {}", answer.err);
        assert!(answer.err.contains("· try: "), "{trouble:?}: {}", answer.err);
        assert!(disk(&world).heal() > 0);
    }
    world.start_gateway();
    Peer::sensor("paho_sensor.py", &world, &device).with("--count", 20).run().exits(0);
    world.start_platforms();
    disk(&world).fail("state/outbox", Trouble::Full);
    let sync = world.sync_config();
    let answer = world.weir(&["sync", "run", "--config", &sync]).exits(FAILED);
    assert!(answer.err.contains("outbox") && answer.err.contains("· try: "), "{}", answer.err);
    assert!(disk(&world).heal() > 0);
    world.restart_sync();
    world.delivered();
}

#[test]
fn a_device_is_added_whole_or_not_at_all_whichever_step_fails() {
    let world = World::on_disk(&[Device::cod("cod-1")], "");
    let config_dir = world.config_dir();
    let mut failed = 0;
    for trouble in TROUBLES {
        for step in 0.. {
            let name = format!("{trouble:?}-{step}").to_lowercase();
            let before = world.config_texts();
            disk(&world).fail_after(step, "", trouble);
            let add = ["device", "--config-dir", &config_dir, "add", &name, "--link", "mqtt", "--codec", "=cod-1"];
            let answer = world.weir(&add);
            let refused = disk(&world).heal();
            let after = world.config_texts();
            world.weir(&["config", "check", &world.path("gateway.toml").display().to_string()]).exits(0);
            if refused == 0 {
                answer.exits(0);
                assert!(after.0.contains(&name) && after.1.contains(&name), "{name} is there with its key");
                break;
            }
            failed += 1;
            let answer = answer.exits(FAILED);
            assert!(answer.err.contains(".toml") && answer.err.contains("· try: "), "{name}: {}", answer.err);
            assert!(after.0.starts_with(before.0.trim_end()), "{name}: what was there stays");
            assert!(after.1.starts_with(before.1.trim_end()), "{name}: what was there stays");
            let has = |text: &str| text.contains(&name);
            assert!(!has(&after.0) || has(&after.1), "{name}: no device without its key");
        }
    }
    // Making, writing, renaming and syncing two files are more than ten steps for a broken disk alone.
    assert!(failed > 15, "{failed} steps failed");
    let left = fs::read_dir(disk(&world).path())
        .unwrap()
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(".new")));
    assert_eq!(left.count(), 0, "nothing unfinished is left once it works again");
}

/// The gateway with its log going there; it must serve as ever.
fn serves_logging_to(stderr: impl FnOnce() -> Stdio, what: &str) {
    let device = Device::cod("cod-1");
    let mut world = World::on_disk(std::slice::from_ref(&device), "");
    world.start_gateway_logging_to(stderr());
    // Each of these connections, refused frames and failed commits is a line in the log.
    for first in [1, 101, 201] {
        let peer = Peer::sensor("paho_sensor.py", &world, &device).with("--count", 100).with("--first", first);
        let running = peer.with("--rate", 200).start();
        disk(&world).fail("state/journal", Trouble::Broken);
        until_refused(&world, 3);
        disk(&world).heal();
        assert_eq!(running.finish().exits(0).number("acknowledged"), 100, "{what}");
    }
    let rows = world.export();
    assert_eq!(values(&rows, "cod-1", "n"), once(1..=300), "{what}");
    alive(&mut world);
    assert_eq!(world.gateway.take().unwrap().terminate(), Some(0), "{what}: stops as ever");
}

#[test]
fn a_log_that_nobody_takes_stops_nothing() {
    serves_logging_to(|| File::options().write(true).open("/dev/full").unwrap().into(), "a full disk");
    serves_logging_to(
        || {
            let (reader, writer) = pipe().unwrap();
            drop(reader);
            writer.into()
        },
        "a reader that has gone",
    );
}

#[test]
fn a_log_whose_reader_hangs_stops_nothing() {
    let (mut reader, writer) = pipe().unwrap();
    // Full to the brim: the next line would wait for ever.
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
    let mut filler = &writer;
    while std::io::Write::write(&mut filler, &[b'.'; 512]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty()).unwrap();
    serves_logging_to(move || writer.into(), "a reader that hangs");
    let mut text = Vec::new();
    reader.read_to_end(&mut text).unwrap();
    assert!(text.ends_with(b"."), "nobody read it meanwhile");
}

#[test]
fn sockets_that_cannot_be_made_are_a_named_failure_and_later_troubles_are_none() {
    let device = Device::cod("cod-1");
    let mut world = World::on_disk(std::slice::from_ref(&device), "");
    symlink("disk/run", world.path("run")).unwrap();
    fs::create_dir(disk(&world).path().join("run")).unwrap();
    let config = world.path("gateway.toml").display().to_string();
    for trouble in TROUBLES {
        disk(&world).fail("run", trouble);
        let answer = world.weir(&["gateway", "run", "--config", &config]).exits(FAILED);
        assert!(answer.err.contains("gateway.sock") && answer.err.contains("· try: "), "{trouble:?}: {}", answer.err);
        assert!(disk(&world).heal() > 0);
    }
    world.start_gateway();
    for (trouble, first) in TROUBLES.into_iter().zip([1, 21, 41]) {
        disk(&world).fail("run", trouble);
        Peer::sensor("paho_sensor.py", &world, &device).with("--count", 20).with("--first", first).run().exits(0);
        assert_eq!(world.count("/gateway/devices/cod-1/accepted"), first + 19, "{trouble:?}: the status is served");
        disk(&world).heal();
    }
}
