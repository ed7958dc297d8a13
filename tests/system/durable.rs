//! A1 as the kernel sees it: between the arrival of a frame and its acknowledgement, a sync of the journal began and
//! returned. `strace` writes down what the gateway does; this reads it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use system_tests::{Device, Peer, World, until};

/// What the gateway did, at the line of the trace where it counts: data when it is there, sends when they begin.
#[derive(Debug)]
enum Call {
    Received {
        fd: u32,
        bytes: Vec<u8>,
    },
    Sent {
        fd: u32,
        bytes: Vec<u8>,
    },
    /// A descriptor with this number begins anew.
    Accepted {
        fd: u32,
    },
    /// A sync of a file that began at line `since` returned here.
    Synced {
        since: usize,
    },
}

/// Reads `PID call(fd, ...) = result`, and the two halves of a call that another thread interrupted.
fn read(trace: &Path) -> Vec<(usize, Call)> {
    let text = fs::read_to_string(trace).unwrap();
    let mut unfinished: HashMap<&str, (usize, &str, u32)> = HashMap::new();
    let mut calls = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let (since, name, fd, ends) = if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((since, name, fd)) = unfinished.remove(pid) else { continue };
            assert!(resumed.starts_with(name), "{line}");
            (since, name, fd, true)
        } else {
            let Some((name, arguments)) = rest.split_once('(') else { continue };
            let digits: String = arguments.chars().take_while(char::is_ascii_digit).collect();
            let Ok(fd) = digits.parse() else { continue };
            (at, name, fd, !rest.ends_with("<unfinished ...>"))
        };
        if !ends {
            unfinished.insert(pid, (at, name, fd));
        }
        let good = rest.rsplit_once("= ").is_some_and(|(_, result)| !result.starts_with('-'));
        match name {
            "fdatasync" | "fsync" if ends => {
                assert!(good, "a sync failed: {line}");
                calls.push((at, Call::Synced { since }));
            }
            "accept4" if ends && good => {
                let fd = rest.rsplit_once("= ").and_then(|(_, fd)| fd.parse().ok()).expect("a descriptor");
                calls.push((at, Call::Accepted { fd }));
            }
            "recvfrom" | "recvmsg" | "read" | "readv" if ends && good => {
                calls.push((at, Call::Received { fd, bytes: quoted(rest, name) }));
            }
            // What a send holds stands where it begins; the second half of an interrupted one adds nothing.
            "sendto" | "sendmsg" | "write" | "writev" if since == at => {
                calls.push((at, Call::Sent { fd, bytes: quoted(rest, name) }));
            }
            _ => {}
        }
    }
    calls
}

