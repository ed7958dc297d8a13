mod backups;
mod commands;
mod damage;
mod migration;
mod segments;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use proptest::prelude::*;
use record::merkle::Frontier;
use record::{
    Body, Boot, BootNo, ClockQuality, Frame, Link, MonoMs, Record, Seq, SeqRange, SeqRanges, SourceId, Stamp, UnixMs,
};

use crate::{
    DeviceRow, Journal, NOTIFICATION_BYTES_MAX, NOTIFICATIONS_MAX, Notified, Outbox, Reader, StoreError, StoredBatch,
    StoredUsage, Tally, Transaction,
};

struct Bed {
    folder: tempfile::TempDir,
}

impl Bed {
    fn new() -> Bed {
        Bed { folder: tempfile::tempdir().unwrap() }
    }
    fn path(&self) -> PathBuf {
        self.folder.path().join("journal/journal.db")
    }
    fn journal(&self) -> Journal {
        Journal::open(&self.path(), "box-1").unwrap()
    }
}

fn record(number: u64, len: usize) -> Record {
    let stamp = Stamp {
        boot: BootNo(0),
        mono_ms: MonoMs(number),
        wall_ms: UnixMs(1_700_000_000_000),
        clock: ClockQuality::Unset,
    };
    let link = Link::Mqtt { topic: "d/a/up".into(), qos: 1, packet_id: Some(1), level: 4, seal: None };
    let source = SourceId::new("a").unwrap();
    let body = Body::Frame(Frame { source, link, raw: vec![7; len], readings: vec![], codec: None, texts: vec![] });
    Record { stamp, body }
}

fn append(journal: &mut Journal, count: u64) {
    let first = journal.end().0;
    let records = (first..first + count).map(|number| record(number, 40)).collect();
    let committed = journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
    assert_eq!(committed.first, Seq(first));
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn all() -> SeqRange {
    SeqRange { first: Seq(0), last: Seq(1 << 60) }
}

#[test]
fn what_was_committed_is_read_back_by_another_process_view() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    append(&mut journal, 3);
    let reader = Reader::open(&bed.path()).unwrap();
    append(&mut journal, 2);
    let position = reader.position().unwrap();
    assert_eq!((position.box_id.as_str(), position.end), ("box-1", Seq(5)));
    assert_eq!(&position.frontier, journal.frontier());
    let read = reader.read(all(), usize::MAX).unwrap();
    assert_eq!(read.iter().map(|r| r.seq.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(read[4].record, record(4, 40));
    assert_eq!(reader.read(all(), 1).unwrap().len(), 1, "a bound on bytes still lets one through");
}

#[test]
fn files_keep_the_rights_the_two_users_need() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    append(&mut journal, 1);
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(bed.path().parent().unwrap().into()) & 0o777, 0o750);
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        assert_eq!(mode(bed.path().with_file_name(file)), 0o640, "{file}");
    }
    drop(journal);
    assert!(bed.path().with_file_name("journal.db-wal").exists(), "a reader must not be the one to make it");
}

#[test]
fn a_second_writer_is_refused() {
    let bed = Bed::new();
    let _journal = bed.journal();
    assert!(matches!(Journal::open(&bed.path(), "box-1"), Err(StoreError::AlreadyOpen { .. })));
}

#[test]
fn another_box_is_refused() {
    let bed = Bed::new();
    drop(bed.journal());
    assert!(matches!(Journal::open(&bed.path(), "box-2"), Err(StoreError::OtherBox { .. })));
}

#[test]
fn a_full_disk_stores_nothing_and_heals() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    append(&mut journal, 1);
    let before = journal.frontier().clone();
    let connection = rusqlite::Connection::open(bed.path()).unwrap();
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    journal.limit_pages(pages + 2);
    let device = DeviceRow { session: vec![1], client: vec![2], tally: Tally { accepted: 9, ..Tally::default() } };
    let transaction = Transaction {
        records: vec![record(1, 9_000)],
        devices: [(SourceId::new("a").ok(), device)].into(),
        ..Transaction::default()
    };
    assert!(matches!(journal.commit(&transaction), Err(StoreError::Write { .. })));
    assert_eq!(journal.frontier(), &before);
    assert!(journal.devices().unwrap().is_empty(), "the counter must not move without the record");
    journal.limit_pages(1 << 30);
    assert_eq!(journal.commit(&transaction).unwrap().first, Seq(1));
    assert_eq!(journal.devices().unwrap().len(), 1);
}

