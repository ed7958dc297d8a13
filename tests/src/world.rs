//! Two platforms, the upload daemon and the gateway, each a process, on loopback.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ::platform::export::write_artifacts;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::config::{
    destination_toml, devices_toml, free_tcp_port, free_udp_port, gateway_toml, keys_toml, lora_devices_json,
    serial_devices_json, write_secret,
};
use crate::{Answer, Daemon, Device, Disk, Party, Peer, Row, until};

/// What a person or `weir device` writes.
const CONFIG: [&str; 4] = ["gateway.toml", "devices.toml", "keys.toml", "rules.toml"];

/// A box and, if started so, its two platforms. Everything ends with it.
#[derive(Debug)]
pub struct World {
    /// The port of MQTT.
    pub mqtt_port: u16,
    /// The port of GWMP.
    pub gwmp_port: u16,
    /// The field daemon while it runs.
    pub gateway: Option<Daemon>,
    /// The upload daemon while it runs.
    pub sync: Option<Daemon>,
    /// `municipal` and `provincial`, or none.
    pub platforms: Vec<Party>,
    /// The box's own disk, if it has one, at `disk`: its configuration and its state, and nothing else of this world.
    pub disk: Option<Disk>,
    dir: TempDir,
}

impl World {
    /// Everything, with these devices.
    pub fn start(devices: &[Device]) -> World {
        let mut world = World::box_only(devices, "");
        world.start_platforms();
        world.start_sync();
        world
    }

    /// Only a gateway; `more` is added to `gateway.toml`.
    pub fn box_only(devices: &[Device], more: &str) -> World {
        let mut world = World::prepared(devices, more);
        world.start_gateway();
        world
    }

    /// Only the files of a gateway.
    pub fn prepared(devices: &[Device], more: &str) -> World {
        let dir = TempDir::with_prefix("weir-").unwrap();
        let (mqtt_port, gwmp_port) = (free_tcp_port(), free_udp_port());
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("gateway.toml", &gateway_toml(mqtt_port, gwmp_port, more));
        write("devices.toml", &devices_toml(devices));
        write_secret(&dir.path().join("keys.toml"), &keys_toml(devices));
        write("rules.toml", "");
        write("lora.json", &lora_devices_json(devices));
        write("serial.json", &serial_devices_json(devices));
        World { mqtt_port, gwmp_port, gateway: None, sync: None, platforms: Vec::new(), disk: None, dir }
    }

    /// Only the files of a gateway, on a [`Disk`]. `weir device` must be given [`World::config_dir`].
    pub fn on_disk(devices: &[Device], more: &str) -> World {
        let mut world = World::prepared(devices, more);
        let path = world.path("disk");
        fs::create_dir(&path).unwrap();
        let disk = Disk::mount(&path);
        fs::create_dir(path.join("state")).unwrap();
        symlink("disk/state", world.path("state")).unwrap();
        for name in CONFIG {
            let file = world.path(name);
            fs::copy(&file, path.join(name)).unwrap();
            fs::remove_file(&file).unwrap();
            symlink(format!("disk/{name}"), file).unwrap();
        }
        disk.settle();
        world.disk = Some(disk);
        world
    }

    /// The folder of `gateway.toml`, as `--config-dir` wants it.
    pub fn config_dir(&self) -> String {
        self.disk.as_ref().map_or(self.dir.path(), Disk::path).display().to_string()
    }

    /// What `devices.toml` and `keys.toml` are now.
    pub fn config_texts(&self) -> (String, String) {
        let text = |name: &str| fs::read_to_string(self.path(name)).unwrap();
        (text("devices.toml"), text("keys.toml"))
    }

    /// A file of this world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the gateway and waits until it is ready: its control socket opens last.
    pub fn start_gateway(&mut self) {
        self.gateway = None;
        self.gateway = Some(self.ready(Daemon::start("gateway", &self.path("gateway.toml"), self.dir.path())));
    }

    /// The same on a machine that knows the time. The time itself is this machine's.
    pub fn start_gateway_synchronised(&mut self) {
        self.gateway = None;
        let config = self.path("gateway.toml");
        self.gateway = Some(self.ready(Daemon::start_synchronised("gateway", &config, self.dir.path())));
    }

    /// The same under `strace`, which writes to this file.
    pub fn start_gateway_traced(&mut self, trace: &Path) {
        self.gateway = None;
        let traced = Daemon::start_traced("gateway", &self.path("gateway.toml"), self.dir.path(), trace);
        self.gateway = Some(self.ready(traced));
    }

