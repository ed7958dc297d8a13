//! A new version is on trial: one that works stays, one that does not is taken back within its deadline and the box stores and
//! delivers again, whatever dpkg is busy with and however often the power is cut; and never into a journal that the former version
//! could not read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::config::BOX;
use system_tests::{Answer, Device, Machine, Party, Peer, package, until};

const OLDER: &str = "0.0.9-1";
const NEWER: &str = "9.0-1";
const NEWEST: &str = "9.9-1";
/// The shortest that is possible, in seconds; it has to be well for a fifth of it.
const DEADLINE_S: u64 = 60;
/// Until it is over, whatever it comes to: the deadline, dpkg, two busy cores.
const OVER_S: u64 = DEADLINE_S + 120;

/// As long as postinst waits for each of two daemons, and what apt does otherwise.
const APT_MAX: Duration = Duration::from_secs(2 * 30 + 60);

/// What a program does in the place of `weir gateway run`; it answers everything else as it should.
const EXITS: &str = "exit 1";
const HANGS: &str = "exec sleep infinity";
/// systemd is told that it is ready, and whoever asks for it finds nobody.
const IS_ELSEWHERE: &str = "sed 's|\"/var/lib/weir\"|\"/tmp/state\"|; s|\"/run/weir\"|\"/tmp/run\"|' /etc/weir/gateway.toml \
    >/tmp/gateway.toml; \
    cp /etc/weir/devices.toml /etc/weir/keys.toml /etc/weir/rules.toml /tmp/; mkdir -p /tmp/rules.d; \
    exec /usr/lib/weir/weir gateway run --config /tmp/gateway.toml";
/// The card takes nothing more of it than this, as it would of one that is full.
const STORES_NOTHING: &str =
    "ulimit -f 40; trap '' XFSZ; exec /usr/lib/weir/weir gateway run --config /etc/weir/gateway.toml";

/// While this is there, the postinst of such a package does not end.
const BUSY: &str = "/root/busy";

/// A package of this version whose gateway does that.
fn bad(machine: &Machine, version: &str, fault: &str) -> PathBuf {
    let tree = machine.outside().join("bad");
    let _ = fs::remove_dir_all(&tree);
    let dpkg_deb = |words: &[&str]| Answer::of(Command::new("dpkg-deb").args(words)).exits(0);
    dpkg_deb(&["--raw-extract", package(version).to_str().unwrap(), tree.to_str().unwrap()]);
    fs::create_dir_all(tree.join("usr/lib/weir")).unwrap();
    fs::rename(tree.join("usr/bin/weir"), tree.join("usr/lib/weir/weir")).unwrap();
    let program =
        format!("#!/bin/sh\n[ \"$1 $2\" != 'gateway run' ] || {{ {fault}; }}\nexec /usr/lib/weir/weir \"$@\"\n");
    put_program(&tree.join("usr/bin/weir"), &program);
    let postinst = fs::read_to_string(tree.join("DEBIAN/postinst")).unwrap();
    put_program(&tree.join("DEBIAN/postinst"), &format!("{postinst}while [ -e {BUSY} ]; do sleep 1; done\n"));
    let out = machine.outside().join("bad.deb");
    dpkg_deb(&["--root-owner-group", "-Znone", "--build", tree.to_str().unwrap(), out.to_str().unwrap()]);
    out
}

fn put_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    Answer::of(Command::new("chmod").arg("755").arg(path)).exits(0);
}

/// A box of the older version that takes frames of one sensor, and one that has little time for upgrades.
fn working() -> (Machine, Device) {
    let machine = Machine::start(&[]);
    machine.install(&package(OLDER)).exits(0);
    let cod = Device::cod("cod-1");
    machine.configure(std::slice::from_ref(&cod));
    fs::write(machine.path("/etc/weir/upgrade.toml"), format!("deadline_s = {DEADLINE_S}\n")).unwrap();
    machine.run("weir config check /etc/weir/gateway.toml /etc/weir/upgrade.toml").exits(0);
    machine.run("systemctl enable --now weir-gateway").exits(0);
    machine.until_active("weir-gateway", "active");
    (machine, cod)
}

