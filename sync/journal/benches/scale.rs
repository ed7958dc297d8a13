//! A journal of years: how long a start, a question and a retention step take, beside the same on a small one.
//!
//! `cargo bench -p journal -- --records 10000000` for the figure that the release notes name; 1,000,000 by default.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that fails may say so")]
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use journal::{Journal, Reader, Segment, SegmentChange, Stage, Transaction, check, reduce, seal, weigh};
use record::merkle::{BLOCK_LEVEL, ConsistencyProof, Hash, InclusionProof, Subtree};
use record::{
    Body, BootNo, ClockQuality, Frame, Link, MonoMs, Quality, Quantity, Reading, Record, Seq, SeqRange, SourceId,
    Stamp, Unit, UnixMs,
};

/// Records of one transaction while the journal is filled.
const PART: u64 = 8_192;
/// Left in the write-ahead log, as by a reader that kept it from being taken over.
const LOG_BYTES: u64 = 64 * 1024 * 1024;
/// Proofs whose time is taken.
const PROOFS: u64 = 200;
/// The keeper's pause between two segments that it checks, and so many times what the last one took.
const CHECK_PAUSE: Duration = Duration::from_millis(200);
const CHECK_PAUSE_TIMES: u32 = 4;
/// Commits whose time is taken.
const COMMITS: usize = 400;

fn main() {
    let records = argument("--records").unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let (small, large) = (folder.path().join("small/journal.db"), folder.path().join("large/journal.db"));
    fill(&small, 1_000);
    let began = Instant::now();
    fill(&large, records);
    let filled = began.elapsed();
    let bytes = size(large.parent().unwrap());
    println!(
        "{records} records of 8 readings: {} MB, {:.2} bytes a reading, filled in {:.0} s",
        bytes / 1_000_000,
        share(bytes, records * 8),
        filled.as_secs_f64()
    );
    leave_log(&large);
    first_commit(&large);
    println!("{:<44} {:>10} {:>10} {:>7}", "", "1,000", records, "ratio");
    row("open for writing (again)", &small, &large, |path| drop(Journal::open(path, "bench").unwrap()));
    // From here on as beside a gateway at work, which has read the log.
    let at_work = [&small, &large].map(|path| Journal::open(path, "bench").unwrap());
    row("open for reading, position, devices", &small, &large, |path| {
        let reader = Reader::open(path).unwrap();
        reader.position().unwrap();
        reader.devices().unwrap();
    });
    row("the newest 20 records (tail)", &small, &large, |path| read_last(path, 20));
    row("the newest 20,000 records (a start)", &small, &large, |path| read_last(path, 20_000));
    row("alarms from the beginning (alarm lane)", &small, &large, |path| {
        Reader::open(path).unwrap().alarms(Seq(0), 1_024).unwrap();
    });
    row("a record from the middle", &small, &large, |path| {
        let reader = Reader::open(path).unwrap();
        let middle = Seq(reader.position().unwrap().end.0 / 2);
        reader.read(SeqRange { first: middle, last: middle }, usize::MAX).unwrap();
    });
    row("check of the oldest segment", &small, &large, |path| {
        let reader = Reader::open(path).unwrap();
        check(&reader, &reader.segments().unwrap()[0]).unwrap();
    });
    row("position, devices, segments, states (status)", &small, &large, |path| {
        let reader = Reader::open(path).unwrap();
        reader.position().unwrap();
        reader.devices().unwrap();
        reader.segments().unwrap();
        reader.states().unwrap();
    });
    row("an hour of 40 sensors, decoded (a chart)", &small, &large, |path| read_last(path, 40 * 60));
    proofs(&large);
    whole_check(&large);
    drop(at_work);
    pauses(&large);
}