    /// The same with its log going elsewhere.
    pub fn start_gateway_logging_to(&mut self, stderr: Stdio) {
        self.gateway = None;
        let config = self.path("gateway.toml");
        self.gateway = Some(self.ready(Daemon::start_logging_to("gateway", &config, self.dir.path(), stderr)));
    }

    /// The same with a socket for LoRa gateways that stays open whatever becomes of the gateway, as systemd keeps it.
    pub fn start_gateway_activated(&mut self, gwmp: &UdpSocket) {
        self.gateway = None;
        let (config, logs) = (self.path("gateway.toml"), self.dir.path());
        let activated = Daemon::start_activated("gateway", &config, logs, gwmp, "gwmp");
        self.gateway = Some(self.ready(activated));
    }

    fn ready(&self, mut gateway: Daemon) -> Daemon {
        let socket = self.path("run/gateway.sock");
        until("the gateway is ready", 20, || {
            gateway.check();
            UnixStream::connect(&socket).ok()
        });
        gateway
    }

    /// SIGKILL to the gateway.
    pub fn kill_gateway(&mut self) {
        self.gateway = None;
    }

    /// Starts two platforms that know this box.
    pub fn start_platforms(&mut self) {
        let key = self.public_key();
        let start = |name| Party::start(name, self.dir.path(), Some(&key));
        self.platforms = vec![start("municipal"), start("provincial")];
    }

    /// Starts both platforms, neither of which knows the box.
    pub fn start_strange_platforms(&mut self) {
        let start = |name| Party::start(name, self.dir.path(), None);
        self.platforms = vec![start("municipal"), start("provincial")];
    }

    /// Starts the upload daemon towards both platforms.
    pub fn start_sync(&mut self) {
        self.sync_config();
        self.restart_sync();
    }

    /// Writes `sync.toml` with both platforms; its path.
    pub fn sync_config(&self) -> String {
        let destination = |party: &Party| {
            destination_toml(party.name, party.port, &party.state.tls_cert().display().to_string(), &party.public_key())
        };
        let destinations: String = self.platforms.iter().map(destination).collect();
        let config = self.path("sync.toml");
        fs::write(&config, format!("state_dir = \"state\"\nrun_dir = \"run\"\n{destinations}")).unwrap();
        config.display().to_string()
    }

    /// Starts the upload daemon with the configuration that is there.
    pub fn restart_sync(&mut self) {
        self.sync = None;
        let mut sync = Daemon::start("sync", &self.path("sync.toml"), self.dir.path());
        let socket = self.path("run/sync.sock");
        until("the upload daemon is ready", 20, || {
            sync.check();
            UnixStream::connect(&socket).ok()
        });
        self.sync = Some(sync);
    }

    /// The box's public key, as `weir identity` prints it.
    pub fn public_key(&self) -> String {
        self.weir(&["identity", "--json"]).exits(0).json()["key"].as_str().expect("key").to_owned()
    }

    /// `weir` on this box.
    pub fn weir(&self, arguments: &[&str]) -> Answer {
        World::weir_in(self.dir.path(), arguments)
    }

    /// `weir` on the box whose `state` and `run` are in this folder.
    pub fn weir_in(dir: &Path, arguments: &[&str]) -> Answer {
        let run = dir.join("run").display().to_string();
        World::weir_with_state(&dir.join("state"), &[&["--run-dir", &run], arguments].concat())
    }

    /// `weir` on a box whose state is in this folder, and of which nothing runs.
    pub fn weir_with_state(state: &Path, arguments: &[&str]) -> Answer {
        Answer::of_weir(&[&["--state-dir", &state.display().to_string()], arguments].concat())
    }

    /// `weir device` on this box's files.
    pub fn device(&self, arguments: &[&str]) -> Answer {
        let dir = self.dir.path().display().to_string();
        let mut all = vec!["device", "--config-dir", &dir];
        all.extend(arguments);
        self.weir(&all)
    }

    /// One request to the gateway's control socket, as any program of the box's group may make it.
    pub fn ask(&self, request: &Value) -> Value {
        let answer = self.converse("gateway.sock", request);
        assert_eq!(answer["ok"], true, "{request}: {answer}");
        answer
    }

    /// The same, and whatever it answers.
    pub fn ask_gateway(&self, request: &Value) -> Value {
        self.converse("gateway.sock", request)
    }

    /// One request to the upload daemon's control socket, and whatever it answers.
    pub fn ask_sync(&self, request: &Value) -> Value {
        self.converse("sync.sock", request)
    }

