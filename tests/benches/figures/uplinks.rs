//! LoRaWAN uplinks per second over UDP, each committed before its downlink leaves.
//!
//! One gateway may not answer them: it has one transmitter, which sends 24 acknowledgements a second at best, 873 an hour
//! by law. So the frames come through as many gateways as the daemon serves.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lorawan::gwmp::forwarder::{self, FromServer};
use lorawan::gwmp::{CrcStatus, Rxpk, Token, TxAck, TxOutcome};
use lorawan::{DataRate, Eui64, LoraDataRate, SpreadingFactor};

use crate::devices::{self, Radio};
use crate::gateway::Site;
use crate::stats::{median, ms, percentile, span};
use crate::{Plan, disk};

const DEVICES: u32 = 100;
/// As many as are online without that the daemon forgets one.
const GATEWAYS: u8 = 60;
/// When the sender sends as fast as it can, one frame of so many is confirmed: 60 transmitters answer 1,440 a second.
const CONFIRMED_EVERY: usize = 16;
/// Confirmed frames without an answer that it allows itself meanwhile.
const WINDOW: usize = 3;
/// After the last frame the answers and the rows may take this long.
const SETTLE: Duration = Duration::from_millis(1_500);
/// A sender that waits longer for room in its window has lost frames: it goes on.
const WINDOW_WAIT_MAX: Duration = Duration::from_secs(1);
/// From a frame to its windows. All gateways count alike, so that an answer is known by the time it is to be sent at.
const WINDOWS_US: [u32; 2] = [1_000_000, 2_000_000];

#[derive(Debug, Clone, Copy)]
enum Offer {
    /// So many a second, every second frame confirmed.
    PerSecond(u32),
    /// One of [`CONFIRMED_EVERY`] confirmed, [`WINDOW`] of them without an answer.
    Window,
}

const OFFERS: [(Offer, &str); 3] = [
    (Offer::PerSecond(300), "300/s, half confirmed"),
    (Offer::PerSecond(500), "500/s, half confirmed"),
    (Offer::Window, "max, 48 in flight, 1/16 confirmed"),
];

#[derive(Debug, Clone, Default)]
struct Measured {
    sent: usize,
    rows: u64,
    per_s: f64,
    confirmed: usize,
    answered: usize,
    /// Of them in the first window.
    rx1: usize,
    answer_us: Vec<f64>,
    cpu_us: f64,
}

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    println!("{DEVICES} devices, LoRaWAN 1.0 ABP, 14 bytes of Cayenne LPP, {GATEWAYS} packet forwarders, EU868");
    let mut appended = Vec::new();
    let mut all: Vec<Vec<Measured>> = vec![Vec::new(); OFFERS.len()];
    for _ in 0..plan.rounds {
        appended.push(disk::syncs_per_s(&plan.folder, Duration::from_secs(1))?.0);
        for (offer, runs) in OFFERS.iter().zip(&mut all) {
            runs.push(measure(plan, offer.0)?);
        }
    }
    println!(
        "offered                            sent  committed   lost   rows/s        span  answered (RX1)  downlink p50/p99/max ms  CPU µs/frame"
    );
    for ((_, name), runs) in OFFERS.iter().zip(&all) {
        let of = |value: fn(&Measured) -> f64| median(runs.iter().map(value));
        let sum = |value: fn(&Measured) -> usize| runs.iter().map(value).sum::<usize>();
        let (sent, rows) = (sum(|run| run.sent), sum(|run| run.rows as usize));
        let rates: Vec<f64> = runs.iter().map(|run| run.per_s).collect();
        let times = || runs.iter().flat_map(|run| run.answer_us.iter().copied());
        println!(
            "{name:<33} {sent:>6}  {rows:>9}  {:>5}  {:>7.0} {:>11}  {:>4}/{:<4} ({:>4})  {:>7.1} {:>7.1} {:>7.1}  {:>12.0}",
            sent.saturating_sub(rows),
            of(|run| run.per_s),
            span(&rates, 0),
            sum(|run| run.answered),
            sum(|run| run.confirmed),
            sum(|run| run.rx1),
            ms(percentile(times(), 50.0)),
            ms(percentile(times(), 99.0)),
            ms(percentile(times(), 100.0)),
            of(|run| run.cpu_us),
        );
    }
    let best = median(all[OFFERS.len() - 1].iter().map(|run| run.per_s));
    println!(
        "max ÷ 300/s, the most that one eight-channel HAT can hear: {:.1}; fdatasync/s beside it: {:.0} ({})",
        best / 300.0,
        median(appended.iter().copied()),
        span(&appended, 0)
    );
    println!("RX1 opens 1,000 ms after the frame; the forwarder needs the downlink 100 ms before; merge_ms = 0");
    Ok(())
}

