//! A changed configuration can be taken back: what was in force is kept with who and why, a change is checked, journaled and
//! written at once or not at all, and a box whose files were broken by hand goes on with those by which it worked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use platform::export::write_artifacts;
use serde_json::Value;
use system_tests::{Answer, Device, Peer, World, until};

const RULE: &str = "# limit of the permit\n[[rule]]\nid = \"high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 80\n";

fn config(world: &World, arguments: &[&str]) -> Answer {
    world.weir(&[&["config", "--config-dir", &world.config_dir()], arguments].concat())
}

fn versions(world: &World) -> Vec<Value> {
    config(world, &["history", "--json"]).exits(0).json()["versions"].as_array().unwrap().clone()
}

/// Waits until what works is kept of these files, so many versions of each.
fn kept(world: &World, expected: &[(&str, usize)]) {
    until(&format!("{expected:?} are kept"), 20, || {
        let all = versions(world);
        let of = |file: &str| all.iter().filter(|one| one["version"].as_str().unwrap().starts_with(file)).count();
        expected.iter().all(|(file, count)| of(file) == *count).then_some(())
    });
}

fn text(world: &World, file: &str) -> String {
    fs::read_to_string(world.path(file)).unwrap()
}

/// Every file below a folder.
fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(path) } else { vec![path] }).collect()
}

