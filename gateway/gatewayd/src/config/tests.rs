use std::error::Error;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use expect_test::{Expect, expect};

use super::*;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/gateway.toml");

/// As it must be installed: readable by its owner alone.
fn write_keys(folder: &Path, text: &str) {
    let path = folder.join("keys.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn check(text: &str, expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::write(folder.path().join("devices.toml"), "").unwrap();
    std::fs::write(folder.path().join("rules.toml"), "").unwrap();
    write_keys(folder.path(), "");
    let shown = match GatewayConfig::load(&path) {
        Ok(config) => format!("box {}", config.file.box_id),
        Err(error) => match error.source() {
            Some(source) => format!("{error}\n{}", source.to_string().trim_end()),
            None => error.to_string(),
        },
    };
    expected.assert_eq(&shown.replace(&folder.path().display().to_string(), "/etc/weir"));
}

#[test]
fn the_shipped_example_is_valid_and_states_every_default() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["gateway.toml", "devices.toml", "rules.toml"] {
        std::fs::copy(Path::new(EXAMPLE).with_file_name(name), folder.path().join(name)).unwrap();
    }
    write_keys(folder.path(), &std::fs::read_to_string(Path::new(EXAMPLE).with_file_name("keys.toml")).unwrap());
    let example = GatewayConfig::load(&folder.path().join("gateway.toml")).unwrap();
    assert_eq!((example.devices.len(), example.rules.iter().len()), (6, 3));
    let plain: GatewayFile = toml::from_str("box = \"outfall-1\"").unwrap();
    let shipped: GatewayFile = toml::from_str(&std::fs::read_to_string(EXAMPLE).unwrap()).unwrap();
    assert_eq!(format!("{shipped:#?}"), format!("{plain:#?}"));
    // Each key of the file stands in the example: the names in the Debug form are those of the fields.
    let example = std::fs::read_to_string(EXAMPLE).unwrap();
    for line in format!("{plain:#?}").lines() {
        if let Some((key, _)) = line.trim().split_once(": ").filter(|(key, _)| *key != "box_id") {
            let section = [format!("[{key}]"), format!(".{key}]")];
            let optional = format!("# {key} = ");
            let stands = |line: &str| {
                line.starts_with(key) || line.starts_with(&optional) || section.iter().any(|end| line.ends_with(end))
            };
            assert!(example.lines().any(stands), "{key} is missing");
        }
    }
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, "box = \"b\"\nstate_dir = \"state\"\ndevices = \"/dev/null\"\nrules = \"/dev/null\"")
        .unwrap();
    write_keys(folder.path(), "");
    let config = GatewayConfig::load(&path).unwrap();
    assert_eq!(config.journal_path(), folder.path().join("state/journal/journal.db"));
    assert_eq!(config.socket_path(), Path::new("/run/weir/gateway.sock"));
}

