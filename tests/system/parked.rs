//! A platform that takes small batches only: what fits comes in smaller ones, what can never fit is named, and goes once the
//! platform was mended.

use std::fs;

use platform::export::write_artifacts;
use serde_json::{Value, json};
use system_tests::{Device, Peer, World, until};

const FRAMES: u64 = 300;

/// A codec's text is one record; this one is larger than the platform reads, packed too.
fn long_codec() -> String {
    // Linear congruential noise (Numerical Recipes) in hex: half of it cannot be packed away.
    let noise = std::iter::successors(Some(1u32), |n| Some(n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)));
    let noise: String = noise.take(4_000).map(|n| format!("{n:08x}")).collect();
    format!("// {noise}\nfunction decodeUplink(input) {{ return {{ data: {{ level: input.bytes[0] }} }} }}\n")
}

fn municipal(world: &World) -> Value {
    let status = world.status();
    let all = status["sync"]["destinations"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["name"] == "municipal").unwrap_or_default()
}

fn covers(world: &World, parked: u64) {
    until(&format!("municipal holds all but {parked}"), 60, || {
        let (one, end) = (municipal(world), world.records());
        (one["covered"].as_u64()? + parked == end && one["parked"] == parked && one["missing"] == 0).then_some(())
    });
}

const CONFIG: &str = "municipal-platform.toml";

/// Both platforms, the municipal one of which reads 4 kB and no more; and its usual configuration. One record is too long.
fn narrow_platform() -> (World, String) {
    let (cod, level) = (Device::cod("cod-1"), Device::lora("level-1", "26010001").with_script("long.js"));
    let mut world = World::prepared(&[cod.clone(), level], "");
    fs::write(world.path("long.js"), long_codec()).unwrap();
    world.start_gateway();
    Peer::sensor("paho_sensor.py", &world, &cod).with("--count", FRAMES).with("--window", 50).run().exits(0);
    world.start_platforms();
    let config = world.path(CONFIG);
    let usual = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("body_bytes_max = 4096\n{usual}")).unwrap();
    world.platforms[0].restart();
    world.start_sync();
    covers(&world, 1);
    (world, usual)
}

/// The one batch that is parked.
fn only_parked(world: &World) -> Value {
    let parked = world.weir(&["sync", "parked", "--json"]).exits(1).json();
    let [one] = parked["parked"].as_array().unwrap().as_slice() else { panic!("{parked}") };
    assert_eq!((&one["platform"], &one["records"]), (&"municipal".into(), &1.into()));
    assert!(one["reason"].as_str().unwrap().contains("413"), "{one}");
    one.clone()
}

#[test]
fn what_a_platform_cannot_take_is_named_and_sent_again() {
    let (mut world, usual) = narrow_platform();
    let config = world.path(CONFIG);
    let one = only_parked(&world);
    let name = one["batch"].as_str().unwrap();
    for (lang, words) in
        [("en", ["municipal", "413", "weir sync retry"]), ("zh", ["平台答复", "413", "weir sync retry"])]
    {
        let text = world.weir(&["--lang", lang, "sync", "parked"]).exits(1).out;
        assert!(words.iter().all(|word| text.contains(word)) && text.contains(&name[..12]), "{text}");
    }

    // No name, a wrong one, and one that the platform refuses again.
    let unknown = world.weir(&["sync", "retry", "municipal", "0000"]).exits(3);
    assert!(unknown.err.contains("weir sync parked"), "{}", unknown.err);
    assert!(world.weir(&["sync", "retry", "moon"]).exits(3).err.contains("weir status"));
    assert_eq!(world.weir(&["sync", "retry", "municipal", "--json"]).exits(0).json()["batches"], 1);
    until("it is refused again", 30, || {
        let again = municipal(&world)["counters"]["parked"].as_u64()? == 2;
        again.then_some(())
    });

    fs::write(&config, &usual).unwrap();
    world.platforms[0].restart();
    let sent = world.weir(&["sync", "retry", "municipal", &name[..8], "--json"]).exits(0);
    assert_eq!(sent.json()["batches"], 1);
    covers(&world, 0);
    let rows = world.delivered();
    assert_eq!(rows.iter().filter(|row| row.source == "cod-1" && row.quantity == "n").count() as u64, FRAMES);
    assert!(world.weir(&["sync", "parked"]).exits(0).out.contains("no platform refused"));
}

#[test]
fn what_is_given_up_is_told_to_everyone_and_never_sent() {
    let (mut world, usual) = narrow_platform();
    let one = only_parked(&world);
    let (name, seq) = (one["batch"].as_str().unwrap(), one["ranges"][0]["first"].as_u64().unwrap());
    let bare = world.weir(&["sync", "drop", "municipal", &name[..8]]).exits(2);
    assert!(bare.err.contains("--reason"), "{}", bare.err);
    let empty = world.weir(&["sync", "drop", "municipal", &name[..8], "--reason", " "]).exits(3);
    assert!(empty.err.contains("needs a reason"), "{}", empty.err);
    // Without the order in the journal the upload daemon gives nothing up.
    let unordered = json!({"do": "drop", "destination": "municipal", "batch": name, "audits": [0, 1]});
    let refused = world.ask_sync(&unordered);
    assert!(refused["error"].as_str().unwrap().contains("no order to give up record"), "{refused}");

    let why = "the platform will never read it, 平台已确认";
    let told = world.weir(&["sync", "drop", "municipal", &name[..8], "--reason", why, "--json"]).exits(0).json();
    assert_eq!(told["records"], 1);
    let settled = |world: &World| {
        until("nothing is parked or missing, one record given up", 60, || {
            let (one, end) = (municipal(world), world.records());
            let settled = one["parked"] == 0 && one["dropped"] == 1 && one["missing"] == 0;
            (settled && one["covered"].as_u64()? + 1 == end).then_some(())
        });
    };
    settled(&world);
    assert!(world.weir(&["sync", "parked"]).exits(0).out.contains("no platform refused"));
    fs::write(world.path(CONFIG), &usual).unwrap();
    world.platforms[0].restart();
    world.restart_sync();
    settled(&world);
    assert!(!world.platforms[0].seqs().contains(&seq) && world.platforms[1].seqs().contains(&seq));
    let order = ("dropped".to_owned(), Some("municipal".to_owned()), i64::try_from(seq).ok(), why.to_owned());
    for platform in &world.platforms {
        until("the platform knows of the order", 30, || (platform.audits() == [order.clone()]).then_some(()));
    }
    let shown = world.weir(&["--lang", "en", "tail", "-n", "1000"]).exits(0).out;
    assert!(shown.contains("not sent to municipal any more") && shown.contains(why), "{shown}");
    world.verify().exits(0);
    let folder = world.path("artifacts");
    for party in &world.platforms {
        write_artifacts(&party.state, &folder.join(party.name)).unwrap();
    }
    Peer::new("verify_cose.py").args([&folder]).args(["--complete"]).run().exits(0);
}
