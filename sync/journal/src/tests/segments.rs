//! Records in tables and files are the same records.

use proptest::prelude::*;
use record::merkle::{ConsistencyProof, Frontier, Hash, InclusionProof, Node, Subtree, TreeHead, leaf_hash};
use record::{Body, Boot, Record, Seq, SeqRange, SeqRanges};

use super::{Bed, all, index, record};
use crate::retention::{Budget, Usage, plan};
use crate::segment::file;
use crate::{
    Journal, Reader, SegmentChange, Stage, StoreError, TableSize, Transaction, check, mend, reduce, seal, weigh,
};

/// A bed whose journal has `count` records in full tables, with a boot record at every `boot_every`-th place.
fn filled(count: u64, boot_every: u64) -> (Bed, Journal, Vec<Record>) {
    let bed = Bed::new();
    let mut journal = bed.journal();
    let boot = |number: u64| {
        let boot = Boot { boot_id: number.to_string(), version: "0".into() };
        Record { stamp: record(number, 0).stamp, body: Body::Boot(boot) }
    };
    let at = |number: u64| if number.is_multiple_of(boot_every) { boot(number) } else { record(number * 100_000, 40) };
    let records: Vec<Record> = (0..count).map(at).collect();
    for part in records.chunks(5_000) {
        journal.commit(&Transaction { records: part.to_vec(), ..Transaction::default() }).unwrap();
    }
    (bed, journal, records)
}

fn store(journal: &mut Journal, change: SegmentChange) {
    journal.commit(&Transaction { segments: vec![change], ..Transaction::default() }).unwrap();
}

fn seal_all(journal: &mut Journal, reader: &Reader) {
    let full = |segment: &crate::Segment| segment.stage == Stage::Hot && segment.last.is_some();
    while let Some(table) = journal.segments().unwrap().into_iter().find(full) {
        let change = seal(reader, &table).unwrap();
        store(journal, change);
    }
}

fn tree(records: &[Record]) -> Frontier {
    let mut tree = Frontier::new();
    records.iter().for_each(|record| tree.push(record.leaf()));
    tree
}

fn read_all(reader: &Reader) -> Vec<(u64, Record)> {
    reader.read(all(), usize::MAX).unwrap().into_iter().map(|at| (at.seq.0, at.record)).collect()
}

/// The tree of all nodes, page after page.
fn tree_of_nodes(reader: &Reader) -> Frontier {
    let (mut tree, end) = (Frontier::new(), reader.position().unwrap().end);
    while let Some(rest) = SeqRange::new(Seq(tree.size()), Seq(end.0 - 1)).filter(|rest| rest.first < end) {
        for (first, node) in reader.nodes(rest, 10_000).unwrap() {
            assert_eq!(first.0, tree.size());
            match node {
                Node::Leaf(body) => tree.push(leaf_hash(&body)),
                Node::Pruned { level, root } => tree.append_subtree(level, root).unwrap(),
            }
        }
    }
    tree
}

#[test]
fn sealing_changes_nothing_that_is_read() {
    let (bed, mut journal, records) = filled(40_000, 1_000);
    let reader = Reader::open(&bed.path()).unwrap();
    let before = (read_all(&reader), reader.last_boot().unwrap(), reader.recompute(|_, _| {}).unwrap());
    assert_eq!(before.2, tree(&records));
    seal_all(&mut journal, &reader);
    let stages: Vec<_> = reader.segments().unwrap().iter().map(|s| (s.first.0, s.last, s.stage)).collect();
    let last = |seq| Some(Seq(seq));
    let expected = [(0, last(16_383), Stage::Whole), (16_384, last(32_767), Stage::Whole), (32_768, None, Stage::Hot)];
    assert_eq!(stages, expected);
    assert!(file(&bed.path(), Seq(0)).exists() && file(&bed.path(), Seq(16_384)).exists());
    let after = (read_all(&reader), reader.last_boot().unwrap(), reader.recompute(|_, _| {}).unwrap());
    assert_eq!(after, before);
    let one = SeqRange { first: Seq(16_380), last: Seq(16_390) };
    let read: Vec<u64> = reader.read(one, usize::MAX).unwrap().iter().map(|at| at.seq.0).collect();
    assert_eq!(read, (16_380..=16_390).collect::<Vec<_>>(), "across two files");
    assert!(reader.unreadable(all()).unwrap().is_empty());
    drop(journal);
    let journal = bed.journal();
    assert_eq!(journal.end(), Seq(40_000));
    assert_eq!(journal.frontier(), &tree(&records));
}

