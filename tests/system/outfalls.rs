//! The dossier of an outfall from `weir outfall add` to both platforms and into an evidence file: data of an outfall that nobody
//! registered are refused and kept, versions are told with who and why, and other people's libraries read all of it.

use std::fs;

use platform::export::write_artifacts;
use serde_json::Value;
use system_tests::{Answer, Device, Peer, World, until};

const CODE: &str = "FA-231081-0001-SH-00";
/// What ships as an example is what a technician begins with.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/outfall.toml");
const FRAMES: u64 = 5;

/// A box with two platforms; `cod-1` stands at an outfall that nobody registered yet, `cod-2` at none.
fn world() -> (World, [Device; 2]) {
    let devices = [Device::cod("cod-1"), Device::cod("cod-2")];
    let mut world = World::prepared(
        &devices,
        "[checkpoint]\nseconds_max = 1\n[outfalls]\ncode_patterns = [\"FA-######-####-@@-##\"]\n",
    );
    let path = world.path("devices.toml");
    let text = fs::read_to_string(&path).unwrap();
    let named = "name = \"cod-1\"\n";
    assert!(text.contains(named), "{text}");
    fs::write(&path, text.replace(named, &format!("{named}outfall = \"{CODE}\"\n"))).unwrap();
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    (world, devices)
}

fn publish(world: &World, device: &Device, first: u64) {
    let sensor = Peer::sensor("paho_sensor.py", world, device).with("--first", first).with("--count", FRAMES);
    assert_eq!(sensor.run().exits(0).number("acknowledged"), FRAMES);
}

/// Frames of a device that became readings.
fn accepted(world: &World, device: &str) -> u64 {
    world.records_of(Some(device)).iter().filter(|record| record["kind"] == "frame").count() as u64
}

fn outfall(world: &World, arguments: &[&str]) -> Answer {
    world.weir(&[&["outfall"], arguments].concat())
}

#[test]
fn a_dossier_goes_from_the_technician_to_platforms_and_courts() {
    let (mut world, devices) = world();
    unregistered(&world, &devices);
    add(&world, &devices);
    edit(&world);
    exchange(&world);
    world.kill_gateway();
    world.start_gateway();
    publish(&world, &devices[0], 21);
    assert_eq!(accepted(&world, "cod-1"), 2 * FRAMES, "a restart knows the outfall");
    let listed = outfall(&world, &["list", "--json"]).exits(0).json();
    assert_eq!((&listed["outfalls"][0]["version"], &listed["outfalls"][0]["devices"][0]), (&2.into(), &"cod-1".into()));
    delivered(&world);
    proven(&world);
}

/// What comes from an outfall that nobody registered is kept and answered with the reason, so that no device repeats it; it is
/// no data.
fn unregistered(world: &World, devices: &[Device; 2]) {
    let refused = Peer::sensor("paho_sensor.py", world, &devices[0]).with("--count", FRAMES).run().exits(1);
    assert_eq!(refused.summary()["refused"], serde_json::json!({ "Payload format invalid": FRAMES }));
    publish(world, &devices[1], 1);
    assert_eq!((accepted(world, "cod-1"), accepted(world, "cod-2")), (0, FRAMES));
    let refused = world.refusals_of(Some("cod-1"));
    assert_eq!(refused, vec!["unknown_outfall".to_owned(); usize::try_from(FRAMES).unwrap()]);
    let kept = world.records_of(Some("cod-1"));
    let detail = kept[0]["detail"].as_str().unwrap();
    assert!(detail.contains(CODE) && detail.contains("weir outfall add"), "{detail}");
    assert!(kept[0]["raw"].as_str().unwrap().len() > 10, "its bytes are evidence");
    let listed = outfall(world, &["list"]).exits(1).out;
    assert!(listed.contains(CODE) && listed.contains("no dossier: its data are refused"), "{listed}");
    let config = world.path("gateway.toml").display().to_string();
    let checked = world.weir(&["config", "check", &config, EXAMPLE]).exits(0).out;
    assert!(checked.contains(&format!("! {CODE} has no dossier")), "{checked}");
    assert!(outfall(world, &["show", CODE]).exits(3).err.contains("weir outfall add"));
}

