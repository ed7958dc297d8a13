//! Whatever happens to the files, the journal goes on with what can be read (lessons V2, V3, E2, K3, N2, X15, X16).

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use record::{Record, Seq, SeqRange, SourceId};

use super::{Bed, all, append, index, record};
use crate::{DeviceRow, Journal, Reader, Stage, Tally, Transaction, salvage, seal};

const RECORDS: u64 = 700;

/// A journal with small commits, some of them still in the log, and a device that counts them.
fn filled(bed: &Bed) -> Vec<Record> {
    let mut journal = bed.journal();
    let records: Vec<Record> = (0..RECORDS).map(|number| record(number, 40 + index(number % 7) * 30)).collect();
    for (at, part) in records.chunks(10).enumerate() {
        if at == 40 {
            let path = bed.path();
            rusqlite::Connection::open(path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        }
        let accepted = (at as u64 + 1) * 10;
        let row = DeviceRow { session: vec![9; 30], client: vec![], tally: Tally { accepted, ..Tally::default() } };
        let devices = [(SourceId::new("a").ok(), row)].into();
        journal.commit(&Transaction { records: part.to_vec(), devices, ..Transaction::default() }).unwrap();
    }
    journal.keep_checkpoint(600, b"signed head of six hundred records").unwrap();
    records
}

struct Saved {
    journal: Journal,
    /// Numbers that are not there.
    missing: u64,
    salvaged: Option<salvage::Salvaged>,
}

/// Opens what is left, and holds it against what was committed.
fn reopen(bed: &Bed, records: &[Record]) -> Saved {
    let (mut journal, salvaged) = salvage::open(&bed.path(), "box-1", Seq(0)).unwrap();
    let reader = Reader::open(&bed.path()).unwrap();
    let read = reader.read(all(), usize::MAX).unwrap_or_default();
    let mut next = 0;
    for at in &read {
        assert!(at.seq.0 >= next, "J2: in order, none twice");
        next = at.seq.0 + 1;
        assert_eq!(records.get(index(at.seq.0)), Some(&at.record), "J1: record {}", at.seq);
    }
    let missing = RECORDS - read.len() as u64;
    if let Some(salvaged) = &salvaged {
        let within = SeqRange { first: Seq(0), last: Seq(RECORDS - 1) };
        let told = RECORDS - salvaged.lost.missing_in(within).len();
        assert_eq!(told, missing, "every lost record is told: {salvaged:?}");
        assert!(journal.end() >= Seq(RECORDS), "a number is never used again: {salvaged:?}");
    }
    let first = journal.end();
    let more = Transaction { records: vec![record(first.0, 5)], ..Transaction::default() };
    assert_eq!(journal.commit(&more).unwrap().first, first, "it goes on");
    Saved { journal, missing, salvaged }
}

fn flip(path: &Path, at: u64, bit: u8) {
    let mut bytes = fs::read(path).unwrap();
    let at = index(at % bytes.len() as u64);
    bytes[at] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
}

fn quarantined(bed: &Bed) -> Vec<PathBuf> {
    let folder = bed.path().with_file_name("quarantine");
    let folders = folder.read_dir().into_iter().flatten().flatten();
    folders.flat_map(|folder| folder.path().read_dir().unwrap().flatten().map(|file| file.path())).collect()
}

#[test]
fn a_whole_journal_is_left_alone() {
    let bed = Bed::new();
    let records = filled(&bed);
    let saved = reopen(&bed, &records);
    assert!(saved.salvaged.is_none() && saved.missing == 0);
    assert!(quarantined(&bed).is_empty());
}

#[test]
fn a_torn_tail_of_the_log_is_no_damage() {
    let bed = Bed::new();
    let records = filled(&bed);
    let log = bed.path().with_extension("db-wal");
    let bytes = fs::read(&log).unwrap();
    // The last commit had not reached the disk, or only in part.
    for cut in [1, 24, 500, 1_047, 1_048, 2_000] {
        fs::write(&log, &bytes[..bytes.len() - cut]).unwrap();
        assert!(!salvage::needed(&bed.path()), "{cut}");
    }
    drop(records);
}

/// A commit that was being synced when the power went: of its frames any may be there, in any part.
#[test]
fn whatever_is_left_of_an_unfinished_commit_is_no_damage() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    append(&mut journal, 30);
    let log = bed.path().with_extension("db-wal");
    let (mut before, end) = (fs::read(&log).unwrap(), journal.end());
    append(&mut journal, 600);
    let after = fs::read(&log).unwrap();
    drop(journal);
    before.resize(after.len(), 0);
    let sectors = (0..after.len()).step_by(512).map(|at| at..(at + 512).min(after.len()));
    let written: Vec<_> = sectors.filter(|sector| before[sector.clone()] != after[sector.clone()]).collect();
    assert!(written.len() > 5, "some sectors: {}", written.len());
    for lost in 0..1usize << written.len().min(8) {
        let mut torn = after.clone();
        // Each of the first sectors by itself; those behind them are all there, the commit among them.
        for (_, sector) in written.iter().enumerate().filter(|(nth, _)| lost >> nth & 1 == 1) {
            torn[sector.clone()].copy_from_slice(&before[sector.clone()]);
        }
        fs::write(&log, &torn).unwrap();
        let (journal, salvaged) = salvage::open(&bed.path(), "box-1", Seq(0)).unwrap();
        assert_eq!(salvaged, None, "{lost:b}");
        let expected = if lost == 0 { Seq(end.0 + 600) } else { end };
        assert_eq!(journal.end(), expected, "{lost:b}");
    }
}

