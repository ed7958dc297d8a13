//! `weir bundle` of real boxes: no secret leaves with it, wherever people have put one; it is small, and the box's signature holds.

use std::fs;
use std::path::Path;
use std::process::Command;

use system_tests::{Answer, Device, Sensor, World};

/// What `weir bundle` promises.
const BUNDLE_BYTES_MAX: u64 = 200_000;
/// The dossier that the package shows as an example, with the numbers of people in it.
const DOSSIER: &str = include_str!("../../config/outfall.toml");

/// `weir bundle` on this box, and the file that it made.
fn bundle(world: &World, name: &str, code: i32) -> String {
    let (config, sync) =
        (world.path("gateway.toml").display().to_string(), world.path("sync.toml").display().to_string());
    let file = world.path(name).display().to_string();
    world.weir(&["bundle", "--config", &config, "--sync-config", &sync, &file]).exits(code);
    assert!(fs::metadata(&file).unwrap().len() <= BUNDLE_BYTES_MAX);
    file
}

/// Every part by its name, unpacked by a tar that is not ours.
fn unpack(world: &World, file: &str) -> Vec<(String, String)> {
    let to = world.path("unpacked");
    fs::create_dir(&to).unwrap();
    Answer::of(Command::new("tar").args(["-xzf", file, "-C", &to.display().to_string()])).exits(0);
    let mut parts = Vec::new();
    let mut folders = vec![to.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    parts.push((name_in(&to, &path), String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()))
                }
            }
        }
    }
    parts
}

fn name_in(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap().display().to_string()
}

/// What stands between the quotes of every line with this key.
fn values<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let of_key = text.split(key).skip(1);
    of_key
        .filter_map(|rest| rest.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?.split('"').next())
        .collect()
}

#[test]
fn no_secret_leaves_the_box() {
    let (cod, level) = (Device::cod("cod-1"), Device::joining("level-1", "1.0.4", "0102030405060708"));
    let world = World::start(&[cod.clone(), level]);
    Sensor::connect(&world, &cod).publish("{\"n\": 1, \"cod\": 40.1}");
    let dossier = world.path("outfall.toml");
    fs::write(&dossier, DOSSIER).unwrap();
    let phones = values(DOSSIER, "phone");
    assert!(!phones.is_empty(), "the example has numbers");
    world.weir(&["outfall", "add", &dossier.display().to_string(), "--reason", "survey"]).exits(0);
    // What people type where it does not belong is journaled, and told in the bundle.
    let keys = fs::read_to_string(world.path("keys.toml")).unwrap();
    let app_key = values(&keys, "app_key")[0].to_owned();
    let code = world.platforms[0].invite("outfall-2");
    let reason = format!("13912345678 wanted it, code {code}, key {app_key}, {} too", phones[0]);
    world.weir(&["identity", "pin", "municipal", &world.platforms[0].public_key(), "--reason", &reason]).exits(0);
    let sync = fs::read_to_string(world.path("sync.toml")).unwrap();
    let proxied =
        sync.replacen("[[destination]]\n", "[[destination]]\nproxy = \"http://box:geheim@127.0.0.1:9/\"\n", 1);
    fs::write(world.path("sync.toml"), format!("# before it was swordfish\n{proxied}")).unwrap();

    let file = bundle(&world, "bundle.tar.gz", 0);
    let parts = unpack(&world, &file);
    let text = |name: &str| &parts.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("no {name}")).1;
    for name in
        ["box.json", "doctor.json", "status/gateway.json", "status/sync.json", "config/gateway.toml", "machine.txt"]
    {
        assert!(!text(name).is_empty(), "{name}");
    }
    assert!(text("status/devices.jsonl").contains("\"name\":\"cod-1\""));
    assert!(text("records.txt").contains("municipal"), "the order is told");
    assert!(text("config/sync.toml").contains("@127.0.0.1:9/"), "the proxy is told");
    let mut secrets: Vec<&str> = vec!["13912345678", "geheim", "swordfish", &code, &app_key, "secret-of-cod-1"];
    secrets.extend(values(&keys, "password").iter().chain(&values(&keys, "app_key")).chain(&phones));
    let box_key = fs::read_to_string(world.path("state/identity/box.key")).unwrap();
    secrets.push(box_key.trim());
    for (name, text) in &parts {
        for secret in &secrets {
            assert!(!text.contains(secret), "{name} has `{secret}`");
        }
    }
    let told: serde_json::Value = serde_json::from_str(text("box.json")).unwrap();
    assert_eq!(told["redacted"]["enrolment codes"], 1, "{told}");

    world.weir(&["bundle", "--verify", &file]).exits(0);
    let verified = world.weir(&["bundle", "--json", "--verify", &file, "--key", &world.public_key()]).exits(0).json();
    assert_eq!((&verified["verdict"]["box"], &verified["verdict"]["trusted"]), (&"outfall-1".into(), &true.into()));
    let other = world.platforms[0].public_key();
    world.weir(&["bundle", "--verify", &file, "--key", &other]).exits(1);
}

#[test]
fn a_large_box_has_a_small_bundle() {
    let devices: Vec<Device> = (0..2_000).map(|n| Device::cod(&format!("cod-{n}"))).collect();
    let world = World::box_only(&devices, "");
    let file = bundle(&world, "bundle.tar.gz", 0);
    world.weir(&["bundle", "--verify", &file, "--key", &world.public_key()]).exits(0);
    let parts = unpack(&world, &file);
    let doctor: serde_json::Value =
        serde_json::from_str(&parts.iter().find(|(name, _)| name == "doctor.json").unwrap().1).unwrap();
    assert!(doctor["findings"].as_array().unwrap().len() > 40, "what cannot be cut is whole");
}

#[test]
fn a_box_whose_gateway_is_down_has_a_bundle_that_says_it_is_not_signed() {
    let mut world = World::box_only(&[Device::cod("cod-1")], "");
    world.kill_gateway();
    let file = bundle(&world, "bundle.tar.gz", 1);
    let told = world.weir(&["bundle", "--verify", &file]).exits(1).out;
    assert!(told.contains("not signed"), "{told}");
    fs::write(world.path("no.tar.gz"), "no bundle").unwrap();
    let answer = world.weir(&["bundle", "--verify", &world.path("no.tar.gz").display().to_string()]).exits(3);
    assert!(answer.err.contains("no bundle"), "{}", answer.err);
}
