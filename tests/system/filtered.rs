//! Two platforms, of which one is to have less: what is withheld never arrives, nothing of it is missing, an auditor with other
//! libraries finds it told under the signature; and what a wider filter lets through comes after all.

use std::fs;

use platform::export::write_artifacts;
use serde_json::Value;
use system_tests::{Device, Party, Peer, Row, Sensor, World, until};

const FRAMES: u64 = 120;
const RULE: &str = "[[rule]]\nid = \"high\"\nkind = \"limit\"\ndevices = [\"cod-2\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 1000\n";

fn provincial(world: &World) -> Value {
    world.destinations().into_iter().find(|one| one["name"] == "provincial").unwrap()
}

/// Writes `sync.toml` with this filter of the provincial platform, which stands last in it, and starts the daemon anew.
fn filter(world: &mut World, filter: &str) {
    let config = world.sync_config();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[destination.filter]\n{filter}\n")).unwrap();
    world.weir(&["config", "check", &config]).exits(0);
    world.restart_sync();
}

/// Waits until both platforms know of every record, the provincial one of so many as withheld.
fn settled(world: &World, withheld: u64) -> Value {
    let end = world.records();
    until(&format!("all but {withheld} of {end} records are delivered"), 60, || {
        let all = world.destinations();
        let done = |one: &Value| {
            let [covered, withheld] = ["covered", "withheld"].map(|key| one[key].as_u64().unwrap());
            covered + withheld == end && one["missing"] == 0 && one["outstanding"] == 0
        };
        let provincial = all.iter().find(|one| one["name"] == "provincial")?;
        (all.iter().all(done) && provincial["withheld"] == withheld).then(|| provincial.clone())
    })
}

fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

/// What the other libraries make of all that both platforms hold.
fn audit(world: &World) -> Value {
    let folder = world.path("evidence");
    drop(fs::remove_dir_all(&folder));
    for party in &world.platforms {
        write_artifacts(&party.state, &folder.join(party.name)).unwrap();
    }
    let auditor =
        Peer::new("verify_cose.py").args([&folder]).args(["--complete", "--flips", "400", "--flip-files", "1"]);
    let audited = auditor.run().exits(0);
    assert_eq!(audited.number("problems"), 0, "{:#}", audited.summary());
    audited.summary()["verified"].clone()
}

fn status(party: &Party) -> Value {
    party.get("/v1/status")["boxes"][0].clone()
}

#[test]
fn a_platform_gets_what_its_filter_lets_through_and_is_told_of_the_rest() {
    let devices = [Device::cod("cod-1"), Device::cod("cod-2")];
    let mut world = World::prepared(&devices, "[checkpoint]\nrecords_max = 40\n");
    fs::write(world.path("rules.toml"), RULE).unwrap();
    world.start_gateway();
    world.start_platforms();
    filter(&mut world, "devices = [\"cod-1\"]\nquantities = [\"cod\"]");
    for device in &devices {
        Peer::sensor("paho_sensor.py", &world, device).with("--count", FRAMES).with("--window", 20).run().exits(0);
    }
    let mut sensor = Sensor::connect(&world, &devices[1]);
    sensor.publish(r#"{"n": 9000, "cod": 1291.5}"#);

    // The other device's frames are withheld, its alarm is not.
    let shown = settled(&world, FRAMES + 1);
    assert_eq!(shown["counters"]["refused"], 0, "{shown:#}");
    let journal = world.export();
    let expected: Vec<Row> =
        journal.iter().filter(|row| row.source == "cod-1" && row.quantity == "cod").cloned().collect();
    let [municipal, provincial_party] = world.platforms.as_slice() else { panic!("two platforms") };
    assert_eq!(expected.len() as u64, FRAMES);
    assert_eq!(provincial_party.rows(), expected);
    assert_eq!(in_order(municipal.rows()), in_order(journal.clone()));
    let alarms = provincial_party.get("/v1/boxes/outfall-1/alarms");
    assert_eq!(alarms["items"].as_array().unwrap().len(), 1, "{alarms:#}");
    let of = status(provincial_party);
    assert_eq!((&of["withheld"], &of["doubled"]), (&(FRAMES + 1).into(), &0.into()), "{of:#}");
    assert_eq!(status(municipal)["withheld"], 0);
    for (lang, words) in
        [("en", "withheld by its filter from provincial: 121"), ("zh", "按过滤设置不发送的记录 provincial: 121")]
    {
        let text = world.weir(&["--lang", lang, "status"]).out;
        assert!(text.contains(words), "{text}");
    }
    assert!(world.verify().exits(0).json()["holds"].as_bool().unwrap());
    let audited = audit(&world);
    assert!(audited["left out"].as_u64() >= Some(1), "{audited:#}");

    // A wider one sends what was withheld, once, and nothing else again.
    let before = provincial(&world)["delivered"]["records"].as_u64().unwrap();
    filter(&mut world, "quantities = [\"cod\"]");
    let shown = settled(&world, 0);
    assert_eq!(shown["delivered"]["records"].as_u64().unwrap(), before + FRAMES + 1, "{shown:#}");
    filter(&mut world, "refused = true");
    settled(&world, 0);
    until("every reading came", 30, || {
        (in_order(world.platforms[1].rows()) == in_order(journal.clone())).then_some(())
    });
    let of = status(&world.platforms[1]);
    assert_eq!((&of["withheld"], &of["doubled"]), (&0.into(), &0.into()), "{of:#}");
    audit(&world);
    assert!(world.verify().exits(0).json()["holds"].as_bool().unwrap());
}

const UPPER: &str = "FA-231081-0001-SH-00";
const LOWER: &str = "FA-231081-0002-SH-00";
/// A dossier, of the upper outfall.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/outfall.toml");

/// Writes into the device table where a device stands.
fn stands(world: &World, device: &str, outfall: &str) {
    let path = world.path("devices.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (before, behind) = text.split_once(&format!("name = \"{device}\"\n")).unwrap();
    let behind = behind.strip_prefix("outfall").map_or(behind, |old| old.split_once('\n').unwrap().1);
    fs::write(&path, format!("{before}name = \"{device}\"\noutfall = \"{outfall}\"\n{behind}")).unwrap();
}

