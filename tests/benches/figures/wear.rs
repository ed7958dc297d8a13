//! Bytes that reach the device for each reading, and commits per second beside `fdatasync`, with the journal alone; and the
//! whole gateway at a steady rate of frames, with a day of it.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use journal::{DeviceRow, Journal, Tally, Transaction};
use record::{
    Body, BootNo, ClockQuality, Decimal, Frame, GatewayEui, Link, MonoMs, Quality, Quantity, Reading, Record, SourceId,
    Stamp, Unit, UnixMs,
};

use crate::disk::AppendLoop;
use crate::loop_device::LoopDevice;
use crate::publisher::{self, Load};
use crate::stats::{median, span};
use crate::{Plan, devices, gateway};

const DEVICES: u64 = 40;
/// Readings of one frame.
const READINGS: u64 = 8;
/// The frame as it came by radio.
const RAW_BYTES: usize = 51;
/// Until the WAL has its size and is used again, and with it the file's own pages are written back.
const WARM_UP_FRAMES: u64 = 4_000;
/// A chunk of commits, then a chunk of syncs, and so on.
const CHUNK: u64 = 25;

/// Quantity, unit, decimals.
const FIELDS: [(&str, &str, i32); READINGS as usize] = [
    ("cod", "mg/L", -1),
    ("nh3_n", "mg/L", -2),
    ("tp", "mg/L", -3),
    ("ph", "[pH]", -2),
    ("water_temperature", "Cel", -1),
    ("conductivity", "uS/cm", 0),
    ("turbidity", "{NTU}", -1),
    ("flow", "m3/h", -1),
];

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    println!("the journal crate alone; frames of {READINGS} readings, {RAW_BYTES} raw bytes each; {DEVICES} devices");
    let folder = tempfile::tempdir_in(&plan.folder)?;
    if rustix::process::getuid().is_root() {
        bytes(folder.path())?;
        days(plan, folder.path())?;
    } else {
        println!(
            "device bytes are not counted: a loop device needs root; try: sudo -E cargo bench -p system-tests -- wear"
        );
    }
    rates(plan, folder.path())
}

/// Counts sectors on a private file system.
fn bytes(folder: &Path) -> io::Result<()> {
    let device = LoopDevice::mount(folder)?;
    println!("\nframes/commit  device B/reading  × row bytes  flushes/commit   (ext4 on a loop device, steady state)");
    for (frames, commits) in [(1, 4_000), (10, 800), (40, 400)] {
        let mut site = Site::open(&device.folder().join(format!("at-{frames}")))?;
        site.commits(frames, WARM_UP_FRAMES.div_ceil(frames))?;
        let before = device.written()?;
        site.commits(frames, commits)?;
        let after = device.written()?;
        let readings = (frames * commits * READINGS) as f64;
        let per_reading = (after.bytes - before.bytes) as f64 / readings;
        let row = site.row_bytes as f64 / READINGS as f64;
        let flushes = (after.flushes - before.flushes) as f64 / commits as f64;
        println!("{frames:>13}  {per_reading:>16.1}  {:>11.1}  {flushes:>14.2}", per_reading / row);
    }
    let before = device.written()?;
    let mut append = AppendLoop::new(device.folder())?;
    for _ in 0..1_000 {
        append.step()?;
    }
    let after = device.written()?;
    println!(
        "yardstick: 4 KiB append + fdatasync writes {:.0} B and flushes {:.2} times",
        (after.bytes - before.bytes) as f64 / 1e3,
        (after.flushes - before.flushes) as f64 / 1e3
    );
    Ok(())
}

/// Sensors of the whole gateway.
const CLIENTS: usize = 50;
/// All of them together, frames a second.
const FRAMES_PER_S: [f64; 3] = [1.0, 50.0, 500.0];
/// Long enough for twenty commits at the slowest rate.
const STEADY: Duration = Duration::from_secs(20);
/// The log's size, which it keeps: what it still has to grow costs several times as much.
const LOG_BYTES: u64 = 4_000 * 1_048;
/// At most so many seconds until it has it.
const FILLING_MAX: usize = 60;
/// Until what was filled in is sealed, and nothing is left of it to be written.
const SETTLING: Duration = Duration::from_secs(15);

