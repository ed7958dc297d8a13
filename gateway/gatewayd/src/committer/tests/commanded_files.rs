//! Configuration files that a platform orders: one start tries them, and whatever ends it has those before in force again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use batch::{Order, OrderedFile, PlatformId};
use record::{Act, Body, ConfigFile, MonoMs, Seq, Settlement};

use super::bench::{Bench, COLD, DEVICES, KEYS, RULES, heard};
use super::commanded::{audits, city, command, enrol, prove, receipt, send};
use crate::config::GatewayConfig;
use crate::platform_files::{Origin, in_force};

const GATEWAY: &str = "box = \"outfall-1\"\nstate_dir = \".\"\n[commands]\nconfiguration = [\"city\"]\n";

/// The files of a box beside its journal.
fn write_files(folder: &Path) -> PathBuf {
    for (name, text) in
        [("gateway.toml", GATEWAY), ("devices.toml", DEVICES), ("keys.toml", KEYS), ("rules.toml", RULES)]
    {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder.join("gateway.toml")
}

/// What the next start of the daemon would work by.
fn origin(bench: &Bench) -> Origin {
    let path = bench.folder.path().join("gateway.toml");
    let own = GatewayConfig::load_with(&path, &Default::default()).unwrap();
    in_force(&path, own).config.origin
}

/// The next start of the daemon.
fn start(bench: Bench) -> Bench {
    let origin = origin(&bench);
    allow(bench.reopen_by(origin))
}

fn allow(mut bench: Bench) -> Bench {
    bench.committer.parts.commands_allowed.configuration = vec![PlatformId::new("city").unwrap()];
    bench
}

/// A box that believes the city, and works by its own files.
fn bench() -> Bench {
    let bench = Bench::new();
    write_files(bench.folder.path());
    let mut bench = start(bench);
    enrol(&mut bench);
    bench
}

fn quieter() -> OrderedFile {
    OrderedFile { file: ConfigFile::Gateway, toml: format!("{GATEWAY}[mqtt]\nenabled = false\n") }
}

fn fewer() -> OrderedFile {
    let devices = DEVICES.split_once("\n[[device]]\nname = \"flow-1\"").unwrap().0;
    OrderedFile { file: ConfigFile::Devices, toml: devices.to_owned() }
}

fn order(bench: &mut Bench, number: u64, files: Vec<OrderedFile>) -> Result<Seq, String> {
    let answer = send(bench, &command(number, Order::Configuration { files })).unwrap();
    match answer["refused"].as_str() {
        Some(why) => Err(why.to_owned()),
        None => Ok(Seq(answer["seq"].as_u64().unwrap())),
    }
}

fn settled(bench: &Bench) -> Vec<(Seq, Settlement, String)> {
    let settlement = |audit: record::Audit| match audit.act {
        Act::Settled { command, outcome } => Some((command, outcome, audit.reason)),
        _ => None,
    };
    audits(bench).into_iter().filter_map(settlement).collect()
}

fn text(bench: &Bench, file: ConfigFile) -> String {
    bench.committer.parts.origin.texts[&file].clone()
}

/// Whether the daemon was told to start anew.
async fn is_leaving(bench: &Bench) -> bool {
    let told = bench.committer.parts.anew.notified();
    tokio::time::timeout(std::time::Duration::from_millis(1), told).await.is_ok()
}

#[tokio::test]
async fn files_that_prove_themselves_stay_until_somebody_changes_the_boxs_own() {
    let mut bench = bench();
    let seq = order(&mut bench, 1, vec![quieter(), fewer()]).unwrap();
    assert!(is_leaving(&bench).await, "they need a start of their own");
    assert_eq!(text(&bench, ConfigFile::Gateway), GATEWAY, "until then nothing changes");
    bench = start(bench);
    assert_eq!([text(&bench, ConfigFile::Gateway), text(&bench, ConfigFile::Devices)], [quieter().toml, fewer().toml]);
    assert!(bench.board.lock().unwrap().files.as_ref().unwrap().until.is_some(), "shown as on trial");
    let started = bench.reader().last_boot().unwrap().unwrap().seq;
    assert!(started > seq);
    let early = prove(&mut bench, &receipt(seq.0 + 1, &city())).unwrap();
    assert!(early["kept"].is_null(), "such a receipt may be older than the start: {early}");
    assert_eq!(prove(&mut bench, &receipt(started.0 + 1, &city())).unwrap()["kept"], seq.0);
    assert_eq!(settled(&bench), [(seq, Settlement::Kept, String::new())]);
    for _ in 0..2 {
        bench = start(bench);
        assert_eq!(text(&bench, ConfigFile::Devices), fewer().toml, "every later start works by them");
    }
    assert!(bench.board.lock().unwrap().files.as_ref().unwrap().until.is_none());

    // Another one of a part of them leaves the rest.
    let own = OrderedFile { file: ConfigFile::Gateway, toml: format!("{GATEWAY}# of the city\n") };
    let second = order(&mut bench, 2, vec![own.clone()]).unwrap();
    bench = start(bench);
    let end = bench.committer.journal.end().0;
    assert_eq!(prove(&mut bench, &receipt(end, &city())).unwrap()["kept"], second.0);
    bench = start(bench);
    assert_eq!([text(&bench, ConfigFile::Gateway), text(&bench, ConfigFile::Devices)], [own.toml, fewer().toml]);

    fs::write(bench.folder.path().join("devices.toml"), format!("{DEVICES}# by hand\n")).unwrap();
    bench = start(bench);
    assert_eq!(text(&bench, ConfigFile::Gateway), GATEWAY, "by hand beats all of them");
    let by_hand = settled(&bench).pop().unwrap();
    assert_eq!(
        (by_hand.0, by_hand.1, by_hand.2.as_str()),
        (second, Settlement::Superseded, "a file was changed by hand")
    );
    assert!(bench.board.lock().unwrap().files.is_none());
}

#[tokio::test]
async fn without_a_receipt_in_time_those_before_are_in_force_again() {
    let mut bench = bench();
    let seq = order(&mut bench, 1, vec![quieter()]).unwrap();
    bench = start(bench);
    bench.committer.trial.as_mut().unwrap().until = MonoMs(0);
    bench.apply([heard(0, COLD)]);
    let (command, outcome, why) = settled(&bench).pop().unwrap();
    assert_eq!((command, outcome), (seq, Settlement::RolledBack));
    assert!(why.contains("no receipt of city"), "{why}");
    assert!(is_leaving(&bench).await);
    assert!(prove(&mut bench, &receipt(1_000, &city())).is_err(), "too late");
    bench = start(bench);
    assert_eq!(text(&bench, ConfigFile::Gateway), GATEWAY);
    assert!(bench.committer.trial.is_none());
}

#[test]
fn a_box_that_is_deaf_under_them_has_not_proved_anything() {
    let mut bench = bench();
    bench.apply([heard(0, COLD)]);
    order(&mut bench, 1, vec![quieter()]).unwrap();
    bench = start(bench);
    let end = bench.committer.journal.end().0;
    assert!(prove(&mut bench, &receipt(end, &city())).unwrap()["kept"].is_null(), "devices were heard before");
    bench.apply([heard(1, COLD)]);
    assert!(prove(&mut bench, &receipt(end, &city())).unwrap()["kept"].is_u64());
}

#[test]
fn whatever_ends_their_start_ends_the_trial() {
    let mut bench = bench();
    let seq = order(&mut bench, 1, vec![quieter()]).unwrap();
    bench = start(bench);
    assert!(order(&mut bench, 2, vec![fewer()]).unwrap_err().contains("on trial"));
    // It crashed, or systemd killed it because it did not answer.
    bench = start(bench);
    assert_eq!(text(&bench, ConfigFile::Gateway), GATEWAY);
    let last = settled(&bench).pop().unwrap();
    assert_eq!(last, (seq, Settlement::RolledBack, "the gateway was started again".into()));
    assert!(!matches!(bench.records().last().unwrap().record.body, Body::Boot(_)));

    // They were accepted, and are refused when they are to be tried: what they need is gone.
    let seq = order(&mut bench, 3, vec![fewer()]).unwrap();
    fs::write(bench.folder.path().join("keys.toml"), "[cod-1]\npassword = \"short\"\n").unwrap();
    let path = bench.folder.path().join("gateway.toml");
    let own = GatewayConfig::load_with(&path, &Default::default());
    assert!(own.is_err(), "then the box's own are as well, and the last good ones count");
    fs::write(bench.folder.path().join("keys.toml"), KEYS).unwrap();
    bench = start(bench);
    assert_eq!(bench.committer.trial.as_ref().unwrap().command, seq);
}

#[test]
fn what_is_not_a_platforms_to_order_is_refused_in_the_journal() {
    let mut bench = bench();
    let gateway = |toml: &str| vec![OrderedFile { file: ConfigFile::Gateway, toml: toml.to_owned() }];
    let of = |file| vec![OrderedFile { file, toml: String::new() }];
    let check = |bench: &mut Bench, number, files, expected: &str| {
        let why = order(bench, number, files).unwrap_err();
        assert!(why.contains(expected), "{why}");
        let Act::Commanded { refused: Some(journaled), .. } = audits(bench).pop().unwrap().act else {
            panic!("not refused")
        };
        assert_eq!(journaled, why);
    };
    let once = "gateway.toml, devices.toml or both, each once";
    check(&mut bench, 1, Vec::new(), once);
    check(&mut bench, 2, of(ConfigFile::Rules), once);
    check(&mut bench, 3, of(ConfigFile::Sync), once);
    check(&mut bench, 4, vec![quieter(), quieter()], once);
    check(&mut bench, 5, gateway("box = 7"), "line 1");
    check(
        &mut bench,
        6,
        gateway(&GATEWAY.replace("outfall-1", "outfall-2")),
        "`box` of gateway.toml is for the box's technician",
    );
    check(&mut bench, 7, gateway(&GATEWAY.replace("\".\"", "\"/tmp\"")), "`state_dir`");
    check(&mut bench, 8, gateway(&GATEWAY.replace("[\"city\"]", "[\"city\", \"x\"]")), "`commands`");
    check(&mut bench, 9, gateway(&GATEWAY.replace("[commands]", "keys = \"/etc/shadow\"\n[commands]")), "`keys`");
    let keyless = DEVICES.replace("cod-1", "cod-2");
    check(&mut bench, 10, vec![OrderedFile { file: ConfigFile::Devices, toml: keyless }], "cod-2");
    bench.committer.parts.commands_allowed.configuration.clear();
    check(&mut bench, 11, vec![quieter()], "[commands] of this box's gateway.toml does not allow city that");
}