#[test]
fn faults_name_the_file_the_key_and_the_cure() {
    check("box = \"outfall-1\"", expect!["box outfall-1"]);
    check(
        "",
        expect![[r#"
        configuration `/etc/weir/gateway.toml` is refused · try: correct the line below, then weir config check /etc/weir/gateway.toml
        TOML parse error at line 1, column 1
          |
        1 | 
          | ^
        missing field `box`"#]],
    );
    check(
        "box = \"b\"\n[mqtt]\nport = 1883",
        expect![[r#"
        configuration `/etc/weir/gateway.toml` is refused · try: correct the line below, then weir config check /etc/weir/gateway.toml
        TOML parse error at line 3, column 1
          |
        3 | port = 1883
          | ^^^^
        unknown field `port`, expected one of `enabled`, `listen`, `connections_max`, `packet_bytes_max`, `packets_per_second_max`, `bytes_per_second_max`, `session_hours_max`, `tls`"#]],
    );
    check(
        "box = \"b\"\n[commit]\nlinger_ms = 1001",
        expect!["configuration `/etc/weir/gateway.toml`: `commit.linger_ms` is 1001, set it from 0 to 1000"],
    );
    check(
        "box = \"b\"\n[commit]\nrows_max = 0",
        expect!["configuration `/etc/weir/gateway.toml`: `commit.rows_max` is 0, set it from 1 to 10000"],
    );
    check(
        "box = \"b\"\n[mqtt]\nlisten = \"localhost\"",
        expect![[r#"
        configuration `/etc/weir/gateway.toml` is refused · try: correct the line below, then weir config check /etc/weir/gateway.toml
        TOML parse error at line 3, column 10
          |
        3 | listen = "localhost"
          |          ^^^^^^^^^^^
        invalid socket address syntax"#]],
    );
    check(
        "box = \"b\"\n[gwmp]\nlisten = \"0.0.0.0:1700\"",
        expect![
            "configuration `/etc/weir/gateway.toml`: `gwmp.listen` is 0.0.0.0:1700, reachable by others, and GWMP has no authentication · try: list your gateways' EUIs in `gwmp.gateways` and their networks in `gwmp.networks`, or listen on 127.0.0.1"
        ],
    );
    check(
        "box = \"b\"\n[gwmp]\nlisten = \"0.0.0.0:1700\"\ngateways = [\"aa555a0000000001\"]",
        expect![
            "configuration `/etc/weir/gateway.toml`: `gwmp.listen` is 0.0.0.0:1700, reachable by others, and GWMP has no authentication · try: list your gateways' EUIs in `gwmp.gateways` and their networks in `gwmp.networks`, or listen on 127.0.0.1"
        ],
    );
    check(
        "box = \"b\"\n[gwmp]\nlisten = \"0.0.0.0:1700\"\ngateways = [\"aa555a0000000001\"]\nnetworks = [\"192.168.7.0/24\"]",
        expect!["box b"],
    );
    check(
        "box = \"b\"\n[gwmp]\nmerge_ms = 501",
        expect!["configuration `/etc/weir/gateway.toml`: `gwmp.merge_ms` is 501, set it from 0 to 500"],
    );
    check(
        "box = \"b\"\n[lorawan]\nrx1_delay_s = 16",
        expect!["configuration `/etc/weir/gateway.toml`: `lorawan.rx1_delay_s` is 16, set it from 1 to 15"],
    );
    check(
        "box = \"b\"\ndevices = \"rules.tml\"",
        expect![[r#"
        failed to read configuration `/etc/weir/rules.tml` · try: ls -l /etc/weir/rules.tml
        No such file or directory (os error 2)"#]],
    );
    check(
        "box = \"b\"\nrules = \"/dev/zero\"",
        expect!["configuration `/dev/zero` has more than 4194304 bytes: is it the right file?"],
    );
}

#[test]
fn keys_that_others_may_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("devices.toml"), "").unwrap();
    write_keys(folder.path(), "");
    let [devices, keys] = ["devices.toml", "keys.toml"].map(|name| folder.path().join(name));
    for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
        std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = load_devices(&devices, &keys);
        assert_eq!(loaded.is_ok(), accepted, "{mode:o}");
        assert!(accepted || matches!(loaded, Err(ConfigError::ExposedKeys { mode: found, .. }) if found == mode));
    }
}

#[test]
fn topics_of_a_chirpstack_are_its_own() {
    check(
        "box = \"b\"\n[chirpstack]\nevent_topic = \"application/{{dev_eui}}/{{event}}\"",
        expect![[r#"
        configuration `/etc/weir/gateway.toml` is refused · try: correct the line below, then weir config check /etc/weir/gateway.toml
        TOML parse error at line 3, column 15
          |
        3 | event_topic = "application/{{dev_eui}}/{{event}}"
          |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `{{application_id}}` must stand in the topic exactly once"#]],
    );
    check(
        "box = \"b\"\n[chirpstack]\napplication_id = \"a/b\"",
        expect![[
            r#"configuration `/etc/weir/gateway.toml`: `chirpstack.application_id` is "a/b", write 1 to 64 of A-Z a-z 0-9 _ . -"#
        ]],
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(folder.path().join("rules.toml"), "").unwrap();
    std::fs::write(&path, "box = \"b\"").unwrap();
    write_keys(folder.path(), "[cod-1]\npassword = \"river-otter-7\"\n");
    for (topic, taken) in [
        ("application/1/device/x/event/up", true),
        ("application/1/device/x/command/y", true),
        ("application/1", false),
    ] {
        let device = format!(
            "[[device]]\nname = \"cod-1\"\n[device.mqtt]\ntopic = \"{topic}\"\n[device.codec]\nkind = \"senml_json\"\n"
        );
        std::fs::write(folder.path().join("devices.toml"), device).unwrap();
        let loaded = GatewayConfig::load(&path);
        assert_eq!(matches!(loaded, Err(ConfigError::EventTopic { .. })), taken, "{topic} {loaded:?}");
    }
}

#[test]
fn serial_ports_have_a_name_a_path_and_a_rate_of_their_own() {
    let port =
        |name: &str, path: &str, more: &str| format!("[[serial]]\nname = \"{name}\"\npath = \"{path}\"\n{more}\n");
    let checked = |ports: &[String], expected| check(&format!("box = \"b\"\n{}", ports.concat()), expected);
    checked(&[port("a", "a", ""), port("b", "b", "baud = 115200\nenabled = false")], expect!["box b"]);
    let refused = "configuration `/etc/weir/gateway.toml`: `[[serial]]`";
    for ports in [
        [port("a", "one", ""), port("a", "two", "")],
        [port("a", "one", ""), port("b", "one", "")],
        [port("a", "one", ""), port("a/b", "two", "")],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, format!("box = \"b\"\n{}", ports.concat())).unwrap();
        let error = GatewayConfig::load(&path)
            .unwrap_err()
            .to_string()
            .replace(&folder.path().display().to_string(), "/etc/weir");
        assert!(error.starts_with(refused), "{error}");
    }
    checked(
        &[port("a", "a", "baud = 300")],
        expect!["configuration `/etc/weir/gateway.toml`: `serial.baud` is 300, set it from 1200 to 921600"],
    );
}

#[test]
fn codecs_are_read_beside_the_table_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let table = "[[device]]\nname = \"udl-1\"\n[device.chirpstack]\ndev_eui = \"24e124538c458373\"\n[device.codec]\n\
                 kind = \"javascript\"\nfile = \"codecs/em310.js\"\n\
                 fields = [{ path = \"/distance\", quantity = \"level\", unit = \"mm\" }]";
    std::fs::write(path("devices.toml"), table).unwrap();
    write_keys(folder.path(), "");
    let load = || load_devices(&path("devices.toml"), &path("keys.toml"));
    assert!(matches!(load(), Err(ConfigError::Devices { .. })), "the codec is not there");
    std::fs::create_dir(path("codecs")).unwrap();
    std::fs::write(path("codecs/em310.js"), "function decodeUplink() { return { data: { distance: 1 } } }").unwrap();
    let loaded = load().unwrap();
    let device = loaded.iter().next().unwrap();
    assert_eq!(
        device.codec_text.text,
        "{\"fields\":[{\"path\":\"/distance\",\"quantity\":\"level\",\"unit\":\"mm\"}],\"file\":\"codecs/em310.js\",\
         \"kind\":\"javascript\"}\nfunction decodeUplink() { return { data: { distance: 1 } } }"
    );
}

#[test]
fn the_files_of_rules_d_count_with_rules_toml_and_a_fault_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let rule = |id: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 80\n"
        )
    };
    write("gateway.toml", "box = \"b\"");
    write("devices.toml", "");
    write("rules.toml", &format!("late_s = 60\n{}", rule("main")));
    write_keys(folder.path(), "");
    let ids = |rules: &RuleSet| rules.iter().map(|rule| rule.id.to_string()).collect::<Vec<_>>().join(" ");
    let load = || match GatewayConfig::load_with(&folder.path().join("gateway.toml"), &BTreeMap::new()) {
        Ok(loaded) => (ids(&loaded.config.rules), Some((loaded.config.rules_hash, loaded.texts[2].1.clone()))),
        Err(error) => (control::chain(&error).replace(&folder.path().display().to_string(), "/etc/weir"), None),
    };
    let (alone, before) = load();
    assert_eq!(alone, "main", "no folder is no fault");
    std::fs::create_dir(folder.path().join("rules.d")).unwrap();
    assert_eq!(load(), (alone, before.clone()), "nor an empty one");
    write("rules.d/20-b.toml", &rule("b"));
    write("rules.d/10-a.toml", &rule("a"));
    for none in ["rules.d/10-a.test.toml", "rules.d/.10-a.toml", "rules.d/10-a.toml.refused", "rules.d/README"] {
        write(none, "no rule");
    }
    let (together, after) = load();
    assert_eq!(together, "main a b");
    let (hash, text) = after.unwrap();
    assert_ne!(hash, before.unwrap().0, "what a platform put in the place of other rules ends");
    assert_eq!(text, format!("late_s = 60\n{}\n# 10-a.toml\n{}\n# 20-b.toml\n{}", rule("main"), rule("a"), rule("b")));
    // What was kept counts alone, whatever stands in the folder by then.
    let kept = BTreeMap::from([(ConfigFile::Rules, rule("kept"))]);
    let loaded = GatewayConfig::load_with(&folder.path().join("gateway.toml"), &kept).unwrap();
    assert_eq!(ids(&loaded.config.rules), "kept");

    let refused = |expected: Expect| expected.assert_eq(&load().0);
    write("rules.d/20-b.toml", &format!("\n{}", rule("a")));
    refused(expect![
        "rules `/etc/weir/rules.d/20-b.toml` are refused: line 2: rule `a` stands twice, first at line 1 of `/etc/weir/rules.d/10-a.toml`: give each its own id"
    ]);
    write("rules.d/20-b.toml", &rule("b").replace("high = 80", ""));
    refused(expect![
        "rules `/etc/weir/rules.d/20-b.toml` are refused: line 1: rule `b`: it has neither of `high` and `low`: write one; for both, write two rules"
    ]);
    write("rules.d/20-b.toml", "");
    write("rules.d/two words.toml", "");
    refused(expect![[
        r#"folder `/etc/weir/rules.d`: rules are not read from a file called "two words.toml" · try: a name of A-Z a-z 0-9 _ . - for it"#
    ]]);
    std::fs::remove_file(folder.path().join("rules.d/two words.toml")).unwrap();
    (0..62).for_each(|nth| write(&format!("rules.d/{nth}.toml"), ""));
    refused(expect!["folder `/etc/weir/rules.d` has 65 files of rules or more, and 64 are the most · try: join some"]);
}

#[test]
fn drop_ins_count_over_gateway_toml_and_a_fault_names_the_file_and_line_in_which_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let path = folder.path().join("gateway.toml");
    write("gateway.toml", "box = \"b\"\n[commit]\nlinger_ms = 1\n[[serial]]\nname = \"one\"\npath = \"a\"\n");
    ["devices.toml", "rules.toml"].iter().for_each(|name| write(name, ""));
    write_keys(folder.path(), "");
    std::fs::create_dir(folder.path().join("gateway.toml.d")).unwrap();
    let loaded = || match GatewayConfig::load_with(&path, &BTreeMap::new()) {
        Ok(loaded) => format!("{:?}\n{}", loaded.config.file.commit, loaded.texts[0].1),
        Err(error) => control::chain(&error).replace(&folder.path().display().to_string(), "/etc/weir"),
    };
    write("gateway.toml.d/10-site.toml", "commit.rows_max = 5\n");
    expect![[r#"
        Commit { linger_ms: 1, rows_max: 5 }
        box = "b"
        [commit]
        linger_ms = 1
        rows_max = 5  # gateway.toml.d/10-site.toml:1
        [[serial]]
        name = "one"
        path = "a"
    "#]]
    .assert_eq(&loaded());
    for (wrong, expected) in [
        ("\ncommit.rows_max = 0\n", "10-site.toml`, line 2: `commit.rows_max` is 0, set it from 1 to 10000"),
        ("\n[[serial]]\nname = \"two\"\npath = \"b\"\nbaud = 3\n", "10-site.toml`, line 5: `serial.baud` is 3"),
        ("[[serial]]\nname = \"two\"\npath = \"a\"\n", "10-site.toml`, line 2: `[[serial]]` \"two\""),
        ("\n\n[gwmp]\nlisten = \"0.0.0.0:1700\"\n", "10-site.toml`, line 4: `gwmp.listen`"),
        ("[[serial]]\nname = \"one\"\npahts = 1\n", "10-site.toml` is refused"),
    ] {
        write("gateway.toml.d/10-site.toml", wrong);
        let told = loaded();
        assert!(told.contains(&format!("/etc/weir/gateway.toml.d/{expected}")), "{told}");
    }
    // A kept text is that of all of them.
    let kept = BTreeMap::from([(ConfigFile::Gateway, "box = \"b\"\n".to_owned())]);
    assert_eq!(GatewayConfig::load_with(&path, &kept).unwrap().config.file.commit.rows_max, 1_024);
    write("gateway.toml.d/10-site.toml", "");
    write("gateway.toml", "box = \"b\"\ncommit.rows_max = 0\n");
    assert!(loaded().starts_with("configuration `/etc/weir/gateway.toml`: `commit.rows_max`"), "{}", loaded());
}