#[test]
fn a_changed_a_removed_and_a_reordered_record_are_found() {
    for damage in [
        "UPDATE record_0 SET body = (SELECT body FROM record_0 WHERE seq = 3) WHERE seq = 2",
        "DELETE FROM record_0 WHERE seq = 2",
        "UPDATE record_0 SET seq = 100 WHERE seq = 2; UPDATE record_0 SET seq = 2 WHERE seq = 3; \
         UPDATE record_0 SET seq = 3 WHERE seq = 100",
    ] {
        let bed = Bed::new();
        let mut journal = bed.journal();
        (0..6).for_each(|_| append(&mut journal, 1));
        drop(journal);
        let reader = Reader::open(&bed.path()).unwrap();
        let honest = reader.recompute(|_, _| {}).unwrap();
        assert_eq!(honest, reader.position().unwrap().frontier);
        rusqlite::Connection::open(bed.path()).unwrap().execute_batch(damage).unwrap();
        match reader.recompute(|_, _| {}) {
            Ok(tree) => assert_ne!(tree, honest, "{damage}"),
            Err(error) => assert!(matches!(error, StoreError::Inconsistent { .. }), "{damage}: {error}"),
        }
    }
}

#[test]
fn checkpoints_come_back_in_order() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    assert_eq!(journal.checkpoint_size().unwrap(), 0);
    for size in [5, 9, 9, 12] {
        journal.keep_checkpoint(size, &[1]).unwrap();
    }
    let reader = Reader::open(&bed.path()).unwrap();
    let sizes: Vec<u64> = reader.checkpoints_after(5, 10).unwrap().iter().map(|c| c.size).collect();
    assert_eq!(sizes, [9, 12]);
    let newest = |sizes| reader.newest_checkpoint(sizes).unwrap().map(|found| found.size);
    assert_eq!([newest(0..=12), newest(0..=11), newest(6..=8), newest(13..=20)], [Some(12), Some(9), None, None]);
    assert_eq!(journal.checkpoint_size().unwrap(), 12);
}

#[test]
fn only_alarms_are_listed_as_alarms() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    append(&mut journal, 2);
    let alarm = minicbor::decode::<record::AlarmTransition>(&{
        let mut bytes = vec![0x89];
        bytes.extend(b"\x61r\x61a\x63cod\x00\x01\x82\x01\x00\x00\xf6\x00");
        bytes
    })
    .unwrap();
    let stamp = record(0, 0).stamp;
    let boot = Boot { boot_id: "b".into(), version: "0".into() };
    let records =
        vec![Record { stamp, body: Body::Alarm(alarm) }, Record { stamp, body: Body::Boot(boot) }, record(4, 1)];
    journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
    let reader = Reader::open(&bed.path()).unwrap();
    assert_eq!(reader.alarms(Seq(0), 10).unwrap(), [Seq(2)]);
    assert_eq!(reader.alarms(Seq(3), 10).unwrap(), []);
    assert_eq!(reader.last_boot().unwrap().unwrap().seq, Seq(3));
}

fn span(first: u64, last: u64) -> SeqRanges {
    [SeqRange { first: Seq(first), last: Seq(last) }].into_iter().collect()
}

