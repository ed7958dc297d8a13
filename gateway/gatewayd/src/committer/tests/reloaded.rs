//! Rules whose files were changed count at once, or not at all.

use std::fs;

use record::{Act, Actor, ConfigFile, Seq, Settlement};
use serde_json::{Value, json};
use versions::Versions;

use super::bench::{Bench, COLD, WARM, heard};
use super::commanded::{COOLER, audits, bench, city, command, enrol, prove, raised, receipt, rules, send};

fn write(bench: &Bench, text: &str) {
    fs::write(&bench.committer.parts.rules_place.main, text).unwrap();
}

fn reload(bench: &mut Bench) -> Result<Value, String> {
    bench.order(&json!({"do": "reload_rules", "reason": "the limit was wrong"}))
}

#[test]
fn they_judge_the_last_hours_anew_and_are_journaled_by_whom_and_why() {
    let mut bench = bench();
    bench.apply([heard(0, COLD)]);
    write(&bench, COOLER);
    let answer = reload(&mut bench).unwrap();
    let newest = audits(&bench).pop().unwrap();
    assert_eq!((newest.by, newest.reason.as_str()), (Actor::User(1_000), "the limit was wrong"));
    let Act::Configured { file: ConfigFile::Rules, sha256, .. } = newest.act else { panic!("another act") };
    assert_eq!(sha256, versions::sha256(COOLER));
    assert_eq!([&answer["changed"], &answer["rules"]], [&json!(true), &json!(1)]);
    assert_eq!(raised(&bench, "cool"), 1, "what is above the new limit is an alarm, as after a start");
    bench.apply([heard(1, WARM)]);
    assert_eq!(raised(&bench, "warm"), 0, "the former rules are out of force");

    let again = reload(&mut bench).unwrap();
    assert_eq!(again, json!({"changed": false, "rules": 1, "platform": null}));
    let kept = Versions::open(&bench.committer.parts.versions_path).unwrap();
    let good = kept.good_of(ConfigFile::Rules).unwrap();
    assert_eq!(kept.text(good).unwrap(), COOLER, "a start with a broken file goes on with them");
}

#[test]
fn a_file_that_is_refused_changes_nothing() {
    let mut bench = bench();
    let before = bench.records().len();
    for (text, why) in [("[[rule]]", "line 1"), ("[[rule]]\nid = ", "rules.toml")] {
        write(&bench, text);
        let refused = reload(&mut bench).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    write(&bench, &COOLER.replace("high = 10", "high = 10\nsample = \"east\""));
    assert!(reload(&mut bench).unwrap_err().contains("east"), "there is no such sampler");
    write(&bench, COOLER);
    assert!(bench.order(&json!({"do": "reload_rules"})).unwrap_err().contains("--reason"));
    assert_eq!(bench.records().len(), before);
    bench.apply([heard(0, WARM)]);
    assert_eq!([raised(&bench, "warm"), raised(&bench, "cool")], [1, 0]);
}

#[test]
fn what_is_not_stored_is_not_in_force() {
    let mut bench = bench();
    write(&bench, COOLER);
    let stuck = bench.stuck_disk();
    assert!(reload(&mut bench).unwrap_err().contains("nothing has changed"));
    drop(stuck);
    bench.apply([heard(0, COLD)]);
    assert_eq!(raised(&bench, "cool"), 0);
    assert_eq!(reload(&mut bench).unwrap()["changed"], true);
    assert_eq!(raised(&bench, "cool"), 1);
}

#[test]
fn a_record_that_tells_of_them_already_is_enough_if_it_tells_of_these() {
    let mut bench = bench();
    let configured = |bench: &mut Bench, text: &str| {
        let sha256 = hex::encode(versions::sha256(text));
        let act = json!({"do": "audit", "act": "configured", "file": "rules", "sha256": sha256, "how": "applied", "reason": "x"});
        bench.order(&act).unwrap()["seq"].as_u64().unwrap()
    };
    let other = configured(&mut bench, "");
    write(&bench, COOLER);
    let by = |seq: u64| json!({"do": "reload_rules", "configured": seq});
    assert!(bench.order(&by(other)).unwrap_err().contains("tells of other rules"));
    let seq = configured(&mut bench, COOLER);
    let records = bench.records().len();
    let answer = bench.order(&by(seq)).unwrap();
    assert_eq!(answer, json!({"changed": true, "rules": 1, "seq": seq}));
    assert_eq!(bench.records().len(), records, "nothing is told twice");
    bench.apply([heard(0, COLD)]);
    assert_eq!(raised(&bench, "cool"), 1);
}

#[test]
fn they_end_those_of_a_platform_but_not_while_these_are_on_trial() {
    let mut bench = bench();
    enrol(&mut bench);
    let seq = send(&mut bench, &command(1, rules())).unwrap()["seq"].as_u64().unwrap();
    let own = COOLER.replace("cool", "own");
    write(&bench, &own);
    assert!(reload(&mut bench).unwrap_err().contains("rules of platform `city` are on trial"));
    prove(&mut bench, &receipt(seq + 1, &city())).unwrap();
    assert_eq!(reload(&mut bench).unwrap()["changed"], true);
    let settled = audits(&bench).pop().unwrap();
    assert_eq!(settled.act, Act::Settled { command: Seq(seq), outcome: Settlement::Superseded });
    assert!(bench.board.lock().unwrap().rules.is_none());
    bench.apply([heard(0, COLD)]);
    assert_eq!([raised(&bench, "own"), raised(&bench, "cool")], [1, 0]);
    // And the next start has the same, from the same file.
    bench = bench.reopen_with_rules("boot-b", &own);
    bench.apply([heard(1, COLD)]);
    assert_eq!(audits(&bench).iter().filter(|audit| matches!(audit.act, Act::Settled { .. })).count(), 2);
}
