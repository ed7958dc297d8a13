//! `weir device`, as a technician types it: what it adds speaks, what it refuses leaves no trace, and what is heard and
//! unknown is listed with what to do.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use system_tests::config::write_secret;
use system_tests::radio::PATIENT;
use system_tests::row::{once, values};
use system_tests::{Answer, Device, Peer, Radio, World};

/// Exit statuses: done and something is not well; wrong usage; could not be done.
const NOT_WELL: i32 = 1;
const USAGE: i32 = 2;
const FAILED: i32 = 3;

/// Exit status of `paho_sensor.py`: it was not let in.
const CONNECT_REFUSED: i32 = 3;

/// The root key of [`Device::joining`], and a key that is nobody's.
const APP_KEY: &str = "app_key = \"2b7e151628aed2a6abf7158809cf4f3c\"\n";
const DEV_EUI: &str = "24e124538c458373";
/// The label of that device (TR005), with its checksum.
const QR: &str = "LW:D0:24E124C0002A0001:24E124538C458373:AABB1122:SYYWWNNNNNN:C9F27";

const COD: &str = "# As the probe's manual says.\nkind = \"json\"\n\
    fields = [{ path = \"/n\", quantity = \"n\", unit = \"1\", optional = true },\n\
              { path = \"/cod\", quantity = \"cod\", unit = \"mg/L\" }]\n";
const LPP: &str = "kind = \"cayenne_lpp\"\n";

/// A box with these files beside it, and nobody in its table.
fn box_with(devices: &[Device], more: &str) -> World {
    let world = World::prepared(devices, more);
    for (name, text) in [("cod.toml", COD), ("lpp.toml", LPP)] {
        fs::write(world.path(name), text).unwrap();
    }
    world
}

fn path(world: &World, name: &str) -> String {
    world.path(name).display().to_string()
}

/// Both files of the table, as they stand.
fn files(world: &World) -> [String; 2] {
    ["devices.toml", "keys.toml"].map(|name| fs::read_to_string(world.path(name)).unwrap())
}

/// `paho_sensor.py` under a password that the command gave.
fn sensor(world: &World, name: &str, password: &str, count: u64) -> Peer {
    let topic = format!("d/{name}/up");
    let sensor = Peer::new("paho_sensor.py").with("--port", world.mqtt_port).with("--user", name);
    sensor.with("--password", password).with("--topic", topic).with("--count", count).with("--deadline", 10)
}

fn shown(answer: Answer) -> Value {
    answer.exits(0).json()
}

#[test]
fn devices_that_are_added_are_heard_and_can_be_switched_off_and_taken_out() {
    let mut world = box_with(&[Device::cod("cod-0")], PATIENT);
    fs::write(world.path("devices.toml"), format!("# Station 7\n{}", files(&world)[0])).unwrap();
    let added = world.device(&["add", "cod-1", "--link", "mqtt", "--codec", &path(&world, "cod.toml")]).exits(0);
    let password = added.out.lines().next().and_then(|line| line.split(": ").nth(1)).expect("a password").to_owned();
    assert!(password.len() == 24 && added.out.contains("systemctl restart weir-gateway"), "{added:?}");
    write_secret(&world.path("level.keys"), APP_KEY);
    let (codec, keys) = (path(&world, "lpp.toml"), path(&world, "level.keys"));
    world.device(&["add", "level-1", "--link", "lorawan", "--codec", &codec, "--qr", QR, "--keys", &keys]).exits(0);
    world.device(&["add", "rain-1", "--link", "mqtt", "--codec", "=cod-1", "--lang", "zh"]).exits(0);
    let [devices, keys] = files(&world);
    assert!(devices.starts_with("# Station 7\n") && devices.contains("# As the probe's manual says."), "{devices}");
    assert!(!keys.contains(&password) && keys.contains("$argon2id$"), "only its hash is kept");

    world.start_gateway();
    sensor(&world, "cod-1", &password, 3).run().exits(0);
    let mut radio = Radio::start(&world, &[Device::joining("level-1", "1.0.3", DEV_EUI)]);
    radio.join("level-1", 1, json!({}));
    radio.confirmed("level-1", json!({ "fcnt": 0 }));
    assert_eq!(values(&world.export(), "cod-1", "n"), once(1..=3));

    world.device(&["disable", "cod-1"]).exits(0);
    world.device(&["disable", "level-1"]).exits(0);
    world.start_gateway();
    radio.pull();
    sensor(&world, "cod-1", &password, 1).run().exits(CONNECT_REFUSED);
    radio.send("level-1", json!({}));
    world.until_count("/gateway/devices/level-1/rejected", 1);
    radio.assert_silence();
    assert_eq!(world.refusals_of(Some("level-1")), ["disabled"]);
    world.device(&["enable", "cod-1"]).exits(0);
    world.device(&["enable", "level-1"]).exits(0);
    world.device(&["remove", "rain-1"]).exits(0);
    world.start_gateway();
    radio.pull();
    sensor(&world, "cod-1", &password, 1).with("--first", 4).run().exits(0);
    radio.confirmed("level-1", json!({}));

    world.device(&["remove", "cod-1"]).exits(0);
    world.device(&["show", "cod-1"]).exits(FAILED);
    world.start_gateway();
    sensor(&world, "cod-1", &password, 1).run().exits(CONNECT_REFUSED);
    assert_eq!(values(&world.export(), "cod-1", "n"), once(1..=4), "its records stay");
    let [devices, keys] = files(&world);
    assert!(devices.starts_with("# Station 7\n") && !format!("{devices}{keys}").contains("cod-1"), "{devices}{keys}");
}