fn publish(world: &World, devices: &[Device], first: u64) {
    for device in devices {
        let sensor = Peer::sensor("paho_sensor.py", world, device).with("--first", first).with("--count", FRAMES);
        assert_eq!(sensor.with("--window", 20).run().exits(0).number("acknowledged"), FRAMES);
    }
}

/// What a device measured belongs to the outfall where it stood then, wherever it is moved later.
#[test]
fn a_platform_gets_the_data_of_its_outfall_also_of_a_device_that_moves() {
    let devices = [Device::cod("cod-1"), Device::cod("cod-2")];
    let mut world = World::prepared(&devices, "[checkpoint]\nrecords_max = 40\n");
    stands(&world, "cod-1", UPPER);
    stands(&world, "cod-2", LOWER);
    world.start_gateway();
    world.start_platforms();
    let lower = world.path("lower-outfall.toml");
    fs::write(&lower, fs::read_to_string(EXAMPLE).unwrap().replace(UPPER, LOWER)).unwrap();
    for file in [EXAMPLE, lower.to_str().unwrap()] {
        world.weir(&["outfall", "add", file, "--reason", "survey"]).exits(0);
    }
    filter(&mut world, &format!("outfalls = [\"{UPPER}\"]"));
    publish(&world, &devices, 1);
    // The other device's frames, that it stands there, and the dossier.
    settled(&world, FRAMES + 2);
    let of_upper: Vec<Row> = world.export().into_iter().filter(|row| row.source == "cod-1").collect();
    assert_eq!(world.platforms[1].rows(), of_upper);

    world.kill_gateway();
    stands(&world, "cod-1", LOWER);
    world.start_gateway();
    publish(&world, &devices, 1_001);
    settled(&world, 3 * FRAMES + 3);
    assert_eq!(world.platforms[1].rows(), of_upper, "it was moved: nothing more of it");
    let listed = |party: &Party| {
        let dossiers = party.get("/v1/boxes/outfall-1/dossiers");
        let codes = dossiers["items"].as_array().unwrap().iter();
        codes.map(|one| one["outfall"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!([&world.platforms[0], &world.platforms[1]].map(listed), [vec![UPPER, LOWER], vec![UPPER]]);

    // The other outfall's platform gets what was withheld, and nothing of the upper one again.
    let before = provincial(&world)["delivered"]["records"].as_u64().unwrap();
    filter(&mut world, &format!("outfalls = [\"{LOWER}\"]"));
    let shown = settled(&world, 0);
    assert_eq!(shown["delivered"]["records"].as_u64().unwrap(), before + 3 * FRAMES + 3, "{shown:#}");
    assert_eq!(in_order(world.platforms[1].rows()), in_order(world.export()));
    assert_eq!(status(&world.platforms[1])["doubled"], 0);
    assert!(audit(&world)["left out"].as_u64() >= Some(1));
    assert!(world.verify().exits(0).json()["holds"].as_bool().unwrap());
}

#[test]
fn a_filter_that_names_nobody_is_refused_with_what_was_meant() {
    let world = World::start(&[Device::cod("cod-1")]);
    stands(&world, "cod-1", UPPER);
    let config = world.sync_config();
    let text = fs::read_to_string(&config).unwrap();
    for (filter, says) in [
        ("devices = [\"cod-l\"]", ["cod-l", "`cod-1`"]),
        ("except_devices = [\"kod-1\"]", ["kod-1", "`cod-1`"]),
        ("quantities = [\"codd\"]", ["codd", "`cod`"]),
        ("devices = []", ["one at least", "weir config check"]),
        ("outfalls = [\"a\"]", ["`a` is not the code of an outfall", "A-Z 0-9 -"]),
        ("outfalls = [\"FA-231081-0001-SH-01\"]", ["filter.outfalls", UPPER]),
        ("places = [\"a\"]", ["places", "unknown field"]),
    ] {
        fs::write(&config, format!("{text}[destination.filter]\n{filter}\n")).unwrap();
        let answer = world.weir(&["config", "check", &config]).exits(255);
        assert!(says.iter().all(|word| answer.out.contains(word)), "{filter}:\n{}", answer.out);
    }
    let filter = format!("quantities = [\"n\", \"cod\"]\noutfalls = [\"{UPPER}\"]\n");
    fs::write(&config, format!("{text}[destination.filter]\n{filter}")).unwrap();
    world.weir(&["config", "check", &config]).exits(0);
}