fn measure(plan: &Plan, offer: Offer) -> io::Result<Measured> {
    let folder = tempfile::tempdir_in(&plan.folder)?;
    // No frame comes through two of them, so none waits for a copy.
    let site = Site::with(folder.path(), &devices::lora_tables(DEVICES), "merge_ms = 0\n")?;
    let gateway = site.start(&plan.weir)?;
    let before = gateway.records()?;
    let cpu = gateway.process.cpu()?;
    let forwarder = Forwarders::start(site.gwmp())?;
    let mut radios: Vec<Radio> = (0..DEVICES).map(Radio::new).collect();
    let begin = Instant::now();
    let mut measured = Measured::default();
    while begin.elapsed() < Duration::from_secs(plan.seconds) {
        let number = measured.sent;
        let confirmed = match offer {
            Offer::PerSecond(rate) => {
                let due = begin + Duration::from_secs_f64(number as f64 / f64::from(rate));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                number % 2 == 0
            }
            Offer::Window => {
                let confirmed = number % CONFIRMED_EVERY == 0;
                if confirmed {
                    forwarder.wait_for_room(WINDOW);
                }
                confirmed
            }
        };
        // 100 devices take turns; of two rounds each sends one confirmed and one unconfirmed frame.
        let device = (number + number / DEVICES as usize) % DEVICES as usize;
        let phy = radios[device].next_frame(confirmed);
        let gateway = (measured.confirmed % usize::from(GATEWAYS)) as u8;
        forwarder.push(gateway, begin.elapsed(), phy, confirmed)?;
        measured.sent += 1;
        measured.confirmed += usize::from(confirmed);
    }
    let elapsed = begin.elapsed().as_secs_f64();
    std::thread::sleep(SETTLE);
    measured.rows = gateway.records()? - before;
    measured.per_s = measured.rows as f64 / elapsed;
    let cpu = gateway.process.cpu()?.saturating_sub(cpu);
    measured.cpu_us = cpu.as_secs_f64() * 1e6 / measured.sent as f64;
    (measured.answer_us, measured.rx1) = forwarder.stop()?;
    measured.answered = measured.answer_us.len();
    Ok(measured)
}

fn eui(gateway: u8) -> Eui64 {
    Eui64([0xb8, 0x27, 0xeb, 0xff, 0xfe, 0, 0, gateway])
}

/// Packet forwarders behind one socket up and one down.
struct Forwarders {
    up: UdpSocket,
    shared: Arc<Shared>,
    receiving: JoinHandle<io::Result<()>>,
}

/// A confirmed frame without an answer.
struct Waiting {
    sent: Instant,
    gateway: u8,
    /// The answer is due in RX1.
    first: bool,
}

#[derive(Default)]
struct Shared {
    /// By the times at which an answer may be due.
    waiting: Mutex<HashMap<u32, Waiting>>,
    in_flight: AtomicUsize,
    answers_us: Mutex<Vec<f64>>,
    rx1: AtomicUsize,
    stop: AtomicBool,
}