/// What is typed, and what the refusal says.
type Refusal<'a> = (&'a [&'a str], &'a str, &'a [&'a str]);

#[test]
fn what_cannot_work_is_refused_with_its_cure_and_nothing_is_written() {
    let world = box_with(&[Device::cod("cod-0"), Device::joining("level-0", "1.0.3", DEV_EUI)], "region = \"CN470\"\n");
    for (name, text) in [
        ("unit.toml", "kind = \"plain\"\nquantity = \"cod\"\nunit = \"mgg/L\"\n"),
        ("kind.toml", "kind = \"jsn\"\n"),
        (
            "js.toml",
            "kind = \"javascript\"\nfile = \"em310.js\"\n\
                    fields = [{ path = \"/d\", quantity = \"level\", unit = \"mm\" }]\n",
        ),
        ("broken.toml", "kind = \n"),
    ] {
        fs::write(world.path(name), text).unwrap();
    }
    let abp = "nwk_s_key = \"44024241ed4ce9a68c6a8bc055233fd3\"\napp_s_key = \"ec925802ae430ca77fd3dd73cb2cc588\"\n";
    let mqtt = |codec: &'static str| ["--link", "mqtt", "--codec", codec];
    let cases: [Refusal<'_>; 14] = [
        (&mqtt("unit.toml"), "", &["mgg/L", "did you mean", "`mg/L`", "nothing was written"]),
        (&mqtt("kind.toml"), "", &["jsn", "senml_json"]),
        (&mqtt("broken.toml"), "", &["broken.toml", "is not TOML"]),
        (&mqtt("absent.toml"), "", &["absent.toml", "try: check the path"]),
        (&mqtt("/dev/zero"), "", &["/dev/zero", "is it the right file?"]),
        (&mqtt("js.toml"), "", &["em310.js", "put it beside devices.toml"]),
        (&mqtt("=nobody"), "", &["nobody", "weir device list"]),
        (&mqtt("cod.toml"), "pasword = \"otter-river-7\"\n", &["pasword", "known: password"]),
        (&mqtt("cod.toml"), "password = 5ec4e75ec4e7\n", &["is not TOML"]),
        (
            &["--link", "lorawan", "--codec", "lpp.toml", "--dev-eui", DEV_EUI],
            APP_KEY,
            &["dev_eui 24e124538c458373 is that of `level-0`", "compare it with the label"],
        ),
        (
            &["--link", "lorawan", "--codec", "lpp.toml", "--dev-eui", "0011223344556677"],
            "",
            &["keys.toml has no `app_key`", "add it below the device's name"],
        ),
        (
            &["--link", "lorawan", "--codec", "lpp.toml", "--dev-eui", "0011223344556677"],
            "app_key = \"5ec4e75ec4e7\"\n",
            &["app_key"],
        ),
        (
            &["--link", "lorawan", "--codec", "lpp.toml", "--dev-addr", "00000001", "--class", "C"],
            abp,
            &["region", "CN470", "try: let it join (dev_eui), or class A", "nothing was written"],
        ),
        (&["--link", "serial", "--codec", "cod.toml"], "", &["missing field `id`"]),
    ];
    let before = files(&world);
    for (typed, keys, says) in cases {
        write_secret(&world.path("keys.of"), keys);
        let codec = |word: &&str| match word.ends_with(".toml") {
            true => path(&world, word),
            false => (*word).to_owned(),
        };
        let mut words: Vec<String> = ["add", "new-1"].map(str::to_owned).into();
        words.extend(typed.iter().map(codec));
        words.extend(["--keys".to_owned(), path(&world, "keys.of")]);
        let answer = world.device(&words.iter().map(String::as_str).collect::<Vec<_>>()).exits(FAILED);
        for text in says {
            assert!(answer.err.contains(text), "{typed:?}: `{text}` is missing in:\n{}", answer.err);
        }
        assert!(!answer.err.contains("5ec4e7"), "{typed:?} repeats a key:\n{}", answer.err);
        assert!(answer.out.is_empty() && files(&world) == before, "{typed:?} left a trace");
    }
    let twice = world.device(&["add", "cod-0", "--link", "mqtt", "--codec", "=cod-0"]).exits(FAILED);
    assert!(twice.err.contains("weir device show cod-0"), "{twice:?}");
    for label in [QR.replace("C9F27", "C4CDE"), "https://example.org/7".to_owned()] {
        let typed = ["add", "new-1", "--link", "lorawan", "--codec", "=cod-0", "--qr", &label];
        let answer = world.device(&typed).exits(USAGE);
        assert!(answer.err.contains("try: "), "{answer:?}");
    }
    // It can be had, but not as somebody may think.
    write_secret(&world.path("keys.of"), abp);
    let words = ["add", "new-1", "--link", "lorawan", "--dev-addr", "26010001", "--keys"];
    let (keys, codec) = (path(&world, "keys.of"), path(&world, "cod.toml"));
    let added = world.device(&[&words[..], &[&keys, "--codec", &codec]].concat()).exits(0);
    assert!(added.out.contains("! device `new-1`: DevAddr 26010001 is not of a private network"), "{added:?}");
    assert!(added.out.contains("too few for JSON"), "{added:?}");
    assert!(world.path("devices.toml.new").metadata().is_err(), "nothing unfinished is left");
}

