//! What lives in a running box and not in its files: sessions that move to another box, history under a mended codec,
//! counters that begin anew, and addresses that several devices share.

use std::cell::Cell;
use std::fs;

use serde_json::{Value, json};
use system_tests::config::write_secret;
use system_tests::radio::{PATIENT, eui};
use system_tests::row::{Row, once, values};
use system_tests::{Answer, Device, Peer, Radio, World, until};

/// Exit status: could not be done.
const FAILED: i32 = 3;

const PASSPHRASE: &str = "otter weir river mud";

fn path(world: &World, name: &str) -> String {
    world.path(name).display().to_string()
}

/// A transport on a serial line, as in `serial.rs`.
const PORT: &str = "[[serial]]\nname = \"lora-1\"\npath = \"port\"\n";

fn move_sessions(world: &World, verb: &[&str], passphrase: &str) -> Answer {
    write_secret(&world.path("passphrase"), passphrase);
    world.device(&[verb, &["--passphrase-file", &path(world, "passphrase")]].concat())
}

#[test]
fn sessions_move_to_another_box_and_no_device_joins_again() {
    let devices = [
        Device::joining("level-1", "1.0.3", "24e124538c458373"),
        Device::joining("level-2", "1.1", "24e124538c458374"),
        Device::lora("flow-1", "26010001"),
    ];
    let (mut old, mut new) = (World::box_only(&devices, PATIENT), World::box_only(&devices, PATIENT));
    let mut radio = Radio::without_gateway(&old, &devices);
    // A forwarder is mute for others while it waits to answer one, so each frame goes through the next.
    for n in 0..8 {
        for (name, port) in [("old", old.gwmp_port), ("new", new.gwmp_port)] {
            let name = format!("{name}{n}");
            radio.ask(json!({ "do": "gateway", "name": name, "eui": eui(&name), "port": port }));
        }
    }
    let turn = Cell::new(0);
    let via = |gateway: &str, more: Value| {
        turn.set((turn.get() + 1) % 8);
        let mut all = json!({ "via": [{ "gateway": format!("{gateway}{}", turn.get()) }] });
        more.as_object().unwrap().iter().for_each(|(key, value)| all[key] = value.clone());
        all
    };
    for name in ["level-1", "level-2"] {
        radio.join(name, 5, via("old", json!({})));
    }
    let mut last = [0, 0, 0];
    for round in 0..3 {
        for (nth, name) in ["level-1", "level-2", "flow-1"].iter().enumerate() {
            last[nth] = radio.confirmed(name, via("old", json!({ "fcnt": round })))["fcnt"].as_u64().unwrap();
        }
    }
    assert!(
        move_sessions(&old, &["export-sessions", "-o", &path(&old, "s.weir")], "too short")
            .exits(FAILED)
            .err
            .contains("try: ")
    );
    let exported = move_sessions(&old, &["export-sessions", "-o", &path(&old, "s.weir")], PASSPHRASE).exits(0);
    assert!(exported.out.starts_with("3 sessions exported"), "{exported:?}");
    move_sessions(&old, &["export-sessions", "-o", &path(&old, "s.weir")], PASSPHRASE).exits(FAILED);
    // One command was still under way when the box was taken down.
    old.ask(&json!({ "do": "send", "device": "level-1", "payload": "0a", "f_port": 10, "confirmed": true }));
    radio.confirmed("level-1", via("old", json!({})));
    old.kill_gateway();

    fs::copy(old.path("s.weir"), new.path("s.weir")).unwrap();
    let import = |new: &World, passphrase| move_sessions(new, &["import-sessions", &path(new, "s.weir")], passphrase);
    let wrong = import(&new, "otter weir river mut").exits(FAILED);
    assert!(wrong.err.contains("the passphrase is wrong, or the file was changed · try: "), "{wrong:?}");
    assert_eq!(new.status()["gateway"]["devices"]["level-1"]["received"], 0);
    let taken = import(&new, PASSPHRASE).exits(0);
    assert!(taken.out.starts_with("3 sessions taken over"), "{taken:?}");

    for (nth, name) in ["level-1", "level-2", "flow-1"].iter().enumerate() {
        // lora_radio.js checks MIC, address and that each FCntDown is above the one before.
        let fcnt = radio.confirmed(name, via("new", json!({})))["fcnt"].as_u64().unwrap();
        assert!(fcnt >= last[nth] + 1_000, "{name}: {fcnt} after {}", last[nth]);
        last[nth] = fcnt;
    }
    // Late and twice: what went on here stays.
    import(&new, PASSPHRASE).exits(0);
    new.start_gateway();
    radio.pull();
    for (nth, name) in ["level-1", "level-2", "flow-1"].iter().enumerate() {
        let fcnt = radio.confirmed(name, via("new", json!({})))["fcnt"].as_u64().unwrap();
        assert!((last[nth] + 1..last[nth] + 10).contains(&fcnt), "{name}: {fcnt} after {}", last[nth]);
    }
    // A frame that the new box took is old there, and a join-request that the old box answered is spent.
    let phy = radio.frame("flow-1", json!({ "fcnt": 1 }));
    radio.push("new0", &[json!({ "phy": phy })]);
    radio.join("level-1", 5, via("new", json!({ "wait": false })));
    radio.confirmed("level-2", via("new", json!({})));
    radio.assert_silence();
    assert_eq!(new.refusals_of(Some("level-1")), ["nonce_reused"]);
    assert_eq!(new.refusals_of(Some("flow-1")), ["replayed"]);
    assert_eq!(new.records_of(Some("level-1")).iter().filter(|record| record["why"].is_null()).count(), 2);

    // A box that lacks a device takes none of them.
    let other = World::box_only(&devices[..2], PATIENT);
    fs::copy(old.path("s.weir"), other.path("s.weir")).unwrap();
    let refused = move_sessions(&other, &["import-sessions", &path(&other, "s.weir")], PASSPHRASE).exits(FAILED);
    assert!(refused.err.contains("device `flow-1` is not in"), "{refused:?}");
    assert_eq!(other.ask(&json!({ "do": "export_sessions" }))["count"], 0);
}