fn add(world: &World, devices: &[Device; 2]) {
    assert!(outfall(world, &["add", EXAMPLE]).exits(2).err.contains("--reason"));
    assert!(outfall(world, &["add", EXAMPLE, "--reason", " "]).exits(3).err.contains("without a reason"));
    let other = world.path("other.toml");
    let text = fs::read_to_string(EXAMPLE).unwrap();
    fs::write(&other, text.replace(CODE, "SFH-1")).unwrap();
    let refused = outfall(world, &["add", other.to_str().unwrap(), "--reason", "x"]).exits(3);
    assert!(refused.err.contains("FA-######-####-@@-##"), "{}", refused.err);
    fs::write(&other, text.replace("\"CGCS2000\"", "\"GCJ-02\"")).unwrap();
    let refused = outfall(world, &["add", other.to_str().unwrap(), "--reason", "x"]).exits(3);
    assert!(refused.err.contains("line ") && refused.err.contains("GCJ-02 is shifted"), "{}", refused.err);
    assert!(outfall(world, &["edit", EXAMPLE, "--reason", "x"]).exits(3).err.contains("weir outfall add"));

    let added = outfall(world, &["add", EXAMPLE, "--reason", "三级排查登记", "--json"]).exits(0).json();
    assert_eq!((&added["versions"][0]["outfall"], &added["versions"][0]["version"]), (&CODE.into(), &1.into()));
    assert!(outfall(world, &["add", EXAMPLE, "--reason", "x"]).exits(3).err.contains("weir outfall edit"));
    publish(world, &devices[0], 11);
    assert_eq!(accepted(world, "cod-1"), FRAMES, "at once, without a restart");
}

fn edit(world: &World) {
    let file = world.path("edited.toml");
    let toml = outfall(world, &["show", CODE, "--toml"]).exits(0).out;
    assert!(toml.contains("state = \"remediating\""), "{toml}");
    fs::write(&file, toml.replace("state = \"remediating\"", "state = \"remediated\"")).unwrap();
    let file = file.to_str().unwrap();
    let edited = outfall(world, &["edit", file, "--based-on", "1", "--reason", "验收通过", "--json"]).exits(0).json();
    assert_eq!(edited["versions"][0]["version"], 2);
    let stale = outfall(world, &["edit", EXAMPLE, "--based-on", "1", "--reason", "x"]).exits(3);
    assert!(stale.err.contains("has version 2 now"), "{}", stale.err);
    let same = outfall(world, &["edit", file, "--reason", "x"]).exits(3);
    assert!(same.err.contains("nothing of outfall"), "{}", same.err);

    let history = outfall(world, &["history", CODE, "--json"]).exits(0).json();
    let versions = history["versions"].as_array().unwrap();
    let uid = own_uid();
    for (version, reason) in versions.iter().zip(["三级排查登记", "验收通过"]) {
        assert_eq!((&version["by"]["user"], &version["reason"]), (&uid.into(), &reason.into()));
        assert!(version["at_ms"].as_i64().unwrap() > 1_700_000_000_000);
    }
    assert_eq!((versions.len(), &versions[1]["changed"]), (2, &serde_json::json!(["state"])));
    let shown = world.weir(&["--lang", "zh", "outfall", "history", CODE]).exits(0).out;
    assert!(shown.contains("state: remediating → remediated") && shown.contains("验收通过"), "{shown}");
    for (lang, words) in [
        ("en", ["scattered urban domestic sewage", "remediated", "nh3_n ≤ 8 mg/L", "cod-1"]),
        ("zh", ["城镇生活污水散排口", "整治完成", "孙书记", "受纳水体"]),
    ] {
        let shown = world.weir(&["--lang", lang, "outfall", "show", CODE]).exits(0).out;
        assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
    }
    let older = outfall(world, &["show", CODE, "--number", "1", "--json"]).exits(0).json();
    assert_eq!((&older["dossier"]["state"], &older["version"]), (&"remediating".into(), &1.into()));
}

/// Every form of file comes back as it went; a spreadsheet sees that it is UTF-8, and the public no number too many.
fn exchange(world: &World) {
    for name in ["o.json", "o.csv", "o.geojson"] {
        let file = world.path(name).display().to_string();
        outfall(world, &["export", "-o", &file]).exits(0);
        let back = outfall(world, &["import", &file, "--reason", "x", "--json"]).exits(0).json();
        assert_eq!((back["versions"].as_array().unwrap().len(), &back["unchanged"][0]), (0, &CODE.into()), "{name}");
    }
    assert!(fs::read(world.path("o.csv")).unwrap().starts_with(&[0xef, 0xbb, 0xbf]));
    let map: Value = serde_json::from_str(&fs::read_to_string(world.path("o.geojson")).unwrap()).unwrap();
    assert_eq!(map["features"][0]["geometry"]["coordinates"], serde_json::json!([131.15123, 44.41207]));
    assert_eq!(map["features"][0]["properties"]["datum"], "CGCS2000");
    let public = outfall(world, &["export", "--public"]).exits(0).out;
    assert!(public.contains("13900000001") && !public.contains("13900000003") && !public.contains("0453-3920000"));
}