/// Fifty devices of every kind. Line `n` of the file is device `n`.
fn spreadsheet() -> String {
    let mut csv = "name,link,codec,topic,password,version,dev_eui,join_eui,app_key,nwk_key,dev_addr,nwk_s_key,app_s_key,id,mac_key,adr\r\n"
        .to_owned();
    for n in 2..=51 {
        let (key, other) = (format!("{n:032x}"), format!("{:032x}", n + 1_000));
        match n % 5 {
            0 => writeln!(csv, "cod-{n},mqtt,cod.toml,,secret-of-cod-{n},,,,,,,,,,,\r"),
            2 => writeln!(csv, "abp-{n},lorawan,lpp.toml,,,1.0.3,,,,,{n:08x},{key},{other},,,TRUE\r"),
            1 => writeln!(csv, "otaa-{n},lorawan,=abp-2,,,1.0.4,{n:016x},24e124c0002a0001,{key},,,,,,,\r"),
            3 => writeln!(csv, "new-{n},lorawan,lpp.toml,,,1.1,{n:016x},,{key},{other},,,,,,\r"),
            _ => writeln!(csv, "\"rain-{n}\",serial,cod.toml,,,,,,,,,,,{n},{key}{other},\r"),
        }
        .unwrap();
    }
    csv
}