#[test]
fn a_record_is_looked_up_while_others_are_walked_through() {
    let (bed, mut journal, records) = filled(20_000, 3_000);
    let reader = Reader::open(&bed.path()).unwrap();
    seal_all(&mut journal, &reader);
    let one = |seq| SeqRange { first: Seq(seq), last: Seq(seq) };
    let mut looked_up = 0;
    let walked = reader.recompute(|at, _| {
        if at.seq.0.is_multiple_of(5_000) {
            let read = reader.read(one(19_999 - at.seq.0), usize::MAX).unwrap();
            assert_eq!(read[0].record, records[index(19_999 - at.seq.0)]);
            looked_up += 1;
        }
    });
    assert_eq!((walked.unwrap(), looked_up), (tree(&records), 4));
}

#[test]
fn what_is_taken_away_keeps_its_place_in_the_tree() {
    let (bed, mut journal, records) = filled(20_000, 3_000);
    let reader = Reader::open(&bed.path()).unwrap();
    seal_all(&mut journal, &reader);
    for to in [Stage::Thinned, Stage::Remnant, Stage::Gone] {
        let segment = reader.segments().unwrap()[0];
        let loss = weigh(&reader, &segment, to).unwrap();
        assert_eq!(loss, weigh(&reader, &segment, to).unwrap(), "told before it is done");
        store(&mut journal, SegmentChange::Condemned { first: Seq(0), to });
        let condemned = reader.segments().unwrap()[0];
        let change = reduce(&reader, &condemned).unwrap();
        assert_eq!(reduce(&reader, &condemned).unwrap(), change, "twice is once");
        // If the power goes here, the file has followed and the database has not.
        assert_eq!(reader.recompute(|_, _| {}).unwrap(), tree(&records), "on the way to {to:?}");
        assert!(check(&reader, &condemned).unwrap().is_empty(), "on the way to {to:?}");
        store(&mut journal, change);
        let unreadable = reader.unreadable(all()).unwrap();
        assert!(unreadable.covers(&loss.ranges), "{to:?}");
        let read = read_all(&reader);
        assert!(read.iter().all(|(seq, record)| records[index(*seq)] == *record));
        assert_eq!(read.len() as u64 + unreadable.len(), 20_000);
        let left = read.iter().filter(|(seq, _)| *seq < 16_384).count();
        let hours = (0..16_384u64).map(|n| n * 100_000 / 3_600_000).collect::<std::collections::BTreeSet<_>>().len();
        match to {
            // The boot records are at its beginning and every 3,000; of the one device a frame an hour remains.
            Stage::Thinned => assert_eq!(left, hours + 6),
            Stage::Remnant => assert_eq!(left, 6),
            _ => assert_eq!(left, 0),
        }
        assert_eq!(reader.recompute(|_, _| {}).unwrap(), tree(&records), "{to:?}");
        assert_eq!(tree_of_nodes(&reader), tree(&records), "{to:?}");
    }
    assert!(!file(&bed.path(), Seq(0)).exists());
}

#[test]
fn large_frames_fill_a_table_sooner() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    let records: Vec<Record> = (0..2_000).map(|number| record(number, 16 * 1024)).collect();
    journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
    let firsts: Vec<u64> = journal.segments().unwrap().iter().map(|segment| segment.first.0).collect();
    assert_eq!(firsts, [0, 512, 1_024, 1_536], "8 MiB, at the border of a block");
}

#[test]
fn a_small_budget_has_small_tables() {
    let bed = Bed::new();
    let mut journal = bed.journal().with_tables(TableSize::of_budget(64 * 1024 * 1024));
    let records: Vec<Record> = (0..5_000).map(|number| record(number, 1_000)).collect();
    journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
    let firsts: Vec<u64> = journal.segments().unwrap().iter().map(|segment| segment.first.0).collect();
    assert_eq!(firsts, (0..5_000).step_by(512).collect::<Vec<u64>>(), "512 KiB, at the border of a block");
    assert_eq!(TableSize::of_budget(1 << 40), TableSize::default());
}

#[test]
fn blocks_of_the_largest_frames_are_read_back() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    let frames: Vec<Record> = (0..257).map(|number| record(number, 80 * 1024)).collect();
    journal.commit(&Transaction { records: frames.clone(), ..Transaction::default() }).unwrap();
    let reader = Reader::open(&bed.path()).unwrap();
    seal_all(&mut journal, &reader);
    let segment = reader.segments().unwrap()[0];
    assert_eq!((segment.stage, segment.last), (Stage::Whole, Some(Seq(255))), "20 MiB in a block");
    assert!(check(&reader, &segment).unwrap().is_empty());
    let read = reader.read(all(), usize::MAX).unwrap();
    assert!(read.len() == 257 && read.iter().zip(&frames).all(|(at, frame)| at.record == *frame));
}

