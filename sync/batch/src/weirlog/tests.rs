//! Whatever happens to an exported journal is found, and where.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;
use record::merkle::{Block, Frontier, Hash, Node, TreeHead, leaf_hash};
use record::{BootNo, ClockQuality, MonoMs, Seq, Stamp, UnixMs};

use super::*;
use crate::{BoxId, Checkpoint, SigningKey};

/// Numbers of records, and those behind which a tree head is signed.
const RECORDS: u64 = 40;
const HEADS: [u64; 4] = [8, 16, 17, RECORDS];

type Heads = BTreeMap<u64, Vec<u8>>;
/// The place of each item, and its bytes.
type Items = Vec<(Place, Range<usize>)>;

fn key() -> SigningKey {
    SigningKey::from_seed(&[5; 32])
}

fn box_id() -> BoxId {
    BoxId::new("outfall-1").unwrap()
}

fn record(seq: u64) -> Vec<u8> {
    format!("the {seq}. record").into_bytes()
}

fn records() -> Vec<Node> {
    (0..RECORDS).map(|seq| Node::Leaf(record(seq))).collect()
}

fn signed(box_id: BoxId, size: u64, root: Hash) -> Vec<u8> {
    let stamp = Stamp { boot: BootNo(0), mono_ms: MonoMs(9), wall_ms: UnixMs(9), clock: ClockQuality::Synchronised };
    Checkpoint { box_id, head: TreeHead { size, root }, stamp }.sign(&key())
}

/// The signed tree heads over the records as they were.
fn heads() -> Heads {
    let (mut tree, mut heads) = (Frontier::new(), Heads::new());
    for seq in 0..RECORDS {
        tree.push(leaf_hash(&record(seq)));
        if HEADS.contains(&tree.size()) {
            heads.insert(tree.size(), signed(box_id(), tree.size(), tree.root()));
        }
    }
    heads
}

fn file_of(nodes: &[Node], heads: &Heads) -> (Vec<u8>, Items) {
    let mut writer = Writer::new(Vec::new(), &box_id(), &key().public()).unwrap();
    let mut items: Items = vec![(Place::Header, 0..writer.written().len())];
    for node in nodes {
        let (seq, from) = (writer.next(), writer.written().len());
        writer.node(node).unwrap();
        items.push((Place::Record(seq), from..writer.written().len()));
        if let Some(cose) = heads.get(&writer.next().0) {
            let from = writer.written().len();
            writer.checkpoint(cose).unwrap();
            items.push((Place::Checkpoint(writer.next().0), from..writer.written().len()));
        }
    }
    let from = writer.written().len();
    let bytes = writer.finish().unwrap();
    items.push((Place::End, from..bytes.len()));
    (bytes, items)
}

fn verdict(bytes: &[u8]) -> Verdict {
    verify(bytes, Some(key().public())).unwrap()
}

/// The first fault: its place and word.
fn found(bytes: &[u8]) -> Option<(Place, &'static str)> {
    verdict(bytes).first_bad.map(|fault| (fault.place(), fault.word()))
}

fn at(seq: u64, word: &'static str) -> Option<(Place, &'static str)> {
    Some((Place::Record(Seq(seq)), word))
}

#[test]
fn a_whole_file_holds_with_and_without_what_was_taken_away() {
    let whole = verdict(&file_of(&records(), &heads()).0);
    assert!(whole.holds() && whole.proven_size() == RECORDS, "{whole:?}");
    assert_eq!((whole.records, whole.gone, whole.checkpoints), (RECORDS, 0, 4));

    let mut block = Block::new(Seq(0), (0..RECORDS).map(record)).unwrap();
    block.prune(|seq| [9, 20, 21].contains(&seq.0));
    let (bytes, items) = file_of(block.nodes(), &heads());
    let pruned = verdict(&bytes);
    assert!(pruned.holds() && pruned.proven_size() == RECORDS, "{pruned:?}");
    assert_eq!((pruned.records, pruned.gone, pruned.size), (3, RECORDS - 3, RECORDS));
    // The head over 17 records lies inside a subtree that was taken away: nothing in this file could prove it.
    assert_eq!((pruned.checkpoints, items.len()), (3, 1 + block.nodes().len() + 3 + 1));

    let own_word = verify(bytes.as_slice(), None).unwrap();
    assert_eq!((own_word.key, own_word.holds()), (Some(key().public()), true));
    let nothing = verdict(&file_of(&[], &Heads::new()).0);
    assert!(nothing.holds() && nothing.proven_size() == 0 && nothing.size == 0);
}