fn installed(machine: &Machine) -> String {
    machine.run("dpkg-query --show --showformat='${db:Status-Status} ${Version}' weir").out
}

fn upgrade(machine: &Machine) -> Value {
    machine.run("weir upgrade --json").out.parse::<Value>().map_or(Value::Null, |told| told["upgrade"].clone())
}

fn until_phase(machine: &Machine, phase: &str) -> Value {
    until(&format!("the upgrade is {phase}"), OVER_S, || Some(upgrade(machine)).filter(|told| told["phase"] == phase))
}

/// Frames are acknowledged and in the journal.
fn stores(machine: &Machine, cod: &Device, first: u64, count: u64) {
    Peer::sensor_on(machine, cod).with("--first", first).with("--count", count).run().exits(0);
    let rows = machine.run("weir export --json --quantity n").exits(0).json_lines();
    let numbers: Vec<u64> = rows.iter().filter_map(|row| row["value"].as_str()?.parse().ok()).collect();
    assert!((1..first + count).all(|n| numbers.contains(&n)), "{numbers:?}");
}

/// What the box journaled of its upgrades, the newest last.
fn journaled(machine: &Machine) -> Vec<String> {
    let rows = machine.run("weir tail -n 2000 --json").exits(0).json_lines();
    let told = rows.iter().map(|row| row.to_string()).filter(|row| row.contains("self_tested"));
    told.filter(|row| row.contains(OLDER)).collect()
}

#[test]
fn a_version_that_works_stays_and_by_hand_the_former_one_comes_back() {
    let (mut machine, cod) = working();
    stores(&machine, &cod, 1, 20);
    let said = machine.install(&package(NEWER)).exits(0);
    assert!(!said.out.contains("could not be kept"), "{said:?}");
    assert_eq!(upgrade(&machine)["phase"], "waiting");
    let told = machine.run("weir status; weir --lang zh status").out;
    assert!(told.contains("version 9.0-1 is on trial") && told.contains("新版本 9.0-1 试运行中"), "{told}");
    stores(&machine, &cod, 21, 20);

    // The power is cut in the middle of it: the trial begins anew, and is passed.
    machine.restart(&[]);
    let kept = until_phase(&machine, "kept");
    assert_eq!((&kept["from"], &kept["to"]), (&OLDER.into(), &NEWER.into()));
    assert_eq!(installed(&machine), format!("installed {NEWER}"));
    assert!(!machine.run("weir status").out.contains("on trial"));
    assert!(machine.run("weir upgrade").exits(0).out.contains("0.0.9-1 · try: sudo weir upgrade rollback"));
    machine.run("test -e /var/lib/weir-upgrade/weir").exits(1);
    let records = journaled(&machine);
    assert!(records.len() == 2 && records[1].contains("weir 9.0-1 has replaced 0.0.9-1 and works"), "{records:?}");
    machine.run("systemctl restart weir-gateway").exits(0);
    assert_eq!(machine.property("weir-upgraded", "ActiveState"), "inactive", "it is over for good");

    // Somebody finds later that it is not what was wanted.
    machine.run("weir upgrade rollback --reason ' '").exits(3);
    machine.run("weir upgrade rollback --reason 'the modem was better before'").exits(0);
    let back = until_phase(&machine, "rolled_back");
    assert!(back["by"] == 0 && back["why"] == "the modem was better before", "{back}");
    assert_eq!(installed(&machine), format!("installed {OLDER}"));
    stores(&machine, &cod, 41, 20);
    machine.run("weir upgrade rollback --reason again").exits(3);

    // And somebody has no time for a trial.
    machine.install(&package(NEWER)).exits(0);
    machine.run("weir upgrade accept --reason 'tried on another box'").exits(0);
    assert_eq!(upgrade(&machine)["phase"], "accepted");
    machine.until_active("weir-upgraded", "inactive");
    machine.run("weir upgrade accept --reason again").exits(3);
    machine.run("weir verify").exits(0);

    machine.run("apt-get purge -y weir 2>&1").exits(0);
    machine.run("test -e /var/lib/weir-upgrade -o -e /etc/apt/preferences.d/weir-rolled-back").exits(1);
}