/// Proofs for records far apart, by a reader that is open.
fn proofs(path: &Path) {
    let reader = Reader::open(path).unwrap();
    let size = reader.position().unwrap().end.0;
    let somewhere = |nth: u64| nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for nth in 1..=PROOFS {
        let began = Instant::now();
        InclusionProof::generate(Seq(somewhere(nth)), size, |subtree| reader.node(subtree)).unwrap();
        times[0].push(began.elapsed());
        let began = Instant::now();
        let above = |subtree: Subtree| match subtree.level() {
            BLOCK_LEVEL.. => reader.node(subtree),
            _ => Ok(Hash([0; 32])),
        };
        InclusionProof::generate(Seq(somewhere(nth)), size, above).unwrap();
        times[1].push(began.elapsed());
        let began = Instant::now();
        ConsistencyProof::generate(1 + somewhere(nth)..size, |subtree| reader.node(subtree)).unwrap();
        times[2].push(began.elapsed());
    }
    let what = ["inclusion proof", "inclusion proof, above its block alone", "consistency proof"];
    for (what, mut times) in what.into_iter().zip(times) {
        times.sort();
        println!("{what}: median {:.2?}, max {:.2?}", times[times.len() / 2], times[times.len() - 1]);
    }
}

/// A pass of the background check, which pauses behind each segment.
fn whole_check(path: &Path) {
    let reader = Reader::open(path).unwrap();
    let segments = reader.segments().unwrap();
    let began = Instant::now();
    assert!(segments.iter().all(|segment| check(&reader, segment).unwrap().is_empty()));
    let busy = began.elapsed();
    let pauses = (busy * CHECK_PAUSE_TIMES).max(CHECK_PAUSE * u32::try_from(segments.len()).unwrap());
    println!("check of all {} segments: {busy:.1?} of work in {:.1?}", segments.len(), busy + pauses);
}

/// How long a commit of one record takes while nothing else happens, and while segments are thinned, dropped and sealed.
fn pauses(path: &Path) {
    let quiet = commits(path, |_, _| {});
    let busy = commits(path, |reader, orders| {
        for segment in reader.segments().unwrap().into_iter().filter(Segment::has_file).take(20) {
            let to = if segment.stage == Stage::Whole { Stage::Thinned } else { Stage::Remnant };
            weigh(reader, &segment, to).unwrap();
            orders.send(SegmentChange::Condemned { first: segment.first, to }).unwrap();
            orders.send(reduce(reader, &Segment { condemned: Some(to), ..segment }).unwrap()).unwrap();
        }
        let full = |segment: &Segment| segment.stage == Stage::Hot && segment.last.is_some();
        if let Some(table) = reader.segments().unwrap().into_iter().find(full) {
            orders.send(seal(reader, &table).unwrap()).unwrap();
        }
    });
    let at = |times: &[Duration], percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    for (what, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
        let (quiet, busy) = (at(&quiet, percent), at(&busy, percent));
        println!(
            "commit of a record, {what}: {quiet:.2?} quiet, {busy:.2?} beside retention ({:.1} times)",
            busy.as_secs_f64() / quiet.as_secs_f64()
        );
    }
}

fn commits(path: &Path, upkeep: impl Fn(&Reader, &mpsc::Sender<SegmentChange>) + Send) -> Vec<Duration> {
    let mut journal = Journal::open(path, "bench").unwrap();
    let reader = Reader::open(path).unwrap();
    let (orders, ordered) = mpsc::channel();
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        let working = scope.spawn(move || upkeep(&reader, &orders));
        while times.len() < COMMITS || !working.is_finished() {
            let records = vec![frame(journal.end().0)];
            let segments = ordered.try_iter().take(1).collect();
            let began = Instant::now();
            journal.commit(&Transaction { records, segments, ..Transaction::default() }).unwrap();
            times.push(began.elapsed());
        }
    });
    for change in ordered.try_iter() {
        journal.commit(&Transaction { segments: vec![change], ..Transaction::default() }).unwrap();
    }
    times.sort();
    times
}

fn row(what: &str, small: &Path, large: &Path, work: impl Fn(&Path)) {
    let best = |path: &Path| {
        let times = (0..5).map(|_| {
            let began = Instant::now();
            work(path);
            began.elapsed()
        });
        // The first one has what a start has: the files may be cold, the log is read.
        let all: Vec<Duration> = times.collect();
        (all[0], *all.iter().min().unwrap())
    };
    let ((_, small), (first, large)) = (best(small), best(large));
    println!(
        "{what:<44} {small:>10.2?} {large:>10.2?} {:>6.1}x, first {first:.2?}",
        large.as_secs_f64() / small.as_secs_f64()
    );
}

