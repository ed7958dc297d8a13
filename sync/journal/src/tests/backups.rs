//! What was backed up comes back whole or not at all, and never repeats a number.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use record::{Record, Seq};

use super::{Bed, all, append, record};
use crate::{
    BackupError, DeviceRow, Journal, Reader, SegmentChange, Stage, Transaction, backup, reduce, restore, salvage, seal,
};

fn filled(bed: &Bed, count: u64) -> Journal {
    let mut journal = bed.journal();
    let records: Vec<Record> = (0..count).map(|number| record(number, 40)).collect();
    let row = DeviceRow { session: vec![5; 40], ..DeviceRow::default() };
    let devices = [(record::SourceId::new("a").ok(), row)].into();
    journal.commit(&Transaction { records, devices, ..Transaction::default() }).unwrap();
    journal
}

fn seal_first(bed: &Bed, journal: &mut Journal) {
    let reader = Reader::open(&bed.path()).unwrap();
    let full = |segment: &crate::Segment| segment.stage == Stage::Hot && segment.last.is_some();
    let table = journal.segments().unwrap().into_iter().find(full).unwrap();
    let change = seal(&reader, &table).unwrap();
    journal.commit(&Transaction { segments: vec![change], ..Transaction::default() }).unwrap();
}

#[test]
fn a_backup_of_a_journal_at_work_comes_back_whole() {
    let bed = Bed::new();
    let mut journal = filled(&bed, 40_000);
    seal_first(&bed, &mut journal);
    let reader = Reader::open(&bed.path()).unwrap();
    let folder = bed.folder.path().join("stick");
    let mut copied = 0;
    let first = backup(&reader, &folder, |_| copied += 1).unwrap();
    assert_eq!((first.end, copied), (Seq(40_000), 2));
    // Going on, and backing up again to the same place: the file that is there is not copied again.
    seal_first(&bed, &mut journal);
    journal.commit(&Transaction { records: vec![record(40_000, 9)], ..Transaction::default() }).unwrap();
    copied = 0;
    let second = backup(&reader, &folder, |_| copied += 1).unwrap();
    assert_eq!((second.end, copied), (Seq(40_001), 2), "the database and the new file");
    let before = reader.read(all(), usize::MAX).unwrap();
    drop((journal, reader));

    let other = Bed::new();
    assert_eq!(restore(&folder, &other.path()).unwrap(), second);
    let back = Reader::open(&other.path()).unwrap();
    assert_eq!(back.read(all(), usize::MAX).unwrap(), before);
    assert_eq!(back.devices().unwrap().len(), 1);
    drop(back);
    assert!(matches!(restore(&folder, &other.path()), Err(BackupError::Occupied { .. })));

    // Its first writer begins a new life, with numbers that nobody can have used.
    let (mut journal, salvaged) = salvage::open(&other.path(), "box-1", Seq(0)).unwrap();
    let salvaged = salvaged.unwrap();
    assert!(!salvaged.continued && journal.end().0 >= 1 << 32, "{}", journal.end());
    let first = journal.commit(&Transaction { records: vec![record(7, 3)], ..Transaction::default() }).unwrap().first;
    let reader = Reader::open(&other.path()).unwrap();
    let after = reader.read(all(), usize::MAX).unwrap();
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after.last().unwrap().seq, first);
    assert_eq!(reader.recompute(|_, _| {}).unwrap(), *journal.frontier());
    let unreadable = reader.unreadable(all()).unwrap();
    assert_eq!(unreadable.len(), first.0 - 40_001);
    let head = record::merkle::TreeHead { size: journal.end().0, root: journal.frontier().root() };
    let node = |subtree| reader.node(subtree);
    let proof = record::merkle::InclusionProof::generate(first, head.size, node).unwrap();
    proof.verify(first, record(7, 3).leaf(), &head).unwrap();
    salvage::settle_restored(&other.path()).unwrap();
    drop(journal);
    let (journal, salvaged) = salvage::open(&other.path(), "box-1", Seq(0)).unwrap();
    assert!(salvaged.is_none() && journal.end() == first.next(), "once");
}

