//! What apt does to a box that works: an upgrade and a downgrade while messages flow, one that would not start, removal and
//! purge. Nothing that was acknowledged is lost by any of them, and no question is asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use system_tests::{Answer, Device, Machine, Peer, package, until};

const OLDER: &str = "0.0.9-1";
const NEWER: &str = "9.0-1";
const GATEWAY: &str = "weir-gateway";
const SOCKETS: [&str; 2] = ["weir-gateway.socket", "weir-gateway-mqtt.socket"];
/// What a technician wrote; no version may take it away.
const REMARK: &str = "# station 7, behind the pump house\n";

/// The numbers that a sensor saw acknowledged.
fn acknowledged(log: &Path) -> BTreeSet<u64> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64().unwrap()).collect()
}

fn stored(machine: &Machine) -> BTreeSet<u64> {
    let rows = machine.run("weir export --json --quantity n").exits(0).json_lines();
    rows.iter().map(|row| row["value"].as_str().unwrap().parse().unwrap()).collect()
}

/// When each socket was opened, and which process serves them.
fn held(machine: &Machine) -> (Vec<String>, String) {
    let since = SOCKETS.map(|socket| machine.property(socket, "ActiveEnterTimestampMonotonic")).to_vec();
    (since, machine.property(GATEWAY, "MainPID"))
}

fn starts(machine: &Machine) -> usize {
    machine.log(GATEWAY).lines().filter(|line| line.starts_with("Starting weir-gateway.service")).count()
}

/// Another version over a running one: one restart, the sockets stay, and messages go on.
fn replace(machine: &Machine, version: &str, acks: &Path) {
    let (sockets, process) = held(machine);
    let before = starts(machine);
    let said = machine.install(&package(version)).exits(0).out;
    assert!(!said.contains("Configuration file"), "no question: {said}");
    let (sockets_after, process_after) = held(machine);
    assert_eq!(sockets, sockets_after, "the sockets stay open");
    assert_ne!(process, process_after, "{said}");
    assert_eq!(starts(machine) - before, 1, "it is started once");
    assert_eq!(machine.property(GATEWAY, "ActiveState"), "active");
    let had = acknowledged(acks).len();
    until("messages go on", 30, || (acknowledged(acks).len() > had).then_some(()));
}

#[test]
fn nothing_acknowledged_is_lost_by_upgrade_downgrade_removal_and_purge() {
    let machine = Machine::start(&[]);
    machine.install(&package(OLDER)).exits(0);
    let cod = Device::cod("cod-1");
    machine.configure(std::slice::from_ref(&cod));
    let gateway = machine.path("/etc/weir/gateway.toml");
    let text = fs::read_to_string(&gateway).unwrap();
    fs::write(&gateway, format!("{REMARK}{text}")).unwrap();
    machine.run("systemctl enable --now weir-gateway").exits(0);
    let identity = machine.run("weir identity --json").exits(0).json()["key"].clone();

    let (acks, enough) = (machine.outside().join("acks"), machine.outside().join("enough"));
    let sensor = Peer::sensor_on(&machine, &cod).with("--acked", acks.display()).with("--until", enough.display());
    let sensor = sensor.with("--rate", 200).with("--count", 1_000_000).with("--deadline", 240).start();
    until("messages flow", 30, || (acknowledged(&acks).len() > 20).then_some(()));

    replace(&machine, "", &acks);
    replace(&machine, OLDER, &acks);
    a_version_that_would_not_start_is_not_started(&machine, &gateway, &acks);

    fs::write(&enough, "").unwrap();
    let summary = sensor.finish().exits(0);
    let all = acknowledged(&acks);
    assert_eq!(all.len() as u64, summary.number("acknowledged"));
    assert!(all.is_subset(&stored(&machine)), "{:?}", all.difference(&stored(&machine)));
    assert!(fs::read_to_string(&gateway).unwrap().starts_with(REMARK));

    removed_and_installed_again(&machine, &all);
    purged_and_installed_again(&machine, &cod, &all);
    assert_eq!(machine.run("weir identity --json").exits(0).json()["key"], identity);
    machine.run("weir verify").exits(0);
}

/// The daemon that runs is worth more than one that does not start.
fn a_version_that_would_not_start_is_not_started(machine: &Machine, gateway: &Path, acks: &Path) {
    let good = fs::read_to_string(gateway).unwrap();
    fs::write(gateway, format!("{good}\n[nonsense]\n")).unwrap();
    let (_, process) = held(machine);
    let said = machine.install(&package(NEWER)).exits(0).out;
    let line = good.lines().count() + 2;
    for told in ["/etc/weir/gateway.toml", &format!("line {line}"), "NOT restarted", "systemctl restart weir-gateway"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert_eq!(held(machine).1, process, "the old one goes on");
    let had = acknowledged(acks).len();
    until("messages go on", 30, || (acknowledged(acks).len() > had).then_some(()));
    fs::write(gateway, good).unwrap();
    machine.run("weir config check /etc/weir/gateway.toml && systemctl restart weir-gateway").exits(0);
    assert_ne!(held(machine).1, process);
}

fn removed_and_installed_again(machine: &Machine, all: &BTreeSet<u64>) {
    machine.run("apt-get remove -y weir 2>&1").exits(0);
    for unit in SOCKETS.into_iter().chain(["weir-gateway.service"]) {
        assert_eq!(machine.property(unit, "ActiveState"), "inactive", "{unit}");
    }
    machine.run("test -e /usr/bin/weir").exits(1);
    machine.run("test -s /etc/weir/keys.toml -a -s /var/lib/weir/journal/journal.db").exits(0);
    machine.install(&package("")).exits(0);
    machine.until_active(GATEWAY, "active");
    assert!(all.is_subset(&stored(machine)));
}

fn purged_and_installed_again(machine: &Machine, cod: &Device, all: &BTreeSet<u64>) {
    let Answer { out, .. } = machine.run("apt-get purge -y weir 2>&1").exits(0);
    assert!(out.contains("sudo rm -r /var/lib/weir") && out.contains("证据"), "{out}");
    machine.run("test -e /etc/weir -o -e /run/weir").exits(1);
    machine.run("test -s /var/lib/weir/journal/journal.db -a -s /var/lib/weir/identity/box.key").exits(0);
    assert_eq!(machine.run("find /etc/systemd -name 'weir*'").exits(0).out, "", "nothing is enabled any more");
    machine.install(&package("")).exits(0);
    assert_eq!(machine.property(GATEWAY, "ActiveState"), "inactive", "the files are to be edited again");
    machine.configure(std::slice::from_ref(cod));
    machine.run("systemctl enable --now weir-gateway").exits(0);
    assert!(all.is_subset(&stored(machine)), "the journal is where it was");
}

#[test]
fn a_purge_leaves_nothing_where_nothing_was_stored() {
    let machine = Machine::installed(&[]);
    let said = machine.run("apt-get purge -y weir 2>&1").exits(0).out;
    assert!(!said.contains("rm -r /var/lib/weir"), "{said}");
    let left =
        machine.run("find /etc /usr /var/lib /run -xdev -name '*weir*' -not -path '/var/lib/systemd/*'").exits(0);
    assert_eq!(left.out, "");
}
