//! Drop-ins: what a file in `gateway.toml.d` or `sync.toml.d` says counts over the file, key by key; where each value came from is
//! told, a bad one stops no box that runs or starts, and a change with one can be taken back like any other.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use system_tests::config::BOX;
use system_tests::{Answer, Device, Sensor, World, until};

/// Nobody waits so long for a record in a test.
const PATIENT: &str = "[destination.batch]\nlinger_ms = 3_600_000\n";

fn config(world: &World, arguments: &[&str]) -> Answer {
    world.weir(&[&["config", "--config-dir", &world.config_dir()], arguments].concat())
}

fn drop_in(world: &World, name: &str, text: &str) -> String {
    let path = world.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn text(world: &World, file: &str) -> String {
    fs::read_to_string(world.path(file)).unwrap()
}

/// Waits until so many versions of a file are kept.
fn kept(world: &World, file: &str, count: usize) {
    until(&format!("{count} versions of {file} are kept"), 20, || {
        let all = config(world, &["history", "--json"]).exits(0).json();
        let of_file = |one: &&Value| one["version"].as_str().unwrap().starts_with(file);
        (all["versions"].as_array().unwrap().iter().filter(of_file).count() == count).then_some(())
    });
}

/// The line of `weir config show` for a key: its value, and from where it came.
fn shown(answer: &str, key: &str) -> (String, String) {
    let line = answer.lines().find(|line| line.split_whitespace().next() == Some(key));
    let words: Vec<&str> = line.unwrap_or_else(|| panic!("no {key}: {answer}")).split_whitespace().collect();
    (words[1..words.len() - 1].join(" "), (*words.last().unwrap()).to_owned())
}

#[test]
fn a_drop_in_changes_an_interval_and_costs_no_sensor_its_connection() {
    let cod = Device::cod("cod-1");
    let mut world = World::box_only(std::slice::from_ref(&cod), "");
    world.start_platforms();
    world.sync_config();
    let patient = text(&world, "sync.toml").replace("[destination.batch]\nlinger_ms = 50\n", PATIENT);
    assert_eq!(patient.matches("3_600_000").count(), 2);
    fs::write(world.path("sync.toml"), &patient).unwrap();
    world.restart_sync();
    kept(&world, "sync", 1);
    let mut sensor = Sensor::connect(&world, &cod);
    sensor.publish("{\"n\": 1, \"cod\": 40.17}");

    let both = "[[destination]]\nname = \"municipal\"\nbatch.linger_ms = 20\n\n[[destination]]\nname = \"provincial\"\nbatch = { linger_ms = 30 }\n";
    let fast = drop_in(&world, "sync.toml.d/50-fast.toml", both);
    // An editor's and dpkg's leftovers are none.
    for name in ["sync.toml.d/50-fast.toml~", "sync.toml.d/.50-fast.toml", "sync.toml.d/50-fast.toml.dpkg-old"] {
        drop_in(&world, name, "[[[\n");
    }
    for file in [&fast, &world.path("sync.toml").display().to_string()] {
        let checked = config(&world, &["check", file]).exits(0).out;
        assert!(checked.contains("with 50-fast.toml of sync.toml.d"), "{checked}");
    }
    let diff = config(&world, &["diff"]).exits(0).out;
    assert!(diff.contains("sync.toml + sync.toml.d") && diff.contains("-linger_ms = 3_600_000"), "{diff}");
    assert!(diff.contains("+linger_ms = 20  # sync.toml.d/50-fast.toml:3"), "{diff}");
    world.restart_sync();
    sensor.publish("{\"n\": 2, \"cod\": 41}");
    assert_eq!(world.delivered().len(), 4, "of one connection, the second frame at once");
    kept(&world, "sync", 2);
    let diff = config(&world, &["diff"]).exits(0).out;
    assert_eq!(diff, "nothing is different\n");
    let version = config(&world, &["show", "sync-2", "--json"]).exits(0).json();
    assert!(version["text"].as_str().unwrap().contains("linger_ms = 30  # sync.toml.d/50-fast.toml:7"), "{version}");
    assert_eq!(text(&world, "sync.toml"), patient, "nobody writes into the file");
}

#[test]
fn what_counts_is_shown_with_the_file_and_line_of_each_value() {
    let mut world = World::start(&[Device::cod("cod-1")]);
    drop_in(&world, "gateway.toml.d/10-pace.toml", "commit.linger_ms = 7\n[mqtt]\nconnections_max = 5\n");
    drop_in(&world, "gateway.toml.d/20-later.toml", "# the later one\n\n[mqtt]\nconnections_max = 6\n");
    drop_in(
        &world,
        "sync.toml.d/proxy.toml",
        "[[destination]]\nname = \"municipal\"\nproxy = \"http://10.0.0.1:3128/\"\n",
    );
    fs::write(world.path("platform.toml"), "name = \"city\"\nlisten = \"127.0.0.1:0\"\nstate_dir = \"city\"\n")
        .unwrap();
    drop_in(&world, "platform.toml.d/token.toml", "\nread_token = \"geheimgeheimgeheim\"\n");
    world.start_gateway();
    let answer = config(&world, &["show"]).exits(0).out;
    for (key, value, from) in [
        ("box", "\"outfall-1\"", "gateway.toml:1"),
        ("commit.linger_ms", "7", "gateway.toml.d/10-pace.toml:1"),
        ("mqtt.connections_max", "6", "gateway.toml.d/20-later.toml:4"),
        ("checkpoint.seconds_max", "600", "default"),
        ("destination[provincial].batch.linger_ms", "50", "sync.toml:19"),
    ] {
        assert_eq!(shown(&answer, key), (value.to_owned(), from.to_owned()), "{answer}");
    }
    assert_eq!(shown(&answer, "read_token"), ("\"[redacted]\"".to_owned(), "platform.toml.d/token.toml:2".to_owned()));
    assert_eq!(shown(&answer, "destination[municipal].proxy").1, "sync.toml.d/proxy.toml:3");
    assert!(!answer.contains("geheim"), "{answer}");
    assert!(answer.contains("gateway.toml + gateway.toml.d/10-pace.toml + gateway.toml.d/20-later.toml"), "{answer}");

    let of_one = ["--lang", "zh", "config", "--config-dir", &world.config_dir(), "show", "gateway"];
    let chinese = world.weir(&of_one).exits(0).out;
    assert!(chinese.contains("配置项") && chinese.contains("来源") && chinese.contains("默认值"), "{chinese}");
    assert!(!chinese.contains("sync.toml") && !chinese.contains("default"), "{chinese}");
    let checked = world.weir(&["--lang", "zh", "config", "--config-dir", &world.config_dir(), "check"]).exits(0).out;
    assert!(checked.contains("连同 gateway.toml.d 中的 10-pace.toml, 20-later.toml"), "{checked}");

    // Every value that a program gets has its place, and what the gateway does not accept is said.
    let json = config(&world, &["show", "--json"]).exits(0).json();
    let files = json["files"].as_array().unwrap();
    assert_eq!((files.len(), files[0]["drop_ins"].as_array().unwrap().len()), (3, 2));
    let values = || files.iter().flat_map(|file| file["values"].as_array().unwrap());
    assert!(values().all(|one| one["file"].is_null() == one["line"].is_null()), "{json}");
    let pace = values().find(|one| one["key"] == "commit.linger_ms").unwrap();
    assert_eq!((&pace["value"], &pace["line"]), (&7.into(), &1.into()));
    drop_in(&world, "gateway.toml.d/30-wrong.toml", "\ncommit.linger_ms = 7_000\n");
    let refused = config(&world, &["show", "gateway"]).exits(255).out;
    assert!(refused.contains("30-wrong.toml`, line 2:") && refused.contains("from 0 to 1000"), "{refused}");
    assert_eq!(shown(&refused, "commit.linger_ms").1, "gateway.toml.d/30-wrong.toml:2");
    let chinese = world.weir(&of_one).exits(255).out;
    assert!(chinese.contains("30-wrong.toml` 第 2 行：`commit.linger_ms` 为 7000，应为 0 至 1000"), "{chinese}");

    // Neither in a value nor in the line of a fault does a secret stand.
    let user = "[[destination]]\nname = \"municipal\"\nproxy = \"http://weir:geheim@10.0.0.1:3128/\"\n";
    drop_in(&world, "sync.toml.d/proxy.toml", user);
    let refused = config(&world, &["show", "sync"]).exits(255).out;
    assert!(refused.contains("! refused") && refused.contains("in line 3") && !refused.contains("geheim"), "{refused}");
    assert_eq!(shown(&refused, "destination[municipal].proxy").0, "\"http://[redacted]@10.0.0.1:3128/\"");

    // What a bundle tells has them, and no secret of theirs.
    let bundle = world.path("bundle.tar.gz").display().to_string();
    let of = ["gateway.toml", "sync.toml"].map(|name| world.path(name).display().to_string());
    world.weir(&["bundle", &bundle, "--config", &of[0], "--sync-config", &of[1]]).exits(0);
    let unpacked = std::process::Command::new("tar").args(["-xzOf", &bundle]).output().unwrap();
    let unpacked = String::from_utf8_lossy(&unpacked.stdout).into_owned();
    assert!(unpacked.contains("connections_max = 5") && !unpacked.contains("geheim"));
}

#[test]
fn a_bad_drop_in_stops_no_box_that_runs_and_none_that_starts() {
    let cod = Device::cod("cod-1");
    let mut world = World::start(std::slice::from_ref(&cod));
    ["gateway", "devices", "rules", "sync"].iter().for_each(|file| kept(&world, file, 1));
    let mut sensor = Sensor::connect(&world, &cod);
    // A folder that is named in a file which cannot be read hides nothing.
    let wrongs = [
        ("10-typo.toml", "[commit]\nlingre_ms = 1\n", "line 2"),
        ("20-broken.toml", "state_dir = \"elsewhere\"\n\n[[[\n", "line 3"),
        ("30-value.toml", "\n\n\ncommit.rows_max = 0\n", "line 4"),
        ("two words.toml", "", "two words.toml"),
    ];
    for (name, wrong, says) in wrongs {
        let path = drop_in(&world, &format!("gateway.toml.d/{name}"), wrong);
        let sync =
            drop_in(&world, "sync.toml.d/50-typo.toml", "# so\n[[destination]]\nname = \"municipal\"\nulr = \"x\"\n");
        sensor.publish("{\"n\": 1, \"cod\": 40.17}");
        for (file, line) in [(&path, says), (&sync, "line 4")] {
            let checked = config(&world, &["check", file]).exits(255).out;
            assert!(checked.contains(file.rsplit('/').next().unwrap()) && checked.contains(line), "{checked}");
            assert!(checked.contains("try:") || checked.contains("set it from"), "{checked}");
        }
        world.start_gateway();
        world.restart_sync();
        sensor = Sensor::connect(&world, &cod);
        sensor.publish("{\"n\": 1, \"cod\": 40.17}");
        world.delivered();
        let told = world.weir(&["status"]).exits(0).out;
        for expected in
            ["version gateway-1 is in force instead", "version sync-1 is in force instead", name, says, "50-typo.toml"]
        {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert!(!told.contains("devices-1") && !told.contains("rules-1"), "{told}");
        fs::remove_dir_all(world.path("gateway.toml.d")).unwrap();
        fs::remove_dir_all(world.path("sync.toml.d")).unwrap();
    }
    world.start_gateway();
    world.restart_sync();
    until("nothing is told any more", 20, || (!world.weir(&["status"]).out.contains("instead")).then_some(()));
    ["gateway", "devices", "rules", "sync"].iter().for_each(|file| kept(&world, file, 1));

    // A box that never worked has nothing to go on with, and says which file it is.
    drop_in(&world, "gateway.toml.d/10-typo.toml", "[commit]\nlingre_ms = 1\n");
    world.kill_gateway();
    fs::remove_dir_all(world.path("state/config")).unwrap();
    let refused = world.weir(&["gateway", "run", "--config", &world.path("gateway.toml").display().to_string()]);
    let refused = refused.exits(255).err;
    assert!(
        refused.contains("10-typo.toml") && refused.contains("line 2") && refused.contains("lingre_ms"),
        "{refused}"
    );
    fs::write(world.path("page.toml"), "listen = \"127.0.0.1:0\"\n").unwrap();
    drop_in(&world, "page.toml.d/open.toml", "\nlisten = \"0.0.0.0:0\"\n");
    let refused =
        world.weir(&["page", "run", "--config", &world.path("page.toml").display().to_string()]).exits(255).err;
    assert!(refused.contains("page.toml.d/open.toml`, line 2:") && refused.contains("public = true"), "{refused}");
}

#[test]
fn a_change_beside_drop_ins_can_be_taken_back() {
    let mut world = World::start(&[Device::cod("cod-1")]);
    kept(&world, "gateway", 1);
    let (before, pace) = (text(&world, "gateway.toml"), "commit.linger_ms = 7\n");
    drop_in(&world, "gateway.toml.d/10-pace.toml", pace);
    world.start_gateway();
    kept(&world, "gateway", 2);

    // A new text is checked, kept and journaled together with them; they stay and count over it.
    let new = world.path("new-gateway.toml");
    fs::write(&new, format!("{before}[commit]\nlinger_ms = 50\nrows_max = 100\n")).unwrap();
    let new = new.display().to_string();
    let applied = config(&world, &["apply", &new, "--reason", "more at once"]).exits(0).out;
    assert!(applied.contains("gateway-3") && applied.contains("gateway.toml.d/10-pace.toml"), "{applied}");
    let whole = config(&world, &["show", "gateway-3"]).exits(0).out;
    let ends = "[commit]\nlinger_ms = 7  # gateway.toml.d/10-pace.toml:1\nrows_max = 100\n";
    assert!(whole.ends_with(ends), "{whole}");
    fs::write(&new, format!("{before}[commit]\nrows_max = 0\n")).unwrap();
    drop_in(&world, "gateway.toml.d/20-rows.toml", "commit.rows_max = 1_000_000\n");
    let refused = config(&world, &["apply", &new, "--reason", "r"]).exits(255).err;
    assert!(refused.contains("20-rows.toml`, line 1:"), "{refused}");
    fs::remove_file(world.path("gateway.toml.d/20-rows.toml")).unwrap();
    fs::write(&new, format!("{before}[commit]\nrwos_max = 1\n")).unwrap();
    let refused = config(&world, &["apply", &new, "--reason", "r"]).exits(255).err;
    assert!(refused.contains("/gateway.toml`") && refused.contains("line 9"), "{refused}");

    // A kept version has what they said, so none may count over it. What stood there is kept before, as ever.
    for (back, number) in [("gateway-2", 5), ("gateway-3", 7)] {
        drop_in(&world, "gateway.toml.d/10-pace.toml", "commit.linger_ms = 9\n");
        let told = config(&world, &["rollback", back, "--reason", "as before"]).exits(0).out;
        assert!(told.contains(&format!("gateway-{number}")) && told.contains("gateway.toml.d.aside"), "{told}");
        assert!(!world.path("gateway.toml.d").exists());
        assert_eq!(text(&world, "gateway.toml"), config(&world, &["show", back]).exits(0).out);
    }
    for aside in ["gateway.toml.d.aside", "gateway.toml.d.aside-2"] {
        assert_eq!(text(&world, &format!("{aside}/10-pace.toml")), "commit.linger_ms = 9\n");
    }
    world.start_gateway();
    until("it is in force", 20, || (config(&world, &["diff"]).exits(0).out == "nothing is different\n").then_some(()));
    let shown_now = config(&world, &["show", "gateway"]).exits(0).out;
    assert_eq!(shown(&shown_now, "commit.rows_max").0, "100");

    // The way back from a bad one is the one that status names; the file itself is not at fault.
    drop_in(&world, "gateway.toml.d/10-pace.toml", "[[[\n");
    world.start_gateway();
    assert!(world.weir(&["status"]).exits(0).out.contains("version gateway-7 is in force instead"));
    let own = text(&world, "gateway.toml");
    let told = config(&world, &["rollback", "gateway-7", "--reason", "a typo"]).exits(0).out;
    assert!(told.contains("gateway.toml.d.aside-3") && !told.contains("refused"), "{told}");
    assert_eq!(
        (text(&world, "gateway.toml"), text(&world, "gateway.toml.d.aside-3/10-pace.toml")),
        (own, "[[[\n".into())
    );
    config(&world, &["check"]).exits(0);
    let tail = world.weir(&["tail", "-n", "20"]).exits(0).out;
    assert_eq!(tail.matches("gateway.toml is as before again").count(), 3, "{tail}");
    assert!(world.verify().exits(0).json()["holds"].as_bool().unwrap());
}

/// Who writes into a file is told where what he writes would not count.
#[test]
fn nothing_is_written_over_which_a_drop_in_counts() {
    let mut world = World::box_only(&[Device::cod("cod-1")], "");
    world.start_strange_platforms();
    let before = "state_dir = \"state\"\nrun_dir = \"run\"\n";
    fs::write(world.path("sync.toml"), before).unwrap();
    let path = drop_in(
        &world,
        "sync.toml.d/10-city.toml",
        "[[destination]]\nname = \"municipal\"\nurl = \"https://127.0.0.1:9/\"\n",
    );
    let sync = world.path("sync.toml").display().to_string();
    let enroll = |world: &World| {
        let party = &world.platforms[0];
        world.weir(&["identity", "enroll", "--config", &sync, &party.url(), &party.invite(BOX)])
    };
    let refused = enroll(&world).exits(3).err;
    assert!(refused.contains("10-city.toml`, line 3:") && refused.contains("`url`"), "{refused}");
    assert_eq!(text(&world, "sync.toml"), before);
    fs::write(&path, "[[destination]]\nname = \"municipal\"\nbatch.linger_ms = 50\n").unwrap();
    enroll(&world).exits(0);
    world.restart_sync();

    // And so is a name that the setup would write.
    fs::write(world.path("answers.toml"), format!("[box.{BOX}]\n")).unwrap();
    let name = drop_in(&world, "gateway.toml.d/10-name.toml", "# of another station\nbox = \"outfall-9\"\n");
    let answers = world.path("answers.toml").display().to_string();
    let refused = world.weir(&["setup", "--config-dir", &world.config_dir(), "--answers", &answers, "--box", BOX]);
    let refused = refused.exits(3).err;
    assert!(refused.contains("10-name.toml`, line 2:") && refused.contains("outfall-9"), "{refused}");
    fs::remove_file(name).unwrap();

    // Devices go into the table that counts.
    drop_in(&world, "gateway.toml.d/10-table.toml", "devices = \"table.toml\"\n");
    fs::rename(world.path("devices.toml"), world.path("table.toml")).unwrap();
    fs::set_permissions(world.path("keys.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    world.device(&["add", "cod-2", "--link", "mqtt", "--codec", "=cod-1"]).exits(0);
    assert!(text(&world, "table.toml").contains("cod-2") && !world.path("devices.toml").exists());
    world.start_gateway();
    assert!(world.device(&["list"]).exits(0).out.contains("cod-2"));
}