    fn converse(&self, socket: &str, request: &Value) -> Value {
        let mut socket = UnixStream::connect(self.path("run").join(socket)).unwrap();
        writeln!(socket, "{request}").unwrap();
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{request}: {error}: {line}"))
    }

    /// What the upload daemon says of each destination, without a command in between, once it serves them.
    pub fn destinations(&self) -> Vec<Value> {
        until("the upload daemon serves its destinations", 20, || {
            let answer = self.ask_sync(&json!({"do": "status"}));
            answer["status"]["destinations"].as_array().filter(|all| !all.is_empty()).cloned()
        })
    }

    /// The newest 1,000 records of a device, or of nobody known, as `weir tail` tells them.
    pub fn records_of(&self, source: Option<&str>) -> Vec<Value> {
        let all = self.weir(&["tail", "-n", "1000", "--json"]).exits(0).json_lines();
        all.into_iter().filter(|record| record["source"].as_str() == source).collect()
    }

    /// Why frames of a device, or of nobody known, are refused, in order.
    pub fn refusals_of(&self, source: Option<&str>) -> Vec<String> {
        let why = |record: Value| record["why"].as_str().map(str::to_owned);
        self.records_of(source).into_iter().filter_map(why).collect()
    }

    /// `weir status --json`.
    pub fn status(&self) -> Value {
        self.weir(&["status", "--json"]).json()
    }

    /// A number of `weir status --json`, by JSON pointer; 0 if it is not there.
    pub fn count(&self, pointer: &str) -> u64 {
        self.status().pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
    }

    /// Waits until a number of `weir status --json` is this one: what is counted is shown a moment after the answer.
    pub fn until_count(&self, pointer: &str, expected: u64) {
        until(&format!("{pointer} is {expected}"), 30, || (self.count(pointer) == expected).then_some(()));
    }

    /// Records in the journal.
    pub fn records(&self) -> u64 {
        self.count("/gateway/journal/records")
    }

    /// Every reading in the journal, as `weir export` writes it.
    pub fn export(&self) -> Vec<Row> {
        let lines = self.weir(&["export", "--json"]).exits(0).json_lines();
        lines.iter().map(Row::of_export).collect()
    }

    /// The numbers that `paho_sensor.py` saw acknowledged, by its `--acked NAME.acked`. The last line may be half written.
    pub fn acknowledged(&self, name: &str) -> BTreeSet<u64> {
        let text = fs::read_to_string(self.path(&format!("{name}.acked"))).unwrap_or_default();
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["n"].as_u64().unwrap()).collect()
    }

    /// Waits until both platforms hold every record with its readings, and each of them once.
    pub fn delivered(&self) -> Vec<Row> {
        // A frame is acknowledged a moment before the status counts it: what is delivered is looked at as a whole, each time.
        let (end, journal) = until("both platforms hold every record, with the readings of the journal", 60, || {
            let end = self.records();
            let status = self.status();
            let destinations = status["sync"]["destinations"].as_array()?;
            let all = |d: &Value| d["covered"].as_u64() >= Some(end) && d["missing"] == 0 && d["outstanding"] == 0;
            let is_covered = destinations.len() == self.platforms.len() && destinations.iter().all(all);
            let journal = is_covered.then(|| self.export())?;
            self.platforms.iter().all(|party| party.rows() == journal).then_some((end, journal))
        });
        for party in &self.platforms {
            let seqs = party.seqs();
            // The box may have told something of its own since, of its clock for one.
            let held = end.max(u64::try_from(seqs.len()).unwrap());
            assert_eq!(seqs, (0..held).collect::<Vec<_>>(), "{} holds each record once", party.name);
        }
        journal
    }

    /// Has the auditor in Python read what both platforms hold: it finds nothing wrong, and each bit that is flipped.
    pub fn audit(&self) {
        let folder = self.path("artifacts");
        for party in &self.platforms {
            write_artifacts(&party.state, &folder.join(party.name)).unwrap();
        }
        let auditor =
            Peer::new("verify_cose.py").args([&folder]).args(["--complete", "--flips", "200", "--flip-files", "1"]);
        let audited = auditor.run().exits(0);
        assert_eq!(audited.number("problems"), 0, "{:#}", audited.summary());
    }

    /// `weir verify --json` with this world's platforms.
    pub fn verify(&self) -> Answer {
        self.weir(&["verify", "--json", "--sync-config", &self.path("sync.toml").display().to_string()])
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.dir.disable_cleanup(true);
            eprintln!("-- kept: {}", self.dir.path().display());
        }
    }
}