impl Forwarders {
    fn start(server: SocketAddr) -> io::Result<Forwarders> {
        let connected = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.connect(server)?;
            socket.set_read_timeout(Some(Duration::from_millis(100)))?;
            io::Result::Ok(socket)
        };
        let (up, down) = (connected()?, connected()?);
        let until = Instant::now() + Duration::from_secs(10);
        for gateway in 0..GATEWAYS {
            let token = Token([1, gateway]);
            let mut answer = [0; 64];
            loop {
                down.send(&forwarder::pull_data(token, eui(gateway)))?;
                match down.recv(&mut answer) {
                    Ok(length) if forwarder::parse(&answer[..length]) == Some(FromServer::PullAck(token)) => break,
                    Err(error) if Instant::now() > until => return Err(error),
                    _ => std::thread::sleep(Duration::from_millis(20)),
                }
            }
        }
        let shared = Arc::<Shared>::default();
        let receiving = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.receive(&down))
        };
        Ok(Forwarders { up, shared, receiving })
    }

    fn push(&self, gateway: u8, at: Duration, phy: Vec<u8>, confirmed: bool) -> io::Result<()> {
        let tmst_us = at.as_micros() as u32;
        let rxpk = Rxpk {
            phy,
            tmst_us,
            time: None,
            gps_ms: None,
            frequency_hz: 868_100_000,
            channel: Some(2),
            rf_chain: Some(0),
            crc: CrcStatus::Ok,
            data_rate: DataRate::Lora(LoraDataRate::bw125(SpreadingFactor::Sf7)),
            coding_rate: Some("4/5".into()),
            rssi_dbm: Some(-57),
            snr_ddb: Some(92),
        };
        let datagram = forwarder::push_data(Token((tmst_us as u16).to_be_bytes()), eui(gateway), &[rxpk], None);
        if confirmed {
            self.shared.in_flight.fetch_add(1, Ordering::AcqRel);
            let sent = Instant::now();
            let mut waiting = lock(&self.shared.waiting);
            for (window, first) in WINDOWS_US.into_iter().zip([true, false]) {
                waiting.insert(tmst_us.wrapping_add(window), Waiting { sent, gateway, first });
            }
        }
        self.up.send(&datagram).map(|_| ())
    }

    fn wait_for_room(&self, window: usize) {
        let until = Instant::now() + WINDOW_WAIT_MAX;
        while self.shared.in_flight.load(Ordering::Acquire) >= window {
            if Instant::now() > until {
                // Those are lost; the count at the end will say so.
                self.shared.in_flight.store(0, Ordering::Release);
                return;
            }
            std::thread::park_timeout(Duration::from_micros(50));
        }
    }

    /// The times from frame to downlink, µs, and how many were for RX1.
    fn stop(self) -> io::Result<(Vec<f64>, usize)> {
        self.shared.stop.store(true, Ordering::Release);
        self.receiving.join().map_err(|_| io::Error::other("the forwarders' receiver panicked"))??;
        let answers_us = std::mem::take(&mut *lock(&self.shared.answers_us));
        Ok((answers_us, self.shared.rx1.load(Ordering::Acquire)))
    }
}

impl Shared {
    fn receive(&self, down: &UdpSocket) -> io::Result<()> {
        let mut datagram = [0; 2048];
        while !self.stop.load(Ordering::Acquire) {
            let length = match down.recv(&mut datagram) {
                Ok(length) => length,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
                Err(error) => return Err(error),
            };
            let Some(FromServer::PullResp(token, txpk)) = forwarder::parse(&datagram[..length]) else { continue };
            let answered = txpk.tmst_us().and_then(|tmst_us| lock(&self.waiting).remove(&tmst_us));
            let Some(Waiting { sent, gateway, first }) = answered else { continue };
            down.send(&forwarder::tx_ack(TxAck { token, eui: eui(gateway), outcome: TxOutcome::Queued }))?;
            lock(&self.answers_us).push(sent.elapsed().as_secs_f64() * 1e6);
            self.rx1.fetch_add(usize::from(first), Ordering::AcqRel);
            let _ = self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1));
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
