//! A link that was down and is back: what waits leaves at once, told by the kernel and not by the backoff.
//!
//! The box's upload daemon lives in a network namespace of its own, which needs root; without it the test says so.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures, and why nothing was tested, are for people")]

use std::fs;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use system_tests::config::{BOX, free_tcp_port};
use system_tests::{Answer, Daemon, Device, Peer, World, until, weir_binary};

/// The waits are uniform up to a minute: one of at least this long must not be sat out.
const WAIT_MS_MIN: u64 = 10_000;

fn ip(arguments: &str) {
    Answer::of(Command::new("ip").args(arguments.split_whitespace())).exits(0);
}

/// A namespace with one cable to the host; both go with it.
struct Namespace {
    name: String,
    outer: String,
    net: String,
}

impl Namespace {
    fn new() -> Namespace {
        let pid = std::process::id();
        let (name, outer, net) =
            (format!("weir{pid}"), format!("weir{}", pid % 100_000), format!("10.207.{}", pid % 250));
        ip(&format!("netns add {name}"));
        let namespace = Namespace { name, outer, net };
        let Namespace { name, outer, net } = &namespace;
        ip(&format!("link add {outer} type veth peer name modem netns {name}"));
        ip(&format!("addr add {net}.1/30 dev {outer}"));
        ip(&format!("link set {outer} up"));
        ip(&format!("-n {name} addr add {net}.2/30 dev modem"));
        namespace.up();
        namespace
    }

    fn up(&self) {
        ip(&format!("-n {} link set modem up", self.name));
        ip(&format!("-n {} route add default via {}.1", self.name, self.net));
    }

    fn down(&self) {
        ip(&format!("-n {} link set modem down", self.name));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
        let _ = Command::new("ip").args(["link", "del", &self.outer]).stderr(std::process::Stdio::null()).status();
    }
}

fn municipal(world: &World) -> Option<Value> {
    world.status()["sync"]["destinations"].as_array()?.first().cloned()
}

#[test]
fn what_waits_leaves_at_once_when_the_link_is_back() {
    if Answer::of(Command::new("id").arg("-u")).out.trim() != "0" {
        eprintln!("NOT TESTED: a network namespace needs root · try: sudo -E tests/run system link_back");
        return;
    }
    let device = Device::cod("cod-1");
    let mut world = World::box_only(std::slice::from_ref(&device), "");
    let namespace = Namespace::new();
    let (port, address) = (free_tcp_port(), format!("{}.1", namespace.net));
    let key = world.public_key();
    let text = format!(
        "name = \"municipal\"\nlisten = \"{address}:{port}\"\nstate_dir = \"municipal\"\n[[box]]\nid = \"{BOX}\"\nkey = \"{key}\"\n"
    );
    fs::write(world.path("platform.toml"), text).unwrap();
    let _platform = Daemon::start("platform", &world.path("platform.toml"), &world.path(""));
    let state = platform::StateDir::new(world.path("municipal"));
    let platform_key = until("the platform has its key", 20, || {
        state.tls_cert().exists().then(|| fs::read_to_string(state.public_key()).ok()).flatten()
    });
    let text = format!(
        "state_dir = \"state\"\nrun_dir = \"run\"\n[[destination]]\nname = \"municipal\"\nurl = \"https://{address}:{port}/\"\n\
         ca_file = \"{}\"\nkey = \"{}\"\n[destination.timeouts]\nidle_ms = 0\n\
         [destination.backoff]\nbase_ms = 60_000\nceiling_ms = 60_000\n",
        state.tls_cert().display(),
        platform_key.trim()
    );
    fs::write(world.path("sync.toml"), text).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &namespace.name]).arg(weir_binary());
    command.args(["sync", "run", "--config"]).arg(world.path("sync.toml"));
    let mut sync = Daemon::spawn(command, &world.path("sync.log"));
    let holds_all = |world: &World| {
        let (one, end) = (municipal(world)?, world.records());
        (one["covered"].as_u64()? == end && one["outstanding"] == 0).then_some(())
    };
    until("everything is delivered", 60, || {
        sync.check();
        holds_all(&world)
    });

    namespace.down();
    Peer::sensor("paho_sensor.py", &world, &device).with("--count", 5).run().exits(0);
    let wait_ms = until("a try failed, and the next one is far", 300, || {
        let one = municipal(&world)?;
        one["next_try_ms"].as_u64().filter(|ms| *ms >= WAIT_MS_MIN && one["last_error"]["kind"] == "unreachable")
    });
    let back = Instant::now();
    namespace.up();
    until("everything is delivered again", 60, || holds_all(&world));
    let took_ms = back.elapsed().as_millis();
    println!("delivered {took_ms} ms after the link was back; the next try was {wait_ms} ms away");
    assert!(took_ms < u128::from(wait_ms), "it was sat out: {took_ms} ms of {wait_ms} ms");
    sync.check();
    world.gateway = None;
}