/// The bytes of `"\x40\x02"`: the first string, or all of a vector. Others are addresses.
fn quoted(line: &str, call: &str) -> Vec<u8> {
    let strings = line.split('"').skip(1).step_by(2);
    let most = if call.ends_with('v') { usize::MAX } else { 1 };
    let hex: String = strings.take(most).collect();
    hex.split("\\x").skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// Whole MQTT packets of one stream, each with the line at which its last byte came.
#[derive(Default)]
struct Packets(Vec<u8>);

impl Packets {
    fn feed(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.0.extend(bytes);
        let mut whole = Vec::new();
        while let Some(length) = Packets::length(&self.0).filter(|length| *length <= self.0.len()) {
            whole.push(self.0.drain(..length).collect());
        }
        whole
    }

    /// MQTT 3.1.1 §2.2.3: the remaining length, seven bits a byte.
    fn length(bytes: &[u8]) -> Option<usize> {
        let mut value = 0;
        for (nth, byte) in bytes.get(1..)?.iter().take(4).enumerate() {
            value |= usize::from(byte & 0x7f) << (7 * nth);
            if byte & 0x80 == 0 {
                return Some(2 + nth + value);
            }
        }
        None
    }
}

/// The packet identifier of a PUBLISH with QoS 1 or 2.
fn publish_id(packet: &[u8]) -> Option<[u8; 2]> {
    if packet[0] >> 4 != 3 || packet[0] & 0b110 == 0 {
        return None;
    }
    let head = 1 + packet[1..].iter().position(|byte| byte & 0x80 == 0)? + 1;
    // Files and events are read too: what has no topic is no PUBLISH.
    let topic = usize::from(u16::from_be_bytes(packet.get(head..head + 2)?.try_into().ok()?));
    packet.get(head + 2 + topic..head + 4 + topic)?.try_into().ok()
}

/// Gateway under `strace` with these devices; what `act` does is traced to the end.
fn traced(devices: &[Device], act: impl FnOnce(&World)) -> Vec<(usize, Call)> {
    let mut world = World::prepared(devices, "");
    let trace = world.path("trace");
    world.start_gateway_traced(&trace);
    act(&world);
    world.gateway.take().unwrap().terminate();
    until("the trace is complete", 20, || fs::read_to_string(&trace).ok()?.contains("+++ exited").then_some(()));
    let calls = read(&trace);
    assert!(!calls.is_empty(), "strace saw nothing: it may not trace here (see kernel.yama.ptrace_scope)");
    calls
}

fn synced_between(calls: &[(usize, Call)], from: usize, to: usize) -> bool {
    let within = |(at, call): &(usize, Call)| matches!(call, Call::Synced { since } if *since > from && *at < to);
    calls.iter().any(within)
}

#[test]
fn each_puback_and_pubrec_leaves_after_a_sync_that_began_after_its_publish() {
    let devices = [Device::cod("v4-q1"), Device::cod("v5-q2")];
    let calls = traced(&devices, |world| {
        let start = |device, level: u8, qos: u8| {
            let sensor = Peer::sensor("paho_sensor.py", world, device).with("--level", level).with("--qos", qos);
            sensor.with("--count", 60).with("--window", 16).start()
        };
        let sensors = [start(&devices[0], 4, 1), start(&devices[1], 5, 2)];
        sensors.into_iter().for_each(|sensor| assert_eq!(sensor.finish().exits(0).number("acknowledged"), 60));
    });
    let (mut incoming, mut outgoing) = (HashMap::<u32, Packets>::new(), HashMap::<u32, Packets>::new());
    let (mut published, mut acknowledged) = (HashMap::new(), 0);
    for (at, call) in &calls {
        match call {
            Call::Accepted { fd } => drop((incoming.remove(fd), outgoing.remove(fd))),
            Call::Received { fd, bytes } => {
                for packet in incoming.entry(*fd).or_default().feed(bytes) {
                    if let Some(id) = publish_id(&packet) {
                        published.insert((*fd, id), *at);
                    }
                }
            }
            Call::Sent { fd, bytes } => {
                for packet in outgoing.entry(*fd).or_default().feed(bytes) {
                    // PUBACK is 4, PUBREC is 5. A file or a log line that looks like one was never published to.
                    let [4 | 5, ..] = [packet[0] >> 4] else { continue };
                    let Some(from) = packet.get(2..4).and_then(|id| published.get(&(*fd, [id[0], id[1]]))) else {
                        continue;
                    };
                    assert!(synced_between(&calls, *from, *at), "line {}: no sync since line {}", at + 1, from + 1);
                    acknowledged += 1;
                }
            }
            Call::Synced { .. } => {}
        }
    }
    assert_eq!(acknowledged, 120);
}

/// What no commit needs is the time of change of the log's file, and writing it costs as much as the commit. SQLite leaves it
/// only where it was told of `fdatasync` when it was compiled (`.cargo/config.toml`).
#[test]
fn a_commit_syncs_the_log_and_not_its_time_of_change() {
    let mut world = World::prepared(&[Device::cod("cod-1")], "");
    let trace = world.path("trace");
    world.start_gateway_traced(&trace);
    let sensor = Peer::sensor("paho_sensor.py", &world, &Device::cod("cod-1")).with("--count", 20).start();
    assert_eq!(sensor.finish().exits(0).number("acknowledged"), 20);
    world.gateway.take().unwrap().terminate();
    until("the trace is complete", 20, || fs::read_to_string(&trace).ok()?.contains("+++ exited").then_some(()));
    let text = fs::read_to_string(&trace).unwrap();
    let name: String = "journal.db-wal".bytes().map(|byte| format!("\\x{byte:02x}")).collect();
    // Whoever looks whether it is whole opens it for reading. A number is another file's once it is closed.
    let (mut log, mut calls) = (None, Vec::new());
    for line in text.lines() {
        if line.contains(&name) && line.contains("O_RDWR") {
            log = line.rsplit_once("= ").map(|(_, number)| number);
        }
        let Some(number) = log else { continue };
        let of_log = |call: &str| line.contains(&format!(" {call}({number}"));
        calls.extend(["fdatasync", "fsync"].into_iter().filter(|call| of_log(call)));
        if of_log("close") {
            log = None;
        }
    }
    let syncs = |call: &str| calls.iter().filter(|called| **called == call).count();
    assert!(syncs("fdatasync") > 1);
    assert_eq!(syncs("fsync"), 0);
}

#[test]
fn each_lorawan_acknowledgement_leaves_after_a_sync_that_began_after_its_uplink() {
    let calls = traced(&[Device::lora("level-1", "26010001")], |world| {
        assert_eq!(Peer::lora(world).with("--count", 4).run().exits(0).number("acknowledged"), 4);
    });
    let (mut heard, mut acknowledged) = (None, 0);
    for (at, call) in &calls {
        match call {
            // GWMP: version 2, token, type; 0 is PUSH_DATA, 3 is PULL_RESP. The device waits before its next uplink.
            Call::Received { bytes, .. } if bytes.starts_with(&[2]) && bytes.get(3) == Some(&0) => {
                let text = String::from_utf8_lossy(bytes);
                heard = text.contains("\"rxpk\"").then_some(*at).or(heard);
            }
            Call::Sent { bytes, .. } if bytes.starts_with(&[2]) && bytes.get(3) == Some(&3) => {
                let from = heard.take().expect("an uplink before its acknowledgement");
                assert!(synced_between(&calls, from, *at), "line {}: no sync since line {}", at + 1, from + 1);
                acknowledged += 1;
            }
            _ => {}
        }
    }
    assert_eq!(acknowledged, 4);
}
