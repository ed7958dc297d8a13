//! A keeper beside a committer at work, on a real disk.

use journal::{DeviceRow, Journal, Tally, Transaction};
use record::{Body, BootNo, Frame, GapReason, Link, Record, RecordAt, SeqRange, SourceId, Stamp, UnixMs};

use super::*;
use crate::committer::tests::{Bench, table_at};

/// Longer than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn frame(number: u64) -> Record {
    let stamp = Stamp {
        boot: BootNo(0),
        mono_ms: MonoMs(number * 1_000),
        wall_ms: UnixMs(1_800_000_000_000),
        clock: ClockQuality::Unset,
    };
    let link = Link::Mqtt { topic: "d/cod-1/up".into(), qos: 1, packet_id: Some(1), level: 4, seal: None };
    let raw = number.to_be_bytes().repeat(6);
    let source = SourceId::new("cod-1").unwrap();
    Record { stamp, body: Body::Frame(Frame { source, link, raw, readings: vec![], codec: None, texts: vec![] }) }
}

/// A bench whose journal holds this many frames already.
fn bench(frames: u64) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), frames);
    Bench::open(folder, "boot-a")
}

fn fill(folder: &Path, frames: u64) {
    let mut journal = Journal::open(&folder.join("journal/journal.db"), "outfall-1").unwrap();
    for first in (0..frames).step_by(4_096) {
        let records = (first..frames.min(first + 4_096)).map(frame).collect();
        let row = DeviceRow { tally: Tally { accepted: first, ..Tally::default() }, ..DeviceRow::default() };
        let devices = [(SourceId::new("cod-1").ok(), row)].into();
        journal.commit(&Transaction { records, devices, ..Transaction::default() }).unwrap();
    }
}

/// A keeper whose orders are carried out by the bench's committer, until `done`.
fn keep(bench: &mut Bench, limits: config::Journal, done: impl Fn(&KeepingStatus) -> bool) -> KeepingStatus {
    let (orders, mut ordered) = mpsc::channel(4);
    let path = bench.folder.path().join("journal/journal.db");
    let surroundings = Surroundings {
        outbox: bench.folder.path().join("outbox/outbox.db"),
        orders,
        clock: bench.committer.clock(),
        scarce: Arc::default(),
        days_max: limits.days_max,
        space: Space::new(&path, 0),
    };
    let keeper = Keeper::new(&path, limits.bytes_max, surroundings, bench.board.clone()).unwrap();
    let (nudge, nudges) = sync_channel(1);
    let thread = std::thread::spawn(move || keeper.run(&nudges));
    let until = Instant::now() + PATIENCE;
    let status = loop {
        while let Ok(order) = ordered.try_recv() {
            bench.take(Vec::new(), Vec::new(), vec![order]);
        }
        let status = bench.board.lock().unwrap().journal.keeping.clone().unwrap_or_default();
        if done(&status) {
            break status;
        }
        assert!(Instant::now() < until, "{status:?}");
        let _ = nudge.try_send(());
        std::thread::sleep(Duration::from_millis(5));
    };
    drop((nudge, ordered));
    thread.join().unwrap();
    status
}

fn gaps_in(records: &[RecordAt]) -> Vec<Gap> {
    let gap = |at: &RecordAt| match &at.record.body {
        Body::Gap(gap) => Some(gap.clone()),
        _ => None,
    };
    records.iter().filter_map(gap).collect()
}

#[test]
fn full_tables_go_into_files_and_nothing_is_lost() {
    let mut bench = bench(40_000);
    let before = bench.records();
    let status = keep(&mut bench, config::Journal::default(), |status| status.whole == 2);
    assert_eq!((status.thinned, status.remnant, status.trouble), (0, 0, None));
    assert_eq!(bench.records(), before);
    let bench = bench.reopen("boot-a");
    assert_eq!(bench.records(), before);
    assert!(bench.board.lock().unwrap().journal.salvaged.is_none());
}

#[test]
fn the_budget_is_kept_and_each_loss_is_a_record() {
    let mut bench = bench(100_000);
    let all = keep(&mut bench, config::Journal::default(), |status| status.whole == 6);
    let files: u64 = bench.reader().segments().unwrap().iter().map(|segment| segment.bytes).sum();
    let bytes_max = all.bytes - files / 2;
    let limits = config::Journal { bytes_max, ..config::Journal::default() };
    let status = keep(&mut bench, limits, |status| status.thinned > 0 && status.bytes <= bytes_max);
    assert!(status.whole < 6 && status.trouble.is_none(), "{status:?}");
    let (reader, records) = (bench.reader(), bench.records());
    let end = reader.position().unwrap().end;
    let gone = reader.unreadable(SeqRange { first: Seq(0), last: Seq(end.0 - 1) }).unwrap();
    let told = gaps_in(&records);
    let counted: u64 = told.iter().map(|gap| gap.frames + gap.rejected + gap.other).sum();
    assert_eq!(counted, gone.len());
    assert!(told.iter().all(|gap| gone.covers(&gap.ranges) && gap.why != GapReason::Damaged));
    assert_eq!(records.len() as u64 + gone.len(), end.0, "J2: each number is there or told");
    assert_eq!(reader.recompute(|_, _| {}).unwrap(), reader.position().unwrap().frontier);
}

