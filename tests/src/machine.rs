//! A machine with a Debian 12 of its own under a systemd of its own (systemd-nspawn): `weir` as a package on a box.
//!
//! It has no network but loopback, shares the kernel, the clock and the disk with this machine, and ends with the value.
//! What is not modelled: `MemoryMax=`, `TasksMax=` and `IPAddressDeny=` do not bite in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::config::{devices_toml, keys_toml};
use crate::{Answer, Device, tools, until, weir_binary};

/// What a technician's machine has set.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("LANG", "C.UTF-8"),
    ("HOME", "/root"),
    ("DEBIAN_FRONTEND", "noninteractive"),
];

/// A machine that runs.
#[derive(Debug)]
pub struct Machine {
    dir: TempDir,
    options: Vec<String>,
    nspawn: Child,
    /// Its first process, as this machine numbers it.
    leader: Pid,
}

impl Machine {
    /// A fresh Debian, started, with more options of systemd-nspawn(1).
    pub fn start(options: &[&str]) -> Machine {
        assert!(
            rustix::process::geteuid().is_root(),
            "machines are started by root alone · try: sudo tests/run system"
        );
        let dir = TempDir::with_prefix("weir-machine-").unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let tar = tools("debian/root.tar");
        Answer::of(Command::new("tar").arg("-C").arg(&root).arg("-xf").arg(tar)).exits(0);
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let (nspawn, leader) = boot(dir.path(), &options);
        let machine = Machine { dir, options, nspawn, leader };
        machine.is_up();
        machine
    }

    /// The same with the package on it, as `apt` installs it.
    pub fn installed(options: &[&str]) -> Machine {
        let machine = Machine::start(options);
        machine.install(&package("")).exits(0);
        machine
    }

    /// Ends it as a power cut does, but for the page cache, and starts it again with these options beside the first.
    pub fn restart(&mut self, more: &[&str]) {
        self.end();
        let options = self.options.iter().cloned().chain(more.iter().map(|option| (*option).to_owned())).collect();
        (self.nspawn, self.leader) = boot(self.dir.path(), &options);
        self.is_up();
    }

    fn is_up(&self) {
        until("the machine is up", 120, || {
            let state = self.run("systemctl is-system-running");
            matches!(state.out.trim(), "running" | "degraded").then_some(())
        });
    }

    /// A folder or file of it, from outside.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path.trim_start_matches('/'))
    }

    /// A folder outside of it, which ends with it.
    pub fn outside(&self) -> &Path {
        self.dir.path()
    }

    /// Runs a line of shell in it, as root.
    pub fn run(&self, line: &str) -> Answer {
        let words = self.command(line);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        Answer::of(&mut command)
    }

    /// What somebody outside types for that, word by word.
    pub fn command(&self, line: &str) -> Vec<String> {
        let leader = self.leader.as_raw_nonzero().to_string();
        let enter = ["nsenter", "--target", &leader, "--mount", "--uts", "--ipc", "--net", "--pid", "--", "env", "-i"];
        let environment = ENVIRONMENT.map(|(name, value)| format!("{name}={value}"));
        let shell = ["/bin/sh", "-c", line].map(str::to_owned);
        enter.into_iter().map(str::to_owned).chain(environment).chain(shell).collect()
    }

    /// The same as another user with that user's groups.
    pub fn run_as(&self, user: &str, line: &str) -> Answer {
        self.run(&format!("setpriv --reuid={user} --regid=$(id -g {user}) --init-groups -- sh -c '{line}'"))
    }

    /// What is put before a command of this machine so that it is on that machine's network.
    pub fn network(&self) -> Vec<String> {
        let leader = self.leader.as_raw_nonzero().to_string();
        ["nsenter", "--target", &leader, "--net", "--"].map(str::to_owned).to_vec()
    }

    /// Puts the files of a box with these devices into /etc/weir, in the place of the shipped ones and with their rights.
    pub fn configure(&self, devices: &[Device]) {
        for (name, text) in [("devices", devices_toml(devices)), ("keys", keys_toml(devices)), ("rules", String::new())]
        {
            let path = self.path(&format!("/etc/weir/{name}.toml"));
            assert!(path.exists(), "{} is shipped", path.display());
            fs::write(path, text).unwrap();
        }
    }

    /// Installs a package, or another version of it.
    pub fn install(&self, package: &Path) -> Answer {
        let to = self.path("/root/weir.deb");
        fs::copy(package, &to).unwrap();
        self.run("apt-get install -y --allow-downgrades /root/weir.deb 2>&1")
    }

    /// One property of a unit.
    pub fn property(&self, unit: &str, name: &str) -> String {
        let shown = self.run(&format!("systemctl show --value --property={name} {unit}")).exits(0);
        shown.out.trim().to_owned()
    }

    /// Waits until a unit is in this state.
    pub fn until_active(&self, unit: &str, state: &str) {
        until(&format!("{unit} is {state}"), 120, || (self.property(unit, "ActiveState") == state).then_some(()));
    }

    /// The main process of a unit, as this machine numbers it; none while there is none.
    pub fn main_process(&self, unit: &str) -> Option<u32> {
        let inner = self.property(unit, "MainPID");
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let ours = namespace(&self.leader.as_raw_nonzero().to_string());
        Path::new("/proc").read_dir().unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok()).find_map(
            |pid| {
                let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
                let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
                (numbers.split_whitespace().nth(1) == Some(&inner) && namespace(&pid) == ours)
                    .then(|| pid.parse().ok())?
            },
        )
    }

    /// What a unit has logged.
    pub fn log(&self, unit: &str) -> String {
        self.run(&format!("journalctl --no-pager --output=cat --unit={unit}")).exits(0).out
    }

    fn end(&mut self) {
        // With the first process the kernel ends all others of its namespace.
        let _ = kill_process(self.leader, Signal::KILL);
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.run("journalctl --no-pager --lines=60 --output=short-monotonic 2>&1");
            eprintln!("-- the end of the machine's log:\n{}", logs.out);
        }
        self.end();
    }
}

