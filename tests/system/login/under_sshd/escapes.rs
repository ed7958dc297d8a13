//! What somebody tries who has the technician's key and wants more.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use system_tests::config::free_tcp_port;
use system_tests::{Answer, until, weir_binary};

use super::borrowed::Account;
use super::site::{SECRET, Site, host};

/// Each is refused and does nothing. LOOT is a folder that everybody may write, BAIT a file that everybody may read, TOML by its end.
const LINES: &[&str] = &[
    // Shells, and what a shell would do.
    "sh",
    "bash -c id",
    "/bin/sh",
    "exec sh",
    "env",
    "sudo -s",
    "su",
    "python3",
    "cat BAIT",
    "touch LOOT/x",
    "; id",
    "status; touch LOOT/x",
    "status & touch LOOT/x",
    "status && touch LOOT/x",
    "status || touch LOOT/x",
    "status | tee LOOT/x",
    "status > LOOT/x",
    "status >> LOOT/x",
    "rules check < BAIT",
    "status $(touch LOOT/x)",
    "status \"$(touch LOOT/x)\"",
    "status `touch LOOT/x`",
    "status \"`touch LOOT/x`\"",
    "status $HOME",
    "status ${IFS}",
    "status\ntouch LOOT/x",
    "status\rtouch LOOT/x",
    "status # x",
    "status 'open",
    "status \\",
    "status *",
    "status ~root",
    "status {a,b}",
    "status !x",
    "VAR=1 status",
    "LD_PRELOAD=LOOT/x.so status",
    "\u{1b}]0;x\u{7}status",
    // Places of the box.
    "status --run-dir LOOT",
    "--state-dir=LOOT status",
    "weir --state-dir LOOT --run-dir LOOT status",
    "--config /etc/shadow",
    "weir --config=/etc/shadow status",
    "doctor --config BAIT",
    "doctor --config=BAIT",
    "doctor --conf BAIT",
    "doctor --sync-config BAIT",
    "bundle --config BAIT",
    "config --config-dir LOOT check",
    "device --config-dir LOOT list",
    "verify --sync-config BAIT",
    "metrics --to LOOT/x",
    "export -o LOOT/x",
    "export -oLOOT/x",
    "outfall export --out LOOT/x",
    // Files elsewhere, to read.
    "config check BAIT",
    "config check /etc/shadow",
    "config check -- BAIT",
    "config check ../../BAIT",
    "config check gateway.toml",
    "rules check BAIT",
    "rules check /etc",
    "rules test BAIT",
    "rules test x.toml --rules BAIT",
    "rules backtest --rules=BAIT",
    "verify BAIT",
    "verify x --revoked BAIT",
    "bundle --verify BAIT",
    "outfall add BAIT --reason x",
    "outfall import BAIT --reason x",
    "device test cod-1 @BAIT",
    "@BAIT",
    "status @BAIT",
    // And to write.
    "evidence export --from 2026-01-01T00:00:00Z -o LOOT/x",
    "evidence export --from 2026-01-01T00:00:00Z --out=../x",
    "bundle LOOT/x",
    "bundle ../x",
    "bundle --verify=x LOOT/x",
    "put ../x",
    "put LOOT/x",
    "put .ssh/authorized_keys",
    "put .profile",
    "put -x",
    "put ''",
    "put x y",
    "get BAIT",
    "get ../.ssh/authorized_keys",
    "get .",
    "remove ../.ssh/rc",
    // Links in the inbox, and what is no file.
    "get link.toml",
    "config check link-rules.toml",
    "rules check link.toml",
    "rules check folder",
    "get folder/bait.toml",
    "get hard.toml",
    "get pipe",
    // Verbs that are not for this login.
    "demo",
    "gateway run --config BAIT",
    "sync run --config BAIT",
    "sync drop municipal 00 --reason x",
    "platform run --config BAIT",
    "manual LOOT",
    "login",
    "login --config-dir LOOT",
    "backup LOOT",
    "restore LOOT",
    "config apply rules.toml --reason x",
    "config rollback rules-1 --reason x",
    "config show rules-1",
    "config diff",
    "device remove cod-1",
    "device run-codec --within 1 BAIT 00",
    "device test-codec BAIT 00",
    "device send cod-1 00",
    "device export-sessions -o LOOT/x",
    "identity rotate --reason x",
    "identity enroll https://127.0.0.1/ CODE --config LOOT/x",
    "journal salvage",
    "sampler off --config BAIT",
    "evidence release 1 --reason x",
    // What clients of other protocols ask for.
    "scp -t LOOT",
    "scp -f BAIT",
    "/usr/lib/openssh/sftp-server",
    "internal-sftp",
    "rsync --server . LOOT",
    "git-upload-pack LOOT",
];