#[test]
fn a_spreadsheet_of_fifty_devices_is_taken_whole_or_not_at_all() {
    let mut world = box_with(&[Device::cod("cod-0")], PATIENT);
    let before = files(&world);
    let import = |text: &str| {
        write_secret(&world.path("station.csv"), text);
        world.device(&["import", &path(&world, "station.csv")])
    };
    let csv = spreadsheet();
    for (from, to, says) in [
        ("new-43,lorawan", "new-43,lora", "line 43: `link` is none of mqtt, lorawan, serial"),
        ("cod-50,mqtt,cod.toml", "cod-50,mqtt,", "line 50: `codec` is empty"),
        ("000000000000002e", "0000000000000029", "is that of `otaa-41`"),
        ("cod-50,", "cod-5,", "device `cod-5` is in"),
        ("mac_key,adr", "mac_key,colour", "column `colour` is not known"),
        (",49,", ",70000,", "line 49: `id` is not a number"),
        ("secret-of-cod-45", "short", "the password has 5 bytes"),
        ("TRUE\r", "perhaps\r", "`adr` is none of true"),
    ] {
        assert!(csv.contains(from), "{from}");
        let answer = import(&csv.replacen(from, to, 1)).exits(FAILED);
        assert!(answer.err.contains(says) && !answer.err.contains("secret-of"), "{from} -> {to}: {}", answer.err);
        assert_eq!(files(&world), before, "{from} -> {to} left a trace");
    }
    let taken = import(&csv).exits(0);
    assert!(taken.out.contains("50 devices added"), "{taken:?}");
    import(&csv).exits(FAILED);

    let list = shown(world.device(&["list", "--json"]));
    assert!(list["gateway"]["error"].is_string(), "it does not run: {list:#}");
    let links: Vec<&str> = list["devices"].as_array().unwrap().iter().map(|d| d["link"].as_str().unwrap()).collect();
    let count = |link| links.iter().filter(|each| **each == link).count();
    assert_eq!([count("mqtt"), count("lorawan"), count("serial")], [1 + 10, 30, 10]);

    world.start_gateway();
    sensor(&world, "cod-50", "secret-of-cod-50", 2).run().exits(0);
    let mut radio = Radio::start(&world, &[]);
    let (key, other) = (format!("{:032x}", 47), format!("{:032x}", 1_047));
    radio.ask(json!({ "do": "device", "name": "abp-47", "version": "1.0.3", "dev_addr": "0000002f", "nwk_s_key": key,
                      "app_s_key": other }));
    radio.confirmed("abp-47", json!({ "fcnt": 3 }));
    let (key, other) = (format!("{:032x}", 48), format!("{:032x}", 1_048));
    radio.ask(json!({ "do": "device", "name": "new-48", "version": "1.1", "dev_eui": "0000000000000030",
                      "join_eui": "0000000000000000", "app_key": key, "nwk_key": other }));
    radio.join("new-48", 1, json!({}));
    radio.confirmed("new-48", json!({ "fcnt": 0 }));
    let list = shown(world.device(&["list", "--json"]));
    assert_eq!(list["gateway"], "running");
    let heard = list["devices"].as_array().unwrap().iter().filter(|d| d["status"]["accepted"].as_u64() > Some(0));
    assert_eq!(heard.map(|d| d["name"].as_str().unwrap()).collect::<Vec<_>>(), ["abp-47", "new-48", "cod-50"]);
}

