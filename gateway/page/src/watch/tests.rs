//! A journal of five weeks, written by the one writer and read by the page's thread.

use std::path::PathBuf;

use journal::{Journal, Transaction};
use record::{
    Boot, BootNo, ClockSet, ClockSource, CodecId, Decimal, Frame, Link, MonoMs, Quality, Quantity, Reading, Record,
    Redecoded, SourceId, Stamp, Unit,
};

use super::*;
use crate::tally::Span;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 1_440 * MINUTE_MS;

struct Box {
    _folder: tempfile::TempDir,
    path: PathBuf,
    journal: Journal,
    next: u64,
    known: Shared,
}

fn stamp(boot: u32, at: i64, clock: record::ClockQuality) -> Stamp {
    let wall_ms = if clock == record::ClockQuality::Unset { UnixMs(at - 400 * DAY_MS) } else { UnixMs(at) };
    Stamp { boot: BootNo(boot), mono_ms: MonoMs(at.rem_euclid(1_000 * DAY_MS).unsigned_abs()), wall_ms, clock }
}

fn reading(value: i64) -> Reading {
    let (quantity, unit) = (Quantity::new("cod").unwrap(), Unit::new("mg/L").unwrap());
    Reading { quantity, unit, value: Some(Decimal::from(value)), quality: Quality::Good, at_ms: None }
}

impl Box {
    fn new() -> Box {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal/journal.db");
        let journal = Journal::open(&path, "outfall-1").unwrap();
        Box { _folder: folder, path, journal, next: 0, known: Arc::default() }
    }

    fn write(&mut self, records: impl IntoIterator<Item = (Stamp, Body)>) {
        let records: Vec<Record> = records.into_iter().map(|(stamp, body)| Record { stamp, body }).collect();
        self.next += records.len() as u64;
        self.journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
    }

    fn frame(&mut self, at: i64, value: i64) -> Seq {
        self.write([(stamp(0, at, record::ClockQuality::Synchronised), frame(value))]);
        Seq(self.next - 1)
    }

    fn watcher(&self) -> Watcher {
        Watcher::open(&self.path, &self.known).unwrap()
    }

    fn read_all(&self, watcher: &mut Watcher) {
        while watcher.look(&self.known).unwrap() {}
    }

    /// Good readings and their sum over the span.
    fn counted(&self, span: Span, now: i64) -> (u64, f64) {
        let known = lock(&self.known);
        let Some(series) = known.tally.device(&SourceId::new("cod-1").unwrap()).and_then(|all| all.values().next())
        else {
            return (0, 0.0);
        };
        let parts = series.parts(span, UnixMs(now));
        let sum = parts.iter().filter_map(|part| Some(part.band()?.mean * f64::from(part.good))).sum();
        (parts.iter().map(|part| u64::from(part.good)).sum(), sum)
    }
}

fn frame(value: i64) -> Body {
    let link = Link::Mqtt { topic: "t".into(), qos: 1, packet_id: None, level: 4, seal: None };
    let (source, readings) = (SourceId::new("cod-1").unwrap(), vec![reading(value)]);
    Body::Frame(Frame { source, link, raw: vec![1], readings, codec: None, texts: Vec::new() })
}

/// Now, by this machine: what is read is chosen by its clock.
fn now() -> i64 {
    machine_now().0
}

#[test]
fn a_month_is_read_and_what_is_older_is_not() {
    let (mut weir, now) = (Box::new(), now());
    let boot = Body::Boot(Boot { boot_id: "b".into(), version: "1".into() });
    weir.write([(stamp(0, now - 36 * DAY_MS, record::ClockQuality::Synchronised), boot)]);
    // Each ten minutes for five weeks, in commits of a day.
    let times: Vec<i64> = (0..35 * 144).rev().map(|nth| now - nth * 10 * MINUTE_MS - MINUTE_MS).collect();
    for day in times.chunks(144) {
        weir.write(
            day.iter().map(|at| (stamp(0, *at, record::ClockQuality::Synchronised), frame(at / MINUTE_MS % 100))),
        );
    }
    let mut watcher = weir.watcher();
    assert!(watcher.look(&weir.known).unwrap(), "a block at a time");
    assert!(lock(&weir.known).progress.back_to.is_some());
    weir.read_all(&mut watcher);
    for span in [Span::Day, Span::Month] {
        let from = span.from(UnixMs(now)).0;
        let expected: Vec<i64> = times.iter().filter(|at| **at >= from).map(|at| at / MINUTE_MS % 100).collect();
        let (count, sum) = weir.counted(span, now);
        assert_eq!(count, expected.len() as u64);
        assert!((sum - expected.iter().sum::<i64>() as f64).abs() < 1e-6 * sum, "{sum}");
    }
    let progress = lock(&weir.known).progress.clone();
    assert_eq!((progress.box_id.as_str(), progress.records, progress.back_to), ("outfall-1", weir.next, None));
    assert!(watcher.pass.floor > Seq(500), "the older ones were not read");
    let before = weir.counted(Span::Day, now).0;
    weir.frame(now, 7);
    weir.read_all(&mut watcher);
    assert_eq!(lock(&weir.known).progress.newest, Some(UnixMs(now)), "what is new is there at once");
    assert_eq!(weir.counted(Span::Day, now).0, before + 1);
}