#[test]
fn what_is_pinned_stays_until_it_is_released() {
    let mut bench = bench(60_000);
    let all = keep(&mut bench, config::Journal::default(), |status| status.whole == 3);
    let pinned = serde_json::json!({
        "do": "audit", "act": "pinned", "records": {"first": 20_000, "last": 20_010}, "reason": "evidence",
    });
    let pin = bench.order(&pinned).unwrap()["seq"].as_u64().unwrap();
    // Less than anything can be: all goes that may.
    let limits = config::Journal { bytes_max: 1, ..config::Journal::default() };
    let status = keep(&mut bench, limits, |status| status.whole == 1 && status.thinned + status.remnant == 0);
    assert!(status.bytes < all.bytes);
    let file = |bench: &Bench, first: u64| {
        bench.reader().segments().unwrap().iter().any(|s| s.first.0 == first && s.has_file())
    };
    assert!(file(&bench, 16_384) && !file(&bench, 0) && !file(&bench, 32_768));
    let mut bench = bench.reopen("boot-b");
    bench.order(&serde_json::json!({"do": "audit", "act": "released", "pin": pin})).unwrap();
    keep(&mut bench, limits, |status| status.whole + status.thinned + status.remnant == 0);
}

#[test]
fn pins_hold_half_of_the_budget_and_not_more() {
    let mut bench = bench(60_000);
    keep(&mut bench, config::Journal::default(), |status| status.whole == 3);
    let files: u64 = bench.reader().segments().unwrap().iter().map(|segment| segment.bytes).sum();
    let pin = |first: u64, last: u64| serde_json::json!({"do": "audit", "act": "pinned", "records": {"first": first, "last": last}});
    bench.limit(2 * files - 2);
    let refused = bench.order(&pin(0, 49_151)).unwrap_err();
    assert!(refused.contains("half of the journal's budget"), "{refused}");
    bench.limit(2 * files);
    bench.order(&pin(0, 10)).unwrap();
    bench.order(&pin(0, 49_151)).unwrap();
    bench.limit(2 * files - 2);
    assert!(bench.order(&pin(20_000, 20_000)).is_err(), "what is pinned already counts");
}

#[test]
fn a_pin_that_comes_while_a_step_is_planned_wins_and_one_that_comes_later_does_not() {
    let mut bench = bench(60_000);
    keep(&mut bench, config::Journal::default(), |status| status.whole == 3);
    let pin = |bench: &mut Bench, seq: u64| {
        let pinned = serde_json::json!({"do": "audit", "act": "pinned", "records": {"first": seq, "last": seq}});
        bench.order(&pinned).unwrap();
    };
    let condemn = |bench: &mut Bench, first: u64| {
        let changes = vec![SegmentChange::Condemned { first: Seq(first), to: Stage::Remnant }];
        let (answer, answered) = oneshot::channel();
        bench.take(Vec::new(), Vec::new(), vec![Ordered { order: Order::Keep { gaps: Vec::new(), changes }, answer }]);
        answered.blocking_recv().unwrap().map(drop)
    };
    pin(&mut bench, 7);
    assert_eq!(condemn(&mut bench, 0).unwrap_err(), "pinned meanwhile");
    condemn(&mut bench, 16_384).unwrap();
    pin(&mut bench, 20_000);
    condemn(&mut bench, 16_384).unwrap();
    assert_eq!(condemn(&mut bench, 0).unwrap_err(), "pinned meanwhile");
}

#[test]
fn rot_in_a_file_is_found_told_and_kept() {
    let mut bench = bench(20_000);
    keep(&mut bench, config::Journal::default(), |status| status.whole == 1);
    let file = bench.folder.path().join("journal/blocks/000000000000.blocks");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.len() / 3;
    bytes[at] ^= 0x10;
    std::fs::write(&file, &bytes).unwrap();
    let quarantined = bench.folder.path().join("journal/quarantine/0/000000000000.blocks");
    let found = quarantined.clone();
    keep(&mut bench, config::Journal::default(), move |_| found.exists());
    assert_eq!(std::fs::read(quarantined).unwrap(), bytes);
    let told = gaps_in(&bench.records());
    assert_eq!(told.iter().map(|gap| (gap.why, gap.other)).collect::<Vec<_>>(), [(GapReason::Damaged, 256)]);
}