#[test]
fn a_damaged_block_costs_itself_alone() {
    let (bed, mut journal, records) = filled(16_640, 20_000);
    let reader = Reader::open(&bed.path()).unwrap();
    seal_all(&mut journal, &reader);
    let path = file(&bed.path(), Seq(0));
    let mut bytes = std::fs::read(&path).unwrap();
    let (at, size) = (bytes.len() / 2, bytes.len());
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let reader = Reader::open(&bed.path()).unwrap();
    let unreadable = reader.unreadable(all()).unwrap();
    assert_eq!(unreadable.len(), 256, "of {size} bytes one was flipped");
    let damaged = unreadable.bounds().unwrap();
    assert!(reader.read(damaged, usize::MAX).unwrap().is_empty());
    assert!(matches!(reader.recompute(|_, _| {}), Err(StoreError::Archive(_))));
    assert_eq!(reader.read(all(), usize::MAX).unwrap().len(), 16_640 - 256, "all others");
    let before = SeqRange { first: Seq(0), last: Seq(damaged.first.0 + 10) };
    assert_eq!(reader.read(before, usize::MAX).unwrap().len() as u64, damaged.first.0, "up to the damage");
    let behind = SeqRange { first: damaged.last.next(), last: Seq(16_639) };
    assert_eq!(reader.read(behind, usize::MAX).unwrap().len() as u64, 16_639 - damaged.last.0);
    // The check finds it, and mending keeps the damaged file.
    let segment = reader.segments().unwrap()[0];
    assert_eq!(check(&reader, &segment).unwrap(), unreadable);
    let (folder, change) = mend(&reader, &segment).unwrap();
    assert_eq!(std::fs::read(folder.join(path.file_name().unwrap())).unwrap(), bytes);
    store(&mut journal, change);
    let reader = Reader::open(&bed.path()).unwrap();
    assert!(reader.segments().unwrap().iter().all(|segment| check(&reader, segment).unwrap().is_empty()));
    assert_eq!(reader.read(all(), usize::MAX).unwrap().len(), 16_640 - 256);
    assert_eq!(reader.unreadable(all()).unwrap(), unreadable);
    assert_eq!(reader.recompute(|_, _| {}).unwrap(), tree(&records), "its root was kept");
}

#[test]
fn a_table_is_checked_against_the_roots_of_its_blocks() {
    let (bed, journal, _) = filled(1_000, 20_000);
    let reader = Reader::open(&bed.path()).unwrap();
    let segment = reader.segments().unwrap()[0];
    assert!(check(&reader, &segment).unwrap().is_empty());
    drop(journal);
    // A pack of another block of the same records' number.
    let swap = "UPDATE record_0 SET body = (SELECT body FROM record_0 WHERE seq = 0) WHERE seq = 256";
    assert_eq!(rusqlite::Connection::open(bed.path()).unwrap().execute(swap, []).unwrap(), 1);
    let block = SeqRange { first: Seq(256), last: Seq(511) };
    assert_eq!(check(&reader, &segment).unwrap().bounds(), Some(block));
}

#[test]
fn proofs_lead_from_any_record_to_the_tree() {
    let (bed, mut journal, records) = filled(20_000, 3_000);
    let reader = Reader::open(&bed.path()).unwrap();
    seal_all(&mut journal, &reader);
    let whole = journal.frontier();
    let head = TreeHead { size: whole.size(), root: whole.root() };
    for seq in [0, 255, 256, 16_383, 16_384, 19_999].map(Seq) {
        let proof = InclusionProof::generate(seq, head.size, |subtree| reader.node(subtree)).unwrap();
        proof.verify(seq, records[index(seq.0)].leaf(), &head).unwrap();
    }
    for older in [1, 256, 700, 16_384, 19_000] {
        let proof = ConsistencyProof::generate(older..head.size, |subtree| reader.node(subtree)).unwrap();
        let older = tree(&records[..index(older)]);
        proof.verify(&TreeHead { size: older.size(), root: older.root() }, &head).unwrap();
    }
}