#[test]
fn a_damaged_or_unfinished_backup_is_not_put_back() {
    let bed = Bed::new();
    let mut journal = filled(&bed, 20_000);
    seal_first(&bed, &mut journal);
    let reader = Reader::open(&bed.path()).unwrap();
    let folder = bed.folder.path().join("stick");
    backup(&reader, &folder, |_| {}).unwrap();
    let target = Bed::new();
    for file in ["journal.db", "blocks/000000000000.blocks"] {
        let whole = fs::read(folder.join(file)).unwrap();
        for at in [100, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(folder.join(file), &bytes).unwrap();
            let refused = restore(&folder, &target.path());
            assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{file} at {at}: {refused:?}");
            assert!(!target.path().exists());
        }
        fs::write(folder.join(file), &whole).unwrap();
    }
    // A backup mends what rotted on the stick.
    let file = folder.join("blocks/000000000000.blocks");
    fs::write(&file, b"rotten").unwrap();
    backup(&reader, &folder, |_| {}).unwrap();
    fs::remove_file(folder.join("backup.txt")).unwrap();
    assert!(matches!(restore(&folder, &target.path()), Err(BackupError::NoBackup { .. })));
    backup(&reader, &folder, |_| {}).unwrap();
    restore(&folder, &target.path()).unwrap();
}

#[test]
fn a_file_that_retention_reduced_is_copied_anew() {
    let bed = Bed::new();
    let mut journal = filled(&bed, 20_000);
    seal_first(&bed, &mut journal);
    let reader = Reader::open(&bed.path()).unwrap();
    let folder = bed.folder.path().join("stick");
    backup(&reader, &folder, |_| {}).unwrap();
    let condemn = SegmentChange::Condemned { first: Seq(0), to: Stage::Thinned };
    journal.commit(&Transaction { segments: vec![condemn], ..Transaction::default() }).unwrap();
    let change = reduce(&reader, &reader.segments().unwrap()[0]).unwrap();
    journal.commit(&Transaction { segments: vec![change], ..Transaction::default() }).unwrap();
    backup(&reader, &folder, |_| {}).unwrap();
    let target = Bed::new();
    restore(&folder, &target.path()).unwrap();
    let count = Reader::open(&target.path()).unwrap().read(all(), usize::MAX).unwrap().len();
    assert_eq!(count, reader.read(all(), usize::MAX).unwrap().len());
}

/// A power cut came between a file and the row that says what is left of it, and nobody has started the gateway since.
#[test]
fn a_step_of_retention_that_was_not_ended_does_not_keep_from_a_backup() {
    for to in [Stage::Thinned, Stage::Remnant, Stage::Gone] {
        let bed = Bed::new();
        let mut journal = filled(&bed, 20_000);
        seal_first(&bed, &mut journal);
        let reader = Reader::open(&bed.path()).unwrap();
        let condemn = SegmentChange::Condemned { first: Seq(0), to };
        journal.commit(&Transaction { segments: vec![condemn], ..Transaction::default() }).unwrap();
        let change = reduce(&reader, &reader.segments().unwrap()[0]).unwrap();
        let folder = bed.folder.path().join("stick");
        backup(&reader, &folder, |_| {}).unwrap();
        let target = Bed::new();
        restore(&folder, &target.path()).unwrap();
        let mut journal = target.journal();
        reduce(&Reader::open(&target.path()).unwrap(), &journal.segments().unwrap()[0]).unwrap();
        journal.commit(&Transaction { segments: vec![change], ..Transaction::default() }).unwrap();
        let back = Reader::open(&target.path()).unwrap();
        let expected = reader.read(all(), usize::MAX).unwrap();
        assert_eq!(back.read(all(), usize::MAX).unwrap(), expected, "{to:?}");
    }
}

/// The folder of the copy in `from` as it is when the next one stops after so many files; the journal has changed since.
fn interrupted(reader: &Reader, from: &Path, after: usize) -> bool {
    let mut left = after;
    let stopped = panic::catch_unwind(AssertUnwindSafe(|| {
        backup(reader, from, |_| {
            left = left.checked_sub(1).expect("the stick is pulled out");
        })
    }));
    stopped.is_err()
}