#[test]
fn how_much_is_heard_and_the_battery_are_shown_also_after_a_restart() {
    let devices = [Device::lora("level-1", "26010001")];
    let mut world = box_with(&devices, PATIENT);
    world.start_gateway();
    let mut radio = Radio::start(&world, &devices);
    // Its answer goes along with the question for its state, which comes back half full.
    let asked = radio.confirmed("level-1", json!({ "fcnt": 10 }));
    assert!(asked["mac"].as_array().unwrap().iter().any(|command| command[0] == 6), "DevStatusReq: {asked:#}");
    radio.confirmed("level-1", json!({ "fcnt": 11, "f_opts": "067f0a" }));
    radio.confirmed("level-1", json!({ "fcnt": 15 }));
    world.until_count("/gateway/devices/level-1/missed", 3);
    let one = shown(world.device(&["show", "level-1", "--json"]));
    let status = |key: &str| one["status"][key].clone();
    assert_eq!((status("received"), status("missed"), status("delivered_permille")), (json!(3), json!(3), json!(500)));
    assert_eq!((status("battery"), status("margin_db")), (json!("50 %"), json!(10)));
    assert_eq!(one["identity"], json!({ "version": "1.0.3", "dev_addr": "26010001" }));
    for (typed, says) in [
        (&["show", "level-1"][..], &["heard", "50.0 % · 3 of 6 frames lost", "battery", "10 dB", "SF7BW125"][..]),
        (&["show", "level-1", "--lang", "zh"], &["接收率", "共 6 帧，丢失 3 帧", "电池", "信噪比"]),
        (&["list"], &["heard", "50.0 %"]),
        (&["list", "--lang", "zh"], &["接收率", "50.0 %"]),
    ] {
        let answer = world.device(typed).exits(0);
        says.iter().for_each(|text| assert!(answer.out.contains(text), "`{text}` is missing in:\n{}", answer.out));
    }
    let all = world.weir(&["status"]).out;
    assert!(all.contains("heard") && all.contains("50.0 %"), "{all}");

    world.start_gateway();
    let again = shown(world.device(&["show", "level-1", "--json"]));
    let status = |key: &str| again["status"][key].clone();
    assert_eq!((status("missed"), status("delivered_permille")), (json!(3), json!(500)));
    assert!(status("seen_ms_ago").as_u64() < Some(60_000), "{again:#}");
    assert_eq!(status("readings"), json!(["temperature_1 1.5 Cel"]));
    world.device(&["show", "nobody"]).exits(FAILED);
}

#[test]
fn a_payload_is_tried_before_it_is_sent() {
    let world = box_with(&[Device::cod("cod-1"), Device::lora("level-1", "26010001")], "");
    let good = shown(world.device(&["test", "level-1", "01670110", "--fport", "2", "--json"]));
    assert_eq!((&good["ok"], &good["readings"][0]["value"]), (&json!(true), &json!("27.2")), "{good:#}");
    let text = world.device(&["test", "level-1", "01670110", "--fport", "2"]).exits(0);
    assert_eq!(text.out, "temperature_1 27.2 Cel\n");
    fs::write(world.path("frame"), "{\"cod\": \"dry\"}").unwrap();
    let file = format!("@{}", path(&world, "frame"));
    let warned = world.device(&["test", "cod-1", &file]).exits(0);
    assert!(warned.out.contains("not_a_number") && warned.out.contains("`dry`"), "{warned:?}");
    let bad = world.device(&["test", "cod-1", "7b", "--json"]).exits(NOT_WELL).json();
    assert!(bad["error"].as_str().unwrap().contains("JSON"), "{bad:#}");
    assert!(world.device(&["test", "cod-1", "@/dev/zero"]).exits(NOT_WELL).out.contains("longer than"));
    assert!(world.device(&["test", "cod-1", "7"]).exits(FAILED).err.contains("try: "));
    assert!(world.device(&["test", "nobody", "7b"]).exits(FAILED).err.contains("weir device list"));
}

