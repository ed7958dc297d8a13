//! A journal with a month of 40 sensors by the minute: how long until the charts are whole, how large the process gets, how long a
//! page takes and how many bytes it has.
//!
//! `cargo bench -p page`, with `-- --days 3` for less.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that fails may say so")]
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use journal::{Journal, Reader, Segment, Stage, Transaction, seal};
use record::{
    Body, BootNo, ClockQuality, Decimal, Frame, Link, MonoMs, Quality, Quantity, Reading, Record, SourceId, Stamp,
    Unit, UnixMs,
};

const SENSORS: i64 = 40;
const MINUTE_MS: i64 = 60_000;
const QUANTITIES: [(&str, &str); 8] = [
    ("cod", "mg/L"),
    ("nh3_n", "mg/L"),
    ("ph", "[pH]"),
    ("flow", "m3/h"),
    ("level", "m"),
    ("turbidity", "{NTU}"),
    ("conductivity", "uS/cm"),
    ("water_temperature", "Cel"),
];
/// Pages of each kind whose time is taken.
const PAGES: u32 = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| arguments.iter().position(|one| one == name).and_then(|at| arguments.get(at + 1));
    match after("--serve") {
        Some(config) => serve(Path::new(config)),
        None => measure(after("--days").map_or(31, |days| days.parse().unwrap())),
    }
}

/// The page itself, as a process whose memory is its own.
fn serve(config: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(page::run(page::Config::load(config).unwrap(), std::future::pending())).unwrap();
}

fn measure(days: i64) {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = folder.path().join("page.toml");
    std::fs::write(&config, format!("listen = \"127.0.0.1:{port}\"\nstate_dir = \"state\"\nrun_dir = \"run\"\n"))
        .unwrap();
    let records = fill(&folder.path().join("state/journal/journal.db"), days);
    println!("{records} records of {} readings: {days} days of {SENSORS} sensors by the minute", QUANTITIES.len());

    let program = std::env::current_exe().unwrap();
    let began = Instant::now();
    let mut page = Page(Command::new(program).arg("--serve").arg(&config).spawn().unwrap());
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    let (mut day, mut first) = (None, None);
    let whole = loop {
        if let Some(text) = get(at, "/?lang=en") {
            first.get_or_insert(began.elapsed());
            let is_read = text.contains(&format!("{} records", page::wording::count(records)));
            let is_whole = is_read && !text.contains("so far back to");
            if is_read && text.contains("probe-39") {
                day.get_or_insert(began.elapsed());
            }
            if is_whole {
                break began.elapsed();
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    println!(
        "first page after {:.2?}, with newest values after {:.2?}, the month whole after {whole:.1?}",
        first.unwrap(),
        day.unwrap()
    );
    let (rss, peak) = (memory(&page.0, "VmRSS:"), memory(&page.0, "VmHWM:"));
    println!("memory: {rss} kB, at most {peak} kB; processor {:.1} s", processor(&page.0));
    for path in ["/?lang=zh", "/device/probe-7?lang=zh"] {
        let began = Instant::now();
        let bytes = (0..PAGES).map(|_| get(at, path).unwrap().len()).max().unwrap();
        println!("{path}: {:.2?} each, {bytes} bytes", began.elapsed() / PAGES);
    }
    page.0.kill().unwrap();
}

/// Ends with whoever measures.
struct Page(Child);

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(at: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(at).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

fn memory(child: &Child, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Seconds of a core that it took. The kernel counts in hundredths.
fn processor(child: &Child) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let numbers: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|at| numbers[*at].parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

fn fill(path: &Path, days: i64) -> u64 {
    let mut journal = Journal::open(path, "bench").unwrap();
    let reader = Reader::open(path).unwrap();
    let now = jiff::Timestamp::now().as_millisecond();
    let minutes = days * 1_440;
    let all = (0..minutes).flat_map(|minute| (0..SENSORS).map(move |sensor| (minute, sensor)));
    let all: Vec<(i64, i64)> = all.collect();
    for part in all.chunks(8_192) {
        let records =
            part.iter().map(|(minute, sensor)| frame(now - (minutes - minute) * MINUTE_MS, *minute, *sensor)).collect();
        journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
        let full = |segment: &Segment| segment.stage == Stage::Hot && segment.last.is_some();
        while let Some(table) = journal.segments().unwrap().into_iter().find(full) {
            let change = seal(&reader, &table).unwrap();
            journal.commit(&Transaction { segments: vec![change], ..Transaction::default() }).unwrap();
        }
    }
    journal.end().0
}

/// A frame with eight readings that drift as water does.
fn frame(at: i64, minute: i64, sensor: i64) -> Record {
    let reading = |((name, unit), nth): (&(&str, &str), i64)| Reading {
        quantity: Quantity::new(name).unwrap(),
        unit: Unit::new(unit).unwrap(),
        value: Decimal::new(4_000 + (minute * (nth + 3) + sensor * 17) % 997, -2),
        quality: Quality::Good,
        at_ms: None,
    };
    let mono_ms = MonoMs(u64::try_from(minute * MINUTE_MS).unwrap());
    let stamp = Stamp { boot: BootNo(0), mono_ms, wall_ms: UnixMs(at), clock: ClockQuality::Synchronised };
    let source = SourceId::new(&format!("probe-{sensor}")).unwrap();
    let readings: Vec<Reading> = QUANTITIES.iter().zip(0..).map(reading).collect();
    let raw = readings.iter().flat_map(|reading| reading.value.unwrap().to_string().into_bytes()).collect();
    let link = Link::Mqtt { topic: format!("d/probe-{sensor}/up"), qos: 1, packet_id: Some(1), level: 4, seal: None };
    Record { stamp, body: Body::Frame(Frame { source, link, raw, readings, codec: None, texts: vec![] }) }
}
