//! A box that shows two histories: its journal is copied, and both copies go on under one key. Each platform alone sees it
//! where it is shown both, and two of them see it by comparing notes where each is shown one.

use std::fs;
use std::process::Command;

use serde_json::Value;
use system_tests::config::BOX;
use system_tests::{Answer, Device, Party, Peer, World, until};

/// A signed checkpoint every so many records, so that there are many.
const CHECKPOINTS: &str = "[checkpoint]\nrecords_max = 20\n";

/// A box with one sensor; the sensor's next number.
struct Station {
    world: World,
    sensor: Device,
    next: u64,
}

impl Station {
    fn new() -> Station {
        let sensor = Device::cod("cod-1");
        Station { world: World::prepared(std::slice::from_ref(&sensor), CHECKPOINTS), sensor, next: 1 }
    }

    /// The sensor sends, and the box delivers.
    fn send(&mut self, count: u64) {
        let peer = Peer::sensor("paho_sensor.py", &self.world, &self.sensor).with("--first", self.next);
        peer.with("--count", count).run().exits(0);
        self.next += count;
        until("all is delivered or parked", 60, || {
            let records = self.world.records();
            let is_done = |one: &Value| one["missing"] == 0 && one["end"].as_u64() == Some(records);
            self.world.destinations().iter().all(is_done).then_some(())
        });
    }

    /// The same journal, outbox and key on another machine.
    fn copy(&self, to: &Station) {
        let copied = to.world.path("state");
        let _ = fs::remove_dir_all(&copied);
        Answer::of(Command::new("cp").arg("-a").arg(self.world.path("state")).arg(&copied)).exits(0);
    }

    fn stop(&mut self) {
        (self.world.gateway, self.world.sync) = (None, None);
    }

    fn go_on(&mut self) {
        self.world.start_gateway();
        self.world.start_sync();
    }
}

/// How far a platform has this box proven: size, heads that are not.
fn proven(party: &Party) -> (u64, u64) {
    let one = party.get("/v1/boxes")[0].clone();
    (one["proven_size"].as_u64().unwrap_or(0), one["unproven"].as_u64().unwrap())
}

/// Sends until every head that the platform has is proven, up to the newest but some.
fn prove(station: &mut Station, party: usize) {
    for _ in 0..20 {
        station.send(25);
        let (size, unproven) = proven(&station.world.platforms[party]);
        if unproven == 0 && size > station.next - 25 {
            return;
        }
    }
    panic!("an honest box does not come to be proven: {:?}", proven(&station.world.platforms[party]));
}

fn url(party: &Party) -> String {
    format!("https://127.0.0.1:{}/v1/boxes/{BOX}/checkpoint", party.port)
}

/// `weir platform compare` beside `here`, with what `note` is of the other platform.
fn compare(world: &World, here: &str, note: &str, with: &Party) -> Answer {
    let (config, with) = (format!("{here}-platform.toml"), format!("{}={}", with.name, with.public_key()));
    let config = world.path(&config).display().to_string();
    world.weir(&["platform", "compare", note, "--with", &with, "--config", &config, "--json"])
}

/// The note as another program verifies it.
fn note(world: &World, party: &Party) -> String {
    let path = world.path(&format!("{}.note", party.name));
    fs::write(&path, party.curl(&format!("/v1/boxes/{BOX}/checkpoint"), &["--fail"]).exits(0).out).unwrap();
    let vkey = party.get("/v1/key")["cosigner"].as_str().unwrap().to_owned();
    let verified = Peer::new("verify_note.py").args([&path]).with("--vkey", vkey).args(["--flips"]).run().exits(0);
    let told = verified.summary();
    assert_eq!(told["origin"], format!("weir/box/{BOX}"), "{told}");
    assert!(told["size"].as_u64() > Some(0) && told["flips"].as_u64() > Some(1_000), "{told}");
    path.display().to_string()
}

#[test]
fn two_histories_are_found_by_a_platform_alone_and_by_two_that_compare_notes() {
    let (mut original, mut twin) = (Station::new(), Station::new());
    original.world.start_gateway();
    original.world.start_platforms();
    original.world.start_sync();
    prove(&mut original, 0);
    prove(&mut original, 1);

    // One history so far, over the network and by a file.
    let [municipal, provincial] = &original.world.platforms[..] else { panic!("two platforms") };
    let same = compare(&original.world, "municipal", &url(provincial), provincial).exits(0).json();
    assert!(same["verdict"] == "same" && same["size"].as_u64() > Some(0), "{same}");
    let file = note(&original.world, municipal);
    let same = compare(&original.world, "provincial", &file, municipal).exits(0).json();
    assert_eq!(same["verdict"], "same", "{same}");
    let other = format!("{}={}", "provincial", municipal.public_key());
    let config = original.world.path("provincial-platform.toml").display().to_string();
    let told = original.world.weir(&["platform", "compare", &file, "--with", &other, "--config", &config]).exits(3).err;
    assert!(told.contains("try: --with municipal=KEY"), "{told}");

    // The journal goes on twice, under one key; each platform is shown one of both.
    original.stop();
    original.copy(&twin);
    (twin.next, twin.world.platforms) = (1_000, original.world.platforms.split_off(1));
    original.go_on();
    original.send(100);
    twin.go_on();
    twin.send(100);
    assert!(proven(&original.world.platforms[0]).0 > 0 && proven(&twin.world.platforms[0]).0 > 0);
    let forked = compare(&original.world, "municipal", &url(&twin.world.platforms[0]), &twin.world.platforms[0]);
    let forked = forked.exits(1).json();
    assert!(["fork", "apart"].contains(&forked["verdict"].as_str().unwrap()), "{forked}");

    // The municipal platform is shown the other one from here on: new numbers, so that no record contradicts another.
    original.stop();
    twin.send(60);
    twin.stop();
    let outbox = twin.world.path("state/outbox");
    fs::remove_dir_all(&outbox).unwrap();
    let its_own = original.world.path("state/outbox");
    Answer::of(Command::new("cp").arg("-a").arg(its_own).arg(&outbox)).exits(0);
    std::mem::swap(&mut original.world.platforms, &mut twin.world.platforms);
    let (before, unproven) = proven(&twin.world.platforms[0]);
    assert!(before >= 100 && unproven == 0, "nothing was wrong there: {before}, {unproven}");
    twin.go_on();
    for _ in 0..3 {
        twin.send(100);
    }
    // A tree that both histories have in one size, or a proof that leads from one into the other, is refused; heads that no
    // proof leads to stay unproven. Which of them comes first hangs on where their checkpoints fell.
    let (size, unproven) = proven(&twin.world.platforms[0]);
    assert!(size >= before, "what was proven stays: {before}, then {size}");
    let parked = twin.world.weir(&["sync", "parked", "--json"]).json();
    let is_another =
        |one: &Value| ["fork:", "inconsistent:"].iter().any(|why| one["reason"].as_str().unwrap().contains(why));
    let refused = parked["parked"].as_array().unwrap().iter().filter(|one| is_another(one)).count();
    assert!(unproven > 0 || refused > 0, "{unproven} heads are of another history, and {refused} batches: {parked}");
}
