//! The box's key changes, on running daemons: platforms take the new one without anybody, whatever was down or killed meanwhile,
//! and one old key proves all of it.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use batch::{BoxId, KeyChange, Whose};
use identity::Rotation;
use record::UnixMs;
use serde_json::{Value, json};
use system_tests::config::BOX;
use system_tests::{Answer, Device, Peer, World, until};

/// Rotations that are killed at whatever instant.
const KILLS: u64 = 12;

fn frames(world: &World, sensor: &Device, first: u64, count: u64) {
    Peer::sensor("paho_sensor.py", world, sensor).with("--first", first).with("--count", count).run().exits(0);
}

fn rotate(world: &World, reason: &str) -> Value {
    world.weir(&["identity", "rotate", "--reason", reason, "--json"]).exits(0).json()
}

/// The statements of key changes in the journal, in order.
fn journaled(world: &World) -> Vec<String> {
    let audits = world.weir(&["tail", "-n", "1000", "--json"]).exits(0).json_lines();
    let changed = audits.into_iter().filter(|record| record["act"] == "key_changed");
    changed.map(|record| record["statement"].as_str().unwrap().to_owned()).collect()
}

/// What the file proves to whoever has this key, by `weir verify` and by the Python verifier: the same.
fn judged(world: &World, file: &str, more: &[&str]) -> (i32, Vec<(String, String)>) {
    let told = world.weir(&[&["verify", file, "--json"], more].concat());
    let python = Peer::new("verify_evidence.py").args([file]).args(more).args(["--json"]).run();
    let words = |answer: &Value| -> Vec<(String, String)> {
        let findings = answer["findings"].as_array().unwrap().iter();
        let word = |finding: &Value, part: &str| finding[part].as_str().unwrap_or_default().to_owned();
        findings
            .map(|finding| (word(finding, "word"), format!("{} {}", word(finding, "state"), word(finding, "about"))))
            .collect()
    };
    // Python does not make the report anew, and says so.
    let ours: Vec<_> = words(&told.json()).into_iter().filter(|(word, _)| word != "report").collect();
    let theirs: Vec<_> = words(python.summary()).into_iter().filter(|(word, _)| word != "report").collect();
    assert_eq!(ours, theirs, "{file} {more:?}");
    (told.code.unwrap(), ours)
}

fn state_of<'a>(findings: &'a [(String, String)], word: &str) -> &'a str {
    findings.iter().find(|(found, _)| found == word).map_or("", |(_, state)| state.as_str())
}

/// Evidence of all that there is.
fn evidence(world: &World, name: &str) -> String {
    let file = world.path(name).display().to_string();
    let from = ["evidence", "export", "--from", "2026-01-01T00:00:00Z", "--reason", "who signed", "-o", &file];
    world.weir(&from).exits(0);
    file
}