#[test]
fn a_version_that_does_not_work_is_taken_back_in_time() {
    let (machine, cod) = working();
    let platform = Party::start_on("municipal", &machine);
    machine.run(&format!("weir identity enroll {} {}", platform.url(), platform.invite(BOX))).exits(0);
    machine.run("systemctl enable --now weir-sync").exits(0);
    machine.until_active("weir-sync", "active");
    let mut sent = 0;
    for fault in [EXITS, HANGS, IS_ELSEWHERE, STORES_NOTHING] {
        stores(&machine, &cod, sent + 1, 10);
        let begun = Instant::now();
        machine.install(&bad(&machine, NEWER, fault)).exits(0);
        assert!(begun.elapsed() < APT_MAX, "{fault}: postinst waits for nobody who hangs");
        let back = until_phase(&machine, "rolled_back");
        eprintln!("{fault}: taken back {:.0} s after apt began: {}", begun.elapsed().as_secs_f32(), back["why"]);
        assert_eq!(installed(&machine), format!("installed {OLDER}"), "{fault}");
        assert!(back["by"].is_null() && back["why"].as_str().unwrap().starts_with("gateway: "), "{back}");
        machine.until_active("weir-gateway", "active");
        sent += 10;
        stores(&machine, &cod, sent + 1, 10);
        sent += 10;
        until("the platform has given receipts for everything", 60, || {
            let status = machine.run("weir status --json").json();
            let end = status["gateway"]["journal"]["records"].as_u64()?;
            let city = &status["sync"]["destinations"][0];
            (city["missing"] == 0 && city["covered"].as_u64() >= Some(end)).then_some(())
        });
        let newest = journaled(&machine).pop().unwrap();
        assert!(newest.contains("weir 9.0-1 was taken back, 0.0.9-1 works again: gateway: "), "{newest}");
    }
    let told = machine.run("weir status; weir --lang zh upgrade; weir doctor").out;
    for part in ["version 9.0-1 was taken back", "恢复使用 0.0.9-1", "weir-upgraded"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    apt_leaves_it_alone_until_it_is_asked_for(&machine);
    machine.run("weir verify").exits(0);
}

/// By a repository as apt has it: what was taken back does not come again by itself, what is newer does.
fn apt_leaves_it_alone_until_it_is_asked_for(machine: &Machine) {
    let offer = |version: &str, package: &Path| {
        let folder = machine.path("/root/apt");
        fs::create_dir_all(&folder).unwrap();
        fs::copy(package, folder.join(format!("{version}.deb"))).unwrap();
        let index = "cd /root/apt; for deb in *.deb; do dpkg-deb --field $deb; echo Filename: ./$deb; \
            echo Size: $(stat -c %s $deb); echo SHA256: $(sha256sum $deb | cut -d' ' -f1); echo; done >Packages";
        machine.run(index).exits(0);
        fs::write(machine.path("/etc/apt/sources.list"), "deb [trusted=yes] file:/root/apt ./\n").unwrap();
        machine.run("apt-get update 2>&1 && apt-get upgrade -y 2>&1").exits(0);
    };
    offer(NEWER, &package(NEWER));
    assert_eq!(installed(machine), format!("installed {OLDER}"), "{}", machine.run("apt-cache policy weir").out);
    // Somebody wants it by name: it is on trial once more, for as long as the next one takes to come.
    let deadline =
        |seconds| fs::write(machine.path("/etc/weir/upgrade.toml"), format!("deadline_s = {seconds}\n")).unwrap();
    deadline(3_600);
    machine.run(&format!("apt-get install -y weir={NEWER} 2>&1")).exits(0);
    assert_eq!(upgrade(machine)["to"], NEWER);
    deadline(DEADLINE_S);
    offer(NEWEST, &package(NEWEST));
    let kept = until_phase(machine, "kept");
    assert_eq!(
        (&kept["from"], &kept["to"]),
        (&OLDER.into(), &NEWEST.into()),
        "what had not proved itself is no way back"
    );
    assert_eq!(installed(machine), format!("installed {NEWEST}"));
}

#[test]
fn neither_a_power_cut_nor_a_busy_dpkg_keeps_the_former_version_away() {
    let (mut machine, cod) = working();
    stores(&machine, &cod, 1, 10);
    machine.install(&bad(&machine, NEWER, EXITS)).exits(0);
    // Ten quick ones decide nothing.
    for _ in 0..10 {
        machine.restart(&[]);
        assert_eq!(upgrade(&machine)["phase"], "waiting");
    }
    // And one in the middle of the way back.
    until_phase(&machine, "rolling_back");
    machine.restart(&[]);
    until_phase(&machine, "rolled_back");
    assert_eq!(installed(&machine), format!("installed {OLDER}"));
    machine.until_active("weir-gateway", "active");
    stores(&machine, &cod, 11, 10);

    // apt is at work for longer than the deadline: the former program serves meanwhile.
    let deb = machine.path("/root/weir.deb");
    fs::copy(bad(&machine, NEWER, HANGS), deb).unwrap();
    let busy = machine.path(BUSY);
    fs::write(&busy, "").unwrap();
    let line = machine.command("apt-get install -y /root/weir.deb >/root/apt.log 2>&1");
    let mut apt = Command::new(&line[0]).args(&line[1..]).spawn().unwrap();
    until_phase(&machine, "rolling_back");
    machine.until_active("weir-gateway", "active");
    until("the former program serves", 60, || machine.run("weir status").out.contains("cod-1").then_some(()));
    assert!(apt.try_wait().unwrap().is_none(), "apt is still at work");
    stores(&machine, &cod, 21, 10);
    fs::remove_file(busy).unwrap();
    until("apt is done", 120, || apt.try_wait().unwrap());
    until_phase(&machine, "rolled_back");
    assert_eq!(installed(&machine), format!("installed {OLDER}"));
    machine.run("ls /run/systemd/system/weir-gateway.service.d/zz-weir-former.conf").exits(2);
    stores(&machine, &cod, 31, 10);
    machine.run("weir verify").exits(0);
}

#[test]
fn a_journal_that_the_former_version_cannot_read_keeps_the_new_one() {
    let (machine, cod) = working();
    stores(&machine, &cod, 1, 10);
    let journal = machine.path("/var/lib/weir/journal/journal.db");
    let number = |pragma: &str| {
        let said =
            Answer::of(Command::new("sqlite3").arg(&journal).arg(format!("PRAGMA user_version{pragma};"))).exits(0);
        said.out.trim().to_owned()
    };
    machine.install(&bad(&machine, NEWER, HANGS)).exits(0);
    until("the former daemon has stopped", 30, || {
        (machine.property("weir-gateway", "ActiveState") == "activating").then_some(())
    });
    // As a new version would have left it, which then fell ill.
    let known = number("");
    number(" = 99");
    let stuck = until_phase(&machine, "stuck");
    assert!(stuck["hinders"].as_str().unwrap().contains("has schema 99"), "{stuck}");
    assert_eq!(installed(&machine), format!("installed {NEWER}"));
    assert_eq!(number(""), "99", "nobody touched it");
    let told = machine.run("weir status");
    assert!(told.code == Some(1) && told.out.contains("0.0.9-1 cannot take its place"), "{told:?}");
    sleep(Duration::from_secs(5));
    assert_ne!(machine.property("weir-gateway", "ActiveState"), "inactive", "the new one goes on trying");
    let doctor = machine.run("weir doctor --json").json();
    let found = doctor["findings"].as_array().unwrap().iter().find(|one| one["check"] == "units.upgrade").unwrap();
    assert_eq!(found["verdict"], "fault", "{found}");

    // The cure is a version that works.
    number(&format!(" = {known}"));
    machine.install(&package(NEWEST)).exits(0);
    machine.until_active("weir-gateway", "active");
    stores(&machine, &cod, 11, 10);
    machine.run("weir verify").exits(0);
}
