//! Resident memory of the gateway while clients make it hold whatever a broker can be made to hold: topics, retained
//! messages, filters, client ids, unreleased QoS 2. What is refused costs a connection each; what is allowed stays.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Plan;
use crate::devices::{self, Tables};
use crate::gateway::{Gateway, Site};
use crate::publisher::{connect, packet};

/// A ChirpStack, which may publish to as many topics as it has devices and kinds of event.
const SERVER: &str = "chirpstack";
/// Who reads all of that.
const READER: &str = "dashboard";
/// The attacker's own device.
const DEVICE: usize = 0;

const TOPICS: usize = 20_000;
const RETAINED: usize = 3_000;
const FILTERS: usize = 3_000;
const CLIENT_IDS: usize = 3_000;
/// Together 300 MB.
const HOARDED: usize = 5_000;

const EVENT_BYTES: usize = 1_000;
const RETAINED_BYTES: usize = 30_000;
const HOARDED_BYTES: usize = 60_000;
/// Publishes that are sent and not acknowledged.
const IN_FLIGHT: usize = 50;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Buffers are given back after a moment.
const SETTLE: Duration = Duration::from_secs(2);

type Phase = fn(SocketAddr) -> io::Result<usize>;

const PHASES: [(&str, Phase); 6] = [
    ("20,000 topics of 1 kB, allowed, read", topics),
    ("20,000 foreign topics of 1 kB", foreign_topics),
    ("3,000 retained messages of 30 kB", retained),
    ("3,000 filters, allowed", filters),
    ("3,000 client ids", client_ids),
    ("QoS 2 without PUBREL, 300 MB", hoard),
];

pub(super) fn run(plan: &Plan) -> io::Result<()> {
    let folder = tempfile::tempdir_in(&plan.folder)?;
    let Tables { devices, keys } = devices::mqtt_tables(1);
    let integration = |(name, kind): (&str, &str)| format!("[[integration]]\nname = \"{name}\"\nkind = \"{kind}\"\n");
    let tables = Tables {
        devices: [devices, [(SERVER, "chirpstack"), (READER, "reader")].map(integration).concat()].concat(),
        keys: [keys, [SERVER, READER].map(|name| format!("[{name}]\npassword = \"{}\"\n", devices::PASSWORD)).concat()]
            .concat(),
    };
    let gateway: Gateway = Site::new(folder.path(), &tables)?.start(&plan.weir)?;
    println!(
        "\nwhat clients leave behind; MiB           gateway RSS  (anonymous)   peak    accepted or refused  seconds"
    );
    std::thread::sleep(SETTLE);
    let print = |phase: &str, done: usize, took: Duration| -> io::Result<()> {
        let memory = gateway.process.memory()?;
        println!(
            "{phase:<38} {:>12.1}  {:>11.1}  {:>5.1}  {done:>21}  {:>7.1}",
            memory.rss,
            memory.anonymous,
            memory.peak,
            took.as_secs_f64()
        );
        Ok(())
    };
    print("nobody connected", 0, Duration::ZERO)?;
    for (name, phase) in PHASES {
        let begin = Instant::now();
        let done = phase(gateway.mqtt)?;
        let took = begin.elapsed();
        std::thread::sleep(SETTLE);
        print(name, done, took)?;
    }
    println!(
        "aim: no row grows with its number; a stock rumqttd grows by 52 (topics), 97 (retained), 17 (filters), 3 (client ids) \
         and 315 MiB (QoS 2)"
    );
    Ok(())
}

fn log_in(server: SocketAddr, name: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    stream.write_all(&connect(name, true))?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    match answer {
        [0x20, 2, 0, 0] => Ok(stream),
        refused => Err(io::Error::other(format!("{name}: CONNACK {refused:02x?}"))),
    }
}

fn publish(flags: u8, topic: &str, id: usize, payload: &[u8]) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    body.extend_from_slice(&(id as u16 % 60_000 + 1).to_be_bytes());
    body.extend_from_slice(payload);
    packet(0x30 | flags, &body)
}