#[test]
fn a_key_changes_twice_and_the_first_one_proves_all_of_it() {
    let sensor = Device::cod("cod-1");
    let mut world = World::start(std::slice::from_ref(&sensor));
    let first = world.public_key();
    frames(&world, &sensor, 1, 60);
    world.delivered();
    let second = rotate(&world, "a technician left")["key"].as_str().unwrap().to_owned();
    assert_eq!(world.public_key(), second);
    frames(&world, &sensor, 61, 60);
    world.delivered();
    // The link is down while it changes again, and batches of the key before are still on their way.
    for party in &mut world.platforms {
        party.stop();
    }
    frames(&world, &sensor, 121, 40);
    until("something is on its way to both", 30, || {
        world.destinations().iter().all(|one| one["outstanding"].as_u64() > Some(0)).then_some(())
    });
    let third = rotate(&world, "once more, while nobody listens")["key"].as_str().unwrap().to_owned();
    frames(&world, &sensor, 161, 40);
    for party in &mut world.platforms {
        party.restart();
    }
    assert_eq!(world.delivered().iter().filter(|row| row.quantity == "n").count(), 200, "each once, everywhere");
    for party in &world.platforms {
        let keys = party.get(&format!("/v1/boxes/{BOX}/keys"));
        assert_eq!(keys["key"], third.as_str(), "{keys:#}");
        assert_eq!(keys["believed"], json!([first, second, third]), "{keys:#}");
        let told = party.audits().into_iter().filter(|(act, ..)| act == "key_changed").count();
        assert_eq!(told, 2, "{}: its database has both", party.name);
    }
    world.verify().exits(0);
    let identity = world.weir(&["identity", "--json"]).exits(0).json();
    let history: Vec<&Value> = identity["history"].as_array().unwrap().iter().map(|change| &change["key"]).collect();
    assert_eq!(history, [second.as_str(), third.as_str()]);
    assert!(world.weir(&["identity"]).exits(0).out.contains("while nobody listens"));
    assert!(world.weir(&["identity", "rotate", "--reason", ""]).code != Some(0), "a reason is asked for");

    let log = world.path("box.weirlog").display().to_string();
    world.weir(&["export", "--journal", "-o", &log]).exits(0);
    let file = evidence(&world, "all.evidence");
    for key in [&first, &second, &third] {
        world.weir(&["verify", &log, "--key", key]).exits(0);
        Peer::new("verify_log.py").args([&log, "--key", key]).run().exits(0);
        let (code, findings) = judged(&world, &file, &["--key", key]);
        assert_eq!(code, 0, "{findings:#?}");
        assert_eq!((state_of(&findings, "key"), state_of(&findings, "keys")), ("proven ", "proven "), "{findings:#?}");
    }
    let stranger = &world.platforms[0].public_key();
    world.weir(&["verify", &log, "--key", stranger]).exits(1);
    assert_eq!(judged(&world, &file, &["--key", stranger]).0, 1);
    // Another box's history starts where this one's backup was put back: it still knows.
    world.weir(&["backup", &world.path("stick").display().to_string()]).exits(0);
    assert!(world.path("stick/statements").read_dir().unwrap().count() == 2, "statements travel with a backup");
}

/// The state that a kill after so many steps leaves.
fn interrupted(world: &World, steps: u8) {
    let path = world.path("state/identity/box.key");
    let rotation = Rotation::prepare(&path).unwrap();
    let change = KeyChange {
        whose: Whose::Box(BoxId::new(BOX).unwrap()),
        old: rotation.old.public(),
        new: rotation.new.public(),
        number: 1,
        at_ms: UnixMs(1_800_000_000_000),
        clock: None,
        reason: format!("killed after step {steps}"),
    };
    if steps >= 2 {
        rotation.decide(&change).unwrap();
    }
    if steps >= 3 {
        // Before the public half is written.
        let public = fs::read(path.with_extension("pub")).unwrap();
        rotation.adopt().unwrap();
        if steps == 3 {
            fs::write(path.with_extension("pub"), public).unwrap();
        }
    }
}

#[test]
fn a_kill_between_any_two_steps_leaves_one_key_that_all_believe() {
    let sensor = Device::cod("cod-1");
    let mut world = World::start(std::slice::from_ref(&sensor));
    let mut sent = 0;
    for steps in 1..=4 {
        frames(&world, &sensor, sent + 1, 20);
        let (before, told) = (world.public_key(), journaled(&world).len());
        world.kill_gateway();
        interrupted(&world, steps);
        world.start_gateway();
        sent += 20;
        frames(&world, &sensor, sent + 1, 20);
        sent += 20;
        let changed = usize::from(steps >= 2);
        assert_eq!(world.public_key() != before, changed == 1, "step {steps}");
        assert_eq!(journaled(&world).len(), told + changed, "step {steps}: each change has one record");
        assert!(!world.path("state/identity/box.next").exists());
        let rows = world.delivered();
        assert_eq!(rows.iter().filter(|row| row.quantity == "n").count() as u64, sent, "step {steps}");
        world.verify().exits(0);
    }
}

