//! The `weir` binary: as a daemon in the background, and as a command that answers.

use std::fs::{self, File};
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// Lines of a daemon's log that are shown when its test fails.
const LOG_LINES_SHOWN: usize = 15;

/// The binary under test: `WEIR_BIN`, else the release build.
pub fn weir_binary() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/weir");
    let path = std::env::var_os("WEIR_BIN").map_or(built, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no weir at {} · try: cargo build --release -p weir, or WEIR_BIN=FILE",
        path.display()
    );
    path
}

/// What a command said.
#[derive(Debug)]
pub struct Answer {
    /// Exit status; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Answer {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Answer {
        let output = command.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error} · try: tests/run tools"));
        Answer {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            // A shell complains of a program that was put in its script's place meanwhile, in the program's own bytes.
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs `weir` with these arguments, in English.
    pub fn of_weir(arguments: &[&str]) -> Answer {
        Answer::of(Command::new(weir_binary()).args(arguments).env("LANG", "C.UTF-8").env_remove("LC_ALL"))
    }

    /// The one JSON object on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Each line of standard output as JSON.
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"));
        self.out.lines().map(parse).collect()
    }

    /// Fails unless the exit status is this one.
    pub fn exits(self, code: i32) -> Answer {
        assert_eq!(self.code, Some(code), "exit status of {self:?}");
        self
    }
}

/// A daemon in the background. Dropping it kills it.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `weir NAME run --config FILE` with its output at the end of `LOGS/NAME.log`.
    pub fn start(name: &str, config: &Path, logs: &Path) -> Daemon {
        let mut command = Command::new(weir_binary());
        command.args([name, "run", "--config"]).arg(config);
        Daemon::spawn(command, &logs.join(format!("{}.log", config.file_stem().unwrap().display())))
    }

    /// The same with its system calls on files and sockets written to a file, strings whole and in hex. The tracer is
    /// the daemon's grandchild (`-D`), so that no right beyond one's own is needed and a kill reaches the daemon.
    pub fn start_traced(name: &str, config: &Path, logs: &Path, trace: &Path) -> Daemon {
        let mut command = Command::new("strace");
        let calls =
            "trace=openat,close,accept4,fdatasync,fsync,recvfrom,recvmsg,read,readv,sendto,sendmsg,write,writev";
        command.args(["-D", "-f", "-xx", "-s", "65536", "-e", calls, "-o"]).arg(trace);
        command.arg(weir_binary()).args([name, "run", "--config"]).arg(config);
        Daemon::spawn(command, &logs.join(format!("{}.log", config.file_stem().unwrap().display())))
    }

    /// The same on a machine whose clock an NTP daemon disciplines, whatever that of this one is.
    pub fn start_synchronised(name: &str, config: &Path, logs: &Path) -> Daemon {
        let library = logs.join("synchronised.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/synchronised.c");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
        assert!(built.is_ok_and(|status| status.success()), "no C compiler · try: tests/run tools");
        let mut command = Command::new(weir_binary());
        command.args([name, "run", "--config"]).arg(config).env("LD_PRELOAD", library);
        Daemon::spawn(command, &logs.join(format!("{}.log", config.file_stem().unwrap().display())))
    }

    /// The same with standard error going elsewhere.
    pub fn start_logging_to(name: &str, config: &Path, logs: &Path, stderr: Stdio) -> Daemon {
        let mut command = Command::new(weir_binary());
        command.args([name, "run", "--config"]).arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).env_remove("JOURNAL_STREAM");
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Daemon { child, log: logs.join(format!("{}.log", config.file_stem().unwrap().display())) }
    }

    /// The same with the UDP socket of this name that somebody else keeps open, as systemd does.
    pub fn start_activated(name: &str, config: &Path, logs: &Path, socket: &UdpSocket, socket_name: &str) -> Daemon {
        let mut command = Command::new("sh");
        // Descriptors begin at 3; the process that gets them is named, and `exec` keeps its number.
        command.args(["-c", "exec 3<&0 </dev/null; LISTEN_PID=$$ exec \"$0\" \"$@\""]).arg(weir_binary());
        command.args([name, "run", "--config"]).arg(config);
        command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", socket_name);
        command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
        Daemon::spawn_with_input(command, &logs.join(format!("{}.log", config.file_stem().unwrap().display())))
    }

    /// Starts any program as a daemon.
    pub fn spawn(mut command: Command, log: &Path) -> Daemon {
        command.stdin(Stdio::null());
        Daemon::spawn_with_input(command, log)
    }

    fn spawn_with_input(mut command: Command, log: &Path) -> Daemon {
        let out = File::options().create(true).append(true).open(log).unwrap();
        // Without JOURNAL_STREAM the log goes to standard error also where journald runs the tests.
        command.stdout(out.try_clone().unwrap()).stderr(out).env_remove("JOURNAL_STREAM");
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error} · try: tests/run tools"));
        Daemon { child, log: log.into() }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails, with the end of the log, if it has ended.
    pub fn check(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("{} ended with {status}:\n{}", self.log.display(), self.log_end());
        }
    }

    /// The last lines it wrote.
    pub fn log_end(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// SIGKILL: as a power cut, but for the page cache.
    pub fn kill(&mut self) {
        // It may have ended by itself, which `check` tells.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end, and gives its exit status.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// SIGTERM, and its exit status.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.pid().to_string();
        Answer::of(Command::new("kill").args(["-TERM", &pid])).exits(0);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("-- the end of {}:\n{}", self.log.display(), self.log_end());
        }
    }
}
