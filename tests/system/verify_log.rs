//! An exported journal, verified by `weir verify` and by `verify_log.py`, which knows nothing of Weir but the CDDL: what
//! was not touched is accepted, and of 10,000 mutants each is found by both, at the same place.
//!
//! `SEED=n` repeats or varies a run; a failure says its seed.

mod box_dir;
mod mutant;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use batch::weirlog::{Beliefs, Verifier, Writer};
use record::Seq;
use record::merkle::{BLOCK_LEAVES, Block};
use serde_json::{Value, json};
use system_tests::{Answer, Device, Peer, World, until};

use crate::random::Random;
use box_dir::{BoxDir, RECORDS};
use mutant::{Export, Mutant};

/// Mutants of the exported journal.
const MUTANTS: usize = 10_000;
/// Of the one from which records were taken away.
const MUTANTS_PRUNED: usize = 2_000;
/// So many are verified by the installed command too, one process each.
const COMMANDS: usize = 40;

/// What a verifier says of a file: the first fault's place and word.
type Found = Option<(String, String)>;

fn seed() -> u64 {
    std::env::var("SEED").map_or(20_261_128, |seed| seed.parse().expect("SEED is a number"))
}

fn verify_file(file: &Path, key: &str) -> Answer {
    Answer::of_weir(&["verify", &file.display().to_string(), "--json", "--key", key])
}

fn found_by_command(answer: &Answer) -> Found {
    let answer = answer.json();
    let text = |name: &str| answer["first_bad"][name].as_str().map(str::to_owned);
    Some((text("place")?, text("word")?))
}

/// As `weir verify` does, up to the first fault.
fn found_by_weir(bytes: &[u8], key: &batch::PublicKey) -> Found {
    let mut verifier = Verifier::new(bytes, &Beliefs::of(Some(*key)));
    while verifier.verdict().first_bad.is_none() && verifier.step().unwrap() {}
    verifier.verdict().first_bad.map(|fault| (fault.place().to_string(), fault.word().to_owned()))
}

/// What the Python verifier says of each mutant.
fn found_by_python(file: &Path, key: &str, mutants: &[Mutant], seed: u64) -> Vec<Found> {
    let list = file.with_extension("mutants");
    let mut lines = std::io::BufWriter::new(fs::File::create(&list).unwrap());
    for mutant in mutants {
        writeln!(lines, "{}", json!(mutant.splices())).unwrap();
    }
    lines.into_inner().unwrap();
    let peer = Peer::new("verify_log.py").args([file]).with("--key", key).with("--mutants", list.display());
    let answer = peer.with("--whole-every", 100).run().exits(0);
    assert_eq!(answer.number("mutants"), mutants.len() as u64, "seed {seed}");
    let found = |line: &Value| Some((line[0].as_str()?.to_owned(), line[1].as_str()?.to_owned()));
    answer.lines[..mutants.len()].iter().map(found).collect()
}

/// Both verifiers on every mutant: each finds it, at the same place, and that is where it is.
fn check(file: &Path, export: &Export, key: &batch::PublicKey, mutants: &[Mutant], seed: u64) {
    let python = {
        let (file, key, mutants) = (file.to_owned(), key.to_string(), mutants.to_vec());
        std::thread::spawn(move || found_by_python(&file, &key, &mutants, seed))
    };
    let weir: Vec<Found> = mutants.iter().map(|mutant| found_by_weir(&mutant.bytes(export), key)).collect();
    let python = python.join().unwrap();
    for (nth, (mutant, (weir, python))) in mutants.iter().zip(weir.iter().zip(&python)).enumerate() {
        let what = format!("seed {seed}, mutant {nth}: {}", mutant.what);
        let (place, _) = weir.as_ref().unwrap_or_else(|| panic!("{what}: not found by weir verify"));
        assert_eq!(weir, python, "{what}: weir and Python disagree");
        assert!(mutant.is_at(place, export), "{what}: named {place}");
    }
    for nth in (0..mutants.len()).step_by(mutants.len() / COMMANDS) {
        let mutated = file.with_extension("mutated");
        fs::write(&mutated, mutants[nth].bytes(export)).unwrap();
        let answer = verify_file(&mutated, &key.to_string()).exits(1);
        assert_eq!(found_by_command(&answer), weir[nth], "seed {seed}, mutant {nth}: {answer:?}");
    }
}

#[test]
fn ten_thousand_mutants_of_an_exported_journal_are_found_by_two_verifiers() {
    let seed = seed();
    let mut random = Random(seed);
    let a_box = BoxDir::new(&mut random);
    let (file, export) = exported(&a_box);
    assert_eq!(export.records(), RECORDS);
    let mutants: Vec<Mutant> = (0..MUTANTS).map(|_| Mutant::any(&export, &mut random)).collect();
    check(&file, &export, &a_box.key.public(), &mutants, seed);
    let kinds: std::collections::BTreeSet<_> = mutants.iter().map(|mutant| mutant.kind).collect();
    assert_eq!(kinds.len(), mutant::KINDS, "every kind of mutation: {kinds:?}");
}