#[test]
fn a_kill_at_any_instant_loses_no_key() {
    let sensor = Device::cod("cod-1");
    let mut world = World::start(std::slice::from_ref(&sensor));
    let first = world.public_key();
    frames(&world, &sensor, 1, 20);
    for kill in 0..KILLS {
        let (state, run) = (world.path("state"), world.path("run"));
        let asked = thread::spawn(move || ask_to_rotate(&state, &run));
        // From before the order comes to after it is answered.
        thread::sleep(Duration::from_micros(700 * kill * kill));
        world.kill_gateway();
        let answered = asked.join().unwrap();
        world.start_gateway();
        if let Some(key) = answered {
            assert_eq!(world.public_key(), key, "kill {kill}: what was said is so");
        }
    }
    frames(&world, &sensor, 21, 20);
    assert_eq!(world.delivered().iter().filter(|row| row.quantity == "n").count(), 40);
    let statements = world.path("state/identity/statements").read_dir().map_or(0, Iterator::count);
    assert_eq!(journaled(&world).len(), statements, "each change has one record");
    world.verify().exits(0);
    let log = world.path("box.weirlog").display().to_string();
    world.weir(&["export", "--journal", "-o", &log]).exits(0);
    world.weir(&["verify", &log, "--key", &first]).exits(0);
}

/// The new key, if the gateway lived to say it.
fn ask_to_rotate(state: &std::path::Path, run: &std::path::Path) -> Option<String> {
    let (state, run) = (state.display().to_string(), run.display().to_string());
    let rotate = ["--state-dir", &state, "--run-dir", &run, "identity", "rotate", "--reason", "any time", "--json"];
    let answer = Answer::of_weir(&rotate);
    (answer.code == Some(0)).then(|| answer.json()["key"].as_str().unwrap().to_owned())
}

/// Lets this machine's key in at both platforms.
fn enroll(world: &World) {
    let config = world.path("sync.toml").display().to_string();
    for party in &world.platforms {
        let platform = platform_toml(world, party.name);
        let made = world.weir(&["platform", "invite", BOX, "--config", &platform, "--json"]).exits(0).json();
        let (url, code) = (format!("https://127.0.0.1:{}", party.port), made["code"].as_str().unwrap().to_owned());
        world.weir(&["identity", "enroll", "--config", &config, &url, &code]).exits(0);
    }
}

fn platform_toml(world: &World, name: &str) -> String {
    world.path(&format!("{name}-platform.toml")).display().to_string()
}

#[test]
fn a_stolen_key_is_refused_and_proves_nothing_from_then_on() {
    let sensor = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&sensor), "[checkpoint]\nrecords_max = 20\n");
    world.start_gateway();
    world.start_strange_platforms();
    fs::write(world.path("sync.toml"), "state_dir = \"state\"\nrun_dir = \"run\"\n").unwrap();
    enroll(&world);
    world.restart_sync();
    frames(&world, &sensor, 1, 60);
    world.delivered();
    let stolen = world.public_key();
    let before = evidence(&world, "before.evidence");
    let name = world.platforms[0].name;
    let words: PathBuf = world.path("stolen.cose");
    let revoke = |from: &[&str]| {
        let config = platform_toml(&world, name);
        let out = words.display().to_string();
        let fixed =
            ["platform", "revoke", BOX, &stolen, "--reason", "the box was stolen", "--config", &config, "-o", &out];
        world.weir(&[&fixed, from].concat())
    };
    assert_eq!(revoke(&["--from", "2199-01-01T00:00:00Z"]).code, Some(3), "not from a day that has not come");
    thread::sleep(Duration::from_millis(50));
    revoke(&[]).exits(0);

    frames(&world, &sensor, 61, 40);
    until("the technician is told what to type", 60, || {
        let status = world.weir(&["status"]);
        (status.out.contains("key_revoked") && status.out.contains("weir identity rotate")).then_some(())
    });
    let held = world.platforms[0].rows().iter().filter(|row| row.quantity == "n").count();
    assert_eq!(held, 60, "what it had stays, and nothing comes");

    // The thief can change the key as little as anybody: it takes a new code.
    rotate(&world, "the box is back");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(world.platforms[0].rows().iter().filter(|row| row.quantity == "n").count(), 60);
    enroll(&world);
    world.restart_sync();
    assert_eq!(world.delivered().iter().filter(|row| row.quantity == "n").count(), 100);

    let platform = format!("{name}={}", world.platforms[0].public_key());
    let words = words.display().to_string();
    let given = ["--key", &stolen, "--platform", &platform, "--revoked", &words];
    let (code, findings) = judged(&world, &before, &given);
    assert_eq!((code, state_of(&findings, "revoked").split(' ').next()), (0, Some("proven")), "{findings:#?}");
    // The newer one has heads and a seal by the next key, which the platform let in; but also heads by the stolen one.
    let after = evidence(&world, "after.evidence");
    let (code, findings) = judged(&world, &after, &given);
    assert_eq!((code, state_of(&findings, "revoked").split(' ').next()), (1, Some("wrong")), "{findings:#?}");
    assert!(state_of(&findings, "records").starts_with("proven"), "by the next key: {findings:#?}");
    // Without the platform's key nobody knows whether it said so.
    let (_, findings) = judged(&world, &after, &["--key", &stolen, "--revoked", &words]);
    assert_eq!(state_of(&findings, "revoked"), format!("open {name}"));
}

