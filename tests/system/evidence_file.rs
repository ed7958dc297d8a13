//! Evidence files of a running box, verified by `weir verify` and by `verify_evidence.py`, one file that knows nothing of
//! Weir but the CDDLs: both say the same, of the file, of every sort of mutant, and of forgeries under the box's own seal.
//!
//! `SEED=n` repeats or varies the mutants; a failure says its seed.

mod mutant;

use std::fs;
use std::path::{Path, PathBuf};

use evidence::{Keys, State};
use serde_json::{Value, json};
use system_tests::{Answer, Device, Peer, World, until};

use crate::random::Random;
use mutant::{Forger, Mutant};

/// Mutants that both verifiers judge.
const MUTANTS: usize = 300;
/// Of the bits of a file, those that the Python verifier is shown: one in so many. The Rust one is shown all.
const PYTHON_BITS: usize = 1_000;
/// More COD than this is an alarm.
const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n\
                    high = 80\ndeadband = 5\npriority = \"high\"\n";

/// Word, state and what it is about.
type Told = Vec<(String, String, Option<String>)>;

/// A box with two platforms that hold all it has, an alarm among it, and nothing unsigned.
struct Scene {
    world: World,
    sensor: Device,
    keys: Keys,
    /// As both verifiers take them.
    arguments: Vec<String>,
}