/// The gateway's process at its defaults, with its log, checkpoints and everything else that it writes.
fn days(plan: &Plan, folder: &Path) -> io::Result<()> {
    println!(
        "\nframes/s  device B/frame  × payload  MB a day   (whole gateway, MQTT, {CLIENTS} sensors, {}-byte frames)",
        devices::FRAME_BYTES
    );
    for rate in FRAMES_PER_S {
        let place = folder.join(format!("day-{rate}"));
        std::fs::create_dir(&place)?;
        let device = LoopDevice::mount(&place)?;
        let site = gateway::Site::new(device.folder(), &devices::mqtt_tables(CLIENTS))?;
        let gateway = site.start(&plan.weir)?;
        let second = Duration::from_secs(1);
        let load = Load { clients: CLIENTS, in_flight: 1, warm_up: Duration::ZERO, time: second, pause: None };
        for _ in 0..FILLING_MAX {
            if std::fs::metadata(site.journal().with_extension("db-wal"))?.len() >= LOG_BYTES {
                break;
            }
            publisher::run(gateway.mqtt, load)?;
        }
        std::thread::sleep(SETTLING);
        let before = device.written()?;
        let begun = Instant::now();
        let pause = Some(Duration::from_secs_f64(CLIENTS as f64 / rate));
        let steady = publisher::run(gateway.mqtt, Load { time: STEADY, pause, ..load })?;
        let (took_s, after) = (begun.elapsed().as_secs_f64(), device.written()?);
        let bytes = (after.bytes - before.bytes) as f64;
        let per_frame = bytes / steady.acknowledged.max(1) as f64;
        let (payload, day) = (per_frame / devices::FRAME_BYTES as f64, bytes / took_s * 86_400.0 / 1e6);
        println!("{rate:>8}  {per_frame:>14.0}  {payload:>9.1}  {day:>8.0}");
    }
    Ok(())
}

/// The LoRaWAN session that is stored with a record: CBOR of both counters and the last frame.
fn session(record: &Record) -> Vec<u8> {
    let Body::Frame(Frame { link: Link::Lora { f_cnt, .. }, raw, .. }) = &record.body else { return Vec::new() };
    let mut cbor = vec![0x85];
    for number in [f_cnt + 1, 0, 0, *f_cnt] {
        // Shortest form (RFC 8949 §4.2.1); counters here stay below 65,536.
        match number {
            0..=23 => cbor.push(number as u8),
            24..=255 => cbor.extend_from_slice(&[0x18, number as u8]),
            _ => cbor.extend_from_slice(&[0x19, (number >> 8) as u8, number as u8]),
        }
    }
    cbor.extend_from_slice(&[0x58, RAW_BYTES as u8]);
    cbor.extend_from_slice(raw);
    cbor
}

/// Commits and syncs in turn, on the disk that holds the folder.
fn rates(plan: &Plan, folder: &Path) -> io::Result<()> {
    println!("\nframes/commit  commits/s       span   ÷ fdatasync/s (append)       span  readings/s");
    for frames in [1, 10, 40, 100, 1_000] {
        let mut site = Site::open(&folder.join(format!("rate-{frames}")))?;
        let mut append = AppendLoop::new(folder)?;
        site.commits(frames, WARM_UP_FRAMES.div_ceil(frames))?;
        let (mut per_s, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let (mut committing, mut syncing, mut chunks) = (Duration::ZERO, Duration::ZERO, 0);
            while committing + syncing < Duration::from_secs(plan.seconds) / 2 {
                let transactions = site.transactions(frames, CHUNK)?;
                let begin = Instant::now();
                site.commit_all(&transactions)?;
                committing += begin.elapsed();
                let begin = Instant::now();
                for _ in 0..CHUNK {
                    append.step()?;
                }
                syncing += begin.elapsed();
                chunks += 1;
            }
            per_s.push((chunks * CHUNK) as f64 / committing.as_secs_f64());
            ratios.push(syncing.as_secs_f64() / committing.as_secs_f64());
        }
        let rate = median(per_s.iter().copied());
        println!(
            "{frames:>13}  {rate:>9.0} {:>10}   {:>22.2} {:>10}  {:>10.0}",
            span(&per_s, 0),
            median(ratios.iter().copied()),
            span(&ratios, 2),
            rate * (frames * READINGS) as f64
        );
    }
    Ok(())
}