#[test]
fn coverage_grows_with_the_receipt_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox/outbox.db");
    let mut outbox = Outbox::open(&path).unwrap();
    let batch =
        |id: u8, ranges| StoredBatch { id: [id; 32], lane: 1, ranges, bytes: vec![id; 10], ..StoredBatch::default() };
    outbox.put_batch("city", &batch(1, span(0, 4))).unwrap();
    outbox.put_batch("city", &batch(1, span(0, 4))).unwrap();
    outbox.put_batch("city", &batch(2, span(8, 9))).unwrap();
    outbox.put_batch("province", &batch(3, span(0, 9))).unwrap();
    assert!(outbox.coverage("city").unwrap().is_empty(), "nothing is claimed before a receipt (D1)");
    outbox.settle("city", &[2; 32], b"receipt", 7).unwrap();
    outbox.settle("city", &[2; 32], b"receipt", 7).unwrap();
    assert_eq!(outbox.coverage("city").unwrap(), span(8, 9));
    assert_eq!(outbox.end().unwrap(), Seq(10));
    assert_eq!(outbox.batches("city").unwrap(), [batch(1, span(0, 4))]);
    outbox.settle("city", &[1; 32], b"receipt", 0).unwrap();
    outbox.put_batch("city", &batch(4, span(5, 7))).unwrap();
    outbox.settle("city", &[4; 32], b"receipt", 0).unwrap();
    drop(outbox);
    let outbox = Outbox::open(&path).unwrap();
    assert_eq!(outbox.coverage("city").unwrap(), span(0, 9));
    assert_eq!(outbox.checkpoints_sent("city").unwrap(), 7);
    let tally = outbox.tally("city").unwrap();
    assert_eq!((tally.receipts, tally.records, tally.bytes), (3, 10, 30));
    let mut receipts = Vec::new();
    assert_eq!(outbox.claims("city", |receipt| receipts.push(receipt.id[0])).unwrap(), span(0, 9));
    assert_eq!(receipts, [2, 1, 4]);
    assert!(outbox.coverage("province").unwrap().is_empty(), "one destination is nothing to another (D4)");
}

/// An auditor beside a running upload daemon: a receipt that comes while it reads is in what it reads, or its records are
/// in no claim.
#[test]
fn receipts_and_what_is_claimed_by_them_are_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox/outbox.db");
    let mut daemon = Outbox::open(&path).unwrap();
    let mut settle = |id: u8| {
        let batch = StoredBatch { id: [id; 32], ranges: span(id.into(), id.into()), ..StoredBatch::default() };
        daemon.put_batch("city", &batch).unwrap();
        daemon.settle("city", &batch.id, b"receipt", 0).unwrap();
    };
    settle(0);
    settle(1);
    let auditor = Outbox::open_read_only(&path).unwrap();
    let mut receipts = Vec::new();
    let claimed = auditor.claims("city", |receipt| {
        receipts.push(receipt.id[0]);
        settle(receipt.id[0] + 10);
    });
    assert_eq!((claimed.unwrap(), receipts), (span(0, 1), vec![0, 1]));
    assert_eq!(auditor.coverage("city").unwrap().len(), 4, "the next look has them");
}

#[test]
fn what_a_link_carried_is_one_row_a_destination() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.db");
    let mut outbox = Outbox::open(&path).unwrap();
    assert_eq!(outbox.usage("city").unwrap(), StoredUsage::default());
    let usage = |day| StoredUsage { date: Some((day, 681)), day_bytes: 7, month_bytes: u64::MAX >> 1 };
    outbox.note_usage("city", &usage(20_785)).unwrap();
    outbox.note_usage("city", &usage(20_786)).unwrap();
    outbox.note_usage("province", &StoredUsage { day_bytes: 1, ..StoredUsage::default() }).unwrap();
    drop(outbox);
    let outbox = Outbox::open(&path).unwrap();
    assert_eq!(outbox.usage("city").unwrap(), usage(20_786));
    assert_eq!(outbox.usage("province").unwrap().date, None);
}