#[test]
fn mutants_of_a_journal_without_some_of_its_records_are_found_too() {
    let seed = seed();
    let mut random = Random(seed);
    let a_box = BoxDir::new(&mut random);
    let (file, whole) = exported(&a_box);
    let (bytes, gone) = pruned(&whole, &a_box, &mut random);
    fs::write(&file, &bytes).unwrap();
    let key = a_box.key.public();
    let told = verify_file(&file, &key.to_string()).exits(0).json();
    let heads = told["verdict"]["checkpoints"].as_u64().unwrap();
    assert_eq!(told["verdict"]["gone"], gone, "seed {seed}: {told:#}");
    assert!(gone > RECORDS / 2, "{told:#}");
    let python = Peer::new("verify_log.py").args([&file]).run().exits(0);
    assert_eq!((python.number("gone"), python.number("checkpoints")), (gone, heads));
    let export = Export::of(bytes);
    let mutants: Vec<Mutant> = (0..MUTANTS_PRUNED).map(|_| Mutant::any(&export, &mut random)).collect();
    check(&file, &export, &key, &mutants, seed);
}

/// `weir export --journal`, accepted by both verifiers.
fn exported(a_box: &BoxDir) -> (PathBuf, Export) {
    let file = a_box.path("box.weirlog");
    let out = file.display().to_string();
    let answer = World::weir_in(a_box.dir(), &["export", "--journal", "--out", &out]).exits(0);
    assert!(answer.err.contains(&format!("records written: {RECORDS} ")), "{answer:?}");
    let key = a_box.key.public().to_string();
    let told = verify_file(&file, &key).exits(0).json();
    assert_eq!(told["verdict"]["proven"]["head"]["size"], RECORDS, "{told:#}");
    let python = Peer::new("verify_log.py").args([&file]).with("--key", &key).run().exits(0);
    assert_eq!(python.number("proven"), RECORDS);
    assert_eq!(python.number("checkpoints"), told["verdict"]["checkpoints"].as_u64().unwrap());
    (file.clone(), Export::of(fs::read(file).unwrap()))
}

/// The same journal after most records were taken away, and how many were.
fn pruned(whole: &Export, a_box: &BoxDir, random: &mut Random) -> (Vec<u8>, u64) {
    let records = whole.record_bytes();
    let (mut nodes, mut gone) = (Vec::new(), 0);
    for (no, leaves) in records.chunks(usize::try_from(BLOCK_LEAVES).unwrap()).enumerate() {
        let first = Seq(u64::try_from(no).unwrap() * BLOCK_LEAVES);
        let mut block = Block::new(first, leaves.iter().cloned()).unwrap();
        // Of four blocks one keeps all, one nothing, one half, and one a few.
        let one_in = [1, u64::MAX, 2, 40][no % 4];
        let kept: Vec<bool> = leaves.iter().map(|_| random.below(one_in) == 0).collect();
        gone += block.prune(|seq| kept[usize::try_from(seq.0 - first.0).unwrap()]);
        nodes.extend(block.nodes().to_vec());
    }
    let mut writer = Writer::new(Vec::new(), &a_box.id, &a_box.key.public()).unwrap();
    for node in nodes {
        writer.node(&node).unwrap();
        if let Some(head) = whole.heads().get(&writer.next().0) {
            writer.checkpoint(head).unwrap();
        }
    }
    (writer.finish().unwrap(), gone)
}

#[test]
fn what_a_running_box_exports_is_proven_and_what_is_not_signed_yet_is_said() {
    let sensor = Device::cod("cod-1");
    let world = World::box_only(std::slice::from_ref(&sensor), "[checkpoint]\nrecords_max = 16\n");
    let file = world.path("box.weirlog");
    let out = file.display().to_string();
    Peer::sensor("paho_sensor.py", &world, &sensor).with("--count", 100).run().exits(0);
    let records = world.records();
    let signed = until("the journal is signed", 20, || {
        let signed = world.count("/gateway/journal/checkpoint");
        (signed + 16 > records).then_some(signed)
    });
    let answer = world.weir(&["export", "--journal", "-o", &out]).exits(0);
    let said = format!("records written: {signed} · newer ones that no tree head covers yet: {}", records - signed);
    assert!(answer.err.contains(&said), "{said}: {answer:?}");

    let told = verify_file(&file, &world.public_key()).exits(0).json();
    assert_eq!((&told["verdict"]["records"], &told["verdict"]["box"]), (&json!(signed), &json!("outfall-1")));
    Peer::new("verify_log.py").args([&file]).with("--key", world.public_key()).run().exits(0);
    let text = Answer::of_weir(&["verify", &out, "--lang", "zh"]).exits(0);
    assert!(text.out.contains("文件自带公钥，请核对") && text.out.contains("通过"), "{text:?}");

    // The key of another box; what is no exported journal; what is not there.
    let other = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    assert_eq!(found_by_command(&verify_file(&file, other).exits(1)).unwrap().1, "other_key");
    assert_eq!(found_by_command(&verify_file(&world.path("gateway.toml"), other).exits(1)).unwrap().1, "no_header");
    verify_file(&world.path("none"), other).exits(3);
    Answer::of_weir(&["verify", "--key", other]).exits(2);
    Answer::of_weir(&["export", "--journal", "--json"]).exits(2);
}

#[test]
fn a_box_that_signed_nothing_yet_says_so() {
    let a_box = BoxDir::unsigned();
    let answer = World::weir_in(a_box.dir(), &["export", "--journal"]).exits(3);
    assert!(answer.err.contains("try: ") && answer.out.is_empty(), "{answer:?}");
}
