//! The box's key changes, and the journal says so once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use batch::{BoxId, Checkpoint, KeyChange, KeyStatement, PlatformId, SigningKey, Whose};
use identity::{keep_statement, statements_of};
use record::{Act, Actor, Body, UnixMs};
use serde_json::{Value, json};

use super::bench::{Bench, WARM, heard, key};

impl Bench {
    /// With the key in its file, as a box has it.
    fn with_key_file() -> Bench {
        let bench = Bench::new();
        let path = bench.committer.parts.key_path.clone();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "07".repeat(32)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        bench
    }

    /// The next start, with the key that is in the file.
    fn started(self) -> Bench {
        let path = self.committer.parts.key_path.clone();
        identity::settle(&path).unwrap();
        let key = identity::load(&path).unwrap();
        let mut bench = self.reopen("boot-a");
        bench.committer.parts.key = key;
        bench
    }

    fn changes(&self) -> Vec<(Actor, KeyStatement)> {
        let audit = |body: Body| match body {
            Body::Audit(audit) => Some(audit),
            _ => None,
        };
        let changed = self.records().into_iter().filter_map(|at| audit(at.record.body));
        let read = changed.filter_map(|audit| match audit.act {
            Act::KeyChanged { statement } => Some((audit.by, KeyStatement::read(&statement).unwrap())),
            _ => None,
        });
        read.collect()
    }
}

fn rotate(reason: &str) -> Value {
    json!({"do": "rotate_key", "reason": reason})
}

fn platform_change(name: &str, from: u8, to: u8) -> Vec<u8> {
    let [old, new] = [from, to].map(|seed| SigningKey::from_seed(&[seed; 32]));
    let whose = Whose::Platform(PlatformId::new(name).unwrap());
    let (old_key, new_key) = (old.public(), new.public());
    let at_ms = UnixMs(1);
    KeyChange { whose, old: old_key, new: new_key, number: 1, at_ms, clock: None, reason: "r".into() }.sign(&old, &new)
}

#[test]
fn a_key_changes_by_an_order_and_signs_at_once() {
    let mut bench = Bench::with_key_file();
    bench.apply([heard(0, WARM)]);
    assert!(bench.order(&rotate(" ")).unwrap_err().contains("--reason"));
    let end = bench.records().len() as u64;
    let answer = bench.order(&rotate("yearly")).unwrap();
    let now = bench.committer.parts.key.public();
    assert_eq!((&answer["key"], &answer["seq"]), (&json!(now), &json!(end)));
    assert_eq!(answer["former"], json!(key().public()));
    let changes = bench.changes();
    assert_eq!((changes.len(), changes[0].0.clone()), (1, Actor::User(1_000)));
    assert_eq!(changes[0].1.keys(), (key().public(), now));
    let head = bench.reader().checkpoints_after(end, 1).unwrap().pop().expect("the tree head is signed anew");
    assert_eq!(Checkpoint::verify(&head.cose, &now).unwrap().head.size, end + 1);
    let bench = bench.started();
    assert_eq!(bench.committer.parts.key.public(), now);
    assert_eq!(bench.changes().len(), 1, "once");
}

#[test]
fn a_change_whose_record_was_not_stored_is_told_by_the_next_one() {
    let mut bench = Bench::with_key_file();
    let stuck = bench.stuck_disk();
    assert!(bench.order(&rotate("yearly")).unwrap_err().contains("nothing has changed"));
    drop(stuck);
    assert_eq!(bench.changes().len(), 0);
    assert_ne!(bench.committer.parts.key.public(), key().public(), "it has changed all the same");
    bench.apply([heard(0, WARM)]);
    let changes = bench.changes();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].1.keys().1, bench.committer.parts.key.public());
}

#[test]
fn a_statement_without_a_record_is_journaled_at_the_next_start() {
    let bench = Bench::with_key_file();
    let folder = statements_of(&bench.committer.parts.key_path);
    keep_statement(&folder, &platform_change("city", 1, 2)).unwrap();
    let bench = bench.started();
    assert_eq!(bench.changes().len(), 1);
    assert_eq!(bench.started().changes().len(), 1, "once");
}

#[test]
fn what_others_say_about_keys_is_journaled_once_and_not_about_this_box() {
    let mut bench = Bench::with_key_file();
    let order =
        |cose: &[u8]| json!({"do": "audit", "act": "key_changed", "statement": hex::encode(cose), "reason": "u"});
    let city = platform_change("city", 1, 2);
    let answer = bench.order(&order(&city)).unwrap();
    assert_eq!(bench.order(&order(&city)).unwrap(), answer, "the same again");
    assert_eq!(bench.changes().len(), 1);
    let thief = SigningKey::from_seed(&[9; 32]);
    let whose = Whose::Box(BoxId::new("outfall-1").unwrap());
    let theirs = KeyChange {
        whose,
        old: thief.public(),
        new: key().public(),
        number: 1,
        at_ms: UnixMs(1),
        clock: None,
        reason: String::new(),
    };
    let refused = bench.order(&order(&theirs.sign(&thief, &key()))).unwrap_err();
    assert!(refused.contains("weir identity rotate"), "{refused}");
    assert!(bench.order(&order(b"nothing")).is_err());
    assert_eq!(bench.changes().len(), 1);
}