impl Scene {
    fn new() -> Scene {
        let sensor = Device::cod("cod-1");
        let mut world = World::prepared(std::slice::from_ref(&sensor), "[checkpoint]\nseconds_max = 1\n");
        fs::write(world.path("rules.toml"), RULE).unwrap();
        world.start_gateway();
        world.start_platforms();
        world.start_sync();
        let box_key = world.public_key();
        let mut arguments = vec!["--key".to_owned(), box_key.clone()];
        let mut keys = Keys { box_key: Some(box_key.parse().unwrap()), ..Keys::default() };
        for party in &world.platforms {
            arguments.extend(["--platform".to_owned(), format!("{}={}", party.name, party.public_key())]);
            keys.platforms.insert(party.name.parse().unwrap(), party.public_key().parse().unwrap());
        }
        let scene = Scene { world, sensor, keys, arguments };
        scene.publish(1, r#"{"n":%n,"cod":41.5}"#, 6);
        scene.publish(7, r#"{"n":%n,"cod":95.25}"#, 2);
        scene.publish(9, r#"{"n":%n,"cod":12.75}"#, 4);
        scene.settle();
        scene
    }

    fn publish(&self, first: u64, payload: &str, count: u64) {
        let sensor = Peer::sensor("paho_sensor.py", &self.world, &self.sensor);
        sensor.with("--first", first).with("--count", count).with("--payload", payload).run().exits(0);
    }

    /// Waits until everything is delivered and signed.
    fn settle(&self) {
        self.world.delivered();
        until("all is signed", 20, || {
            let records = self.world.records();
            (self.world.count("/gateway/journal/checkpoint") == records).then_some(())
        });
    }

    /// `weir evidence export` into this file.
    fn export(&self, name: &str, more: &[&str]) -> (PathBuf, Answer) {
        let file = self.world.path(name);
        let out = file.display().to_string();
        let answer = self.world.weir(&[&["evidence", "export", "--json", "--out", &out], more].concat());
        (file, answer)
    }

    /// The record of the first alarm.
    fn alarm(&self) -> Value {
        let all = self.world.weir(&["tail", "-n", "1000", "--json"]).exits(0).json_lines();
        all.into_iter().find(|record| record["kind"] == "alarm").expect("an alarm")
    }

    fn verify(&self, file: &Path) -> Answer {
        let file = file.display().to_string();
        let keys: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        Answer::of_weir(&[&["verify", &file, "--json"], keys.as_slice()].concat())
    }

    fn told_by_library(&self, bytes: &[u8]) -> Told {
        let word = |state| match state {
            State::Proven => "proven",
            State::Open => "open",
            State::Wrong => "wrong",
        };
        let verdict = evidence::verify(bytes, &self.keys);
        let told = |finding: &evidence::Finding| {
            (finding.what.word().to_owned(), word(finding.state).to_owned(), finding.what.about())
        };
        verdict.findings.iter().map(told).collect()
    }

    fn told_by_python(&self, file: &Path, mutants: &[Mutant]) -> Vec<Told> {
        let list = file.with_extension("mutants");
        let lines: Vec<String> = mutants.iter().map(|mutant| json!(mutant.splices).to_string()).collect();
        fs::write(&list, lines.join("\n")).unwrap();
        let peer = Peer::new("verify_evidence.py").args([file]).args(&self.arguments);
        let answer = peer.with("--mutants", list.display()).run().exits(0);
        assert_eq!(answer.number("mutants"), mutants.len() as u64);
        answer.lines[..mutants.len()].iter().map(|line| serde_json::from_value(line.clone()).unwrap()).collect()
    }
}

/// What the Python verifier should say where this is what Weir says: it does not make the report anew.
fn without_report(told: &Told) -> Told {
    let shown = |(word, state, about): &(String, String, Option<String>)| {
        let state = if word == "report" { "-" } else { state };
        (word.clone(), state.to_owned(), about.clone())
    };
    told.iter().map(shown).collect()
}

fn is_found(told: &Told) -> bool {
    told.iter().any(|(_, state, _)| state == "wrong")
}

fn seed() -> u64 {
    std::env::var("SEED").map_or(20_261_129, |seed| seed.parse().expect("SEED is a number"))
}

/// The file that the crate's own tests pin: with a clock that was set, held over and not set, a frame decoded again, a gap.
#[test]
fn the_pinned_file_is_read_by_both() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = root.join("sync/evidence/src/tests/sample.evidence");
    let keys = [
        "--key=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "--platform=city=8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394",
        "--platform=province=ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1",
    ];
    let ours =
        Answer::of_weir(&[&["verify", file.to_str().unwrap(), "--json"], keys.as_slice()].concat()).exits(0).json();
    let theirs = Peer::new("verify_evidence.py").args([&file]).args(keys).args(["--json"]).run().exits(0);
    same_statements(&ours, theirs.summary());
    let times = ours["findings"].as_array().unwrap().iter().find(|finding| finding["word"] == "times").unwrap();
    assert_eq!((&times["facts"]["holdover"], &times["facts"]["corrected"]), (&json!(1), &json!(1)), "{ours:#}");
}

/// Both say the same of the same, as far as the Python verifier counts it; only the report it does not make anew.
fn same_statements(ours: &Value, theirs: &Value) {
    let (ours, theirs) = (ours["findings"].as_array().unwrap(), theirs["findings"].as_array().unwrap());
    let shown = |finding: &Value| {
        let state = if finding["word"] == "report" { Value::Null } else { finding["state"].clone() };
        (finding["word"].clone(), state, finding["about"].clone())
    };
    assert_eq!(ours.iter().map(shown).collect::<Vec<_>>(), theirs.iter().map(shown).collect::<Vec<_>>());
    for (ours, theirs) in ours.iter().zip(theirs) {
        for (name, fact) in theirs["facts"].as_object().unwrap() {
            let known = ours["facts"].get(name).filter(|known| !known.is_null());
            assert!(known.is_none_or(|known| known == fact), "{name}: {ours:#} {theirs:#}");
        }
    }
}

#[test]
fn a_file_around_an_alarm_is_proven_by_two_verifiers() {
    let scene = Scene::new();
    let alarm = scene.alarm()["seq"].to_string();
    let (file, answer) = scene.export("alarm.evidence", &["--alarm", &alarm, "--reason", "clue <7>"]);
    let made = answer.exits(0).json();
    assert!(made["records"].as_u64() >= Some(12) && made["receipts"].as_u64() >= Some(2), "{made:#}");
    let told = scene.verify(&file).exits(0).json();
    let findings = told["findings"].as_array().unwrap();
    for finding in findings {
        // Where these tests run, nobody may have told the kernel the time.
        let expected = if finding["word"] == "times" { &finding["state"] } else { &json!("proven") };
        assert_eq!(&finding["state"], expected, "{told:#}");
    }
    let python = Peer::new("verify_evidence.py").args([&file]).args(&scene.arguments).args(["--json"]).run().exits(0);
    same_statements(&told, python.summary());
    let text = Answer::of_weir(&["verify", file.to_str().unwrap(), "--lang", "zh"]).exits(0);
    assert!(text.out.contains("仅以文件自带公钥验证") && text.out.contains("未验证回执"), "{text:?}");
    // What any ZIP program reads of it.
    let csv = unzipped(&file, "readings.csv");
    assert!(csv.starts_with("seq,time,") && csv.matches(",95.25,").count() == 2, "{csv}");
    let page = unzipped(&file, "report.html");
    assert!(
        page.contains("clue &lt;7&gt;") && page.contains("<polyline") && page.contains("class=\"limit\""),
        "{page}"
    );
}

/// One member of it, by a ZIP program that nobody here wrote.
pub(crate) fn unzipped(file: &Path, member: &str) -> String {
    let script = "import sys, zipfile; sys.stdout.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode())";
    let python = system_tests::tools("venv/bin/python");
    let mut command = std::process::Command::new(python);
    Answer::of(command.args(["-c", script]).arg(file).arg(member)).exits(0).out
}

#[test]
fn every_changed_bit_and_every_forgery_is_found_by_both() {
    let scene = Scene::new();
    // Few records, so that every bit can be tried.
    let alarm = scene.alarm()["seq"].to_string();
    let (file, answer) = scene.export("small.evidence", &["--alarm", &alarm, "--before", "0s", "--after", "0s"]);
    answer.exits(0);
    let bytes = fs::read(&file).unwrap();
    let whole = scene.told_by_library(&bytes);
    assert!(!is_found(&whole), "{whole:?}");
    let seed = seed();
    let mut random = Random(seed);
    let key = identity::load(&scene.world.path("state/identity/box.key")).unwrap();
    let forger = Forger::new(&bytes, &key);
    let mutants: Vec<Mutant> = (0..MUTANTS)
        .map(|_| forger.any(&mut random))
        .chain((0..bytes.len() * 8).step_by(PYTHON_BITS).map(|bit| Mutant::bit(&bytes, bit)))
        .collect();
    std::thread::scope(|scope| {
        let python = scope.spawn(|| scene.told_by_python(&file, &mutants));
        every_bit_is_found(&scene, &bytes);
        let python = python.join().unwrap();
        let mut kinds = std::collections::BTreeMap::new();
        for (nth, (mutant, theirs)) in mutants.iter().zip(&python).enumerate() {
            let ours = scene.told_by_library(&mutant.bytes);
            let what = format!("seed {seed}, mutant {nth}: {}", mutant.what);
            assert_eq!(without_report(&ours), without_report(theirs), "{what}: Weir and Python disagree");
            assert!(is_found(&ours) || mutant.is_harmless, "{what}: not found");
            *kinds.entry(mutant.kind).or_insert(0) += 1;
        }
        assert_eq!(kinds.len(), mutant::KINDS, "every kind of mutant: {kinds:?}");
    });
}

fn every_bit_is_found(scene: &Scene, bytes: &[u8]) {
    let mut other = bytes.to_vec();
    for bit in 0..bytes.len() * 8 {
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!evidence::verify(&other, &scene.keys).holds(), "bit {bit} can be changed unnoticed");
        other[bit / 8] = bytes[bit / 8];
    }
}

#[test]
fn what_cannot_be_made_says_what_to_do() {
    let mut scene = Scene::new();
    let refused = |scene: &Scene, more: &[&str], code: i32| {
        let (file, answer) = scene.export("none.evidence", more);
        let answer = answer.exits(code);
        assert!(!file.exists(), "{answer:?}");
        answer.err
    };
    assert!(refused(&scene, &["--alarm", "0"], 3).contains("is no alarm"));
    let empty = ["--from", "2001-01-01T00:00:00Z", "--to", "2001-01-02T00:00:00Z"];
    assert!(refused(&scene, &empty, 3).contains("try: "));
    let turned = ["--from", "2001-01-02T00:00:00Z", "--to", "2001-01-01T00:00:00Z"];
    assert!(refused(&scene, &turned, 3).contains("--from before --to"));
    refused(&scene, &[], 2);
    refused(&scene, &["--from", "2001-01-02T00:00:00Z", "--source", "a b"], 3);

    let (file, answer) = scene.export("once.evidence", &["--from", "2001-01-01T00:00:00Z", "--source", "cod-1"]);
    answer.exits(0);
    let before = fs::read(&file).unwrap();
    let (_, again) = scene.export("once.evidence", &["--from", "2001-01-01T00:00:00Z"]);
    assert!(again.exits(3).err.contains("never replaced"));
    assert_eq!(fs::read(&file).unwrap(), before);

    scene.world.kill_gateway();
    assert!(refused(&scene, &["--from", "2001-01-01T00:00:00Z"], 3).contains("try: systemctl status weir-gateway"));
    scene.verify(&file).exits(0);
}

#[test]
fn records_are_pinned_by_an_alarm_or_a_time_and_released() {
    let scene = Scene::new();
    let (world, alarm) = (&scene.world, scene.alarm());
    let (seq, cause) = (alarm["seq"].as_u64().unwrap(), alarm["cause"].as_u64().unwrap());
    let evidence = |more: &[&str]| world.weir(&[&["evidence"], more].concat());
    assert!(evidence(&["pins"]).exits(0).out.contains("weir evidence pin"));
    let by_alarm = evidence(&["pin", "--alarm", &seq.to_string(), "--reason", "the bureau asked", "--json"]).exits(0);
    let pinned = by_alarm.json();
    let bounds = |records: &Value| (records["first"].as_u64().unwrap(), records["last"].as_u64().unwrap());
    let (first, last) = bounds(&pinned["records"]);
    assert!(first <= cause && seq <= last && pinned["pin"].as_u64() > Some(last), "{pinned}");
    evidence(&["pin", "--from", "2020-01-01T00:00:00Z", "--reason", "一口一档"]).exits(0);

    let all = evidence(&["pins", "--json"]).exits(0).json();
    let reasons: Vec<&str> =
        all["pins"].as_array().unwrap().iter().map(|pin| pin["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["the bureau asked", "一口一档"], "{all}");
    assert_eq!(all["pins"][0]["by"]["user"], u64::from(rustix::process::getuid().as_raw()), "{all}");
    let zh = world.weir(&["--lang", "zh", "evidence", "pins"]).exits(0).out;
    assert!(zh.contains("锁定") && zh.contains("一口一档"), "{zh}");

    let pin = pinned["pin"].to_string();
    evidence(&["release", &pin, "--reason", "closed"]).exits(0);
    let twice = evidence(&["release", &pin, "--reason", "closed"]).exits(3);
    assert!(twice.err.contains("weir evidence pins"), "{}", twice.err);
    assert_eq!(evidence(&["pins", "--json"]).exits(0).json()["pins"].as_array().unwrap().len(), 1);
    let nothing = evidence(&["pin", "--from", "2020-01-01T00:00:00Z", "--to", "2020-01-02T00:00:00Z", "--reason", "x"]);
    assert!(nothing.exits(3).err.contains("weir export"));
    scene.settle();
    // Parts stand in the file as they are: what people ordered is in the report.
    let (file, exported) = scene.export("orders.evidence", &["--from", "2020-01-01T00:00:00Z"]);
    exported.exits(0);
    let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    assert!(
        text.contains("操作记录") && text.contains("锁定保存") && text.contains("解除锁定"),
        "the report lists orders"
    );
    for party in &world.platforms {
        let acts: Vec<String> = party.audits().into_iter().map(|(act, ..)| act).collect();
        assert_eq!(acts, ["pinned", "pinned", "released"], "{}", party.name);
    }
}