#[test]
fn the_newest_decoding_of_a_frame_counts_and_is_of_when_the_frame_came() {
    let (mut weir, now) = (Box::new(), now());
    let first = weir.frame(now - 600 * MINUTE_MS, 1_000);
    weir.frame(now - 500 * MINUTE_MS, 5);
    let again = |value| {
        let (source, codec) = (SourceId::new("cod-1").unwrap(), CodecId([1; 8]));
        Body::Redecoded(Redecoded { source, of: first, codec, readings: vec![reading(value)], texts: Vec::new() })
    };
    let late = stamp(0, now, record::ClockQuality::Synchronised);
    weir.write([(late, again(2_000)), (late, again(7))]);
    let mut watcher = weir.watcher();
    weir.read_all(&mut watcher);
    assert_eq!(weir.counted(Span::Day, now), (2, 12.0));
    // While it runs: not beside the former one, and right once the month is read again.
    weir.write([(late, again(9))]);
    weir.read_all(&mut watcher);
    assert_eq!((weir.counted(Span::Day, now), watcher.stale), ((2, 12.0), true));
    watcher.began = Instant::now().checked_sub(Duration::from_secs(AGAIN_S_MIN)).unwrap();
    weir.read_all(&mut watcher);
    assert_eq!((weir.counted(Span::Day, now), watcher.stale), ((2, 14.0), false));
}

#[test]
fn a_reading_is_where_the_corrected_clock_has_it_and_nowhere_while_nobody_knows() {
    let (mut weir, now) = (Box::new(), now());
    let unset = |at| stamp(1, at, record::ClockQuality::Unset);
    let boot = Body::Boot(Boot { boot_id: "b".into(), version: "1".into() });
    weir.write([(unset(now - 61 * MINUTE_MS), boot), (unset(now - 60 * MINUTE_MS), frame(50))]);
    let mut watcher = weir.watcher();
    weir.read_all(&mut watcher);
    assert_eq!(weir.counted(Span::Month, now).0, 0, "nobody knows when");
    let set = ClockSet { source: ClockSource::Ntp, before: record::ClockQuality::Unset, step_ms: 0, error_ms: 10 };
    weir.write([(stamp(1, now, record::ClockQuality::Synchronised), Body::Clock(set))]);
    weir.read_all(&mut watcher);
    assert!(watcher.stale);
    watcher.began = Instant::now().checked_sub(Duration::from_secs(AGAIN_S_MIN)).unwrap();
    weir.read_all(&mut watcher);
    assert_eq!(weir.counted(Span::Day, now), (1, 50.0));
}

#[test]
fn a_journal_that_comes_later_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal/journal.db");
    let known = Shared::default();
    let (stop, stopped) = std::sync::mpsc::channel();
    let (shared, file) = (Arc::clone(&known), path.clone());
    let thread = thread::spawn(move || watch(&file, &shared, &stopped));
    let until = |what: &str, holds: &dyn Fn(&Known) -> bool| {
        let began = Instant::now();
        while !holds(&lock(&known)) {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}");
            thread::sleep(Duration::from_millis(10));
        }
    };
    until("it says that there is none", &|known| known.progress.trouble.is_some());
    let mut journal = Journal::open(&path, "outfall-7").unwrap();
    let record = Record { stamp: stamp(0, now(), record::ClockQuality::Synchronised), body: frame(1) };
    journal.commit(&Transaction { records: vec![record], ..Transaction::default() }).unwrap();
    until("it reads it", &|known| known.progress.box_id == "outfall-7" && known.progress.trouble.is_none());
    drop(stop);
    thread.join().unwrap();
}
