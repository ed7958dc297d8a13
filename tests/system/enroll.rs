//! A box and a platform come to know each other by one line that a technician types, and a box in Python does so by the
//! CDDL alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use system_tests::config::BOX;
use system_tests::{Answer, Device, Party, Peer, World, until};

const FRAMES: u64 = 50;

/// A code for a box, made beside the running platform.
fn invite(world: &World, party: &Party, name: &str) -> String {
    let config = world.path(&format!("{}-platform.toml", party.name)).display().to_string();
    let made = world.weir(&["platform", "invite", name, "--config", &config, "--json"]).exits(0).json();
    made["code"].as_str().unwrap().to_owned()
}

fn url(party: &Party) -> String {
    format!("https://127.0.0.1:{}", party.port)
}

fn enroll(world: &World, more: &[&str]) -> Answer {
    let config = world.path("sync.toml").display().to_string();
    world.weir(&[&["identity", "enroll", "--config", &config], more].concat())
}

/// A box that has taken frames, and two platforms that do not know it.
fn strangers() -> World {
    let cod = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&cod), "");
    world.start_gateway();
    Peer::sensor("paho_sensor.py", &world, &cod).with("--count", FRAMES).run().exits(0);
    world.start_strange_platforms();
    world
}

#[test]
fn one_line_on_each_side_and_data_flows() {
    let mut world = strangers();
    let before = "# Station 7\nstate_dir = \"state\"\nrun_dir = \"run\"\n";
    fs::write(world.path("sync.toml"), before).unwrap();
    fs::set_permissions(world.path("sync.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    for party in &world.platforms {
        // As people type.
        let code = invite(&world, party, BOX).to_lowercase().replacen('-', " ", 1);
        let words: Vec<&str> = code.split(' ').collect();
        let told = enroll(&world, &[&[url(party).as_str()], words.as_slice(), &["--json"]].concat()).exits(0).json();
        assert_eq!((&told["platform"], &told["key"]), (&party.name.into(), &party.public_key().into()));
        assert_eq!(told["box"], BOX);
    }
    let text = fs::read_to_string(world.path("sync.toml")).unwrap();
    assert!(text.starts_with(before), "{text}");
    assert_eq!(fs::metadata(world.path("sync.toml")).unwrap().permissions().mode() & 0o777, 0o644);
    let check = world.weir(&["config", "check", &world.path("sync.toml").display().to_string()]);
    check.exits(0);
    world.restart_sync();
    until("both hold all", 60, || {
        let status = world.status();
        let all = status["sync"]["destinations"].as_array()?.clone();
        (all.len() == 2 && all.iter().all(|one| one["missing"] == 0 && one["covered"].as_u64() > Some(0))).then_some(())
    });
    let ours = |row: &&system_tests::Row| row.source == "cod-1" && row.quantity == "n";
    assert_eq!(world.delivered().iter().filter(ours).count() as u64, FRAMES);

    let enrolled = |row: &(String, Option<String>, Option<i64>, String)| (row.0.clone(), row.1.clone());
    for party in &world.platforms {
        let told: Vec<_> = party.audits().iter().map(enrolled).collect();
        let each = ["municipal", "provincial"].map(|name| ("enrolled".to_owned(), Some(name.to_owned())));
        assert_eq!(told, each, "{}: whom the box believes is journaled", party.name);
    }

    // The platform moved: the destination of that name changes, no other comes.
    let again = invite(&world, &world.platforms[0], BOX);
    enroll(&world, &[&url(&world.platforms[0]).replace("127.0.0.1", "localhost"), &again]).exits(0);
    let text = fs::read_to_string(world.path("sync.toml")).unwrap();
    assert_eq!((text.matches("[[destination]]").count(), text.matches("https://localhost:").count()), (2, 1), "{text}");
}

#[test]
fn what_goes_wrong_says_what_to_do_and_changes_nothing() {
    let world = strangers();
    let [municipal, provincial] = world.platforms.as_slice() else { panic!("two") };
    let code = invite(&world, municipal, BOX);
    let slip = match code.strip_prefix('0') {
        Some(rest) => format!("1{rest}"),
        None => format!("0{}", &code[1..]),
    };
    let other = invite(&world, provincial, "somebody-else");
    let closed = format!("https://127.0.0.1:{}", system_tests::config::free_tcp_port());
    for (url, code, says) in [
        (url(municipal), slip.as_str(), "copy it again"),
        (url(municipal), "1234", "has 32 characters"),
        (url(municipal), other.as_str(), "weir platform invite BOX"),
        (url(provincial), code.as_str(), "weir platform invite BOX"),
        (closed, code.as_str(), "the code stays good"),
        ("platform.example".into(), code.as_str(), "https://"),
    ] {
        let refused = enroll(&world, &[&url, code]).exits(3);
        assert!(refused.err.contains(says), "{url} {code}: {}", refused.err);
        assert!(!refused.err.contains(code), "no code in an error: {}", refused.err);
    }
    assert!(!world.path("sync.toml").exists());
    let config = world.path("municipal-platform.toml").display().to_string();
    let text = world.weir(&["--lang", "zh", "platform", "invite", BOX, "--config", &config]).exits(0).out;
    assert!(text.contains("weir identity enroll https://") && text.contains("有效小时数"), "{text}");
    let refused = world.weir(&["platform", "invite", "a b", "--config", &config]).exits(3);
    assert!(refused.err.contains("a b"), "{}", refused.err);
}

#[test]
fn a_box_written_from_the_cddl_alone_comes_in() {
    let world = strangers();
    let municipal = &world.platforms[0];
    let client = |seed: &str, code: &str| {
        Peer::new("enrol_client.py")
            .with("--url", url(municipal))
            .with("--box", "py-1")
            .with("--seed", seed)
            .with("--code", code)
    };
    let (key, thief) = ("5b".repeat(32), "5c".repeat(32));
    let code = invite(&world, municipal, "py-1");
    let told = client(&key, &code).run().exits(0).summary().clone();
    let expected = Value::from(municipal.public_key());
    assert_eq!((&told["key"], &told["pinned"]), (&expected, &expected));
    let refused = client(&thief, &code).run().exits(1).summary().clone();
    assert_eq!((&refused["status"], &refused["code"]), (&409.into(), &"code_used".into()));
}