fn boot(dir: &Path, options: &Vec<String>) -> (Child, Pid) {
    let console = File::options().create(true).append(true).open(dir.join("console")).unwrap();
    // It ends with the thread that started it, however that ends; and its first process ends with it.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "systemd-nspawn"]);
    command.args([
        "--quiet",
        "--private-network",
        "--register=no",
        "--keep-unit",
        "--console=pipe",
        "--boot",
        "--directory",
    ]);
    command.arg(dir.join("root")).args(options).env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
    command.stdin(Stdio::null()).stdout(console.try_clone().unwrap()).stderr(console);
    let mut nspawn = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error} · try: tests/run tools"));
    let children = format!("/proc/{0}/task/{0}/children", nspawn.id());
    let leader = until("the machine has a first process", 20, || {
        let ended = nspawn.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(dir.join("console")).unwrap());
        let text = fs::read_to_string(&children).ok()?;
        text.split_whitespace().find(|pid| is_first(pid)).and_then(|pid| Pid::from_raw(pid.parse().ok()?))
    });
    (nspawn, leader)
}

/// The first process of a namespace of its own.
fn is_first(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    numbers.split_whitespace().skip(1).eq(["1"])
}

/// The package of the program under test, with its own version or with this one; not compressed, and built once in a process.
pub fn package(version: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap();
    let more: &[&str] = if version.is_empty() { &[] } else { &["--version", version] };
    let build = || build_package(&packages_of_this_process(), &[more, &["--uncompressed"]].concat());
    built.entry(version.to_owned()).or_insert_with(build).clone()
}

/// Where nobody else builds; what processes left there that are gone goes too.
fn packages_of_this_process() -> PathBuf {
    let tried = tools("").join("packages/tried");
    fs::create_dir_all(&tried).unwrap();
    for left in fs::read_dir(&tried).unwrap().flatten() {
        if !Path::new("/proc").join(left.file_name()).exists() {
            let _ = fs::remove_dir_all(left.path()).or_else(|_| fs::remove_file(left.path()));
        }
    }
    tried.join(std::process::id().to_string())
}

/// Builds a package of the program under test into this folder.
pub fn build_package(out: &Path, more: &[&str]) -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command.args(["xtask", "package", "--program"]).arg(weir_binary()).arg("--out").arg(out).args(more);
    PathBuf::from(Answer::of(&mut command).exits(0).out.trim())
}
