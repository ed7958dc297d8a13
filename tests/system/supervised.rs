//! What systemd is told (sd_notify(3)), on a socket such as it gives: ready when the daemon answers, alive while the part that
//! does the work answers, and nothing from one that hangs.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use system_tests::weir_binary;
use system_tests::{Daemon, Device, Disk, World};

/// Three times as often as this the daemon says that it is alive.
const WATCHDOG: Duration = Duration::from_millis(900);

/// systemd's end.
struct Notified(UnixDatagram);

impl Notified {
    fn new(path: &Path) -> Notified {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Notified(socket)
    }

    /// The next message.
    fn next(&self) -> String {
        let mut message = [0; 4_096];
        let len = self.0.recv(&mut message).expect("systemd is told something");
        String::from_utf8(message[..len].to_vec()).unwrap().trim().to_owned()
    }

    /// Whether nothing more comes in this time, after what is there already.
    fn is_silent(&self, time: Duration) -> bool {
        self.0.set_nonblocking(true).unwrap();
        while self.0.recv(&mut [0; 4_096]).is_ok() {}
        self.0.set_nonblocking(false).unwrap();
        self.0.set_read_timeout(Some(time)).unwrap();
        let silent = self.0.recv(&mut [0; 4_096]).is_err();
        self.0.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        silent
    }
}

fn start(world: &World, name: &str, socket: &Path) -> Daemon {
    let mut command = Command::new(weir_binary());
    command.args([name, "run", "--config"]).arg(world.path(&format!("{name}.toml")));
    command.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    Daemon::spawn(command, &world.path(&format!("{name}.log")))
}

fn signal(daemon: &Daemon, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(daemon.pid()).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn both_daemons_are_ready_alive_silent_when_they_hang_and_stop_by_themselves() {
    let world = World::prepared(&[Device::cod("cod-1")], "");
    std::fs::write(world.path("sync.toml"), "state_dir = \"state\"\nrun_dir = \"run\"\n").unwrap();
    for name in ["gateway", "sync"] {
        let path = world.path(&format!("{name}-notify"));
        let notified = Notified::new(&path);
        let daemon = start(&world, name, &path);
        assert_eq!(notified.next(), "READY=1", "{name}");
        assert!((0..3).all(|_| notified.next() == "WATCHDOG=1"), "{name}");
        signal(&daemon, Signal::STOP);
        assert!(notified.is_silent(WATCHDOG * 3), "{name} hangs");
        signal(&daemon, Signal::CONT);
        assert_eq!(notified.next(), "WATCHDOG=1", "{name} goes on");
        signal(&daemon, Signal::TERM);
        let last = std::iter::repeat_with(|| notified.next()).find(|message| message != "WATCHDOG=1");
        assert_eq!(last.as_deref(), Some("STOPPING=1"), "{name}");
        assert_eq!(daemon.wait(), Some(0), "{name}");
    }
}

#[test]
fn a_gateway_that_cannot_store_is_not_alive() {
    const STUCK: Duration = Duration::from_secs(8);
    let world = World::on_disk(&[Device::cod("cod-1")], "[checkpoint]\nseconds_max = 86400\n");
    let path = world.path("gateway-notify");
    let notified = Notified::new(&path);
    let daemon = start(&world, "gateway", &path);
    assert_eq!(notified.next(), "READY=1");
    assert_eq!(notified.next(), "WATCHDOG=1");
    let disk = world.disk.as_ref().unwrap();
    disk.slow(STUCK);
    std::thread::scope(|scope| {
        let order = scope.spawn(|| world.ask(&json!({"do": "send", "device": "cod-1", "payload": "00"})));
        std::thread::sleep(WATCHDOG);
        // The order may be on its way for a while.
        let silent = (0..2).any(|_| notified.is_silent(WATCHDOG * 3));
        assert!(silent, "it says that it is alive, and stores nothing");
        disk.slow(Disk::SYNC);
        order.join().unwrap();
    });
    assert_eq!(notified.next(), "WATCHDOG=1", "it stores again");
    assert_eq!(daemon.terminate(), Some(0));
}
