//! Blocks: whatever is taken away, the root stays, and what remains can be proven.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;

fn leaves(first: u64, count: u64) -> Vec<Vec<u8>> {
    (first..first + count).map(entry).collect()
}

fn block(first: u64, count: u64) -> Block {
    Block::new(Seq(first), leaves(first, count)).unwrap()
}

/// The root over these leaves, one by one.
fn root(first: u64, count: u64) -> Hash {
    let mut tree = Frontier::new();
    (first..first + count).for_each(|n| tree.push(leaf_hash(&entry(n))));
    tree.root()
}

/// The parts in short: `.` a leaf, a digit a pruned subtree of that level.
fn shape(block: &Block) -> String {
    let letter = |node: &Node| match node {
        Node::Leaf(_) => ".".to_owned(),
        Node::Pruned { level, .. } => level.to_string(),
    };
    block.nodes().iter().map(letter).collect()
}

#[test]
fn what_is_taken_away_leaves_as_few_roots_as_can_be() {
    for (count, keep, expected) in [
        (256, vec![], "8"),
        (256, vec![0], ".01234567"),
        (256, vec![255], "76543210."),
        (256, vec![3, 4], "10..0134567"),
        (8, vec![0, 1, 6, 7], "..11.."),
        (7, vec![], "210"),
        (7, vec![6], "21."),
        (1, vec![], "0"),
    ] {
        let mut pruned = block(512, count);
        let taken = pruned.prune(|seq| keep.contains(&(seq.0 - 512)));
        let kept = u64::try_from(keep.len()).unwrap();
        assert_eq!((taken, pruned.root()), (count - kept, root(512, count)));
        let shape = shape(&pruned);
        assert_eq!(shape, expected, "{keep:?} of {count}");
        assert_eq!(pruned.gone().len(), count - kept);
        assert_eq!(pruned.range(), crate::SeqRange { first: Seq(512), last: Seq(511 + count) });
        assert_eq!(pruned.is_whole(), count == 256);
    }
}

#[test]
fn bytes_are_pinned() {
    let mut small = Block::new(Seq(256), [b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]).unwrap();
    small.prune(|seq| seq == Seq(258));
    // [256, [[1, node_hash(leaf_hash("a"), leaf_hash("b"))], "c"]]
    expect_test::expect!["821901008282015820b137985ff484fb600db93107c77b0365c80d78f5b429ded0fd97361d077999eb4163"]
        .assert_eq(&hex::encode(small.to_bytes()));
}

#[test]
fn what_is_no_block_is_refused() {
    let refused = |block: Result<Block, BlockError>, expected: &str| {
        let error = block.unwrap_err();
        assert_eq!(format!("{error:?}").split([' ', '(']).next(), Some(expected), "{error}");
    };
    let pruned = |level| Node::Pruned { level, root: Hash([1; 32]) };
    let leaf = || Node::Leaf(vec![1]);
    let of = |nodes: Vec<Node>| Block::from_nodes(Seq(0), nodes);
    refused(Block::new(Seq(1), leaves(0, 1)), "Unaligned");
    refused(Block::new(Seq(0), leaves(0, 0)), "Empty");
    refused(Block::new(Seq(0), leaves(0, 257)), "TooLong");
    refused(Block::new(Seq(u64::MAX - 255), leaves(0, 257)), "TooLong");
    refused(Block::new(Seq(0), [vec![]]), "LeafLength");
    refused(Block::new(Seq(0), [vec![0; LEAF_BYTES_MAX + 1]]), "LeafLength");
    refused(of(vec![leaf(), pruned(1)]), "Misplaced");
    refused(of(vec![pruned(9)]), "TooLong");
    refused(of(vec![pruned(255)]), "TooLong");
    refused(of(vec![pruned(6), pruned(7)]), "Misplaced");
    refused(of(vec![pruned(8), leaf()]), "TooLong");

    let of_bytes = |hex: &str| Block::from_bytes(&hex::decode(hex).unwrap());
    let hash = "11".repeat(32);
    of_bytes("8200814101").unwrap();
    refused(of_bytes(""), "Decode");
    refused(of_bytes("820080"), "Empty");
    refused(of_bytes("83008141010a"), "Decode");
    refused(of_bytes("820081410100"), "NotCanonical");
    refused(of_bytes("821800814101"), "NotCanonical");
    refused(of_bytes("82009f4101ff"), "Decode");
    refused(of_bytes("82009bffffffffffffffff"), "Decode");
    refused(of_bytes("8200815affffffff"), "Decode");
    refused(of_bytes(&format!("820082 8200 5820{hash} 8200 5820{hash}").replace(' ', "")), "NotCanonical");
    of_bytes(&format!("820082 4101 8200 5820{hash}").replace(' ', "")).unwrap();
}

