//! A reference platform of a [`crate::World`], and what it holds.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ::platform::StateDir;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::config::{BOX, free_tcp_port, platform_toml};
use crate::{Answer, Daemon, Machine, Row, until, weir_binary};

/// One platform: its files, and its process while it runs.
#[derive(Debug)]
pub struct Party {
    /// Its name, as receipts and `sync.toml` say it.
    pub name: &'static str,
    /// The port it listens on.
    pub port: u16,
    /// Its folder.
    pub state: StateDir,
    config: PathBuf,
    process: Option<Daemon>,
    /// What is put before a command so that it is on the platform's network, if that is not this machine's.
    enter: Vec<String>,
}

impl Party {
    /// Writes `DIR/NAME-platform.toml` with the box enrolled under this key, and starts it.
    pub fn start(name: &'static str, dir: &Path, enrolled: Option<&str>) -> Party {
        Party::start_entering(name, dir, enrolled, Vec::new())
    }

    /// The same on the network of a machine, whose box is not enrolled.
    pub fn start_on(name: &'static str, machine: &Machine) -> Party {
        Party::start_entering(name, machine.outside(), None, machine.network())
    }

    fn start_entering(name: &'static str, dir: &Path, enrolled: Option<&str>, enter: Vec<String>) -> Party {
        let mut party = Party {
            name,
            port: free_tcp_port(),
            state: StateDir::new(dir.join(name)),
            config: dir.join(format!("{name}-platform.toml")),
            process: None,
            enter,
        };
        party.enrol(enrolled);
        party.restart();
        party
    }

    /// Writes its configuration anew; it is read at the next start.
    pub fn enrol(&self, key: Option<&str>) {
        fs::write(&self.config, platform_toml(self.name, self.port, self.name, key)).unwrap();
    }

    /// Starts it, again if need be, and waits until it serves.
    pub fn restart(&mut self) {
        self.stop();
        let mut command = self.command(weir_binary());
        command.args(["platform", "run", "--config"]).arg(&self.config);
        let mut process = Daemon::spawn(command, &self.config.with_extension("log"));
        until(&format!("platform {} serves", self.name), 20, || {
            process.check();
            let ready = self.state.tls_cert().exists() && self.curl("/healthz", &["--fail"]).code == Some(0);
            ready.then_some(())
        });
        self.process = Some(process);
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let Some((first, more)) = self.enter.split_first() else { return Command::new(program) };
        let mut command = Command::new(first);
        command.args(more).arg(program);
        command
    }

    /// A code that lets a box in.
    pub fn invite(&self, name: &str) -> String {
        let made =
            Answer::of_weir(&["platform", "invite", name, "--json", "--config", &self.config.display().to_string()]);
        made.exits(0).json()["code"].as_str().expect("a code").to_owned()
    }

    /// Where its API begins.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/", self.port)
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Sends it a signal by its name: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = self.process.as_ref().expect("it runs").pid().to_string();
        Answer::of(Command::new("kill").args([&format!("-{name}"), &pid])).exits(0);
    }

    /// Its public key as 64 hex digits.
    pub fn public_key(&self) -> String {
        fs::read_to_string(self.state.public_key()).unwrap().trim().to_owned()
    }

    /// `curl` with its certificate as the only trusted one.
    pub fn curl(&self, path: &str, options: &[&str]) -> Answer {
        let mut command = self.command("curl");
        command.args(["--silent", "--show-error", "--max-time", "10", "--cacert"]).arg(self.state.tls_cert());
        Answer::of(command.args(options).arg(format!("https://127.0.0.1:{}{path}", self.port)))
    }

    /// An answer of its read API.
    pub fn get(&self, path: &str) -> Value {
        self.curl(path, &["--fail"]).exits(0).json()
    }

    /// Every reading it holds, by the published schema of its database.
    pub fn rows(&self) -> Vec<Row> {
        let sql = "SELECT seq, source, quantity, coalesce(value, ''), unit, quality, wall_ms, at_ms, coalesce(codec, ''), \
                   redecoded_of FROM reading_linked WHERE box = ?1 ORDER BY seq, idx";
        self.query(sql, |row| {
            Ok(Row {
                seq: row.get::<_, i64>(0)?.unsigned_abs(),
                source: row.get(1)?,
                quantity: row.get(2)?,
                value: row.get(3)?,
                unit: row.get(4)?,
                quality: row.get(5)?,
                wall_ms: row.get(6)?,
                at_ms: row.get(7)?,
                codec: row.get(8)?,
                redecoded_of: row.get::<_, Option<i64>>(9)?.map(i64::unsigned_abs),
            })
        })
    }

    /// Every record's number, ascending.
    pub fn seqs(&self) -> Vec<u64> {
        let sql = "SELECT seq FROM record WHERE box = ?1 ORDER BY seq";
        self.query(sql, |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
    }

    /// Why it holds frames as refused, in order.
    pub fn refusals(&self) -> Vec<String> {
        self.query("SELECT why FROM rejected WHERE box = ?1 ORDER BY seq", |row| row.get(0))
    }

    /// What it was told that somebody ordered on the box: act, platform, first number, reason.
    pub fn audits(&self) -> Vec<(String, Option<String>, Option<i64>, String)> {
        let sql = "SELECT act, platform, first_seq, reason FROM audit WHERE box = ?1 ORDER BY seq";
        self.query(sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
    }

    /// How many alarm transitions it has of the box.
    pub fn alarm_count(&self) -> u32 {
        self.query("SELECT count(*) FROM alarm WHERE box = ?1", |row| row.get(0))[0]
    }

    fn query<T>(&self, sql: &str, read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let database = Connection::open_with_flags(self.state.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut statement = database.prepare(sql).unwrap();
        statement.query_map([BOX], read).unwrap().collect::<Result<_, _>>().unwrap()
    }
}
