//! What people find at an outfall, from the command line to both platforms and into an evidence file: entered, corrected, refused,
//! and never among what devices measured. Real daemons; a SIGKILL behind each answer takes nothing back.

use std::fs;

use serde_json::{Value, json};
use system_tests::{Answer, Device, Party, Peer, Sensor, World, until};

const CODE: &str = "FA-231081-0001-SH-00";
const DOSSIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/outfall.toml");
/// Of `abc`, as FIPS 180-2 has it.
const ABC_SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// What devices measure stays below it, and what is typed is far above.
const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 50\n";

/// A box that knows the time, with `cod-1` at one of two outfalls, and what that measured.
fn world(device: &Device) -> World {
    let more = "[checkpoint]\nseconds_max = 1\n[aggregates]\nperiods = [\"1m\"]\nlate_s = 0\n";
    let mut world = World::prepared(std::slice::from_ref(device), more);
    let path = world.path("devices.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("name = \"cod-1\"\n", &format!("name = \"cod-1\"\noutfall = \"{CODE}\"\n"), 1))
        .unwrap();
    fs::write(world.path("rules.toml"), RULE).unwrap();
    world.start_gateway_synchronised();
    world.weir(&["outfall", "add", DOSSIER, "--reason", "survey"]).exits(0);
    let other = world.path("other.toml");
    fs::write(&other, fs::read_to_string(DOSSIER).unwrap().replace(CODE, "B-2")).unwrap();
    world.weir(&["outfall", "add", other.to_str().unwrap(), "--reason", "survey"]).exits(0);
    world.start_platforms();
    world.start_sync();
    let mut sensor = Sensor::connect(&world, device);
    for nth in 1..=5 {
        sensor.publish(&format!(r#"{{"n":{nth},"cod":2{nth}.5}}"#));
    }
    world
}

fn hours_ago(hours: i64) -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).to_string()
}

fn add(world: &World, verb: &str, arguments: &[&str]) -> Answer {
    world.weir(&[&[verb, "add", "--outfall", CODE, "--by", "王工"], arguments].concat())
}

/// Enters it and kills the gateway as soon as it has answered; gives the number of the record.
fn entered(world: &mut World, verb: &str, arguments: &[&str]) -> u64 {
    let answer = add(world, verb, &[arguments, &["--json"]].concat()).exits(0).json();
    world.kill_gateway();
    world.start_gateway_synchronised();
    answer["seq"].as_u64().unwrap()
}

fn listed(world: &World, verb: &str) -> Vec<Value> {
    world.weir(&[verb, "list", "--json"]).exits(0).json()["entries"].as_array().unwrap().clone()
}

/// What devices said, in every form in which it is shown.
fn measured(world: &World) -> [String; 2] {
    [&["export"][..], &["export", "--aggregates"]].map(|verb| world.weir(verb).exits(0).out)
}

#[test]
fn what_people_enter_goes_to_platforms_and_courts_and_stays_apart() {
    let device = Device::cod("cod-1");
    let mut world = world(&device);
    // The minute is closed once a later record comes: from then on nothing that devices said changes.
    until("the minute is closed", 90, || {
        world.weir(&["export", "--aggregates"]).exits(0).out.contains("cod-1").then_some(())
    });
    world.kill_gateway();
    world.start_gateway_synchronised();
    let before = measured(&world);
    refusals(&world);
    let taken = hours_ago(30);
    fs::write(world.path("报告.pdf"), "abc").unwrap();
    let file = world.path("报告.pdf").display().to_string();
    let first =
        ["--taken", &taken, "--value", "cod=352", "--value", "nh3_n=<0.025", "--lab", "监测站", "--number", "S-7"];
    let first = [&first[..], &["--method", "cod=HJ 828-2017", "--note", "雨后", "--file", &file]].concat();
    let first = entered(&mut world, "manual", &first);
    let replaces = first.to_string();
    let second = ["--taken", &taken, "--value", "cod=532", "--replaces", &replaces, "--reason", "抄错一位"];
    let second = entered(&mut world, "manual", &second);
    let twice =
        add(&world, "manual", &["--taken", &taken, "--value", "cod=1", "--replaces", &replaces, "--reason", "x"]);
    assert!(twice.exits(3).err.contains(&format!("replaced already, by record {second}")));
    let went = hours_ago(2);
    let patrol = ["--at", &went, "--finding", "口门有排水，色黑", "--state", "abnormal"];
    let patrol = entered(&mut world, "patrol", &patrol);
    in_the_lists(&world, [first, second, patrol]);

    assert_eq!(measured(&world), before, "what devices measured is what it was");
    assert!(
        world.status()["gateway"]["alarms"].as_array().unwrap().is_empty(),
        "532 is above the limit of 50, and no reading"
    );
    assert!(!world.weir(&["tail", "-n", "200"]).exits(0).out.contains("ALARM"));
    delivered(&world, [first, second, patrol]);
    proven(&world, [first, second, patrol]);
}