#[test]
fn a_change_is_checked_journaled_kept_and_taken_back() {
    let mut world = World::start(&[Device::cod("cod-1")]);
    kept(&world, &[("gateway", 1), ("devices", 1), ("rules", 1), ("sync", 1)]);
    let rules = world.path("rules.toml");
    fs::set_permissions(&rules, fs::Permissions::from_mode(0o604)).unwrap();
    let new = world.path("new-rules.toml");
    fs::write(&new, RULE).unwrap();
    let new = new.display().to_string();
    let applied = config(&world, &["apply", &new, "--reason", "permit of 2026"]).exits(0).out;
    assert!(applied.contains("rules-2") && applied.ends_with("it is in force\n"), "{applied}");
    assert_eq!(
        (text(&world, "rules.toml").as_str(), fs::metadata(&rules).unwrap().permissions().mode() & 0o777),
        (RULE, 0o604)
    );
    let diff = config(&world, &["diff", "rules-1"]).exits(0).out;
    assert!(diff.contains("--- rules-1") && diff.contains("+[[rule]]") && !diff.contains("devices.toml"), "{diff}");
    world.start_gateway();
    until("it is in force", 20, || (config(&world, &["diff"]).exits(0).out == "nothing is different\n").then_some(()));
    assert_eq!(config(&world, &["show", "rules-2"]).exits(0).out, RULE);

    let back = world.weir(&[
        "--lang",
        "zh",
        "config",
        "--config-dir",
        &world.config_dir(),
        "rollback",
        "rules-1",
        "--reason",
        "误改",
    ]);
    assert!(back.exits(0).out.contains("rules-3"), "as a version of its own");
    assert_eq!(text(&world, "rules.toml"), "");
    let of_rules: Vec<Value> =
        versions(&world).into_iter().filter(|one| one["version"].as_str().unwrap().starts_with("rules")).collect();
    let told: Vec<[&str; 3]> =
        of_rules.iter().map(|one| ["version", "how", "reason"].map(|key| one[key].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [["rules-1", "found", ""], ["rules-2", "applied", "permit of 2026"], ["rules-3", "rolled_back", "误改"]]
    );
    assert_eq!((&of_rules[0]["by"], &of_rules[2]["in_place"]), (&Value::Null, &true.into()));
    assert!(of_rules[2]["by"].is_u64());

    // Both platforms read who changed what; whoever has the file can tell that it is this one.
    let orders =
        || world.platforms[1].audits().into_iter().map(|(act, _, _, reason)| (act, reason)).collect::<Vec<_>>();
    let expected =
        [("configured", "permit of 2026"), ("configured", "误改")].map(|(act, why)| (act.to_owned(), why.to_owned()));
    until("the platform knows of both", 30, || (orders() == expected).then_some(()));
    let tail = world.weir(&["tail", "-n", "20"]).exits(0).out;
    assert!(tail.contains("rules.toml is changed") && tail.contains("rules.toml is as before again"), "{tail}");
    let evidence = world.path("evidence");
    write_artifacts(&world.platforms[1].state, &evidence).unwrap();
    let audited =
        Peer::new("verify_cose.py").args([&evidence]).args(["--flips", "40", "--flip-files", "1"]).run().exits(0);
    assert_eq!(audited.number("problems"), 0, "{:#}", audited.summary());
    assert!(world.verify().exits(0).json()["holds"].as_bool().unwrap());
}

#[test]
fn what_would_be_refused_changes_nothing() {
    let world = World::start(&[Device::cod("cod-1")]);
    kept(&world, &[("gateway", 1), ("devices", 1), ("rules", 1), ("sync", 1)]);
    let (before, records) = (world.config_texts(), world.records());
    let file = |name: &str, text: &str| {
        let path = world.path(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let broken = [
        (file("new-devices.toml", &text(&world, "devices.toml").replace("mg/L", "mgg/L")), "did you mean"),
        (file("new-gateway.toml", &format!("colour = \"red\"\n{}", text(&world, "gateway.toml"))), "colour"),
        (file("new-rules.toml", "[[rule]]\n"), "rule"),
        (
            file(
                "new-sync.toml",
                &format!("{}[destination.filter]\ndevices = [\"cod-2\"]\n", text(&world, "sync.toml")),
            ),
            "`cod-1`",
        ),
        // It is sound in itself, and not beside the keys.
        (file("other-devices.toml", &text(&world, "devices.toml").replace("\"cod-1\"", "\"cod-2\"")), "keys.toml"),
    ];
    for (path, says) in &broken {
        let refused = config(&world, &["apply", path, "--reason", "r"]).exits(255).err;
        assert!(refused.contains("would be refused") && refused.contains(says), "{refused}");
    }
    let good = file("good-rules.toml", RULE);
    for (arguments, says) in [
        (["apply", &good, "--reason", " "], "needs a reason"),
        (["apply", &world.path("rules.toml").display().to_string(), "--reason", "r"], "this text already"),
        (["apply", &world.path("keys.toml").display().to_string(), "--reason", "r"], "cannot be told"),
        (["rollback", "rules-9", "--reason", "r"], "weir config history"),
    ] {
        let refused = config(&world, &arguments).exits(3).err;
        assert!(refused.contains(says), "{refused}");
    }
    assert_eq!((world.config_texts(), world.records()), (before, records));
    assert_eq!(versions(&world).len(), 4);

    // What cannot be journaled is not done.
    let mut world = world;
    world.kill_gateway();
    assert!(config(&world, &["apply", &good, "--reason", "r"]).exits(3).err.contains("gateway.sock"));
    assert_eq!(text(&world, "rules.toml"), "");
}

/// A typing error in a file, and a restart: the box goes on as before, and says so.
#[test]
fn a_box_that_worked_goes_on_when_its_files_are_broken() {
    let sensor = Device::cod("cod-1");
    let mut world = World::start(std::slice::from_ref(&sensor));
    kept(&world, &[("gateway", 1), ("devices", 1), ("rules", 1), ("sync", 1)]);
    let mut first = 1;
    let mut works = |world: &World| {
        let peer = Peer::sensor("paho_sensor.py", world, &sensor).with("--first", first).with("--count", 5);
        assert_eq!(peer.run().exits(0).number("acknowledged"), 5);
        first += 5;
    };
    let good = ["gateway.toml", "devices.toml", "rules.toml", "sync.toml"].map(|file| (file, text(&world, file)));
    let break_off = |world: &World, file: &str| fs::write(world.path(file), "state_dir = \"state\"\n[[[\n").unwrap();
    for broken in
        [&["rules.toml"][..], &["devices.toml"], &["gateway.toml"], &["gateway.toml", "devices.toml", "rules.toml"]]
    {
        broken.iter().for_each(|file| break_off(&world, file));
        world.start_gateway();
        works(&world);
        let told = world.weir(&["status"]).exits(0).out;
        for file in broken {
            let version = format!("version {}-1 is in force instead", file.strip_suffix(".toml").unwrap());
            assert!(told.contains(&version), "{version}: {told}");
        }
        assert_eq!(told.matches("is in force instead").count(), broken.len(), "no file too many: {told}");
        for file in broken {
            let version = format!("{}-1", file.strip_suffix(".toml").unwrap());
            config(&world, &["rollback", &version, "--reason", "typing error"]).exits(0);
        }
        config(&world, &["check"]).exits(0);
        good.iter().for_each(|(file, text)| fs::write(world.path(file), text).unwrap());
    }
    world.start_gateway();
    break_off(&world, "sync.toml");
    world.restart_sync();
    works(&world);
    world.delivered();
    let told = world.weir(&["--lang", "zh", "status"]).exits(0).out;
    assert!(told.contains("当前使用保存的版本 sync-1") && !told.contains("gateway-1"), "{told}");

    // The way back is the one that status names. What was never in force is no version, and not lost either.
    let back = config(&world, &["rollback", "sync-1", "--reason", "typing error"]).exits(0).out;
    assert!(back.contains("restart weir-sync") && back.contains("sync.toml.refused"), "{back}");
    assert_eq!(text(&world, "sync.toml.refused"), "state_dir = \"state\"\n[[[\n");
    assert_eq!(versions(&world).len(), 4);
    assert_eq!(text(&world, "sync.toml"), good[3].1);
    world.restart_sync();
    until("nothing is told any more", 20, || (!world.weir(&["status"]).out.contains("instead")).then_some(()));

    // No secret is kept, and without a version nothing helps.
    let password = sensor.password();
    assert!(text(&world, "keys.toml").contains(&password));
    let folders = ["state/config", "state/outbox/config"].map(|folder| world.path(folder));
    for path in folders.into_iter().flat_map(files) {
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(password.len()).any(|window| window == password.as_bytes()), "{}", path.display());
    }
    fs::set_permissions(world.path("keys.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    world.kill_gateway();
    let start =
        |world: &World| world.weir(&["gateway", "run", "--config", &world.path("gateway.toml").display().to_string()]);
    assert!(start(&world).exits(255).err.contains("chmod 600"));
    fs::set_permissions(world.path("keys.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_dir_all(world.path("state/config")).unwrap();
    break_off(&world, "rules.toml");
    assert!(start(&world).exits(255).err.contains("rules.toml"));
}

/// One file for each concern: together they have one version, and which of them is wrong is told.
#[test]
fn rules_in_several_files_are_one_set_with_one_version() {
    let mut world = World::start(&[Device::cod("cod-1")]);
    kept(&world, &[("gateway", 1), ("devices", 1), ("rules", 1), ("sync", 1)]);
    fs::create_dir(world.path("rules.d")).unwrap();
    let more = RULE.replace("\"high\"", "\"higher\"").replace("80", "160");
    fs::write(world.path("rules.d/10-cod.toml"), &more).unwrap();
    let diff = config(&world, &["diff"]).exits(0).out;
    assert!(diff.contains("+# 10-cod.toml") && diff.contains("+id = \"higher\""), "{diff}");
    world.start_gateway();
    kept(&world, &[("rules", 2)]);
    assert_eq!(config(&world, &["show", "rules-2"]).exits(0).out, format!("\n# 10-cod.toml\n{more}"));

    // A new rules.toml is checked, kept and journaled together with the folder, which stays as it is.
    let new = world.path("new-rules.toml");
    fs::write(&new, RULE).unwrap();
    let new = new.display().to_string();
    config(&world, &["apply", &new, "--reason", "permit of 2026"]).exits(0);
    assert_eq!((text(&world, "rules.toml"), text(&world, "rules.d/10-cod.toml")), (RULE.to_owned(), more.clone()));
    let whole = format!("{RULE}\n# 10-cod.toml\n{more}");
    assert_eq!(config(&world, &["show", "rules-3"]).exits(0).out, whole);
    assert_eq!(versions(&world).iter().filter(|one| one["in_place"] == true).count(), 4);
    fs::write(&new, &more).unwrap();
    let refused = config(&world, &["apply", &new, "--reason", "r"]).exits(255).err;
    assert!(refused.contains("rules.d/10-cod.toml") && refused.contains("stands twice"), "{refused}");
    world.start_gateway();
    until("it is in force", 20, || (config(&world, &["diff"]).exits(0).out == "nothing is different\n").then_some(()));
    let folder = world.path("rules.d").display().to_string();
    let both = world.weir(&["rules", "check", &world.path("rules.toml").display().to_string(), &folder]).exits(0).out;
    assert_eq!(both, "ok, 2 rules\n");

    // A kept version is that of all files.
    let back = config(&world, &["rollback", "rules-2", "--reason", "r"]).exits(3).err;
    assert!(back.contains("rules.d") && back.contains("weir config show"), "{back}");
    fs::rename(world.path("rules.d"), world.path("aside")).unwrap();
    config(&world, &["rollback", "rules-3", "--reason", "one file again"]).exits(0);
    assert_eq!(text(&world, "rules.toml"), whole);
    config(&world, &["check"]).exits(0);

    // A typing error in one of them, and a restart.
    fs::write(world.path("rules.toml"), RULE).unwrap();
    fs::rename(world.path("aside"), world.path("rules.d")).unwrap();
    fs::write(world.path("rules.d/10-cod.toml"), more.replace("high =", "hihg =")).unwrap();
    let refused = config(&world, &["check"]).exits(255).out;
    assert!(
        refused.contains("rules.d/10-cod.toml") && refused.contains("line 8") && refused.contains("hihg"),
        "{refused}"
    );
    world.start_gateway();
    let told = world.weir(&["status"]).exits(0).out;
    assert!(told.contains("version rules-3 is in force instead"), "{told}");
}

/// Nobody says who did it; that it was done is evidence, as what `weir config apply` does is.
#[test]
fn what_is_changed_by_hand_is_journaled_at_the_next_start() {
    let mut world = World::start(&[Device::cod("cod-1")]);
    kept(&world, &[("gateway", 1), ("devices", 1), ("rules", 1), ("sync", 1)]);
    let found = |world: &World| {
        let records = world.weir(&["tail", "-n", "100", "--json"]).exits(0).json_lines();
        let text: Vec<String> =
            records.iter().map(ToString::to_string).filter(|row| row.contains("configured")).collect();
        text
    };
    world.start_gateway();
    world.restart_sync();
    assert_eq!(found(&world), Vec::<String>::new(), "what is as it was is told nowhere");
    for file in ["devices.toml", "sync.toml"] {
        let path = world.path(file);
        fs::write(&path, format!("{}# seen to\n", text(&world, file))).unwrap();
        let before = found(&world).len();
        if file == "sync.toml" {
            world.restart_sync()
        } else {
            world.start_gateway()
        }
        until("the change is journaled", 20, || (found(&world).len() > before).then_some(()));
        let newest = found(&world).pop().unwrap();
        let sha256 = Answer::of(Command::new("sha256sum").arg(&path)).exits(0).out;
        assert!(
            newest.contains(&sha256[..64]) && newest.contains("other than by weir config apply"),
            "{file}: {newest}"
        );
    }
    config(&world, &["rollback", "devices-1", "--reason", "back"]).exits(0);
    world.start_gateway();
    world.restart_sync();
    until("the platform knows of all three", 30, || (world.platforms[0].audits().len() == 3).then_some(()));
    assert_eq!(found(&world).len(), 3, "what was applied is told once");
}