#[test]
fn strangers_are_counted_and_listed_with_what_to_do() {
    let known = [Device::joining("level-1", "1.0.3", DEV_EUI), Device::lora("flow-1", "26010001")];
    let mut world = box_with(&known, PATIENT);
    world.start_gateway();
    let never = world.device(&["strangers"]).exits(0);
    assert_eq!(never.out, "nobody unknown was heard\n");
    let strangers = [
        Device::joining("unseen", "1.0.3", "70b3d57ed0000001"),
        Device::lora("private", "00000777"),
        Device::lora("foreign", "fc00af02"),
    ];
    let mut radio = Radio::start(&world, &[&known[..], &strangers].concat());
    let key = "000102030405060708090a0b0c0d0e0f";
    radio.ask(json!({ "do": "device", "name": "forged", "version": "1.0.3", "dev_addr": "26010001", "nwk_s_key": key,
                      "app_s_key": key }));
    radio.ask(json!({ "do": "device", "name": "other", "version": "1.0.3", "dev_eui": DEV_EUI,
                      "join_eui": "0000000000000009", "app_key": key, "nwk_key": key }));
    for (nonce, device) in [(1, "unseen"), (2, "unseen"), (3, "other")] {
        radio.join(device, nonce, json!({ "wait": false }));
    }
    radio.join("level-1", 1, json!({ "wait": false, "wrong_key": key }));
    for device in ["private", "foreign", "forged"] {
        radio.send(device, json!({ "fcnt": 7 }));
    }
    radio.confirmed("flow-1", json!({}));
    radio.assert_silence();

    let listed = shown(world.device(&["strangers", "--json"]));
    let listed: Vec<&Value> = listed["strangers"].as_array().unwrap().iter().collect();
    for (kind, address, frames, cure) in [
        ("join", "70b3d57ed0000001 24e124c0002a0001", 2, "weir device add"),
        ("join, other JoinEUI", "24e124538c458373 0000000000000009", 1, "correct join_eui"),
        ("join, wrong key", "24e124538c458373 24e124c0002a0001", 1, "keys.toml"),
        ("data", "00000777", 1, "weir device add"),
        ("data, wrong key", "26010001", 1, "keys.toml"),
        ("foreign network", "fc00af02", 1, "leave it"),
    ] {
        let found = listed.iter().find(|each| each["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {listed:#?}"));
        assert_eq!((&found["address"], &found["frames"]), (&json!(address), &json!(frames)), "{kind}");
        assert!(found["cure"].as_str().unwrap().contains(cure) && found["gateway"].is_string(), "{found:#}");
    }
    assert_eq!(listed.len(), 6, "{listed:#?}");
    world.until_count("/gateway/devices//rejected", 4);
    world.until_count("/gateway/devices/level-1/rejected", 2);
    world.until_count("/gateway/devices/flow-1/rejected", 1);
    assert_eq!(world.refusals_of(None), ["unknown_dev_eui", "unknown_dev_eui", "unknown_dev_addr", "unknown_dev_addr"]);
    assert_eq!(world.refusals_of(Some("level-1")), ["unknown_dev_eui", "bad_mic"]);
    let text = world.device(&["strangers"]).exits(0).out;
    assert!(text.contains("70b3d57ed0000001") && text.contains("weir device add"), "{text}");
    let text = world.device(&["strangers", "--lang", "zh"]).exits(0).out;
    assert!(text.contains("密钥不符") && text.contains("其他网络"), "{text}");
    // What the list says helps.
    let (codec, keys) = (path(&world, "lpp.toml"), path(&world, "unseen.keys"));
    write_secret(&world.path("unseen.keys"), APP_KEY);
    let words = ["--dev-eui", "70b3d57ed0000001", "--join-eui", "24e124c0002a0001", "--keys", &keys];
    world.device(&[&["add", "unseen", "--link", "lorawan", "--codec", &codec], &words[..]].concat()).exits(0);
    world.start_gateway();
    radio.pull();
    radio.join("unseen", 3, json!({}));
    radio.confirmed("unseen", json!({ "fcnt": 0 }));
}