/// Roots of subtrees that proofs over a few hundred thousand records ask for, as they are and as they are computed.
fn upper_roots(reader: &Reader, records: &[Record]) -> (Vec<Hash>, Vec<Hash>) {
    let asked = [(0, 17), (0, 16), (1, 16), (2, 16), (16, 13)];
    let subtrees =
        asked.map(|(index, level)| Subtree::largest(Seq(index << level), Seq((index + 1) << level)).unwrap());
    let kept = subtrees.iter().map(|subtree| reader.node(*subtree).unwrap()).collect();
    let root = |subtree: &Subtree| tree(&records[index(subtree.first().0)..=index(subtree.last().0)]).root();
    (kept, subtrees.iter().map(root).collect())
}

#[test]
fn roots_of_large_subtrees_are_kept_and_folded_where_they_are_not() {
    let (bed, mut journal, records) = filled(200_000, 50_000);
    let reader = Reader::open(&bed.path()).unwrap();
    let kept = |bed: &Bed| -> Vec<(u8, i64)> {
        let file = rusqlite::Connection::open(bed.path()).unwrap();
        let mut statement = file.prepare("SELECT level, no FROM subtree ORDER BY level, no").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(kept(&bed), [(16, 0), (16, 1), (16, 2)]);
    let (found, computed) = upper_roots(&reader, &records);
    assert_eq!(found, computed);
    seal_all(&mut journal, &reader);
    drop(journal);
    // A journal that kept none gets them with the next start.
    rusqlite::Connection::open(bed.path()).unwrap().execute_batch("DELETE FROM subtree").unwrap();
    assert_eq!(upper_roots(&reader, &records).0, computed, "from the roots of blocks");
    drop(bed.journal());
    assert_eq!(kept(&bed), [(16, 0), (16, 1), (16, 2)]);
    assert_eq!(upper_roots(&reader, &records).0, computed);
    // A root that was lost leaves no other one in its place.
    let file = rusqlite::Connection::open(bed.path()).unwrap();
    file.execute_batch("DELETE FROM subtree; DELETE FROM block WHERE no = 300").unwrap();
    drop((file, bed.journal()));
    assert_eq!(kept(&bed), [(16, 0), (16, 2)]);
    let lost = Subtree::largest(Seq(1 << 16), Seq(2 << 16)).unwrap();
    assert!(matches!(reader.node(lost), Err(StoreError::Inconsistent { .. })));
}

#[test]
fn a_budget_holds_and_every_step_can_be_repeated() {
    let (bed, mut journal, records) = filled(100_000, 10_000);
    let reader = Reader::open(&bed.path()).unwrap();
    seal_all(&mut journal, &reader);
    let files = |reader: &Reader| reader.segments().unwrap().iter().map(|segment| segment.bytes).sum::<u64>();
    let full = files(&reader);
    let mut lost = SeqRanges::new();
    for bytes_max in [full, full / 2, full / 10, 0] {
        let spared_from = Seq(u64::MAX);
        let budget = Budget { bytes_max, older_than_ms: None, aged_before: Seq(0), spared_from };
        while let Some(step) =
            plan(&reader.segments().unwrap(), Usage { bytes: files(&reader), disk_short_bytes: 0 }, budget)
        {
            let loss = weigh(&reader, &step.segment, step.to).unwrap();
            loss.ranges.iter().for_each(|range| lost.insert(range));
            store(&mut journal, SegmentChange::Condemned { first: step.segment.first, to: step.to });
            let condemned = reader.segments().unwrap();
            let condemned = condemned.iter().find(|segment| segment.condemned.is_some()).unwrap();
            let change = reduce(&reader, condemned).unwrap();
            store(&mut journal, change);
        }
        assert!(files(&reader) <= bytes_max);
        assert_eq!(reader.unreadable(all()).unwrap(), lost, "{bytes_max}: each loss was told");
        assert_eq!(reader.recompute(|_, _| {}).unwrap(), tree(&records));
    }
    assert_eq!(reader.segments().unwrap().len(), 2, "what is gone is one row");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn any_range_reads_as_the_list(first in 0u64..20_000, len in 0u64..600, sealed in any::<bool>()) {
        let (bed, mut journal, records) = filled(20_000, 777);
        let reader = Reader::open(&bed.path()).unwrap();
        if sealed {
            seal_all(&mut journal, &reader);
        }
        let range = SeqRange { first: Seq(first), last: Seq(first + len) };
        let read: Vec<Record> = reader.read(range, usize::MAX).unwrap().into_iter().map(|at| at.record).collect();
        let expected = records.iter().skip(index(first)).take(index(len) + 1);
        prop_assert!(read.iter().eq(expected));
    }
}