/// Both platforms have both versions, and which devices stand there; an auditor reads the signed bytes.
fn delivered(world: &World) {
    world.delivered();
    for party in &world.platforms {
        let page = until("both versions came", 30, || {
            let page = party.get("/v1/boxes/outfall-1/dossiers");
            (page["items"].as_array()?.len() == 2).then_some(page)
        });
        let shown: Vec<String> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| {
                format!("{} {} {} {}", line["outfall"], line["version"], line["reason"], line["dossier"]["state"])
            })
            .collect();
        let line = |version, reason, state| format!("\"{CODE}\" {version} \"{reason}\" \"{state}\"");
        assert_eq!(shown, [line(1, "三级排查登记", "remediating"), line(2, "验收通过", "remediated")]);
        assert_eq!(page["items"][0]["actor"], format!("user {}", own_uid()));
    }
    world.verify().exits(0);
    let folder = world.path("artifacts");
    for party in &world.platforms {
        write_artifacts(&party.state, &folder.join(party.name)).unwrap();
    }
    Peer::new("verify_cose.py").args([&folder]).args(["--complete"]).run().exits(0);
}

/// An evidence file of the outfall has its devices' records alone, and the dossier that was in force; both verifiers agree.
fn proven(world: &World) {
    until("all is signed", 20, || (world.count("/gateway/journal/checkpoint") == world.records()).then_some(()));
    let file = world.path("outfall.evidence").display().to_string();
    let chosen = ["--outfall", CODE, "--from", "2020-01-01T00:00:00Z", "--reason", "线索 7"];
    world.weir(&[&["evidence", "export", "--out", &file], &chosen[..]].concat()).exits(0);
    let mut keys = vec!["--key".to_owned(), world.public_key()];
    for party in &world.platforms {
        keys.extend(["--platform".to_owned(), format!("{}={}", party.name, party.public_key())]);
    }
    let arguments: Vec<&str> = keys.iter().map(String::as_str).collect();
    let verified = Answer::of_weir(&[&["verify", &file, "--json"], &arguments[..]].concat()).exits(0).json();
    let report = verified["findings"].as_array().unwrap().iter().find(|one| one["word"] == "report").unwrap();
    assert_eq!(report["state"], "proven", "{verified:#}");
    // It prints JSON of mutants alone: here of one that changes nothing.
    let mutants = world.path("mutants");
    fs::write(&mutants, "[]").unwrap();
    let peer = Peer::new("verify_evidence.py").args([&file]).args(&keys).with("--mutants", mutants.display());
    let told = peer.run().exits(0).lines[0].to_string();
    assert!(told.contains(r#"["records","proven",null]"#) && !told.contains("wrong"), "{told}");
    // The members are stored, not packed, so that the page is read as it stands.
    let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    for word in [
        "排污口档案",
        "城西生活污水入河排污口",
        "三级排查登记",
        "验收通过",
        "整治完成",
        "scattered urban domestic sewage",
    ] {
        assert!(text.contains(word), "{word} stands in the report");
    }
    assert!(text.contains("cod-1") && !text.contains("cod-2,cod"), "readings of the outfall's device alone");

    let unknown =
        world.weir(&["evidence", "pin", "--outfall", "NONE-1", "--from", "2020-01-01T00:00:00Z", "--reason", "x"]);
    assert!(unknown.exits(3).err.contains("weir outfall list"));
    let pin = ["evidence", "pin", "--outfall", CODE, "--from", "2020-01-01T00:00:00Z", "--reason", "x", "--json"];
    let pinned = world.weir(&pin).exits(0).json();
    let own = world.records_of(Some("cod-1"));
    let bounds = [own.first(), own.last()].map(|record| record.unwrap()["seq"].clone());
    assert_eq!([&pinned["records"]["first"], &pinned["records"]["last"]], [&bounds[0], &bounds[1]]);
}

/// The user by whom the test runs, as the kernel knows it.
fn own_uid() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
