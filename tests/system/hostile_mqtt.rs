//! Hostile or broken MQTT clients against the whole daemon. A well-behaved device publishes all the while: each of its
//! frames is acknowledged, on the one connection it began with, and the daemon's memory stays under its bound.
//!
//! The single sequences of such clients are tests of the edge itself; here are those that need many of something.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use system_tests::peer::Running;
use system_tests::{Device, Peer, World, until};

/// Peak resident memory of the daemon under attack. It idles at some 20 MiB; the queue may hold 16, each of 1,000
/// connections its buffers, and the journal its page cache.
const PEAK_KIB_MAX: u64 = 256 * 1024;
/// Longer than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway and its bystander.
struct Siege {
    world: World,
    bystander: Option<Running>,
}

impl Siege {
    fn begin(attackers: &[Device]) -> Siege {
        let bystander = Device::cod("bystander");
        let devices: Vec<Device> = attackers.iter().cloned().chain([bystander.clone()]).collect();
        let world = World::box_only(&devices, "");
        let peer = Peer::sensor("paho_sensor.py", &world, &bystander).with("--rate", 50).with("--count", 1_000_000);
        let running = peer.with("--until", world.path("over").display()).with("--deadline", 120).start();
        let siege = Siege { world, bystander: Some(running) };
        siege.bystander_goes_on();
        siege
    }

    /// Waits until frames that the bystander sends from now on are stored.
    fn bystander_goes_on(&self) {
        let accepted = || self.world.count("/gateway/devices/bystander/accepted");
        let before = accepted();
        until("the bystander is served", 30, || (accepted() > before + 5).then_some(()));
    }

    fn dial(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.world.mqtt_port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// A connection of this device, let in, speaking MQTT 3.1.1.
    fn connect(&self, device: &Device) -> TcpStream {
        let mut stream = self.dial().unwrap();
        stream.write_all(&connect(device)).unwrap();
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).unwrap();
        assert_eq!(connack, [0x20, 2, 0, 0], "{} is let in", device.name);
        stream
    }

    fn pid(&self) -> u32 {
        self.world.gateway.as_ref().unwrap().pid()
    }

    fn end(mut self) {
        self.bystander_goes_on();
        fs::write(self.world.path("over"), "").unwrap();
        let finished = self.bystander.take().unwrap().finish().exits(0);
        assert_eq!(finished.number("connects"), 1, "it was never disconnected");
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak_kib < PEAK_KIB_MAX, "peak resident memory: {peak_kib} KiB");
    }
}

fn string(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

/// CONNECT with a clean session and without keep-alive; all lengths fit one byte.
fn connect(device: &Device) -> Vec<u8> {
    let (name, password) = (string(&device.name), string(&device.password()));
    let body = [&b"\x00\x04MQTT\x04\xc2\x00\x00"[..], &name, &name, &password].concat();
    [&[0x10, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

#[test]
fn ten_thousand_connections() {
    let guest = Device::cod("guest");
    let siege = Siege::begin(std::slice::from_ref(&guest));
    let mut open = Vec::new();
    for n in 0..10_000 {
        // The kernel's own queue may be full for a moment.
        let Ok(stream) = siege.dial() else { continue };
        open.push(stream);
        if n % 2_000 == 0 {
            siege.bystander_goes_on();
        }
    }
    assert!(siege.world.count("/gateway/mqtt/counters/connections_full") > 0, "more than there is room for");
    drop(open);
    until("a guest is served again", 30, || {
        let mut stream = siege.dial().ok()?;
        stream.write_all(&connect(&guest)).ok()?;
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).ok().filter(|()| connack == [0x20, 2, 0, 0])
    });
    siege.end();
}

#[test]
fn slow_loris() {
    let attacker = Device::cod("loris");
    let siege = Siege::begin(std::slice::from_ref(&attacker));
    let bytes = connect(&attacker);
    let mut slow: Vec<TcpStream> = (0..200).map(|_| siege.dial().unwrap()).collect();
    let start = Instant::now();
    for byte in &bytes[..10] {
        for stream in &mut slow {
            // One that was closed meanwhile is what this waits for.
            let _ = stream.write_all(&[*byte]);
        }
        siege.bystander_goes_on();
    }
    for mut stream in slow {
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "closed without a word");
    }
    assert!(start.elapsed() < PATIENCE);
    siege.end();
}

#[test]
fn three_hundred_megabytes_of_qos_2_without_release() {
    const ATTACKERS: usize = 10;
    const FRAMES: u16 = 500;
    let attackers: Vec<Device> = (0..ATTACKERS).map(|n| Device::cod(&format!("hoarder-{n}"))).collect();
    let siege = Siege::begin(&attackers);
    thread::scope(|scope| {
        for device in &attackers {
            let mut stream = siege.connect(device);
            scope.spawn(move || {
                let topic = string(&device.topic());
                for id in 1..=FRAMES {
                    let payload = format!("{{\"n\":{id},\"cod\":1}}{}", " ".repeat(60_000));
                    let body = [&topic[..], &id.to_be_bytes(), payload.as_bytes()].concat();
                    let length = u32::try_from(body.len()).unwrap();
                    let length =
                        [length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14].map(|b| b.to_le_bytes()[0]);
                    stream.write_all(&[&[0x34][..], &length, &body].concat()).unwrap();
                    let mut pubrec = [0; 4];
                    stream.read_exact(&mut pubrec).unwrap();
                    assert_eq!(pubrec, [0x50, 2, id.to_be_bytes()[0], id.to_be_bytes()[1]]);
                }
            });
        }
    });
    siege.end();
}

#[test]
fn a_full_table_of_file_descriptors() {
    let guest = Device::cod("guest");
    let siege = Siege::begin(std::slice::from_ref(&guest));
    let pid = Pid::from_raw(i32::try_from(siege.pid()).unwrap());
    let used = fs::read_dir(format!("/proc/{}/fd", siege.pid())).unwrap().count();
    let low = u64::try_from(used).unwrap() + 8;
    // The daemon inherited our limits.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let before = prlimit(pid, Resource::Nofile, Rlimit { current: Some(low), maximum }).unwrap();
    let open: Vec<TcpStream> = (0..100).filter_map(|_| siege.dial().ok()).collect();
    // Commands of the technician cannot be answered either, so the clock has to do.
    thread::sleep(Duration::from_secs(2));
    prlimit(pid, Resource::Nofile, before).unwrap();
    drop(open);
    until("accepting failed and came back", 30, || {
        (siege.world.count("/gateway/mqtt/counters/accept_failed") > 0).then_some(())
    });
    siege.connect(&guest);
    siege.end();
}
