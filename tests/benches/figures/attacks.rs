//! How long a well-behaved MQTT device waits for its acknowledgements while another client attacks, beside the same
//! device left in peace.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::gateway::{Gateway, Site};
use crate::publisher::{self, Load, Measured};
use crate::stats::{median, ms, span};
use crate::{Plan, devices};

/// The device sends a frame, waits for its PUBACK, and pauses.
const PAUSE: Duration = Duration::from_millis(10);
/// Connections that a slow attacker holds.
const SLOW_CLIENTS: usize = 200;
/// Connections of a flood.
const FLOOD_CONNECTIONS: usize = 10_000;
/// Bytes of a frame that a hoarder of QoS 2 sends.
const HOARDED_BYTES: usize = 60_000;
/// Files that a daemon with a full table may open beyond those it has.
const SPARE_FILES: u64 = 8;
/// The attack is under way before the measurement begins.
const WARM_UP: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(5);

type Attack = fn(&Target) -> io::Result<()>;

const ATTACKS: [(&str, Option<Attack>); 6] = [
    ("none", None),
    ("slow-loris, 200 at a byte in 0.2 s", Some(slow_loris)),
    ("10,000 connections, again and again", Some(flood)),
    ("QoS 2 without PUBREL, 60 kB each", Some(hoard)),
    ("oversized packets", Some(oversized)),
    ("full table of file descriptors", Some(full_table)),
];

/// Whom an attacker attacks, until it is told to stop.
#[derive(Debug)]
struct Target {
    address: SocketAddr,
    pid: u32,
    stop: AtomicBool,
    /// Connections, bytes or frames that it got through: an attack that does nothing would be no yardstick.
    blows: AtomicU64,
}

impl Target {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn dial(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(stream)
    }

    fn strike(&self) {
        self.blows.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone)]
struct Run {
    measured: Measured,
    blows: u64,
    peak_mib: f64,
}

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    println!(
        "one device, QoS 1, {}-byte frames, {} ms from PUBACK to PUBLISH",
        devices::FRAME_BYTES,
        PAUSE.as_millis()
    );
    let mut all: Vec<Vec<Run>> = vec![Vec::new(); ATTACKS.len()];
    for round in 0..plan.rounds {
        for turn in 0..ATTACKS.len() {
            let attack = (turn + round) % ATTACKS.len();
            all[attack].push(measure(plan, ATTACKS[attack].1)?);
        }
    }
    println!(
        "attack                                 acks/s  p50 ms           span   ÷ none  p99 ms           span   ÷ none     blows  peak RSS MiB"
    );
    for ((name, _), runs) in ATTACKS.iter().zip(&all) {
        let of = |value: fn(&Run) -> f64| median(runs.iter().map(value));
        let all_of = |value: fn(&Run) -> f64| runs.iter().map(value).collect::<Vec<f64>>();
        let ratio =
            |value: fn(&Run) -> f64| median(all[0].iter().zip(runs).map(|(none, run)| value(run) / value(none)));
        let p50: fn(&Run) -> f64 = |run| ms(run.measured.p50_us);
        let p99: fn(&Run) -> f64 = |run| ms(run.measured.p99_us);
        println!(
            "{name:<36} {:>8.0}  {:>6.2} {:>14}  {:>7.2}  {:>6.1} {:>14}  {:>7.2}  {:>8.0}  {:>12.1}",
            of(|run| run.measured.per_s),
            of(p50),
            span(&all_of(p50), 2),
            ratio(p50),
            of(p99),
            span(&all_of(p99), 1),
            ratio(p99),
            of(|run| run.blows as f64),
            of(|run| run.peak_mib),
        );
    }
    Ok(())
}