#[test]
fn a_flipped_byte_in_the_log_does_not_forget_what_was_committed_behind() {
    let bed = Bed::new();
    let records = filled(&bed);
    let log = bed.path().with_extension("db-wal");
    let size = fs::metadata(&log).unwrap().len();
    flip(&log, size / 2, 3);
    assert!(salvage::needed(&bed.path()));
    let saved = reopen(&bed, &records);
    let salvaged = saved.salvaged.unwrap();
    assert!(saved.missing <= 10, "{} of one page", saved.missing);
    assert_eq!(salvaged.devices, 1);
    let tally = saved.journal.devices().unwrap().into_values().next().unwrap().tally;
    assert_eq!(tally.accepted, RECORDS, "a counter that went back would take an old frame");
    assert!(quarantined(&bed).iter().any(|file| file.ends_with("journal.db-wal")), "nothing is deleted");
}

#[test]
fn each_file_may_be_gone() {
    for gone in ["journal.db", "journal.db-wal", "journal.db-shm", "journal.lock"] {
        let bed = Bed::new();
        let records = filled(&bed);
        fs::remove_file(bed.path().with_file_name(gone)).unwrap();
        // Without the log SQLite sees an older journal and cannot know; whoever knows the newest number tells it.
        let (journal, salvaged) = salvage::open(&bed.path(), "box-1", Seq(RECORDS)).unwrap();
        assert_eq!(salvaged.is_some(), ["journal.db", "journal.db-wal"].contains(&gone), "{gone}");
        assert!(journal.end() >= Seq(RECORDS), "{gone}: no number is used again");
        drop((journal, records));
    }
}

#[test]
fn a_database_that_is_gone_jumps_ahead_of_what_was_used() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    let records: Vec<Record> = (0..20_000).map(|number| record(number, 40)).collect();
    journal.commit(&Transaction { records: records.clone(), ..Transaction::default() }).unwrap();
    let reader = Reader::open(&bed.path()).unwrap();
    let table = journal.segments().unwrap()[0];
    let change = seal(&reader, &table).unwrap();
    journal.commit(&Transaction { segments: vec![change], ..Transaction::default() }).unwrap();
    drop((journal, reader));
    for extension in ["db", "db-wal", "db-shm"] {
        fs::remove_file(bed.path().with_extension(extension)).unwrap();
    }
    let (mut journal, salvaged) = salvage::open(&bed.path(), "box-1", Seq(20_000)).unwrap();
    let salvaged = salvaged.unwrap();
    assert!(!salvaged.continued && journal.end() > Seq(20_000));
    let end = journal.end();
    let more = Transaction { records: vec![record(end.0, 5)], ..Transaction::default() };
    journal.commit(&more).unwrap();
    let reader = Reader::open(&bed.path()).unwrap();
    let read = reader.read(all(), usize::MAX).unwrap();
    assert_eq!(read.len(), 16_385, "what stood in the file, and the new one");
    assert!(read.iter().take(16_384).all(|at| at.record == records[index(at.seq.0)]));
    assert_eq!(reader.recompute(|_, _| {}).unwrap(), *journal.frontier(), "void leaves and all");
    let stages: Vec<_> = reader.segments().unwrap().iter().map(|segment| segment.stage).collect();
    assert_eq!(stages, [Stage::Whole, Stage::Void, Stage::Hot]);
    drop((journal, reader));
    assert_eq!(bed.journal().end(), end.next());
}

#[test]
fn whoever_reads_for_days_follows_the_new_database() {
    let bed = Bed::new();
    let records = filled(&bed);
    let mut reader = Reader::open(&bed.path()).unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader.position().unwrap().end, Seq(RECORDS));
    drop(salvage::salvage(&bed.path(), "box-1", Seq(0)).unwrap());
    let mut journal = bed.journal();
    journal.commit(&Transaction { records: vec![record(RECORDS, 5)], ..Transaction::default() }).unwrap();
    assert_eq!(reader.position().unwrap().end, Seq(RECORDS), "still the one that was put aside");
    reader.refresh().unwrap();
    assert_eq!(reader.position().unwrap().end, Seq(RECORDS + 1));
    drop(records);
}