/// All records with the exact bytes of their frames.
fn records(world: &World) -> Vec<Value> {
    world.weir(&["tail", "-n", "1000", "--json"]).exits(0).json_lines()
}

fn counts(answer: &Answer) -> Vec<u64> {
    answer.out.split(' ').filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn a_mended_codec_reads_history_anew_beside_the_old() {
    let joining = Device::joining("level-1", "1.0.3", "24e124538c458373");
    let sensor = Device::cod("cod-1");
    let devices = [joining, sensor.clone(), Device::lora("flow-1", "26010001")];
    let mut world = World::prepared(&devices, PATIENT);
    world.start_gateway();
    let mut radio = Radio::start(&world, &devices);
    radio.join("level-1", 1, json!({}));
    for fcnt in 0..3 {
        radio.confirmed("level-1", json!({ "fcnt": fcnt }));
    }
    // What no codec could read is evidence, and stays that.
    radio.confirmed("level-1", json!({ "fcnt": 3, "payload": "0a" }));
    radio.join("level-1", 2, json!({}));
    radio.confirmed("level-1", json!({ "fcnt": 0 }));
    radio.confirmed("flow-1", json!({}));
    Peer::sensor("paho_sensor.py", &world, &sensor).with("--count", 2).run().exits(0);
    assert_eq!(world.refusals_of(Some("level-1")), ["undecodable"]);
    assert_eq!(counts(&world.device(&["redecode", "level-1"]).exits(0)), [0, 0, 0], "the same codec reads nothing new");
    let (before, told) = (records(&world), world.export());

    let table = fs::read_to_string(world.path("devices.toml")).unwrap();
    let lpp = "[device.codec]\nkind = \"cayenne_lpp\"\n";
    let mended = "[device.codec]\nkind = \"javascript\"\nfile = \"level.js\"\n\
                  fields = [{ path = \"/level\", quantity = \"level\", unit = \"mm\" }]\n";
    fs::write(world.path("devices.toml"), table.replacen(lpp, mended, 1)).unwrap();
    let codec = "function decodeUplink({ bytes }) { return { data: { level: (bytes[2] << 8 | bytes[3]) * 10 } }; }";
    fs::write(world.path("level.js"), codec).unwrap();
    world.start_gateway();
    let anew = world.device(&["redecode", "level-1"]).exits(0);
    assert_eq!(counts(&anew), [4, 0, 0], "of two sessions: {anew:?}");

    let after = records(&world);
    assert_eq!(after[..before.len()], before, "J1: what was stored has not changed");
    let own = world.records_of(Some("level-1"));
    let linked: Vec<&Value> = own.iter().filter(|record| record["of"].is_u64()).collect();
    let of = |record: &Value| own.iter().find(|old| old["seq"] == record["of"]).unwrap().clone();
    assert_eq!(linked.len(), 4);
    for record in &linked {
        let old = of(record);
        assert!(old["raw"].is_string() && old["codec"] != record["codec"], "{record:#} of {old:#}");
    }
    let rows = world.export();
    let levels: Vec<&str> = rows.iter().filter(|row| row.quantity == "level").map(|row| row.value.as_str()).collect();
    assert_eq!(levels, ["0", "10", "20", "0"]);
    assert!(rows.iter().filter(|row| row.quantity == "level").all(|row| row.redecoded_of.is_some()));
    assert_eq!(rows.iter().filter(|row| row.redecoded_of.is_none()).cloned().collect::<Vec<_>>(), told);
    assert_eq!(values(&rows, "cod-1", "n"), once(1..=2), "of others nothing was decoded anew");
    // Ordered twice, also by somebody who did not see that it was done, it is done once.
    let again = |world: &World| counts(&world.device(&["redecode", "level-1"]).exits(0));
    assert_eq!(again(&world), [0, 0, 0]);
    world.start_gateway();
    assert_eq!(again(&world), [0, 0, 0]);
    world.weir(&["verify"]).exits(0);
    // The codec before is back: it reads each frame once more.
    let mended = fs::read_to_string(world.path("devices.toml")).unwrap();
    fs::write(world.path("devices.toml"), table).unwrap();
    world.start_gateway();
    assert_eq!(again(&world), [4, 0, 0]);
    assert_eq!(again(&world), [0, 0, 0]);
    let rows = world.export();
    let of_before = |row: &&Row| row.redecoded_of.is_some() && row.quantity != "level";
    assert_eq!(rows.iter().filter(of_before).count(), 4);
    fs::write(world.path("devices.toml"), mended).unwrap();
    // A part of history can be had as well.
    fs::write(world.path("level.js"), codec.replace("* 10", "* 100")).unwrap();
    world.start_gateway();
    let first = of(linked[0])["seq"].to_string();
    let part = world.device(&["redecode", "level-1", "--to", &first]).exits(0);
    assert_eq!(counts(&part), [1, 0, 0]);
    world.start_platforms();
    world.start_sync();
    world.delivered();
    world.verify().exits(0);
}

#[test]
fn a_sealed_device_that_lost_its_counter_is_heard_again_by_a_technicians_decision() {
    let devices = [Device::serial("level-7", 7), Device::serial("rain-300", 300), Device::cod("cod-1")];
    let mut world = World::box_only(&devices, PORT);
    let peer = |world: &World, first: &str| {
        Peer::serial(world).with("--only", "level-7").with("--first", first).with("--timeout", 200)
    };
    let play = |world: &World, first: &str, count: u64| peer(world, first).with("--count", count).run().exits(0);
    play(&world, "18446744073709551615", 1);
    world.start_gateway();
    // Locked out: it tries until it is switched off, and leaves its adapter behind.
    let locked_out = peer(&world, "1").start();
    until("its frames are refused", 30, || (world.count("/gateway/devices/level-7/rejected") > 2).then_some(()));
    drop(locked_out);
    fs::remove_file(world.path("port")).unwrap();
    let one = world.device(&["show", "level-7", "--json"]).exits(0).json();
    let refusal = one["status"]["refusal"].as_str().unwrap();
    assert!(refusal.starts_with("replayed") && refusal.contains("weir device reset-counter"), "{refusal}");
    let reset = world.device(&["reset-counter", "level-7"]).exits(0);
    assert!(reset.out.contains("the highest was 18446744073709551615"), "{reset:?}");
    world.start_gateway();
    play(&world, "1", 3);
    let stored = world.records_of(Some("level-7")).into_iter().filter(|record| record["why"].is_null());
    let counters: Vec<Option<u64>> = stored.map(|record| record["link"]["seal"]["counter"].as_u64()).collect();
    assert_eq!(counters, [u64::MAX, 1, 2, 3].map(Some));
    for (name, says) in [("cod-1", "does not seal its frames"), ("nobody", "weir device list")] {
        assert!(world.device(&["reset-counter", name]).exits(FAILED).err.contains(says), "{name}");
    }
    let chinese = world.device(&["reset-counter", "rain-300", "--lang", "zh"]).exits(0);
    assert!(chinese.out.contains("此前无记录") && chinese.out.contains("重放"), "{chinese:?}");

    // Frames that name nobody are evidence of nobody, and not of device 0.
    let hostile = Peer::serial(&world).with("--only", "level-7").with("--first", 50).with("--hostile", "nokid");
    hostile.with("--count", 5).run().exits(0);
    assert_eq!(world.refusals_of(None), ["malformed"; 5]);
    let details: Vec<String> =
        world.records_of(None).iter().filter_map(|record| record["detail"].as_str().map(str::to_owned)).collect();
    assert!(details.len() == 5 && details.iter().all(|detail| detail.contains("has no kid")), "{details:#?}");
    assert_eq!(world.device(&["strangers", "--json"]).exits(0).json()["strangers"], json!([]));
}

#[test]
fn a_personalised_device_that_was_reset_is_heard_again() {
    let devices = [Device::lora("level-1", "26010001"), Device::lora("flow-1", "26010002")];
    let mut world = World::box_only(&devices, PATIENT);
    let mut radio = Radio::start(&world, &devices);
    radio.confirmed("level-1", json!({ "fcnt": 70_000 }));
    radio.send("level-1", json!({ "fcnt": 0 }));
    radio.confirmed("flow-1", json!({}));
    radio.assert_silence();
    let reset = world.device(&["reset-counter", "level-1"]).exits(0);
    assert!(reset.out.contains("the highest was 70000"), "{reset:?}");
    world.start_gateway();
    radio.pull();
    radio.confirmed("level-1", json!({ "fcnt": 0 }));
    radio.confirmed("level-1", json!({}));
}

/// Adds a LoRaWAN device to files and radio, under keys of its own.
fn add(world: &World, radio: &mut Radio, name: &str, dev_addr: &str, n: u8) -> Answer {
    let (network, application) = (format!("{n:032x}"), format!("{:032x}", u16::from(n) + 256));
    write_secret(&world.path("keys.of"), &format!("nwk_s_key = \"{network}\"\napp_s_key = \"{application}\"\n"));
    fs::write(world.path("lpp.toml"), "kind = \"cayenne_lpp\"\n").unwrap();
    let (codec, keys) = (path(world, "lpp.toml"), path(world, "keys.of"));
    let words = ["add", name, "--link", "lorawan", "--dev-addr", dev_addr, "--codec", &codec, "--keys", &keys];
    let added = world.device(&words);
    radio.ask(json!({ "do": "device", "name": name, "version": "1.0.3", "dev_addr": dev_addr,
                      "nwk_s_key": network, "app_s_key": application }));
    added
}

/// So many devices may have one DevAddr (`ingest::DEV_ADDR_DEVICES_MAX`): each costs a MIC for every frame from there.
const SHARING_MAX: u8 = 16;

#[test]
fn devices_that_share_an_address_are_told_apart_by_their_keys() {
    let mut world = World::prepared(&[], PATIENT);
    world.start_gateway();
    let mut radio = Radio::start(&world, &[]);
    let names: Vec<String> = (1..=SHARING_MAX).map(|n| format!("level-{n}")).collect();
    for (nth, name) in (1..).zip(&names) {
        add(&world, &mut radio, name, "00000077", nth).exits(0);
    }
    let crowded = add(&world, &mut radio, "level-0", "00000077", 99).exits(FAILED);
    assert!(
        crowded.err.contains("16 devices have DevAddr 00000077 already: personalise it with another"),
        "{crowded:?}"
    );
    world.start_gateway();
    radio.pull();
    for round in 0..3 {
        for (nth, name) in names.iter().enumerate() {
            // The same counters under one address: only the key tells whose a frame is.
            let payload = format!("0167{:02x}{:02x}", round, nth);
            let answer = radio.confirmed(name, json!({ "fcnt": round, "payload": payload }));
            assert_eq!(answer["ack"], true, "{name}: {answer:#}");
        }
        world.start_gateway();
        radio.pull();
    }
    let rows = world.export();
    for (nth, name) in names.iter().enumerate() {
        let own: Vec<&str> = rows.iter().filter(|row| row.source == *name).map(|row| row.value.as_str()).collect();
        let tenths = (0..3).map(|round| round * 256 + nth);
        let sent: Vec<String> = tenths.map(|n| format!("{}.{}", n / 10, n % 10).replace(".0", "")).collect();
        assert_eq!(own, sent, "{name}");
    }
    // A key that is none of theirs: counted for nobody, for it may be of anyone.
    let key = "000102030405060708090a0b0c0d0e0f";
    radio.ask(json!({ "do": "device", "name": "forged", "version": "1.0.3", "dev_addr": "00000077", "nwk_s_key": key,
                      "app_s_key": key }));
    radio.send("forged", json!({ "fcnt": 3 }));
    radio.confirmed(&names[0], json!({ "fcnt": 3 }));
    radio.assert_silence();
    assert_eq!(world.refusals_of(None), ["bad_mic"]);
}

#[test]
fn a_class_c_device_is_reached_whenever_it_must_be() {
    for version in ["1.0.3", "1.1"] {
        let valve = Device::joining("valve-1", version, "24e124538c458373").with_lorawan("class = \"C\"");
        let devices = [valve];
        let mut world = World::box_only(&devices, PATIENT);
        let mut radio = Radio::start(&world, &devices);
        let send = |world: &World, payload: &str, more: &[&str]| {
            let sent = world.device(&[&["send", "valve-1", payload, "--fport", "10"], more].concat()).exits(0);
            assert!(sent.out.contains("kept until the device has it"), "{sent:?}");
        };
        // It has no session yet: the command waits for the first answer.
        send(&world, "01", &[]);
        radio.join("valve-1", 1, json!({}));
        let first = radio.confirmed("valve-1", json!({ "fcnt": 0 }));
        assert_eq!((&first["payload"], &first["f_port"]), (&json!("01"), &json!(10)), "{version}: {first:#}");
        // At once, also after a restart of the box.
        world.start_gateway();
        radio.pull();
        send(&world, "0203", &["--confirmed"]);
        let pushed = radio.listen("valve-1");
        assert_eq!((&pushed["payload"], &pushed["confirmed"]), (&json!("0203"), &json!(true)), "{version}: {pushed:#}");
        // Not acknowledged: it comes again with the next answer, and is done with once it is.
        let again = radio.unconfirmed("valve-1", json!({}));
        assert_eq!(again["payload"], "0203", "{version}: {again:#}");
        assert_eq!(radio.confirmed("valve-1", json!({ "ack": true }))["payload"], "", "{version}");
        send(&world, "04", &[]);
        assert_eq!(radio.listen("valve-1")["payload"], "04", "{version}");
        assert_eq!(radio.confirmed("valve-1", json!({}))["payload"], "", "{version}");
        radio.assert_silence();
    }
}
