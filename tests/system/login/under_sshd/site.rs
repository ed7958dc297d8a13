//! A box with a technician's account and an sshd before it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use system_tests::config::free_tcp_port;
use system_tests::{Answer, Daemon, Device, Sensor, World, until, weir_binary};
use tempfile::TempDir;

use super::borrowed::{Account, Folder, Journal, root, turn};
use super::client::Client;

const DROP_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/login/sshd-technicians.conf");
/// What no file of the machine but the bait has.
pub(super) const SECRET: &str = "bait-9f3c";
/// A rule by which the one reading of this box is an alarm.
pub(super) const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 80\n";

/// Everything; it goes with this, from the top down.
pub(super) struct Site {
    pub(super) world: World,
    _sshd: Daemon,
    pub(super) account: Account,
    pub(super) journal: Journal,
    _folder: Folder,
    port: u16,
    pub(super) dir: TempDir,
    _turn: File,
}

impl Site {
    /// A box at which one alarm stands, and whoever is of the account's group is of the box's.
    pub(super) fn start() -> Site {
        let turn = turn();
        let account = Account::make();
        let sensor = Device::cod("cod-1");
        let mut world = World::prepared(std::slice::from_ref(&sensor), "");
        fs::write(world.path("rules.toml"), RULE).unwrap();
        world.start_gateway();
        Sensor::connect(&world, &sensor).publish(r#"{"n":1,"cod":95}"#);
        until("an alarm stands", 20, || (world.count("/gateway/journal/records") >= 4).then_some(()));
        let place = world.config_dir();
        root(&["chgrp", "-R", Account::NAME, &place]);
        root(&["chmod", "-R", "g+rX", &place]);
        root(&["chmod", "0600", world.path("keys.toml").to_str().unwrap()]);
        let dir = TempDir::with_prefix("weir-sshd-").unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(weir_binary(), dir.path().join("weir")).unwrap();
        let loot = dir.path().join("loot");
        fs::create_dir(&loot).unwrap();
        fs::set_permissions(&loot, fs::Permissions::from_mode(0o1777)).unwrap();
        // Everybody may read it: what keeps it is the login.
        fs::write(dir.path().join("bait.toml"), format!("{SECRET} = \"{SECRET}\n")).unwrap();
        let (folder, journal, port) = (Folder::of_sshd(), Journal::listen(), free_tcp_port());
        let sshd = sshd(dir.path(), &place, port, &account);
        Site { world, _sshd: sshd, account, journal, _folder: folder, port, dir, _turn: turn }
    }

    /// An ssh client as the technician has it, with a connection of its own and these options before the host.
    pub(super) fn ssh(&self, options: &[&str], words: &[&OsStr]) -> Command {
        let mut ssh = ssh(self.dir.path(), self.port);
        ssh.args(options).arg(host());
        if !words.is_empty() {
            // A client looks for options of its own behind the host too.
            ssh.arg("--").args(words);
        }
        ssh
    }

    /// The options of every client of OpenSSH.
    pub(super) fn client(&self) -> Vec<String> {
        options(self.dir.path(), self.port)
    }

    /// One command, as `ssh HOST LINE`.
    pub(super) fn run(&self, line: &str) -> Answer {
        Answer::of(&mut self.ssh(&[], &[OsStr::new(line)]))
    }

    /// The same with something to read.
    pub(super) fn run_with(&self, line: &str, input: &[u8]) -> Answer {
        let mut client = Client::start(self.ssh(&[], &[OsStr::new(line)]));
        client.say(input);
        client.ended()
    }
}

/// Whom the clients ask for.
pub(super) fn host() -> String {
    format!("{}@127.0.0.1", Account::NAME)
}

fn options(dir: &Path, port: u16) -> Vec<String> {
    let (key, port) = (dir.join("client").display().to_string(), format!("Port={port}"));
    let known = ["-F", "none", "-i", &key, "-o", &port, "-o", "StrictHostKeyChecking=no"];
    let quiet = ["-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"];
    let asking = ["-o", "SendEnv=LANG LC_* LD_* WEIR_*"];
    known.iter().chain(&quiet).chain(&asking).map(|option| (*option).to_owned()).collect()
}

fn ssh(dir: &Path, port: u16) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.args(options(dir, port));
    ssh.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("HOME", dir).env("TERM", "xterm");
    ssh
}

/// With the drop-in first, as on Debian, and behind it all that it has to keep.
fn sshd(dir: &Path, place: &str, port: u16, account: &Account) -> Daemon {
    let path = |name: &str| dir.join(name).display().to_string();
    for key in ["host", "client"] {
        root(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", &path(key)]);
    }
    let ssh = account.home().join(".ssh");
    fs::create_dir(&ssh).unwrap();
    fs::copy(dir.join("client.pub"), ssh.join("authorized_keys")).unwrap();
    fs::write(ssh.join("rc"), format!("touch {}/rc\n", path("loot"))).unwrap();
    fs::write(
        ssh.join("environment"),
        format!("LD_PRELOAD={0}/no.so\nWEIR_RUN_DIR={0}\nLD_DEBUG=files\n", dir.display()),
    )
    .unwrap();
    account.own(&ssh);
    let shipped = fs::read_to_string(DROP_IN).unwrap();
    let installed = "ForceCommand exec /usr/bin/weir login";
    assert!(shipped.contains(installed), "{shipped}");
    let here = format!(
        "ForceCommand exec {} --state-dir {place}/state --run-dir {place}/run login --config-dir {place}",
        path("weir")
    );
    fs::write(dir.join("10-weir.conf"), shipped.replace(installed, &here)).unwrap();
    let config = format!(
        "Include {0}/10-weir.conf\nPort {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nPidFile none\nUsePAM no\n\
         AcceptEnv *\nPermitUserEnvironment yes\nPermitUserRC yes\nX11Forwarding yes\nX11UseLocalhost yes\nAllowAgentForwarding yes\n\
         AllowTcpForwarding yes\nAllowStreamLocalForwarding yes\nPermitTunnel yes\nGatewayPorts yes\nPasswordAuthentication yes\n\
         MaxStartups 100\nSubsystem sftp internal-sftp\n",
        dir.display()
    );
    fs::write(dir.join("sshd_config"), config).unwrap();
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f", &path("sshd_config")]);
    let sshd = Daemon::spawn(command, &dir.join("sshd.log"));
    until("sshd listens", 10, || TcpStream::connect(("127.0.0.1", port)).ok().map(drop));
    sshd
}
