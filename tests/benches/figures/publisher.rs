//! One lean MQTT 3.1.1 client program for every server: raw bytes, QoS 1, one thread for all connections.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::{devices, process};

/// How hard to push.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Connections, a device each.
    pub(crate) clients: usize,
    /// Publishes of one connection that are sent and not acknowledged.
    pub(crate) in_flight: usize,
    /// Not counted.
    pub(crate) warm_up: Duration,
    /// Counted.
    pub(crate) time: Duration,
    /// The pause of a device between two publishes; none: at once.
    pub(crate) pause: Option<Duration>,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    /// Acknowledgements per second.
    pub(crate) per_s: f64,
    /// Half of the acknowledgements came within this. µs.
    pub(crate) p50_us: f64,
    /// 99 of 100 came within this. µs.
    pub(crate) p99_us: f64,
    /// Acknowledgements in the measured time and outside of it.
    pub(crate) acknowledged: u64,
    /// Processor time of this program for each acknowledgement. µs.
    pub(crate) own_cpu_us: f64,
}

/// CONNECT with user name and password.
pub(crate) fn connect(name: &str, clean_session: bool) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0b1100_0000 | u8::from(clean_session) << 1, 0, 60];
    for text in [name, name, devices::PASSWORD] {
        body.extend_from_slice(&(text.len() as u16).to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    packet(0x10, &body)
}

/// PUBLISH at QoS 1.
pub(crate) fn publish(device: usize, packet_id: u16, number: u64) -> Vec<u8> {
    let topic = devices::topic(device);
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    body.extend_from_slice(&packet_id.to_be_bytes());
    body.extend_from_slice(&devices::frame(device, number));
    packet(0x32, &body)
}

/// A packet with its remaining length (MQTT 3.1.1 §2.2.3).
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut packet, mut length) = (vec![first], body.len());
    while length >= 128 {
        packet.push((length % 128) as u8 | 0x80);
        length /= 128;
    }
    packet.push(length as u8);
    packet.extend_from_slice(body);
    packet
}

/// Publishes over all connections until the time is over, then lets every publish be acknowledged.
pub(crate) fn run(server: SocketAddr, load: Load) -> io::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut clients = Vec::with_capacity(load.clients);
        for device in 0..load.clients {
            clients.push(Client::connect(server, device, load).await?);
        }
        let (counting, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut tasks = JoinSet::new();
        for client in clients {
            tasks.spawn(client.run(Arc::clone(&counting), Arc::clone(&stop)));
        }
        tokio::time::sleep(load.warm_up).await;
        let (begin, cpu) = (Instant::now(), process::own_cpu()?);
        counting.store(true, Ordering::Relaxed);
        tokio::time::sleep(load.time).await;
        counting.store(false, Ordering::Relaxed);
        let (elapsed, cpu) = (begin.elapsed().as_secs_f64(), process::own_cpu()?.saturating_sub(cpu));
        stop.store(true, Ordering::Relaxed);
        let (mut latencies, mut acknowledged) = (Vec::new(), 0);
        while let Some(client) = tasks.join_next().await {
            let client = client.map_err(io::Error::other)??;
            acknowledged += client.acknowledged;
            latencies.extend(client.latencies_us.into_iter().map(f64::from));
        }
        let counted = latencies.len() as f64;
        Ok(Measured {
            per_s: counted / elapsed,
            p50_us: crate::stats::percentile(latencies.iter().copied(), 50.0),
            p99_us: crate::stats::percentile(latencies.iter().copied(), 99.0),
            acknowledged,
            own_cpu_us: cpu.as_secs_f64() * 1e6 / counted.max(1.0),
        })
    })
}

/// Connections that say nothing, held for as long as `hold` runs.
pub(crate) fn connected<T>(server: SocketAddr, clients: usize, hold: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let load = Load { clients, in_flight: 1, warm_up: Duration::ZERO, time: Duration::ZERO, pause: None };
    let held = runtime.block_on(async {
        let mut held = Vec::with_capacity(clients);
        for device in 0..clients {
            held.push(Client::connect(server, device, load).await?);
        }
        io::Result::Ok(held)
    })?;
    let result = hold();
    drop(held);
    result
}

struct Client {
    stream: TcpStream,
    device: usize,
    load: Load,
    /// Packets made before the measurement, sent over and over with other packet identifiers.
    packets: Vec<Vec<u8>>,
    sent: u64,
    acknowledged: u64,
    /// When each publish left that is not acknowledged, in order; servers acknowledge in order (MQTT-4.6.0-2).
    waiting: VecDeque<(u16, Instant)>,
    latencies_us: Vec<u32>,
}

/// Different frames that each client has ready.
const FRAMES: u64 = 64;

impl Client {
    async fn connect(server: SocketAddr, device: usize, load: Load) -> io::Result<Client> {
        let mut stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&connect(&devices::name(device), true)).await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        if answer != [0x20, 2, 0, 0] {
            return Err(io::Error::other(format!("CONNACK {answer:02x?}")));
        }
        let packets = (0..FRAMES).map(|number| publish(device, 1, number)).collect();
        let waiting = VecDeque::with_capacity(load.in_flight);
        Ok(Client { stream, device, load, packets, sent: 0, acknowledged: 0, waiting, latencies_us: Vec::new() })
    }

    async fn run(mut self, counting: Arc<AtomicBool>, stop: Arc<AtomicBool>) -> io::Result<Client> {
        let (mut out, mut input, mut have) = (Vec::new(), [0; 1024], 0);
        if let Some(pause) = self.load.pause {
            // Spread, as devices are that were switched on one after the other.
            tokio::time::sleep(pause.mul_f64(self.device as f64 / self.load.clients as f64)).await;
        }
        loop {
            let stopping = stop.load(Ordering::Relaxed);
            if stopping && self.waiting.is_empty() {
                return Ok(self);
            }
            if !stopping {
                self.fill(&mut out);
                self.stream.write_all(&out).await?;
                out.clear();
            }
            let count = self.stream.read(&mut input[have..]).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            have += count;
            self.take(&input[..have - have % 4], counting.load(Ordering::Relaxed))?;
            input.copy_within(have - have % 4..have, 0);
            have %= 4;
            if let Some(pause) = self.load.pause {
                let until = Instant::now() + pause;
                while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep(pause.min(Duration::from_millis(100))).await;
                }
            }
        }
    }

    /// As many publishes as the window allows, in one write.
    fn fill(&mut self, out: &mut Vec<u8>) {
        let now = Instant::now();
        while self.waiting.len() < self.load.in_flight {
            let id = (self.sent % 60_000) as u16 + 1;
            let packet = &mut self.packets[(self.sent % FRAMES) as usize];
            let at = packet.len() - devices::FRAME_BYTES - 2;
            packet[at..at + 2].copy_from_slice(&id.to_be_bytes());
            out.extend_from_slice(packet);
            self.waiting.push_back((id, now));
            self.sent += 1;
        }
    }

    fn take(&mut self, acknowledgements: &[u8], counting: bool) -> io::Result<()> {
        let now = Instant::now();
        for answer in acknowledgements.chunks_exact(4) {
            let Some((id, sent)) = self.waiting.pop_front() else { return Err(io::Error::other("PUBACK unasked")) };
            let [high, low] = id.to_be_bytes();
            if answer != [0x40, 2, high, low] {
                return Err(io::Error::other(format!("{answer:02x?} instead of the PUBACK of {id}")));
            }
            self.acknowledged += 1;
            if counting {
                self.latencies_us.push(now.duration_since(sent).as_micros() as u32);
            }
        }
        Ok(())
    }
}