#[test]
fn void_numbers_are_a_part_like_any_other() {
    let mut tree = Frontier::new();
    leaves(0, 5).iter().for_each(|leaf| tree.push(leaf_hash(leaf)));
    let mut nodes: Vec<Node> = leaves(0, 5).into_iter().map(Node::Leaf).collect();
    while let Some(void) = Subtree::largest(Seq(tree.size()), Seq(256)) {
        nodes.push(Node::Pruned { level: void.level(), root: void_root(void.level()) });
        tree.append_subtree(void.level(), void_root(void.level())).unwrap();
    }
    let block = Block::from_nodes(Seq(0), nodes).unwrap();
    assert_eq!((block.root(), shape(&block).as_str()), (tree.root(), ".....0134567"));
}

proptest! {
    #[test]
    fn the_root_stays_and_what_remains_can_be_proven(
        count in 1u64..=256, keeps in vec(btree_set(0u64..256, 0..20), 1..4)
    ) {
        let first = 1024;
        let whole = block(first, count);
        let head = TreeHead { size: count, root: root(first, count) };
        prop_assert_eq!(whole.root(), head.root);
        let mut pruned = whole.clone();
        let kept = |seq: Seq| keeps.iter().all(|keep| keep.contains(&(seq.0 - first)));
        for keep in &keeps {
            pruned.prune(|seq| keep.contains(&(seq.0 - first)));
        }
        let mut at_once = whole.clone();
        at_once.prune(kept);
        prop_assert_eq!(&pruned, &at_once, "in whatever steps");
        prop_assert_eq!(pruned.root(), head.root);
        prop_assert_eq!(&Block::from_bytes(&pruned.to_bytes()).unwrap(), &pruned);
        let here: Vec<(Seq, Vec<u8>)> = pruned.leaves().map(|(seq, bytes)| (seq, bytes.to_vec())).collect();
        let expected: Vec<(Seq, Vec<u8>)> = whole.leaves().filter(|(seq, _)| kept(*seq)).map(|(s, b)| (s, b.to_vec())).collect();
        prop_assert_eq!(&here, &expected);
        prop_assert_eq!(pruned.gone().len() + u64::try_from(here.len()).unwrap(), count);
        // Each record that is still here can be proven from this block alone: relative to it, the block is a tree.
        for (seq, bytes) in here {
            let leaf = Seq(seq.0 - first);
            let node = |subtree: Subtree| {
                let index = subtree.index() + (first >> subtree.level());
                pruned.node(Subtree::new(subtree.level(), index).unwrap()).ok_or("gone")
            };
            let proof = InclusionProof::generate(leaf, count, node).unwrap();
            prop_assert_eq!(proof.verify(leaf, leaf_hash(&bytes), &head), Ok(()));
        }
    }

    #[test]
    fn the_root_of_a_part_is_that_of_its_leaves_or_unknown(
        count in 1u64..=256, keep in btree_set(0u64..256, 0..20), level in 0u8..10, index in 0u64..300
    ) {
        let mut pruned = block(0, count);
        pruned.prune(|seq| keep.contains(&seq.0));
        let subtree = Subtree::new(level, index).unwrap();
        let (first, last) = (subtree.first(), subtree.last());
        let inside = |gone: crate::SeqRange| gone.first <= first && last <= gone.last;
        match pruned.node(subtree) {
            Some(found) => prop_assert_eq!(found, root(first.0, subtree.leaves())),
            None => prop_assert!(last.0 >= count || pruned.gone().iter().any(inside)),
        }
        prop_assert!(last.0 < count || pruned.node(subtree).is_none());
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Block::from_bytes(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_another_root_or_no_block(keep in btree_set(0u64..16, 0..16), at in any::<usize>(), bit in 0u8..8) {
        let mut pruned = block(0, 16);
        pruned.prune(|seq| keep.contains(&seq.0));
        let mut bytes = pruned.to_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(other) = Block::from_bytes(&bytes) {
            prop_assert_ne!((other.first(), other.range().last, other.root()), (Seq(0), Seq(15), pruned.root()));
        }
    }
}