#[test]
fn what_was_left_out_is_remembered_with_its_filters() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(&folder.path().join("outbox.db")).unwrap();
    let mut settle = |id: u8, ranges, filter: Option<&str>, withheld| {
        let filter = filter.map(str::to_owned);
        let batch =
            StoredBatch { id: [id; 32], ranges, filter, left_out: withheld, withheld, ..StoredBatch::default() };
        outbox.put_batch("city", &batch).unwrap();
        outbox.park("city", &[id; 32], "odd").unwrap();
        assert_eq!(outbox.parked_batches("city").unwrap()[0].batch, batch);
        assert_eq!(outbox.unpark("city", None).unwrap(), [batch]);
        outbox.settle("city", &[id; 32], b"receipt", 0).unwrap();
        let told = outbox.filtered("city").unwrap();
        let told: Vec<String> = told.iter().map(|(range, filters)| format!("{range:?} {filters}")).collect();
        let tally = outbox.tally("city").unwrap();
        (told.join(", "), tally.records, tally.withheld)
    };
    assert_eq!(settle(1, span(0, 9), None, 0), (String::new(), 10, 0));
    assert_eq!(settle(2, span(10, 19), Some("a"), 4), ("10-19 a".into(), 16, 4));
    assert_eq!(settle(3, span(20, 29), Some("a"), 9), ("10-29 a".into(), 17, 13), "one range grows");
    // Some of it goes again under another filter, and then some whole.
    outbox.reopen("city", &span(10, 29)).unwrap();
    assert_eq!(outbox.coverage("city").unwrap(), span(0, 9));
    assert_eq!(outbox.tally("city").unwrap().withheld, 0);
    let mut settle = |id: u8, ranges, filter: Option<&str>, withheld| {
        let filter = filter.map(str::to_owned);
        let batch =
            StoredBatch { id: [id; 32], ranges, filter, left_out: withheld, withheld, ..StoredBatch::default() };
        outbox.put_batch("city", &batch).unwrap();
        outbox.settle("city", &[id; 32], b"receipt", 0).unwrap();
        let told = outbox.filtered("city").unwrap();
        let told: Vec<String> = told.iter().map(|(range, filters)| format!("{range:?} {filters}")).collect();
        (told.join(", "), outbox.tally("city").unwrap().withheld)
    };
    assert_eq!(settle(4, span(15, 31), Some("b"), 3), ("10-14 a, 15-29 a\nb, 30-31 b".into(), 3));
    assert_eq!(settle(5, span(10, 14), None, 0), ("15-29 a\nb, 30-31 b".into(), 3));
    assert_eq!(outbox.coverage("city").unwrap(), span(0, 31));
}

/// A batch of an older program has no filter, and what it left in the outbox is whole.
#[test]
fn an_outbox_of_schema_3_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    let text = include_str!("../outbox.sql");
    let added = |line: &&str| {
        !["    filter ", "    left_out ", "    withheld    INTEGER NOT NULL DEFAULT"]
            .iter()
            .any(|new| line.starts_with(new))
    };
    old.execute_batch(&text.lines().filter(added).collect::<Vec<_>>().join("\n")).unwrap();
    old.execute_batch("DROP TABLE filtered; DROP TABLE dropped; DROP TABLE resend; DROP TABLE obeyed; DROP TABLE notification; DROP TABLE notified").unwrap();
    old.execute_batch("INSERT INTO batch VALUES ('city', zeroblob(32), 1, x'81820004', x'01')").unwrap();
    old.pragma_update(None, "user_version", 3).unwrap();
    drop(old);
    let outbox = Outbox::open(&path).unwrap();
    let [batch] = outbox.batches("city").unwrap().try_into().unwrap();
    assert_eq!((batch.filter, batch.left_out, batch.withheld, batch.ranges), (None, 0, 0, span(0, 4)));
    assert_eq!(outbox.filtered("city").unwrap(), []);
    assert_eq!((outbox.resend("city").unwrap(), outbox.obeyed("city").unwrap()), (SeqRanges::new(), Seq(0)));
}

#[test]
fn a_parked_batch_is_settled_but_not_covered() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(&folder.path().join("outbox.db")).unwrap();
    let batch = StoredBatch { id: [1; 32], lane: 2, ranges: span(3, 5), bytes: vec![1], ..StoredBatch::default() };
    outbox.put_batch("city", &batch).unwrap();
    outbox.park("city", &[1; 32], "malformed").unwrap();
    assert!(outbox.coverage("city").unwrap().is_empty());
    assert!(outbox.batches("city").unwrap().is_empty());
    assert_eq!(outbox.parked("city").unwrap(), span(3, 5));
}