/// Nothing of what is refused is journaled, and each says what to do.
fn refusals(world: &World) {
    let (now, long) = (hours_ago(1), "x".repeat(1_001));
    let (ahead, ages) = (hours_ago(-1), "2001-01-01T00:00:00Z");
    let cod = ["--taken", &now, "--value", "cod=35.2"];
    let check = |arguments: &[&str], code: i32, words: &str| {
        let refused = add(world, "manual", arguments).exits(code);
        assert!(refused.err.contains(words), "{}", refused.err);
    };
    check(&["--taken", &now, "--value", "cod=much"], 2, "not a decimal number");
    check(&["--taken", &now, "--value", "nh3n=1"], 3, "`nh3_n`");
    check(&["--taken", &now, "--value", "cod=1 g/L"], 3, "entered in mg/L, not in g/L");
    check(&["--taken", &ahead, "--value", "cod=1"], 3, "is in the future");
    check(&["--taken", ages, "--value", "cod=1"], 3, "more than 5 years ago");
    check(&[&cod[..], &["--note", &long]].concat(), 3, "at most 1000 are taken");
    check(&[&cod[..], &["--method", "tp=GB 11893-89"]].concat(), 3, "no value of it is entered");
    check(&[&cod[..], &["--replaces", "0", "--reason", "x"]].concat(), 3, "is no manual entry");
    check(&[&cod[..], &["--replaces", "0"]].concat(), 2, "--reason");
    check(&[&cod[..], &["--file", "/nowhere/x.pdf"]].concat(), 3, "/nowhere/x.pdf");
    let unknown = ["manual", "add", "--outfall", "NONE-1", "--by", "王工", "--taken", &now, "--value", "cod=1"];
    assert!(world.weir(&unknown).exits(3).err.contains("weir outfall list"));
    let nobody = ["patrol", "add", "--outfall", CODE, "--by", " ", "--at", &now, "--finding", "x"];
    assert!(world.weir(&nobody).exits(3).err.contains("--by: a text is empty"));
    assert_eq!(["manual", "patrol"].map(|verb| listed(world, verb).len()), [0, 0]);
}