fn subscribe(filter: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend_from_slice(&(filter.len() as u16).to_be_bytes());
    body.extend_from_slice(filter.as_bytes());
    body.push(0);
    packet(0x82, &body)
}

/// Sends one packet and waits for the end of the connection; whether that was without any acknowledgement.
fn is_refused(mut stream: TcpStream, request: &[u8]) -> bool {
    let mut answer = Vec::new();
    let sent = stream.write_all(request).is_ok();
    // A connection that is reset is as good as one that is closed.
    let _ = stream.read_to_end(&mut answer);
    sent && !answer.starts_with(&[0x40]) && !answer.starts_with(&[0x50])
}

/// An integration publishes to ever other topics, while somebody reads all of them.
fn topics(server: SocketAddr) -> io::Result<usize> {
    let mut reader = log_in(server, READER)?;
    reader.write_all(&subscribe("application/+/device/+/event/+"))?;
    reader.read_exact(&mut [0; 5])?;
    let mut drain = reader.try_clone()?;
    let reading = std::thread::spawn(move || io::copy(&mut drain, &mut io::sink()));
    let mut stream = log_in(server, SERVER)?;
    for first in (0..TOPICS).step_by(IN_FLIGHT) {
        for n in first..first + IN_FLIGHT {
            let event = format!(
                "{{\"deviceInfo\":{{\"devEui\":\"{n:016x}\"}},\"fCnt\":{n},\"fPort\":2,\"data\":\"AQI=\",\"pad\":\""
            );
            let event = format!("{event:0<width$}\"}}", width = EVENT_BYTES - 2);
            stream.write_all(&publish(
                0x02,
                &format!("application/a/device/{n:016x}/event/up"),
                n,
                event.as_bytes(),
            ))?;
        }
        stream.read_exact(&mut [0; 4 * IN_FLIGHT])?;
    }
    reader.shutdown(std::net::Shutdown::Both)?;
    let read = reading.join().map_err(|_| io::Error::other("the reader panicked"))?;
    // It ends by a connection that is shut down.
    drop(read);
    Ok(TOPICS)
}

fn foreign_topics(server: SocketAddr) -> io::Result<usize> {
    refused(server, TOPICS, |n| publish(0x02, &format!("d/other-{n}/up"), n, &[b'0'; EVENT_BYTES]))
}

fn retained(server: SocketAddr) -> io::Result<usize> {
    refused(server, RETAINED, |n| publish(0x03, &devices::topic(DEVICE), n, &[b'0'; RETAINED_BYTES]))
}

fn refused(server: SocketAddr, count: usize, request: impl Fn(usize) -> Vec<u8>) -> io::Result<usize> {
    let mut refused = 0;
    for n in 0..count {
        refused += usize::from(is_refused(log_in(server, &devices::name(DEVICE))?, &request(n)));
    }
    Ok(refused)
}

/// A reader subscribes to ever other topics of those it may read.
fn filters(server: SocketAddr) -> io::Result<usize> {
    for n in 0..FILTERS {
        let mut stream = log_in(server, READER)?;
        stream.write_all(&subscribe(&format!("application/{n}/device/+/event/up")))?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        if answer[4] > 2 {
            return Err(io::Error::other(format!("SUBACK {answer:02x?}")));
        }
    }
    Ok(FILTERS)
}

fn client_ids(server: SocketAddr) -> io::Result<usize> {
    let refused = (0..CLIENT_IDS).filter(|n| log_in(server, &format!("nobody-{n}")).is_err());
    Ok(refused.count())
}

fn hoard(server: SocketAddr) -> io::Result<usize> {
    let mut stream = log_in(server, &devices::name(DEVICE))?;
    for n in 0..HOARDED {
        stream.write_all(&publish(0x04, &devices::topic(DEVICE), n, &[b' '; HOARDED_BYTES]))?;
        stream.read_exact(&mut [0; 4])?;
    }
    Ok(HOARDED)
}