#[derive(Debug, Clone)]
enum Step {
    Append(u64),
    Reopen,
    Fail,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![(0u64..6).prop_map(Step::Append), Just(Step::Reopen), Just(Step::Fail)];
    proptest::collection::vec(step, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// J1 and J2 against a plain list, over reopening and failed commits.
    #[test]
    fn behaves_as_a_list(steps in steps()) {
        let bed = Bed::new();
        let mut journal = Some(bed.journal());
        let mut model: Vec<Record> = Vec::new();
        for step in steps {
            let open = journal.as_mut().unwrap();
            match step {
                Step::Append(count) => {
                    append(open, count);
                    model.extend((0..count).map(|i| record(model.len() as u64 + i, 40)).collect::<Vec<_>>());
                }
                Step::Reopen => {
                    drop(journal.take());
                    journal = Some(bed.journal());
                }
                Step::Fail => {
                    open.limit_pages(1);
                    let big = Transaction { records: vec![record(0, 4_000)], ..Transaction::default() };
                    prop_assert!(open.commit(&big).is_err());
                    open.limit_pages(1 << 30);
                }
            }
            let open = journal.as_ref().unwrap();
            let mut tree = Frontier::new();
            model.iter().for_each(|record| tree.push(record.leaf()));
            prop_assert_eq!(open.frontier(), &tree);
            let read: Vec<Record> = open.read(all(), usize::MAX).unwrap().into_iter().map(|r| r.record).collect();
            prop_assert_eq!(&read, &model);
        }
    }
}

fn incompressible(number: u64) -> Record {
    let mut record = record(number, 0);
    if let Body::Frame(frame) = &mut record.body {
        let hash = |part: u64| record::merkle::leaf_hash(&[number.to_be_bytes(), part.to_be_bytes()].concat()).0;
        frame.raw = (0..64).flat_map(hash).collect();
    }
    record
}

/// Else the first acknowledgement would wait for it.
#[test]
fn a_log_that_a_hanging_reader_let_grow_is_in_the_database_before_the_first_commit() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    let holder = rusqlite::Connection::open(bed.path()).unwrap();
    holder.execute_batch("BEGIN; SELECT * FROM tree;").unwrap();
    let log = bed.path().with_extension("db-wal");
    while fs::metadata(&log).unwrap().len() < 9_000_000 {
        let first = journal.end().0;
        let records = (first..first + 64).map(incompressible).collect();
        journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
    }
    let end = journal.end();
    drop(journal);
    holder.execute_batch("COMMIT").unwrap();
    assert_eq!(bed.journal().end(), end);
    let without_log = format!("file:{}?immutable=1", bed.path().display());
    let database = rusqlite::Connection::open(without_log).unwrap();
    let size: i64 = database.query_row("SELECT size FROM tree", [], |row| row.get(0)).unwrap();
    assert_eq!(Seq(size.cast_unsigned()), end);
}

#[test]
fn who_was_told_is_kept_within_its_bounds_and_replaced_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(&folder.path().join("outbox.db")).unwrap();
    assert_eq!(outbox.notified().unwrap(), None);
    let row = |alarm: &str, body: Option<Vec<u8>>| (alarm.to_owned(), body);
    outbox.note_notified(Seq(7), "boot-1", &[row("a", Some(vec![1])), row("b", Some(vec![2]))]).unwrap();
    outbox.note_notified(Seq(9), "boot-2", &[row("a", Some(vec![3])), row("b", None), row("c", None)]).unwrap();
    let expected = Notified { next: Seq(9), boot: "boot-2".into(), rows: vec![("a".into(), vec![3])] };
    assert_eq!(outbox.notified().unwrap(), Some(expected));
    let many: Vec<_> = (0..=NOTIFICATIONS_MAX).map(|n| row(&format!("n{n}"), Some(vec![0]))).collect();
    outbox.note_notified(Seq(9), "boot-2", &many).unwrap();
    let large = vec![0; NOTIFICATION_BYTES_MAX + 1];
    outbox.note_notified(Seq(9), "boot-2", &[row("a", Some(large))]).unwrap();
    let rows = outbox.notified().unwrap().unwrap().rows;
    assert!(rows.len() <= NOTIFICATIONS_MAX && rows.iter().all(|(alarm, _)| alarm != "a"), "B1: {}", rows.len());
}