#[test]
fn a_salvage_that_a_power_cut_interrupts_is_finished() {
    let bed = Bed::new();
    let records = filled(&bed);
    let path = bed.path();
    let before: Vec<_> = ["db", "db-wal"].map(|extension| fs::read(path.with_extension(extension)).unwrap()).into();
    flip(&path, 0, 0);
    drop(salvage::salvage(&path, "box-1", Seq(0)).unwrap());
    let new = fs::read(&path).unwrap();
    // Cut after the new database was complete: nothing moved yet, the log moved, everything moved.
    for moved in 0..3 {
        let _ = fs::remove_file(path.with_extension("db-shm"));
        fs::write(path.with_extension("db-new"), &new).unwrap();
        for (at, extension) in ["db-wal", "db"].into_iter().enumerate() {
            match at < moved {
                true => drop(fs::remove_file(path.with_extension(extension))),
                false => fs::write(path.with_extension(extension), &before[1 - at]).unwrap(),
            }
        }
        assert_eq!(reopen(&bed, &records).missing, 0, "{moved}");
        assert!(!path.with_extension("db-new").exists());
    }
    // Cut before: the copy is no database yet, and the old one is as good as it was.
    fs::write(path.with_extension("db-new"), &new[..5_000]).unwrap();
    let _ = fs::remove_file(path.with_extension("db-shm"));
    fs::write(&path, &before[0]).unwrap();
    fs::write(path.with_extension("db-wal"), &before[1]).unwrap();
    assert_eq!(reopen(&bed, &records).missing, 0);
}

/// Most records that stand on a page of 1 KiB: packs of ten take some sixty bytes here.
const PAGE_RECORDS: u64 = 170;

/// One bit anywhere: what is lost is what stands on one page, and that only if the page itself cannot be read.
fn flipped(in_log: bool, at: u64, bit: u8) -> Result<(), TestCaseError> {
    let bed = Bed::new();
    let records = filled(&bed);
    let file = if in_log { bed.path().with_extension("db-wal") } else { bed.path() };
    flip(&file, at, bit);
    let (journal, _) = salvage::open(&bed.path(), "box-1", Seq(0)).unwrap();
    drop(journal);
    let reader = Reader::open(&bed.path()).unwrap();
    // SQLite has no checksums of its own on pages: what it reads wrong shows when records are read, and is salvaged then.
    let readable = reader.read(all(), usize::MAX).is_ok_and(|read| read.len() as u64 >= RECORDS);
    drop(reader);
    if !readable {
        drop(salvage::salvage(&bed.path(), "box-1", Seq(0)).unwrap());
    }
    let reader = Reader::open(&bed.path()).unwrap();
    let read = reader.read(all(), usize::MAX).unwrap();
    let same = read.iter().filter(|at| records.get(index(at.seq.0)) == Some(&at.record)).count() as u64;
    prop_assert!(same + PAGE_RECORDS >= RECORDS, "{} of {RECORDS}", same);
    prop_assert!(read.iter().all(|at| at.seq.0 < RECORDS));
    Ok(())
}

/// The number of a row with several records.
#[test]
fn a_record_does_not_change_its_number() {
    flipped(false, 6_341_623_443_092_925_261, 3).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_flipped_bit_costs_a_page_at_most(in_log in any::<bool>(), at in any::<u64>(), bit in 0u8..8) {
        flipped(in_log, at, bit)?;
    }

    /// Cut off, or overwritten from some place on.
    #[test]
    fn a_file_cut_or_garbled_at_any_place_lets_the_box_start(
        in_log in any::<bool>(), share in 0usize..1_000, garble in any::<bool>(), seed in any::<u8>(),
    ) {
        let bed = Bed::new();
        let records = filled(&bed);
        let file = if in_log { bed.path().with_extension("db-wal") } else { bed.path() };
        let mut bytes = fs::read(&file).unwrap();
        let cut = bytes.len() * share / 1_000;
        match garble {
            true => bytes[cut..].iter_mut().for_each(|byte| *byte = byte.wrapping_mul(31).wrapping_add(seed)),
            false => bytes.truncate(cut),
        }
        fs::write(&file, &bytes).unwrap();
        let (mut journal, _) = salvage::open(&bed.path(), "box-1", Seq(RECORDS)).unwrap();
        let first = journal.end();
        let more = Transaction { records: vec![record(first.0, 5)], ..Transaction::default() };
        let took = match journal.commit(&more) {
            Err(error) if error.is_damage() => {
                drop(journal);
                drop(salvage::salvage(&bed.path(), "box-1", Seq(RECORDS)).unwrap());
                bed.journal().commit(&more)
            }
            other => other,
        };
        prop_assert!(took.is_ok(), "it takes frames: {took:?}");
        drop(records);
    }
}