#[test]
fn no_line_leads_anywhere_else() {
    let site = Site::start();
    bait(&site);
    let records = site.world.records();
    let (loot, bait) = (site.dir.path().join("loot"), site.dir.path().join("bait.toml"));
    assert!(LINES.len() > 100);
    for line in LINES {
        let line = line.replace("LOOT", loot.to_str().unwrap()).replace("BAIT", bait.to_str().unwrap());
        refused(&line, &site.run_with(&line, b"x"));
    }
    let unreadable = site.ssh(&[], &[OsStr::from_bytes(b"status \xff\xfe")]).output().unwrap();
    assert!(unreadable.status.code() == Some(3) && unreadable.stdout.is_empty(), "{unreadable:?}");
    refused("a long line", &site.run(&format!("status {}", "x".repeat(100_000))));
    refused("many words", &site.run(&"x ".repeat(2_000)));
    let left: Vec<_> = fs::read_dir(&loot).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let inbox: Vec<_> = fs::read_dir(site.account.home().join("weir")).unwrap().collect();
    assert_eq!(inbox.len(), 5, "only what was laid there: {inbox:?}");
    assert_eq!(site.world.records(), records, "nothing is journaled");
    let logged = site.journal.logged();
    assert!(logged.contains("login refuses a command") && logged.contains("touch"), "{logged}");
    assert!(!logged.contains(&"x".repeat(1_000)), "bounded");
}

/// Lays links, a folder and a pipe into the inbox, as nobody can who has this login alone.
fn bait(site: &Site) {
    let bait = site.dir.path().join("bait.toml");
    site.run("files").exits(0);
    let inbox = site.account.home().join("weir");
    symlink("/etc/shadow", inbox.join("link.toml")).unwrap();
    symlink(&bait, inbox.join("link-rules.toml")).unwrap();
    symlink(site.dir.path(), inbox.join("folder")).unwrap();
    let secret = site.account.home().join("secret.toml");
    fs::write(&secret, SECRET).unwrap();
    fs::hard_link(&secret, inbox.join("hard.toml")).unwrap();
    Answer::of(Command::new("mkfifo").arg(inbox.join("pipe"))).exits(0);
    site.account.own(&inbox);
}

fn refused(line: &str, answer: &Answer) {
    assert!(answer.code.is_some_and(|code| code != 0), "{line:?}: {answer:?}");
    for given in [SECRET, "root:", "uid=", "panicked"] {
        let is_echo = answer.err.lines().all(|said| !said.contains(given) || line.contains(given));
        assert!(!answer.out.contains(given) && is_echo, "{line:?}: {answer:?}");
    }
    assert!(!answer.err.is_empty(), "{line:?} is refused without a word: {answer:?}");
}

#[test]
fn variables_of_the_caller_have_no_effect() {
    let site = Site::start();
    let loot = site.dir.path().join("loot");
    let mut ssh =
        site.ssh(&["-o", "SetEnv=WEIR_RUN_DIR=/nowhere WEIR_STATE_DIR=/nowhere"], &[OsStr::new("status --json")]);
    ssh.env("LD_PRELOAD_X", "x").env("WEIR_CONFIG_DIR", &loot);
    let status = Answer::of(&mut ssh).exits(1).json();
    assert_eq!(status.pointer("/gateway/box"), Some(&"outfall-1".into()), "{status:#}");
    assert!(!loot.join("rc").exists(), "~/.ssh/rc did not run");
    let strange =
        site.ssh(&["-o", "SetEnv=LD_DEBUG=help LD_PRELOAD=/nowhere.so LANG=../../x"], &[OsStr::new("identity")]);
    let Answer { out, err, .. } = Answer::of(&mut { strange }).exits(0);
    assert!(!out.contains("LD_DEBUG") && err.is_empty(), "{out}\n{err}");

    // Also without sshd between: the program itself takes nothing from them.
    let mut login = Command::new(weir_binary());
    login
        .args(["--run-dir", site.world.path("run").to_str().unwrap(), "login"])
        .env("SSH_ORIGINAL_COMMAND", "status --json");
    login
        .env("WEIR_RUN_DIR", "/nowhere")
        .env("WEIR_STATE_DIR", "/nowhere")
        .env("WEIR_LOG", "trace")
        .env("HOME", "/nowhere");
    let status = Answer::of(&mut login).exits(1).json();
    assert_eq!(status.pointer("/gateway/box"), Some(&"outfall-1".into()), "{status:#}");
    let mut login = Command::new(weir_binary());
    login.arg("login").env("SSH_ORIGINAL_COMMAND", "status").env("WEIR_RUN_DIR", site.world.path("run"));
    let answer = Answer::of(&mut login);
    assert!(!answer.out.contains("cod-1"), "the box at /run/weir, if there is one, and no other: {answer:?}");
}