/// On the terminal in both languages, as JSON and as a table.
fn in_the_lists(world: &World, [first, second, patrol]: [u64; 3]) {
    let samples = listed(world, "manual");
    let seqs: Vec<u64> = samples.iter().map(|one| one["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [first, second]);
    assert_eq!((&samples[0]["replaced_by"], &samples[0]["source"]), (&json!(second), &json!("manual")));
    assert_eq!(
        samples[0]["values"][1],
        json!({
            "quantity": "nh3_n", "unit": "mg/L", "value": "0.025", "detection": "below_limit",
        })
    );
    assert_eq!(samples[0]["entry"]["files"], json!([{ "name": "报告.pdf", "sha256": ABC_SHA256 }]));
    assert_eq!(samples[1]["entry"]["replaces"], json!({ "seq": first, "reason": "抄错一位" }));
    assert_eq!(listed(world, "patrol")[0]["seq"], patrol);
    for (lang, words) in [
        ("en", ["nh3_n <0.025 mg/L", "HJ 828-2017", &format!("by record {second}")]),
        ("zh", ["采样人", "监测站", &format!("被记录 {second} 取代")]),
    ] {
        let shown = world.weir(&["--lang", lang, "manual", "list", "--outfall", CODE]).exits(0).out;
        assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
    }
    assert!(world.weir(&["manual", "list", "--outfall", "B-2"]).exits(0).out.contains("nothing was entered"));
    let tail = world.weir(&["--lang", "zh", "tail", "-n", "200"]).exits(0).out;
    assert!(tail.contains("手工监测") && tail.contains("巡查") && tail.contains("异常：口门有排水"), "{tail}");
    let table = world.weir(&["export", "--manual"]).exits(0).out;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("seq,source,outfall,taken,by,typed_by,quantity,value,"), "{table}");
    assert_eq!((lines.len(), lines.iter().filter(|line| line.contains(",manual,")).count()), (4, 3), "{table}");
    let rows = world.weir(&["export", "--manual", "--quantity", "cod", "--json"]).exits(0).json_lines();
    assert_eq!(rows.iter().map(|row| &row["value"]).collect::<Vec<_>>(), ["352", "532"]);
    let rows = world.weir(&["export", "--patrols", "--json", "--from", &hours_ago(3)]).exits(0).json_lines();
    assert_eq!((&rows[0]["state"], &rows[0]["finding"]), (&json!("abnormal"), &json!("口门有排水，色黑")));
    assert!(world.weir(&["export", "--patrols", "--to", &hours_ago(3)]).exits(0).out.lines().count() == 1);
}

fn page(party: &Party, name: &str) -> Vec<Value> {
    party.get(&format!("/v1/boxes/outfall-1/{name}"))["items"].as_array().unwrap().clone()
}

/// Both platforms have what was entered, apart from readings, and raise no alarm of it.
fn delivered(world: &World, [first, second, patrol]: [u64; 3]) {
    world.delivered();
    for party in &world.platforms {
        let samples = page(party, "manual");
        assert_eq!((&samples[0]["seq"], &samples[0]["replaced_by"]), (&json!(first), &json!(second)));
        assert_eq!((&samples[1]["values"][0]["value"], &samples[1]["source"]), (&json!("532"), &json!("manual")));
        assert_eq!((&samples[0]["person"], &samples[0]["number"]), (&json!("王工"), &json!("S-7")));
        let patrols = page(party, "patrols");
        assert_eq!((&patrols[0]["seq"], &patrols[0]["state"]), (&json!(patrol), &json!("abnormal")));
        assert_eq!(party.alarm_count(), 0);
    }
    world.audit();
}

/// An evidence file of the outfall and the hours of the sample has it, with what replaced it later, and the patrol of that time
/// alone; two verifiers say that it is the word of people.
fn proven(world: &World, [first, second, patrol]: [u64; 3]) {
    until("all is signed", 20, || (world.count("/gateway/journal/checkpoint") == world.records()).then_some(()));
    let file = world.path("manual.evidence").display().to_string();
    let (from, to) = (hours_ago(40), hours_ago(20));
    let chosen = ["--outfall", CODE, "--from", &from, "--to", &to, "--reason", "线索 9", "--out", &file];
    world.weir(&[&["evidence", "export"], &chosen[..]].concat()).exits(0);
    // The members are stored, not packed, so that the page is read as it stands.
    let report = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    for words in
        ["手工监测（人工录入）", "Manual samples (entered by people)", "内容本身未经证明", "抄错一位", ABC_SHA256]
    {
        assert!(report.contains(words), "{words} stands in the report");
    }
    assert!(!report.contains("巡查（人工录入）"), "the patrol was later");
    let key = world.public_key();
    let verified = Answer::of_weir(&["verify", &file, "--key", &key, "--json"]).exits(0).json();
    let finding = |word: &str| verified["findings"].as_array().unwrap().iter().find(|one| one["word"] == word).unwrap();
    assert_eq!((&finding("report")["state"], &finding("records")["state"]), (&json!("proven"), &json!("proven")));
    assert_eq!(
        (&finding("stated")["state"], &finding("stated")["facts"]),
        (&json!("open"), &json!({ "samples": 2, "patrols": 0 }))
    );
    let shown = Answer::of_weir(&["--lang", "zh", "verify", &file, "--key", &key]).exits(0).out;
    assert!(shown.contains("手工监测 2 条，巡查 0 条"), "{shown}");
    let peer = Peer::new("verify_evidence.py").args([&file]).args(["--key", &key, "--json"]).run().exits(0);
    let stated: Vec<&str> =
        peer.summary()["stated"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(
        stated[0].starts_with(&format!("record {first}, entered "))
            && stated[0].contains("by 王工 as told: cod 352 mg/L"),
        "{stated:?}"
    );
    assert!(stated[0].ends_with(&format!("replaced by record {second}")) && stated.len() == 2, "{stated:?}");

    // All of the last hours, whatever it is of.
    let file = world.path("all.evidence").display().to_string();
    world.weir(&["evidence", "export", "--from", &hours_ago(3), "--reason", "x", "--out", &file]).exits(0);
    let peer = Peer::new("verify_evidence.py").args([&file]).args(["--key", &key, "--json"]).run().exits(0);
    let stated = peer.summary()["stated"].to_string();
    assert!(
        stated.contains(&format!("record {patrol}, entered ")) && stated.contains("abnormal · 口门有排水，色黑"),
        "{stated}"
    );
}

/// A platform that asks for another outfall hears nothing of it.
#[test]
fn what_people_enter_goes_by_its_outfall() {
    let device = Device::cod("cod-1");
    let mut world = world(&device);
    let sync = world.sync_config();
    let text = fs::read_to_string(&sync).unwrap();
    fs::write(&sync, format!("{text}[destination.filter]\noutfalls = [\"B-2\"]\n")).unwrap();
    world.restart_sync();
    for code in [CODE, "B-2"] {
        let arguments =
            ["patrol", "add", "--outfall", code, "--by", "王工", "--at", &hours_ago(1), "--finding", "无异常"];
        world.weir(&arguments).exits(0);
    }
    let end = world.records();
    until("both platforms know of all", 60, || {
        let done = |one: &Value| {
            let [covered, withheld] = ["covered", "withheld"].map(|key| one[key].as_u64().unwrap());
            covered + withheld >= end && one["missing"] == 0 && one["outstanding"] == 0
        };
        world.destinations().iter().all(done).then_some(())
    });
    let outfalls = |party: &Party| {
        page(party, "patrols").iter().map(|one| one["outfall"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [municipal, provincial] = world.platforms.as_slice() else { panic!("two platforms") };
    assert_eq!(
        (outfalls(municipal), outfalls(provincial)),
        (vec![CODE.to_owned(), "B-2".to_owned()], vec!["B-2".to_owned()])
    );
}