#[test]
fn rot_in_what_has_to_go_is_told_and_kept_and_the_budget_still_holds() {
    let mut bench = bench(40_000);
    let all = keep(&mut bench, config::Journal::default(), |status| status.whole == 2);
    let file = bench.folder.path().join("journal/blocks/000000000000.blocks");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.len() / 3;
    bytes[at] ^= 0x10;
    std::fs::write(&file, &bytes).unwrap();
    let bytes_max = all.bytes - 100_000;
    let limits = config::Journal { bytes_max, ..config::Journal::default() };
    let status = keep(&mut bench, limits, |status| status.bytes <= bytes_max);
    assert_eq!(status.trouble, None);
    let quarantined = bench.folder.path().join("journal/quarantine/0/000000000000.blocks");
    assert_eq!(std::fs::read(quarantined).unwrap(), bytes);
    let reader = bench.reader();
    let end = reader.position().unwrap().end;
    let gone = reader.unreadable(SeqRange { first: Seq(0), last: Seq(end.0 - 1) }).unwrap();
    let told = gaps_in(&bench.records());
    assert_eq!(told.iter().filter(|gap| gap.why == GapReason::Damaged).count(), 1, "{told:?}");
    assert_eq!(told.iter().map(|gap| gap.frames + gap.rejected + gap.other).sum::<u64>(), gone.len());
}

/// A dossier, and who stands there, is told in the oldest segment, and that is taken away to the last record.
#[test]
fn what_is_told_of_outfalls_is_told_again_with_where_it_was_told_first() {
    let table = || table_at("FA-231081-0001-SH-00");
    let mut bench = Bench::open_at(tempfile::tempdir().unwrap(), table());
    let dossier: serde_json::Value =
        serde_json::from_str(include_str!("../../../../sync/record/tests/outfall.json")).unwrap();
    let request = serde_json::json!({ "do": "register", "how": "add", "dossiers": [dossier], "reason": "登记" });
    let seq = bench.order(&request).unwrap()["versions"][0]["seq"].as_u64().unwrap();
    let Bench { folder, committer, .. } = bench;
    drop(committer);
    fill(folder.path(), 40_000);
    let mut bench = Bench::open_at(folder, table());
    let reader = bench.reader();
    let first_is_gone = move |_: &KeepingStatus| reader.segments().unwrap()[0].stage == Stage::Gone;
    keep(&mut bench, config::Journal { bytes_max: 1, ..config::Journal::default() }, first_is_gone);
    let bench = bench.reopen("boot-b");
    let mut register = journal::Register::default();
    register.catch_up(&bench.reader()).unwrap();
    let (code, known) = register.iter().next().unwrap();
    let (at, version) = known.dossier.clone().unwrap();
    let told = version.told.unwrap();
    assert!(at.seq.0 > 40_000, "{at:?}");
    assert_eq!((version.version, told.seq, version.reason.as_str()), (1, Seq(seq), "登记"));
    let (at, standing) = known.devices.clone().unwrap();
    assert!(at.seq.0 > 40_000 && standing.told.unwrap().seq < Seq(seq), "{at:?} {standing:?}");
    let mut standings = journal::Standings::default();
    standings.catch_up(&bench.reader()).unwrap();
    let stood = |at: u64| standings.stood(&standing.devices[0], code, Seq(at));
    assert!(stood(20_000) && stood(at.seq.0), "all the time");
}

/// What a start told stands in the oldest segment, and that is taken away to the last record.
#[test]
fn codecs_are_told_again_and_boots_keep_their_numbers_when_their_records_go() {
    let Bench { folder, committer, .. } = Bench::open(tempfile::tempdir().unwrap(), "boot-a");
    drop(committer);
    fill(folder.path(), 40_000);
    let mut bench = Bench::open(folder, "boot-a");
    let reader = bench.reader();
    let told = reader.codecs().unwrap();
    assert!(!told.is_empty() && told.values().all(|seq| seq.0 < 16_384), "{told:?}");
    let first_is_gone = move |_: &KeepingStatus| reader.segments().unwrap()[0].stage == Stage::Gone;
    keep(&mut bench, config::Journal { bytes_max: 1, ..config::Journal::default() }, first_is_gone);
    let again = bench.reader().codecs().unwrap();
    assert!(again.keys().eq(told.keys()) && again.values().all(|seq| seq.0 > 40_000), "{again:?}");
    for boot in 1..3 {
        bench = bench.reopen(&format!("boot-{boot}"));
        let last = bench.reader().last_boot().unwrap().unwrap();
        assert_eq!(last.record.stamp.boot, BootNo(boot), "none of an earlier boot");
        assert_eq!(bench.reader().codecs().unwrap(), again, "once");
    }
}