fn measure(plan: &Plan, attack: Option<Attack>) -> io::Result<Run> {
    let folder = tempfile::tempdir_in(&plan.folder)?;
    // The second device is the attacker's.
    let site = Site::new(folder.path(), &devices::mqtt_tables(2))?;
    let gateway: Gateway = site.start(&plan.weir)?;
    let target = Arc::new(Target {
        address: gateway.mqtt,
        pid: gateway.process.pid(),
        stop: AtomicBool::new(false),
        blows: AtomicU64::new(0),
    });
    let attacker = attack.map(|attack| {
        let target = Arc::clone(&target);
        thread::spawn(move || attack(&target))
    });
    let time = Duration::from_secs(plan.seconds);
    let load = Load { clients: 1, in_flight: 1, warm_up: WARM_UP, time, pause: Some(PAUSE) };
    let measured = publisher::run(gateway.mqtt, load);
    target.stop.store(true, Ordering::Relaxed);
    if let Some(attacker) = attacker {
        attacker.join().map_err(|_| io::Error::other("the attacker panicked"))??;
    }
    let blows = target.blows.load(Ordering::Relaxed);
    if attack.is_some() && blows == 0 {
        return Err(io::Error::other("an attack did nothing"));
    }
    Ok(Run { measured: measured?, blows, peak_mib: gateway.process.memory()?.peak })
}

/// CONNECT of the attacker's device, let in.
fn log_in(target: &Target) -> io::Result<TcpStream> {
    let mut stream = target.dial()?;
    stream.write_all(&publisher::connect(&devices::name(1), true))?;
    stream.read_exact(&mut [0; 4])?;
    Ok(stream)
}

fn slow_loris(target: &Target) -> io::Result<()> {
    let connect = publisher::connect(&devices::name(1), true);
    let mut slow: Vec<(TcpStream, usize)> = Vec::new();
    while target.goes_on() {
        while slow.len() < SLOW_CLIENTS {
            slow.push((target.dial()?, 0));
        }
        for (stream, sent) in &mut slow {
            if stream.write_all(&connect[*sent..=*sent]).is_ok() {
                target.strike();
            }
            *sent += 1;
        }
        slow.retain(|(_, sent)| *sent < connect.len() - 1);
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn flood(target: &Target) -> io::Result<()> {
    while target.goes_on() {
        let mut open = Vec::new();
        while open.len() < FLOOD_CONNECTIONS && target.goes_on() {
            // The kernel's own queue may be full for a moment.
            let Ok(stream) = target.dial() else { continue };
            open.push(stream);
            target.strike();
        }
    }
    Ok(())
}

fn hoard(target: &Target) -> io::Result<()> {
    let mut stream = log_in(target)?;
    let topic = devices::topic(1);
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    let id = body.len();
    body.resize(id + 2 + HOARDED_BYTES, b' ');
    let length = body.len();
    let header = [0x34, (length % 128) as u8 | 0x80, (length / 128 % 128) as u8 | 0x80, (length / 16_384) as u8];
    for number in (1..=u16::MAX).cycle() {
        if !target.goes_on() {
            break;
        }
        body[id..id + 2].copy_from_slice(&number.to_be_bytes());
        stream.write_all(&header)?;
        stream.write_all(&body)?;
        stream.read_exact(&mut [0; 4])?;
        target.strike();
    }
    Ok(())
}

fn oversized(target: &Target) -> io::Result<()> {
    while target.goes_on() {
        let mut stream = log_in(target)?;
        // PUBLISH of 256 MB: refused by its length, whatever follows.
        let _ = stream.write_all(&[0x32, 0xFF, 0xFF, 0xFF, 0x7F]);
        let _ = stream.write_all(&[0; 64 * 1024]);
        let _ = stream.read(&mut [0]);
        target.strike();
    }
    Ok(())
}

fn full_table(target: &Target) -> io::Result<()> {
    // The bystander is in before the door is shut.
    thread::sleep(WARM_UP / 2);
    let pid = Pid::from_raw(i32::try_from(target.pid).map_err(io::Error::other)?);
    let used = std::fs::read_dir(format!("/proc/{}/fd", target.pid))?.count() as u64;
    // The daemon inherited our limits.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let low = Rlimit { current: Some(used + SPARE_FILES), maximum };
    let before = prlimit(pid, Resource::Nofile, low)?;
    let mut open = Vec::new();
    while target.goes_on() {
        open.extend(target.dial());
        target.strike();
        thread::sleep(Duration::from_millis(5));
    }
    prlimit(pid, Resource::Nofile, before)?;
    Ok(())
}
