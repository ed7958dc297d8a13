//! A journal that rotted while the box was off (lessons E2, K1, X15).

use journal::Tally;
use record::{Body, GapReason, Seq};

use super::bench::{Bench, COLD, heard};

#[tokio::test]
async fn a_damaged_page_costs_its_records_and_says_so() {
    let mut bench = Bench::new();
    for number in 0..60 {
        bench.apply([heard(number, COLD)]);
    }
    let before = bench.records();
    let path = bench.folder.path().join("journal/journal.db");
    // Everything out of the log, then one page of records overwritten.
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut statement = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'device'").unwrap();
    let device_page: i64 = statement.query_row([], |row| row.get(0)).unwrap();
    drop(statement);
    drop(database);
    let mut bytes = std::fs::read(&path).unwrap();
    let is_records = |page: &[u8]| page[0] == 0x0d && u16::from_be_bytes([page[3], page[4]]) > 2;
    let pages: Vec<usize> = (5..bytes.len() / 1024).filter(|page| is_records(&bytes[page * 1024..])).collect();
    let hit = pages.iter().copied().rfind(|page| *page as i64 + 1 != device_page).unwrap();
    bytes[hit * 1024..hit * 1024 + 1024].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();

    let mut bench = bench.reopen("boot-a");
    let after = bench.records();
    let gap = after.iter().find_map(|at| match &at.record.body {
        Body::Gap(gap) => Some(gap.clone()),
        _ => None,
    });
    let lost: Vec<Seq> = before.iter().map(|at| at.seq).filter(|seq| !after.iter().any(|at| at.seq == *seq)).collect();
    assert!(!lost.is_empty() && lost.len() <= 8, "{lost:?}");
    let gap = gap.expect("a gap is journaled");
    assert_eq!(gap.why, GapReason::Damaged);
    assert!(lost.iter().all(|seq| gap.ranges.contains(*seq)) && gap.ranges.len() == lost.len() as u64, "{gap:?}");
    assert!(before.iter().all(|old| lost.contains(&old.seq) || after.contains(old)), "J1");
    assert!(bench.board.lock().unwrap().journal.salvaged.is_some(), "status says so");
    assert!(bench.folder.path().join("journal/quarantine/0/journal.db").exists(), "nothing is deleted");

    assert_eq!(bench.tally(Some("flow-1")), Tally { accepted: 60, ..Tally::default() }, "counters are whole");
    bench.apply([heard(10, COLD), heard(60, COLD)]);
    let tally = bench.tally(Some("flow-1"));
    assert_eq!((tally.accepted, tally.rejected + tally.duplicate), (61, 1), "an old frame is not taken again");
}

#[tokio::test]
async fn numbers_that_a_platform_may_hold_are_not_used_again() {
    let mut bench = Bench::new();
    bench.apply([heard(0, COLD)]);
    let outbox = bench.folder.path().join("outbox/outbox.db");
    let mut outbox = journal::Outbox::open(&outbox).unwrap();
    let ranges = [record::SeqRange { first: Seq(0), last: Seq(5_000) }].into_iter().collect();
    let batch =
        journal::StoredBatch { id: [1; 32], lane: 1, ranges, bytes: vec![1], ..journal::StoredBatch::default() };
    outbox.put_batch("city", &batch).unwrap();
    let mut bench = bench.reopen("boot-b");
    bench.apply([heard(1, COLD)]);
    let newest = bench.records().pop().unwrap();
    assert!(newest.seq > Seq(5_000), "{}", newest.seq);
    let why = bench.records().iter().find_map(|at| match &at.record.body {
        Body::Gap(gap) => Some(gap.why),
        _ => None,
    });
    assert_eq!(why, Some(GapReason::Restored));
}

#[tokio::test]
async fn a_restored_box_repeats_no_number_and_no_counter() {
    let mut bench = Bench::new();
    bench.apply([heard(0, COLD)]);
    let stick = tempfile::tempdir().unwrap();
    journal::backup(&bench.reader(), stick.path(), |_| {}).unwrap();
    // After the backup the box went on, and answered.
    bench.apply([heard(1, COLD)]);
    let answered = |bench: &mut Bench| {
        let phy = bench.confirmed.try_recv().unwrap().phy;
        u16::from_le_bytes([phy[6], phy[7]])
    };
    let (first, second) = (answered(&mut bench), answered(&mut bench));
    assert_eq!(second, first + 1, "FCntDown");

    let folder = tempfile::tempdir().unwrap();
    journal::restore(stick.path(), &folder.path().join("journal/journal.db")).unwrap();
    let mut restored = Bench::open(folder, "boot-b");
    restored.apply([heard(2, COLD)]);
    assert!(answered(&mut restored) > second, "no counter meets the key twice");
    let newest = restored.records().pop().unwrap();
    assert!(newest.seq.0 >= 1 << 32, "a new life has new numbers: {}", newest.seq);
    let restored = restored.reopen("boot-b");
    assert!(restored.records().len() < 20, "it is settled once");
}