#[test]
fn what_was_written_is_read_in_its_order() {
    let mut block = Block::new(Seq(0), (0..RECORDS).map(record)).unwrap();
    block.prune(|seq| [9, 20, 21].contains(&seq.0));
    let (bytes, items) = file_of(block.nodes(), &heads());
    let (mut nodes, mut signed) = (Vec::new(), 0);
    let each = |entry: Entry<'_>| match entry {
        Entry::Record { bytes, .. } => nodes.push(Node::Leaf(bytes.to_vec())),
        Entry::Pruned { level, root, .. } => nodes.push(Node::Pruned { level, root }),
        Entry::Head(cose) => signed += usize::from(Checkpoint::verify(cose, &key().public()).is_ok()),
    };
    read(bytes.as_slice(), each).unwrap();
    assert_eq!((nodes.as_slice(), signed), (block.nodes(), 3));
    let mut read_of_cut = 0;
    read(&bytes[..items[3].1.start], |_| read_of_cut += 1).unwrap();
    assert_eq!(read_of_cut, 2, "a cut file ends where it ends");
}

#[test]
fn every_changed_bit_is_found_in_the_item_that_holds_it() {
    let (bytes, items) = file_of(&records(), &heads());
    for (place, range) in items {
        for bit in range.start * 8..range.end * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let (named, word) =
                found(&other).unwrap_or_else(|| panic!("bit {bit} of {place} can be changed unnoticed"));
            let fits = match place {
                // Another name or key in the header is an intact header: what the box signed does not fit it.
                Place::Header => named == Place::Header || named == Place::Checkpoint(HEADS[0]),
                // An end that tells of more records.
                Place::End => named == Place::End || named == Place::Record(Seq(RECORDS)),
                Place::Checkpoint(size) => named == place || named == Place::Record(Seq(size)),
                Place::Record(_) => named == place,
            };
            assert!(fits, "bit {bit} of {place}: named {named} ({word})");
        }
    }
}

#[test]
fn every_cut_is_found_and_what_is_proven_before_it_is_told() {
    let (bytes, items) = file_of(&records(), &heads());
    for len in 0..bytes.len() {
        let whole = items.iter().filter(|(_, range)| range.end <= len);
        let count = |is: fn(&Place) -> bool| whole.clone().filter(|(place, _)| is(place)).count();
        let cut = verdict(&bytes[..len]);
        let records = count(|place| matches!(place, Place::Record(_))) as u64;
        let expected = if count(|place| *place == Place::Header) == 0 {
            (Place::Header, "no_header")
        } else {
            (Place::Record(Seq(records)), "cut")
        };
        assert_eq!(cut.first_bad.map(|fault| (fault.place(), fault.word())), Some(expected), "{len}");
        let heads = count(|place| matches!(place, Place::Checkpoint(_)));
        let proven = heads.checked_sub(1).map_or(0, |last| HEADS[last]);
        assert_eq!((cut.proven_size(), cut.records), (proven, records), "{len}");
    }
}

#[test]
fn items_left_out_doubled_or_exchanged_are_found() {
    let (bytes, items) = file_of(&records(), &heads());
    let of = |nth: usize| bytes[items[nth].1.clone()].to_vec();
    let nth = |wanted: Place| items.iter().position(|(place, _)| *place == wanted).unwrap();
    let seq = |seq| nth(Place::Record(Seq(seq)));
    let file = |order: Vec<usize>| order.into_iter().flat_map(of).collect::<Vec<u8>>();
    let all = || (0..items.len()).collect::<Vec<_>>();
    let changed = |change: &dyn Fn(&mut Vec<usize>)| {
        let mut order = all();
        change(&mut order);
        found(&file(order))
    };
    assert_eq!(changed(&|_| ()), None);
    assert_eq!(changed(&|order| drop(order.drain(seq(12)..=seq(12)))), at(12, "missing"));
    assert_eq!(changed(&|order| drop(order.drain(seq(39)..=seq(39)))), Some((Place::Checkpoint(39), "checkpoint")));
    assert_eq!(changed(&|order| drop(order.drain(seq(30)..=nth(Place::Checkpoint(40))))), at(30, "missing"));
    assert_eq!(changed(&|order| order.insert(seq(12), seq(11))), at(12, "out_of_order"));
    assert_eq!(changed(&|order| order.insert(seq(12), seq(30))), at(12, "missing"));
    assert_eq!(changed(&|order| order.swap(seq(12), seq(13))), at(12, "missing"));
    let head = nth(Place::Checkpoint(16));
    assert_eq!(changed(&|order| drop(order.drain(head..=head))), Some((Place::End, "end")));
    assert_eq!(changed(&|order| order.insert(head, head)), Some((Place::Checkpoint(16), "checkpoint")));
    assert_eq!(changed(&|order| order.swap(head, head + 1)), Some((Place::Checkpoint(17), "checkpoint")));
    assert_eq!(changed(&|order| order.push(0)), Some((Place::End, "end")));
    assert_eq!(changed(&|order| drop(order.drain(0..1))), Some((Place::Header, "no_header")));
}