#[test]
fn a_backup_takes_nothing_from_the_one_before_until_it_is_whole() {
    let bed = Bed::new();
    let mut journal = filled(&bed, 40_000);
    seal_first(&bed, &mut journal);
    let reader = Reader::open(&bed.path()).unwrap();
    let folder = bed.folder.path().join("stick");
    let first = backup(&reader, &folder, |_| {}).unwrap();
    let condemn = SegmentChange::Condemned { first: Seq(0), to: Stage::Thinned };
    journal.commit(&Transaction { segments: vec![condemn], ..Transaction::default() }).unwrap();
    let change = reduce(&reader, &reader.segments().unwrap()[0]).unwrap();
    journal.commit(&Transaction { segments: vec![change], ..Transaction::default() }).unwrap();
    seal_first(&bed, &mut journal);
    append(&mut journal, 3);
    for after in 0..3 {
        assert!(interrupted(&reader, &folder, after), "the database and two files");
        let target = Bed::new();
        assert_eq!(restore(&folder, &target.path()).unwrap(), first, "after {after} files");
    }
    // Whole, but for the places of its files: whoever comes next ends it.
    let second = backup(&reader, &folder, |_| {}).unwrap();
    for name in ["journal.db", "blocks/000000000000.blocks"] {
        fs::rename(folder.join(name), folder.join(format!("{name}.next"))).unwrap();
    }
    fs::write(folder.join("blocks/000000099999.blocks"), b"of the backup before").unwrap();
    let target = Bed::new();
    assert_eq!(restore(&folder, &target.path()).unwrap(), second);
    let mut names: Vec<_> =
        fs::read_dir(folder.join("blocks")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["000000000000.blocks", "000000016384.blocks"], "nothing is left over");
}

#[test]
fn a_backup_of_others_is_not_overwritten() {
    let bed = Bed::new();
    let journal = filled(&bed, 500);
    let reader = Reader::open(&bed.path()).unwrap();
    let folder = bed.folder.path().join("stick");
    backup(&reader, &folder, |_| {}).unwrap();
    let refused = |bed: &Bed, count| {
        let other = filled(bed, count);
        let refused = backup(&Reader::open(&bed.path()).unwrap(), &folder, |_| {});
        assert!(matches!(refused, Err(BackupError::Other { end: Seq(500), .. })), "{count}: {refused:?}");
        drop(other);
    };
    refused(&Bed::new(), 499);
    let longer = Bed::new();
    append(&mut longer.journal(), 1);
    refused(&longer, 600);
    let foreign = Bed::new();
    drop(Journal::open(&foreign.path(), "box-2").unwrap());
    let refused = backup(&Reader::open(&foreign.path()).unwrap(), &folder, |_| {});
    assert!(matches!(refused, Err(BackupError::Other { .. })), "{refused:?}");
    let itself = backup(&reader, bed.path().parent().unwrap(), |_| {});
    assert!(matches!(itself, Err(BackupError::Itself { .. })), "{itself:?}");
    drop(journal);
}

/// A power cut left a restore with the name of a file and nothing in it; a gateway starts on that.
#[test]
fn half_of_a_restore_goes_on_in_numbers_of_its_own() {
    let bed = Bed::new();
    let blocks = bed.path().with_file_name("blocks");
    std::fs::create_dir_all(&blocks).unwrap();
    std::fs::write(blocks.join("000000000000.blocks"), b"").unwrap();
    std::fs::write(bed.path().with_extension("restored"), b"").unwrap();
    for _ in 0..2 {
        let (mut journal, _) = salvage::open(&bed.path(), "box-1", Seq(0)).unwrap();
        append(&mut journal, 1);
        assert!(journal.end() > Seq(1 << 32), "no earlier life used its numbers: {}", journal.end());
        let reader = Reader::open(&bed.path()).unwrap();
        for segment in reader.segments().unwrap() {
            assert!(segment.first.0.is_multiple_of(256), "{segment:?}");
            let change = segment.last.filter(|_| segment.stage == Stage::Hot).map(|_| seal(&reader, &segment).unwrap());
            let segments = change.into_iter().collect();
            journal.commit(&Transaction { segments, ..Transaction::default() }).unwrap();
        }
    }
}