fn read_last(path: &Path, count: u64) {
    let reader = Reader::open(path).unwrap();
    let end = reader.position().unwrap().end.0;
    let mut next = Seq(end.saturating_sub(count));
    while let Some(range) = SeqRange::new(next, Seq(end - 1)) {
        let read = reader.read(range, 4 * 1024 * 1024).unwrap();
        let Some(last) = read.last() else { break };
        next = last.seq.next();
    }
}

fn fill(path: &Path, records: u64) {
    let mut journal = Journal::open(path, "bench").unwrap();
    let reader = Reader::open(path).unwrap();
    for first in (0..records).step_by(usize::try_from(PART).unwrap()) {
        let records = (first..records.min(first + PART)).map(frame).collect();
        journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
        let full = |segment: &Segment| segment.stage == Stage::Hot && segment.last.is_some();
        while let Some(table) = journal.segments().unwrap().into_iter().find(full) {
            let change = seal(&reader, &table).unwrap();
            journal.commit(&Transaction { segments: vec![change], ..Transaction::default() }).unwrap();
        }
    }
}

/// Writes while a reader holds its snapshot, then forgets both: the log stays as long as it has grown.
fn leave_log(path: &Path) {
    let mut journal = Journal::open(path, "bench").unwrap();
    let holder = rusqlite::Connection::open(path).unwrap();
    holder.execute_batch("BEGIN; SELECT * FROM tree;").unwrap();
    let log = path.with_extension("db-wal");
    while std::fs::metadata(&log).map_or(0, |log| log.len()) < LOG_BYTES {
        let end = journal.end().0;
        let records = (end..end + 8).map(frame).collect();
        journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
    }
    println!("left in the log: {} MB", std::fs::metadata(&log).map_or(0, |log| log.len()) / 1_000_000);
}

/// What a start behind such a log has to do until its first record is durable.
fn first_commit(path: &Path) {
    let began = Instant::now();
    let mut journal = Journal::open(path, "bench").unwrap();
    let opened = began.elapsed();
    read_last(path, 20_000);
    let read = began.elapsed() - opened;
    let records = vec![frame(journal.end().0)];
    let began = Instant::now();
    journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
    let committed = began.elapsed();
    println!("behind it: open for writing {opened:.2?}, newest 20,000 read {read:.2?}, first commit {committed:.2?}");
}

/// A frame of one of 40 sensors with eight readings, a minute after its last one; values drift as water does.
fn frame(number: u64) -> Record {
    let (sensor, minute) = (number % 40, number / 40);
    let reading = |nth: u64| Reading {
        quantity: Quantity::new(
            ["cod", "ammonia_nitrogen", "ph", "flow", "level", "turbidity", "conductivity", "temperature"]
                [usize::try_from(nth).unwrap()],
        )
        .unwrap(),
        unit: Unit::new("mg/L").unwrap(),
        value: record::Decimal::new(i64::try_from(4_000 + (minute * (nth + 3) + sensor * 17) % 97).unwrap(), -2),
        quality: Quality::Good,
        at_ms: None,
    };
    let stamp = Stamp {
        boot: BootNo(0),
        mono_ms: MonoMs(minute * 60_000 + sensor * 1_500),
        wall_ms: UnixMs(i64::try_from(1_800_000_000_000 + minute * 60_000 + sensor * 1_500).unwrap()),
        clock: ClockQuality::Synchronised,
    };
    let source = SourceId::new(&format!("probe-{sensor}")).unwrap();
    let readings: Vec<Reading> = (0..8).map(reading).collect();
    let raw = readings.iter().flat_map(|reading| reading.value.unwrap().to_string().into_bytes()).collect();
    let link = Link::Mqtt { topic: format!("d/probe-{sensor}/up"), qos: 1, packet_id: Some(1), level: 4, seal: None };
    Record { stamp, body: Body::Frame(Frame { source, link, raw, readings, codec: None, texts: vec![] }) }
}

fn size(folder: &Path) -> u64 {
    let entries = folder.read_dir().unwrap().flatten();
    entries.map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() }).sum()
}

fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "three digits are printed")]
    let share = part as f64 / whole as f64;
    share
}

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)?.parse().ok()
}