/// Someone who can write the format, and make every hash fit but the signed ones.
#[test]
fn a_forger_is_found_by_the_next_tree_head() {
    let forged = |change: &dyn Fn(&mut Vec<Node>)| {
        let mut nodes = records();
        change(&mut nodes);
        found(&file_of(&nodes, &heads()).0)
    };
    assert_eq!(forged(&|nodes| nodes[12] = Node::Leaf(b"another".to_vec())), at(8, "unproven"));
    assert_eq!(forged(&|nodes| nodes.swap(2, 3)), at(0, "unproven"));
    assert_eq!(forged(&|nodes| nodes.insert(16, nodes[15].clone())), at(16, "unproven"));
    assert_eq!(forged(&|nodes| drop(nodes.remove(39))), at(17, "unsigned"));
    assert_eq!(forged(&|nodes| nodes.push(Node::Leaf(b"new".to_vec()))), at(40, "unsigned"));
    let root = Hash([9; 32]);
    assert_eq!(forged(&|nodes| nodes[4] = Node::Pruned { level: 0, root }), at(0, "unproven"));

    let sign = |box_id, size, root| {
        let mut heads = heads();
        heads.insert(12, signed(box_id, size, root));
        found(&file_of(&records(), &heads).0)
    };
    let bad = Some((Place::Checkpoint(12), "checkpoint"));
    assert_eq!(sign(BoxId::new("outfall-2").unwrap(), 12, root), bad);
    assert_eq!(sign(box_id(), 11, root), bad);
    assert_eq!(sign(box_id(), 12, root), at(8, "unproven"), "the box itself signed something else");

    let bytes = file_of(&records(), &heads()).0;
    let other = SigningKey::from_seed(&[6; 32]).public();
    let fault = verify(bytes.as_slice(), Some(other)).unwrap().first_bad.map(|fault| fault.word());
    assert_eq!(fault, Some("other_key"));
}

#[test]
fn a_file_closed_behind_an_earlier_tree_head_is_an_earlier_export() {
    let earlier = verdict(&file_of(&records()[..17], &heads()).0);
    assert!(earlier.holds() && earlier.proven_size() == 17);
}

#[test]
fn all_but_the_altered_record_stay_proven() {
    let (mut bytes, items) = file_of(&records(), &heads());
    let place = |seq| items.iter().find(|(place, _)| *place == Place::Record(Seq(seq))).unwrap().1.clone();
    // The last byte of an entry is one of the leaf hash, the 40th from its end one of the record.
    bytes[place(3).end - 1] ^= 1;
    bytes[place(30).end - 40] ^= 1;
    let verdict = verdict(&bytes);
    assert_eq!((verdict.altered, verdict.checkpoints, verdict.proven_size()), (2, 4, RECORDS));
    assert_eq!(verdict.first_bad, Some(Fault::Altered { at: Seq(3) }));
}

#[test]
fn what_no_journal_has_is_not_written() {
    let mut writer = Writer::new(Vec::new(), &box_id(), &key().public()).unwrap();
    let root = Hash([1; 32]);
    writer.node(&Node::Leaf(b"0".to_vec())).unwrap();
    let before = writer.written().len();
    for node in [
        Node::Leaf(vec![]),
        Node::Leaf(vec![0; record::merkle::LEAF_BYTES_MAX + 1]),
        Node::Pruned { level: 1, root },
        Node::Pruned { level: 64, root },
        Node::Pruned { level: 255, root },
    ] {
        assert!(matches!(writer.node(&node), Err(WriteError::Entry { at: Seq(1), .. })));
    }
    assert!(writer.checkpoint(&[]).is_err() && writer.checkpoint(&[0; 513]).is_err());
    assert_eq!(writer.written().len(), before);
}

#[test]
fn bytes_are_pinned() {
    let heads = Heads::new();
    let nodes = [Node::Leaf(b"a".to_vec()), Node::Pruned { level: 0, root: Hash([0x77; 32]) }];
    let hex = hex::encode(file_of(&nodes, &heads).0);
    let lines: Vec<&str> = hex.as_bytes().chunks(100).map(|line| str::from_utf8(line).unwrap()).collect();
    expect_test::expect![[r#"
        8467776569726c6f6701696f757466616c6c2d3158206e7a1cdd29b0b78fd13af4c5598feff4ef2a97166e3ca6f2e4fbfccd
        80505bf1830041615820022a6979e6dab7aa5ae4c3e5e45f7e977112a7e63593820dbec1ec738a24f93c8301005820777777
        777777777777777777777777777777777777777777777777777777777782025820c785aaf836775c91672657935f21d4098e
        7e955bb767ee0c420941deb2ceca29"#]]
    .assert_eq(&lines.join("\n"));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300), keep in 0usize..400) {
        let (whole, _) = file_of(&records(), &heads());
        let mut file = whole[..keep].to_vec();
        file.extend(&bytes);
        prop_assert!(!verdict(&file).holds());
    }

    #[test]
    fn whatever_is_taken_away_the_rest_is_proven(keep in proptest::collection::btree_set(0..RECORDS, 0..20)) {
        let mut block = Block::new(Seq(0), (0..RECORDS).map(record)).unwrap();
        block.prune(|seq| keep.contains(&seq.0));
        let verdict = verdict(&file_of(block.nodes(), &heads()).0);
        prop_assert!(verdict.holds(), "{:?}", verdict.first_bad);
        prop_assert_eq!((verdict.records, verdict.proven_size()), (keep.len() as u64, RECORDS));
    }
}
