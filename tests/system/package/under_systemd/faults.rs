//! A box under systemd in trouble: daemons that are killed, crash, hang or are out of memory are back by themselves, a full
//! disk is survived, a read-only root is enough, a box that worked goes on when its configuration is broken, and one that never
//! did is told so once instead of being tried for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use system_tests::{Device, Machine, Peer, until};
use tempfile::TempDir;

/// Seconds; as shipped it is a minute, and 20 s more until a process that hears no signal is killed.
const WATCHDOG: &str = "[Service]\nWatchdogSec=3\nTimeoutAbortSec=2\n";
/// A quarter of what the daemon has when idle.
const MEMORY_BYTES: &str = "4194304";

/// A box that takes frames of one sensor, and whose upload daemon has nobody to send them to.
fn working(options: &[&str]) -> (Machine, Device) {
    let (machine, cod) = (Machine::installed(options), Device::cod("cod-1"));
    machine.configure(std::slice::from_ref(&cod));
    fs::write(machine.path("/etc/weir/sync.toml"), "").unwrap();
    for unit in ["weir-gateway", "weir-sync"] {
        let drop_in = machine.path(&format!("/etc/systemd/system/{unit}.service.d"));
        fs::create_dir_all(&drop_in).unwrap();
        fs::write(drop_in.join("soon.conf"), WATCHDOG).unwrap();
    }
    machine.run("systemctl daemon-reload && systemctl enable --now weir-gateway weir-sync").exits(0);
    (machine, cod)
}

fn send(machine: &Machine, cod: &Device, first: u64, count: u64) {
    Peer::sensor_on(machine, cod).with("--first", first).with("--count", count).run().exits(0);
}

fn strike(process: u32, signal: &str) {
    // It may have ended by the one before.
    let _ = Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
}

/// Lets `how` end the unit's process, and waits until another one serves.
fn comes_back(machine: &Machine, unit: &str, how: &str, end: impl FnOnce(u32)) {
    let before = machine.main_process(unit).unwrap_or_else(|| panic!("{unit} runs"));
    end(before);
    until(&format!("{unit} is back after {how}"), 120, || {
        let now = machine.main_process(unit)?;
        (now != before && machine.property(unit, "ActiveState") == "active").then_some(())
    });
}

#[test]
fn each_daemon_comes_back_from_each_way_to_end() {
    let (machine, cod) = working(&[]);
    let mut sent = 0;
    for unit in ["weir-gateway", "weir-sync"] {
        for signal in ["KILL", "SEGV", "ABRT", "STOP"] {
            comes_back(&machine, unit, signal, |process| {
                strike(process, signal);
                // Rust takes a first SIGSEGV for a stack that overflowed, and lets the second through; a real one repeats itself.
                if signal == "SEGV" {
                    until("it is let through", 20, || {
                        strike(process, signal);
                        sleep(Duration::from_millis(200));
                        machine.main_process(unit).is_none_or(|now| now != process).then_some(())
                    });
                }
            });
            send(&machine, &cod, sent + 1, 1);
            sent += 1;
        }
        assert!(machine.log(unit).contains("Watchdog timeout"), "{unit}: it was the watchdog that ended it");
    }
    comes_back(&machine, "weir-gateway", "too little memory", |process| starve(&machine, &cod, process));
    let restarts: u32 = machine.property("weir-gateway", "NRestarts").parse().unwrap();
    assert_eq!(restarts, 5, "each of them once");
    let rows = machine.run("weir export --quantity n --json").exits(0).json_lines();
    let numbers: Vec<&str> = rows.iter().filter_map(|row| row["value"].as_str()).collect();
    assert!((1..=sent).all(|n| numbers.contains(&n.to_string().as_str())), "{numbers:?}");
    machine.run("weir verify").exits(0);
}

/// A limit as MemoryMax= sets it, on the host, because the machine's own does not bite. What it has already does not count:
/// only what it takes from now on.
fn starve(machine: &Machine, cod: &Device, process: u32) {
    let group = Group::new(MEMORY_BYTES);
    fs::write(group.0.join("cgroup.procs"), process.to_string()).unwrap();
    let large = Peer::sensor_on(machine, cod).with("--first", 1_000_000).with("--count", 2_000).with("--bytes", 30_000);
    // Whatever becomes of it: it is what the daemon is short of memory for.
    large.with("--deadline", 30).with("--window", 200).run();
    let events = fs::read_to_string(group.0.join("memory.oom_control")).unwrap_or_default();
    assert!(events.contains("oom_kill 1"), "the kernel killed it for its memory: {events}");
}

/// A control group of the kernel's first kind, with a limit.
struct Group(PathBuf);

