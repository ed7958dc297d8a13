//! The real upload daemon in a network of its own, with a link to both platforms that delays, loses, flaps, swallows what
//! is long, has IPv6 alone, or no names: all of it heals to each record once at both (D3).
//!
//! Needs root for the networks; without it the test says so.
#![allow(clippy::print_stderr, reason = "why nothing was tested is for people")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use system_tests::row::{once, values};
use system_tests::sensor::noise;
use system_tests::{Answer, Daemon, Device, Sensor, World, tools, until, weir_binary};

const BOX_ADDRESSES: [&str; 2] = ["10.77.0.1/24", "fd77::1/64"];
const FAR_ADDRESSES: [&str; 2] = ["10.77.0.2/24", "fd77::2/64"];
const NAME: &str = "platform.example";
/// Short, so that what is swallowed is noticed; longer than any round trip here.
const TIMEOUTS: &str = "[destination.timeouts]\nconnect_ms = 4000\nanswer_ms = 4000\n";
/// Long enough for TLS to begin, too short for a batch.
const BLACK_HOLE_BYTES: u32 = 1_350;

fn run(program: &str, arguments: &str) {
    Answer::of(Command::new(program).args(arguments.split_whitespace())).exits(0);
}

fn peer(program: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers").join(program)
}

/// A program that is told by lines and answers each with one.
struct Told {
    child: Child,
    answers: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Told {
    /// Starts a Python peer in a namespace.
    fn start(namespace: &str, program: &str, arguments: &str) -> Told {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(tools("venv/bin/python")).arg(peer(program));
        command.args(arguments.split_whitespace()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Told { child, answers }
    }

    fn heard(&mut self) -> String {
        self.answers.next().expect("it answers").unwrap()
    }

    fn tell(&mut self, line: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        self.heard()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three namespaces in a row: the box's, the link's, the platforms'.
struct Networks {
    names: [String; 3],
}

impl Networks {
    fn new() -> Networks {
        let names = ["box", "link", "far"].map(|name| format!("weir-{name}-{}", std::process::id()));
        let [inside, link, far] = &names;
        names.iter().for_each(|name| run("ip", &format!("netns add {name}")));
        // What is in here takes the place of the files in /etc for those who enter the namespace.
        fs::create_dir_all(etc(inside)).unwrap();
        fs::write(etc(inside).join("resolv.conf"), "nameserver 10.77.0.2\noptions timeout:1 attempts:1\n").unwrap();
        let networks = Networks { names: names.clone() };
        run("ip", &format!("-n {link} link add box0 type veth peer name left"));
        run("ip", &format!("-n {link} link add far0 type veth peer name right"));
        let python = tools("venv/bin/python").display().to_string();
        let plain = format!("{} --plain box0 far0 left right", peer("bad_link.py").display());
        run("ip", &format!("netns exec {link} {python} {plain}"));
        for (name, interface, addresses) in [(inside, "box0", BOX_ADDRESSES), (far, "far0", FAR_ADDRESSES)] {
            run("ip", &format!("-n {link} link set {interface} netns {name}"));
            let [v4, v6] = addresses;
            run("ip", &format!("-n {name} addr add {v4} dev {interface}"));
            // Else it would first be looked for whether somebody has it, for a second or two.
            run("ip", &format!("-n {name} addr add {v6} dev {interface} nodad"));
            run("ip", &format!("-n {name} link set lo up"));
            run("ip", &format!("-n {name} link set {interface} up"));
        }
        run("ip", &format!("-n {link} link set left up"));
        run("ip", &format!("-n {link} link set right up"));
        networks
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
        let _ = fs::remove_dir_all(etc(&self.names[0]));
    }
}

fn etc(namespace: &str) -> PathBuf {
    PathBuf::from("/etc/netns").join(namespace)
}

/// A box on one side of the link, both platforms on the other.
struct Scene {
    world: World,
    device: Device,
    sensor: Sensor,
    sent: u64,
    platforms: Vec<Daemon>,
    link: Told,
    networks: Networks,
}

impl Scene {
    fn new() -> Scene {
        let networks = Networks::new();
        let device = Device::cod("cod-1");
        let mut world = World::box_only(std::slice::from_ref(&device), "");
        world.start_platforms();
        let mut platforms = Vec::new();
        for party in &mut world.platforms {
            // The same platforms, at home elsewhere and with a certificate of all names they have there.
            party.stop();
            let config = world_path(party.state.tls_cert().parent().unwrap(), party.name);
            let text = fs::read_to_string(&config).unwrap().replace("127.0.0.1:", "[::]:");
            let names = format!("tls_names = [\"10.77.0.2\", \"fd77::2\", \"{NAME}\"]\n");
            fs::write(&config, format!("{names}{text}")).unwrap();
            fs::remove_file(party.state.tls_cert()).unwrap();
            fs::remove_file(party.state.tls_cert().with_extension("key")).unwrap();
            let mut command = inside(&networks.names[2]);
            command.args(["platform", "run", "--config"]).arg(&config);
            platforms.push(Daemon::spawn(command, &config.with_extension("log")));
            until("the platform has its certificate", 20, || party.state.tls_cert().exists().then_some(()));
        }
        let link = Told::start(&networks.names[1], "bad_link.py", "left right");
        let sensor = Sensor::connect(&world, &device);
        Scene { world, device, sensor, sent: 0, platforms, link, networks }
    }

    /// Starts the upload daemon towards this host.
    fn start_sync(&mut self, host: &str) {
        self.world.sync = None;
        let mut text = "state_dir = \"state\"\nrun_dir = \"run\"\n".to_owned();
        for party in &self.world.platforms {
            let ca_file = party.state.tls_cert().display().to_string();
            let usual = system_tests::config::destination_toml(party.name, party.port, &ca_file, &party.public_key());
            text.push_str(&usual.replace("127.0.0.1", host));
            text.push_str(TIMEOUTS);
        }
        fs::write(self.world.path("sync.toml"), text).unwrap();
        let mut command = inside(&self.networks.names[0]);
        command.args(["sync", "run", "--config"]).arg(self.world.path("sync.toml"));
        // The socket of one that was killed stays behind.
        let _ = fs::remove_file(self.world.path("run/sync.sock"));
        self.world.sync = Some(Daemon::spawn(command, &self.world.path("sync.log")));
        until("the upload daemon is ready", 20, || UnixStream::connect(self.world.path("run/sync.sock")).ok());
    }

    fn publish(&mut self, count: u64) {
        for n in self.sent..self.sent + count {
            self.sensor.publish(&format!(r#"{{"n":{n},"cod":{}}}"#, noise(n) % 1_000_000_000));
        }
        self.sent += count;
    }

    fn link(&mut self, is_now: &Value) {
        self.link.tell(&is_now.to_string());
    }

    /// Waits until both platforms gave receipts for everything.
    fn healed(&mut self, what: &str) {
        let end = self.world.records();
        self.platforms.iter_mut().chain(&mut self.world.sync).for_each(Daemon::check);
        until(&format!("{what}: both platforms gave a receipt for every record"), 180, || {
            let all =
                |one: &Value| one["covered"].as_u64() >= Some(end) && one["missing"] == 0 && one["outstanding"] == 0;
            self.world.destinations().iter().all(all).then_some(())
        });
    }

    /// Waits until both destinations failed twice more, in whatever way.
    fn fails(&self, what: &str) {
        let failures = |one: &Value| -> u64 {
            let counters = one["counters"].as_object().unwrap();
            counters.iter().filter(|(name, _)| name.starts_with("failed_")).filter_map(|(_, n)| n.as_u64()).sum()
        };
        let before: Vec<u64> = self.world.destinations().iter().map(failures).collect();
        until(&format!("{what}: nothing gets through, and that is known"), 60, || {
            let now = self.world.destinations();
            now.iter().zip(&before).all(|(one, before)| failures(one) >= before + 2).then_some(())
        });
    }
}

/// `weir` in a namespace.
fn inside(namespace: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(weir_binary());
    command
}

/// The configuration beside a platform's folder.
fn world_path(state: &std::path::Path, name: &str) -> PathBuf {
    state.parent().unwrap().join(format!("{name}-platform.toml"))
}

#[test]
fn every_kind_of_bad_network_heals_to_each_record_once() {
    if !rustix::process::getuid().is_root() {
        eprintln!("NOT TESTED: networks of their own need root · try: sudo -E tests/run system bad_network");
        return;
    }
    let mut scene = Scene::new();
    scene.start_sync("10.77.0.2");
    scene.publish(20);
    scene.healed("a good link");

    let mobile = json!({"delay_ms": 150, "jitter_ms": 30, "loss": 0.2, "reorder": 0.05, "kbit_s": 64});
    scene.link(&mobile);
    scene.publish(60);
    scene.healed("64 kbit/s, 300 ms, 20 % loss");
    scene.link(&json!({"delay_ms": 0, "jitter_ms": 0, "loss": 0, "reorder": 0, "kbit_s": 0}));

    for flap in 0..30 {
        scene.link(&json!({"up": flap % 2 == 1}));
        scene.publish(1 + flap % 20);
    }
    scene.healed("flaps");

    // Enough, all at once, for batches that are longer than a packet.
    scene.world.sync = None;
    scene.publish(2_000);
    scene.link(&json!({"bytes_max": BLACK_HOLE_BYTES}));
    scene.start_sync("10.77.0.2");
    scene.fails("what is long vanishes");
    scene.link(&json!({"bytes_max": 65_535}));
    scene.healed("what is long passes again");

    let [inner, _, far] = scene.networks.names.clone();
    run("ip", &format!("-n {inner} -4 addr flush dev box0"));
    run("ip", &format!("-n {far} -4 addr flush dev far0"));
    scene.start_sync("[fd77::2]");
    scene.publish(20);
    scene.healed("IPv6 alone");

    run("ip", &format!("-n {inner} addr add {} dev box0", BOX_ADDRESSES[0]));
    run("ip", &format!("-n {far} addr add {} dev far0", FAR_ADDRESSES[0]));
    let mut names = Told::start(&far, "dns_server.py", &format!("10.77.0.2 {NAME} 10.77.0.2 fd77::2"));
    assert_eq!(names.heard(), "0");
    scene.start_sync(NAME);
    scene.publish(20);
    for how in ["silence", "servfail", "nxdomain"] {
        names.tell(how);
        scene.fails(&format!("names: {how}"));
    }
    assert_ne!(names.tell("right"), "0", "it was asked");
    scene.healed("names");

    let rows = scene.world.delivered();
    assert_eq!(values(&rows, &scene.device.name, "n"), once(0..scene.sent), "nothing is missing or doubled");
    scene.world.verify().exits(0);
}