#[test]
fn a_platform_changes_its_key_and_the_box_believes_the_old_ones_word_alone() {
    let sensor = Device::cod("cod-1");
    let mut world = World::start(std::slice::from_ref(&sensor));
    frames(&world, &sensor, 1, 40);
    world.delivered();
    let (name, old) = (world.platforms[0].name, world.platforms[0].public_key());
    let config = platform_toml(&world, name);
    let rotate = || world.weir(&["platform", "rotate", "--config", &config, "--reason", "yearly", "--json"]);
    let new = rotate().exits(0).json()["key"].as_str().unwrap().to_owned();
    assert!(rotate().exits(3).err.contains("restart the platform"));
    world.platforms[0].restart();
    assert_eq!(world.platforms[0].public_key(), new);
    frames(&world, &sensor, 41, 40);
    world.delivered();
    let status = world.weir(&["status"]).exits(0);
    assert!(status.out.contains(&new) && status.out.contains("signed for it"), "{}", status.out);
    let checked = world.weir(&["config", "check", &world.path("sync.toml").display().to_string()]).exits(0);
    assert!(checked.out.contains("predecessor") && checked.out.contains(&new), "{}", checked.out);
    assert_eq!(journaled(&world).len(), 1);
    world.restart_sync();
    frames(&world, &sensor, 81, 20);
    world.delivered();
    world.verify().exits(0);
    assert_eq!(journaled(&world).len(), 1, "once");
    let file = evidence(&world, "both.evidence");
    let key = world.public_key();
    for platform in [&old, &new] {
        let (code, findings) = judged(&world, &file, &["--key", &key, "--platform", &format!("{name}={platform}")]);
        // Which records they cover depends on where the last signed head stands; that each is the platform's word does not.
        assert!(code == 0 && !state_of(&findings, "receipts").starts_with("wrong"), "{findings:#?}");
    }
    let stranger = format!("{name}={}", world.platforms[1].public_key());
    let (code, findings) = judged(&world, &file, &["--key", &key, "--platform", &stranger]);
    assert!(code == 1 && state_of(&findings, "receipts").starts_with("wrong"), "{findings:#?}");

    // Somebody in its place, with its certificate and a key of his own.
    let state = world.platforms[0].state.path().to_owned();
    world.platforms[0].stop();
    for file in ["platform.key", "platform.pub"] {
        fs::remove_file(state.join(file)).unwrap();
    }
    world.platforms[0].restart();
    frames(&world, &sensor, 101, 20);
    until("its receipts are not believed", 60, || {
        let all = world.destinations();
        let one = all.iter().find(|one| one["name"] == name)?;
        (one["last_error"]["kind"] == "receipt_unverified" && one["missing"].as_u64() > Some(0)).then_some(())
    });
    assert_eq!(journaled(&world).len(), 1);
}