impl Group {
    fn new(bytes: &str) -> Group {
        let path = Path::new("/sys/fs/cgroup/memory").join(format!("weir-test-{}", std::process::id()));
        fs::create_dir(&path).expect("a memory control group (version 1) can be made");
        fs::write(path.join("memory.limit_in_bytes"), bytes).unwrap();
        Group(path)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Who was in it has ended, or ends with the machine; then a folder is left that limits nobody.
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_full_disk_stops_acknowledgements_and_nothing_else() {
    let (machine, cod) = working(&["--tmpfs=/var/lib/weir:mode=2750,size=128M"]);
    send(&machine, &cod, 1, 100);
    let process = machine.main_process("weir-gateway");
    machine.run("dd if=/dev/zero of=/var/lib/weir/filler bs=64k 2>/dev/null; df /var/lib/weir").exits(0);
    let more = Peer::sensor_on(&machine, &cod).with("--first", 101).with("--count", 20_000).with("--bytes", 2_000);
    let stopped = more.with("--deadline", 8).run();
    let waiting = stopped.summary()["unacknowledged"].as_array().map_or(0, Vec::len);
    assert!(waiting > 0, "{}", stopped.summary());
    machine.run("rm /var/lib/weir/filler").exits(0);
    send(&machine, &cod, 50_001, 100);
    assert_eq!(machine.main_process("weir-gateway"), process, "it took no restart");
    machine.run("weir verify").exits(0);
}

#[test]
fn a_read_only_root_is_enough() {
    let state = TempDir::with_prefix("weir-data-").unwrap();
    let bind = format!("--bind={}:/var/lib/weir", state.path().display());
    let (mut machine, cod) = working(&[&bind]);
    send(&machine, &cod, 1, 10);
    machine.restart(&["--read-only"]);
    for unit in ["weir-gateway", "weir-sync"] {
        machine.until_active(unit, "active");
    }
    machine.run("touch /etc/weir/stray").exits(1);
    send(&machine, &cod, 11, 10);
    assert_eq!(machine.run("weir export --quantity n").exits(0).out.lines().count(), 21);
}

/// Each daemon keeps the texts by which it works, in the folder that it may write.
const KEPT: [(&str, &str, &str); 2] = [
    ("weir-gateway", "gateway.toml", "/var/lib/weir/config"),
    ("weir-sync", "sync.toml", "/var/lib/weir/outbox/config"),
];

#[test]
fn a_box_that_worked_goes_on_when_its_configuration_is_broken() {
    let (machine, cod) = working(&[]);
    for (unit, file, kept) in KEPT {
        let index = machine.path(&format!("{kept}/index.json"));
        until(&format!("{unit} keeps what works"), 30, || index.exists().then_some(()));
        let path = machine.path(&format!("/etc/weir/{file}"));
        let good = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{good}\nnonsense = 1\n")).unwrap();
        machine.run(&format!("systemctl restart {unit}")).exits(0);
        let version = format!("{}-1", file.strip_suffix(".toml").unwrap());
        let told = machine.run("weir status").out;
        assert!(told.contains(&version) && told.contains("nonsense"), "{told}");
        assert!(machine.log(unit).contains("its last version that worked is in force"), "{}", machine.log(unit));
        // Root puts it back where the daemon reads it, and the daemon can keep versions after that as before.
        machine.run(&format!("weir config rollback {version} --reason 'typing error'")).exits(0);
        assert_eq!(fs::read_to_string(&path).unwrap(), good);
        machine.run(&format!("systemctl restart {unit}")).exits(0);
        assert!(!machine.run("weir status").out.contains("in force instead"));
        let owners = machine.run(&format!("stat -c %U:%a {kept} {kept}/*")).exits(0).out;
        let owner = unit.replace("-gateway", "");
        assert!(owners.lines().skip(1).all(|one| one == format!("{owner}:640")), "{owners}");
    }
    send(&machine, &cod, 1, 1);
}

#[test]
fn a_refused_configuration_is_told_once_whoever_knocks() {
    let (machine, cod) = working(&[]);
    for (unit, file, kept) in KEPT {
        let path = machine.path(&format!("/etc/weir/{file}"));
        let good = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{good}\nnonsense = 1\n")).unwrap();
        // As on a box that never worked: otherwise it goes on with what worked.
        let index = machine.path(&format!("{kept}/index.json"));
        until(&format!("{unit} keeps what works"), 30, || index.exists().then_some(()));
        machine.run(&format!("rm -r {kept}")).exits(0);
        let starts = || machine.log(unit).lines().filter(|line| line.starts_with(&format!("Starting {unit}"))).count();
        let before = starts();
        machine.run(&format!("systemctl restart {unit}")).exits(1);
        if unit == "weir-gateway" {
            // A sensor that knocks starts it again, as any socket of systemd does; but not for ever.
            Peer::sensor_on(&machine, &cod).with("--deadline", 10).run();
        }
        machine.until_active(unit, "failed");
        assert_eq!(machine.property(unit, "ExecMainStatus"), "255");
        assert!(starts() - before <= 1 + KNOCKS_MAX, "{} starts", starts() - before);
        let settled = starts();
        sleep(Duration::from_secs(3));
        assert_eq!(starts(), settled, "{unit} is left alone");
        let line = format!("line {}", good.lines().count() + 2);
        let log = machine.log(unit);
        for told in [format!("/etc/weir/{file}"), line, "nonsense".into(), "try: ".into()] {
            assert!(log.contains(&told), "{told}: {log}");
        }
        fs::write(&path, good).unwrap();
        machine.run(&format!("systemctl restart {unit}")).exits(0);
    }
    send(&machine, &cod, 1, 1);
}

/// As TriggerLimitBurst= of each socket has it, and there are two.
const KNOCKS_MAX: usize = 2 * 5;