#[test]
fn nothing_is_forwarded_and_no_file_copied() {
    let site = Site::start();
    let loot = site.dir.path().join("loot");
    let account = host();
    // Copying, by both protocols, and without a command.
    let bait = site.dir.path().join("bait.toml").display().to_string();
    for protocol in [&["-O"][..], &[][..]] {
        let from = format!("{account}:{bait}");
        let to = format!("{account}:{}", loot.join("x").display());
        for pair in [[&from, loot.to_str().unwrap()], [&bait, to.as_str()]] {
            let mut scp = Command::new("scp");
            scp.args(site.client()).args(protocol).args(pair);
            assert_ne!(Answer::of(&mut scp).code, Some(0), "{pair:?}");
        }
    }
    let mut sftp = Command::new("sftp");
    sftp.args(site.client()).arg(format!("{account}:{bait}")).arg(&loot);
    assert_ne!(Answer::of(&mut sftp).code, Some(0));
    assert_eq!(fs::read_dir(&loot).unwrap().count(), 0);

    // Ports: a service of the box, and one of the client's.
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    service.set_nonblocking(true).unwrap();
    let inner = service.local_addr().unwrap().port();
    let (local, socks) = (free_tcp_port(), free_tcp_port());
    let forward = format!("{local}:127.0.0.1:{inner}");
    let (socks_port, words) = (socks.to_string(), [OsStr::new("tail -f")]);
    let mut client = site.ssh(&["-L", &forward, "-D", &socks_port], &words);
    let mut child = client.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut stream = until("the client listens", 10, || TcpStream::connect(("127.0.0.1", local)).ok());
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)), "sshd opens no port of the box");
    thread::sleep(Duration::from_millis(100));
    assert!(service.accept().is_err(), "nobody came through");
    child.kill().unwrap();
    child.wait().unwrap();
    let remote = format!("{}:127.0.0.1:{inner}", free_tcp_port());
    let failing = ["-o", "ExitOnForwardFailure=yes"];
    for options in [&["-R", remote.as_str()][..], &["-R", "/tmp/weir-login.sock:127.0.0.1:1"], &["-w", "9:9"]] {
        let answer = Answer::of(&mut site.ssh(&[&failing[..], options].concat(), &[OsStr::new("identity")]));
        assert_ne!(answer.code, Some(0), "{options:?}: {answer:?}");
    }
    let through = Answer::of(&mut site.ssh(&["-W", &format!("127.0.0.1:{inner}")], &[]));
    assert!(through.code != Some(0) && service.accept().is_err(), "{through:?}");

    // Agent and X11, as sshd itself tells: it has nothing to give to a session.
    let effective = Answer::of(
        Command::new("/usr/sbin/sshd")
            .args(["-T", "-f"])
            .arg(site.dir.path().join("sshd_config"))
            .args(["-C", &format!("user={},host=x,addr=127.0.0.1", Account::NAME)]),
    )
    .exits(0)
    .out;
    for line in [
        "disableforwarding yes",
        "x11forwarding no",
        "allowagentforwarding no",
        "permittunnel no",
        "permituserrc no",
        "permituserenvironment no",
        "authenticationmethods publickey",
        "allowtcpforwarding no",
    ] {
        assert!(effective.lines().any(|at| at == line), "{line}: {effective}");
    }
    let accepted: Vec<&str> = effective.lines().filter(|line| line.starts_with("acceptenv")).collect();
    assert_eq!(accepted, ["acceptenv LANG", "acceptenv LC_*"]);
}