#[test]
fn mqtt_clients_that_nobody_knows_are_listed_with_what_to_do() {
    let known = Device::cod("cod-1");
    let mut world = box_with(std::slice::from_ref(&known), "");
    world.start_gateway();
    let publish = |world: &World, id: &str, user: &str, password: &str| {
        let port = world.mqtt_port.to_string();
        let login = ["-p", &port, "-i", id, "-u", user, "-P", password];
        let message = ["-q", "1", "-t", &format!("d/{id}/up"), "-m", "{\"n\":1,\"cod\":40.1}"];
        Answer::of(Command::new("mosquitto_pub").args(login).args(message))
    };
    let (right, unknown) = (known.password(), "secret-of-cod-2");
    for (id, user, password) in [
        ("cod-2", "cod-2", unknown),
        ("cod-2", "cod-2", unknown),
        ("cod-1", "cod-1", unknown),
        ("cod-1", "cod-2", &right),
        ("cod 1", "cod-1", &right),
    ] {
        assert_ne!(publish(&world, id, user, password).code, Some(0), "{id} {user}");
    }
    let listed = world.device(&["strangers", "--json"]).exits(0);
    assert!(!listed.out.contains(unknown) && !listed.out.contains(&right), "no secret is shown: {}", listed.out);
    let listed = listed.json()["strangers"].as_array().unwrap().clone();
    for (kind, address, frames, cure) in [
        ("mqtt", "cod-2", 2, "weir device add --link mqtt"),
        ("mqtt, wrong password", "cod-1", 1, "keys.toml"),
        ("mqtt, names differ", "cod-1 (cod-2)", 1, "both to the device's name"),
        ("mqtt, no name", "cod 1 (cod-1)", 1, "set its client id"),
    ] {
        let found = listed.iter().find(|each| each["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {listed:#?}"));
        assert_eq!((&found["address"], &found["frames"]), (&json!(address), &json!(frames)), "{kind}");
        assert!(found["cure"].as_str().unwrap().contains(cure) && found["from"] == "127.0.0.1", "{found:#}");
        assert!(found["seen_ms_ago"].as_u64() < Some(60_000), "{found:#}");
    }
    assert_eq!(listed.len(), 4, "{listed:#?}");
    let text = world.device(&["strangers"]).exits(0).out;
    assert!(text.contains("cod-1 (cod-2)") && text.contains("weir device add --link mqtt"), "{text}");
    let text = world.device(&["strangers", "--lang", "zh"]).exits(0).out;
    assert!(text.contains("MQTT 客户端") && text.contains("名称不一致"), "{text}");
    // What the list says helps.
    write_secret(&world.path("cod-2.keys"), &format!("password = \"{unknown}\"\n"));
    fs::write(
        world.path("n.toml"),
        "kind = \"json\"\nfields = [{ path = \"/cod\", quantity = \"cod\", unit = \"mg/L\" }]\n",
    )
    .unwrap();
    let (codec, keys) = (path(&world, "n.toml"), path(&world, "cod-2.keys"));
    world.device(&["add", "cod-2", "--link", "mqtt", "--codec", &codec, "--keys", &keys]).exits(0);
    world.start_gateway();
    assert_eq!(publish(&world, "cod-2", "cod-2", unknown).code, Some(0));
    assert_eq!(world.device(&["strangers", "--json"]).exits(0).json()["strangers"], json!([]));
}

#[test]
fn a_device_that_was_reset_joins_again_once_its_nonces_are_forgotten() {
    let devices = [Device::joining("level-1", "1.0.4", DEV_EUI), Device::lora("flow-1", "26010001")];
    let mut world = box_with(&devices, PATIENT);
    world.start_gateway();
    let mut radio = Radio::start(&world, &devices);
    radio.join("level-1", 900, json!({}));
    radio.join("level-1", 0, json!({ "wait": false }));
    radio.confirmed("flow-1", json!({}));
    radio.assert_silence();
    let refusal = shown(world.device(&["show", "level-1", "--json"]))["status"]["refusal"].to_string();
    assert!(refusal.contains("nonce_reused") && refusal.contains("weir device flush-nonces"), "{refusal}");
    let flushed = world.device(&["flush-nonces", "level-1"]).exits(0);
    assert!(flushed.out.contains("may join again"), "{flushed:?}");
    world.start_gateway();
    radio.pull();
    radio.join("level-1", 0, json!({}));
    radio.confirmed("level-1", json!({ "fcnt": 0 }));
    for name in ["flow-1", "nobody"] {
        assert!(world.device(&["flush-nonces", name]).exits(FAILED).err.contains("try: "), "{name}");
    }
    world.kill_gateway();
    let silent = world.device(&["flush-nonces", "level-1"]).exits(FAILED);
    assert!(silent.err.contains("systemctl status weir-gateway"), "{silent:?}");
}