/// A journal and the frames that go into it.
pub(crate) struct Site {
    journal: Journal,
    frames: u64,
    row_bytes: usize,
    sources: Vec<SourceId>,
}

impl Site {
    /// Opens or creates the journal in this state folder.
    pub(crate) fn open(folder: &Path) -> io::Result<Site> {
        let sources = (0..DEVICES).map(|device| SourceId::new(&format!("radio-{device:03}")));
        let sources = sources.collect::<Result<_, _>>().map_err(io::Error::other)?;
        let journal = Journal::open(&folder.join("journal/journal.db"), "outfall-1").map_err(io::Error::other)?;
        Ok(Site { journal, frames: 0, row_bytes: 0, sources })
    }

    /// Stores so many transactions of so many frames.
    pub(crate) fn commits(&mut self, frames: u64, commits: u64) -> io::Result<()> {
        for _ in 0..commits {
            let transactions = self.transactions(frames, 1)?;
            self.commit_all(&transactions)?;
        }
        Ok(())
    }

    fn commit_all(&mut self, transactions: &[Transaction]) -> io::Result<()> {
        for transaction in transactions {
            self.journal.commit(transaction).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn transactions(&mut self, frames: u64, count: u64) -> io::Result<Vec<Transaction>> {
        (0..count).map(|_| self.transaction(frames)).collect()
    }

    /// What the gateway's committer makes of so many frames: the records, and the row of each device that sent one.
    fn transaction(&mut self, frames: u64) -> io::Result<Transaction> {
        let mut transaction = Transaction { records: Vec::with_capacity(frames as usize), ..Transaction::default() };
        for _ in 0..frames {
            let record = self.record()?;
            let source = self.sources[(self.frames % DEVICES) as usize].clone();
            let tally = Tally { accepted: self.frames / DEVICES + 1, ..Tally::default() };
            transaction
                .devices
                .insert(Some(source), DeviceRow { session: session(&record), client: Vec::new(), tally });
            self.row_bytes = record.to_canonical().len();
            transaction.records.push(record);
            self.frames += 1;
        }
        Ok(transaction)
    }

    fn record(&self) -> io::Result<Record> {
        let number = self.frames;
        let stamp = Stamp {
            boot: BootNo(0),
            mono_ms: MonoMs(60_000 + number * 1_500),
            wall_ms: UnixMs(1_767_225_600_000 + number as i64 * 1_500),
            clock: ClockQuality::Synchronised,
        };
        let link = Link::Lora {
            gateway: GatewayEui([0xb8, 0x27, 0xeb, 0xff, 0xfe, 0, 0, 1]),
            dev_addr: 0x2601_0000 + (number % DEVICES) as u32,
            f_cnt: (number / DEVICES) as u32,
            f_port: Some(2),
            frequency_hz: 868_100_000,
            data_rate: "SF7BW125".into(),
            rssi_dbm: Some(-57),
            snr_ddb: Some(92),
            tmst_us: (number as u32).wrapping_mul(1_500_000),
            others: Vec::new(),
        };
        let reading = |(at, (quantity, unit, exponent)): (usize, &(&str, &str, i32))| {
            let mantissa = 200 + (number as i64 * 37 + at as i64 * 101) % 700;
            Ok(Reading {
                quantity: Quantity::new(quantity).map_err(io::Error::other)?,
                unit: Unit::new(unit).map_err(io::Error::other)?,
                value: Decimal::new(mantissa, *exponent),
                quality: Quality::Good,
                at_ms: None,
            })
        };
        let readings = FIELDS.iter().enumerate().map(reading).collect::<io::Result<_>>()?;
        let source = self.sources[(number % DEVICES) as usize].clone();
        let mut raw = vec![0; RAW_BYTES];
        for (at, byte) in raw.iter_mut().enumerate() {
            // Ciphertext looks like noise.
            *byte = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(at as u32) >> 17) as u8;
        }
        Ok(Record { stamp, body: Body::Frame(Frame { source, link, raw, readings, codec: None, texts: Vec::new() }) })
    }
}
