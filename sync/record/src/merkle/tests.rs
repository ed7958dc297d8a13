//! The tree beside an independent implementation (`ct-merkle`) and published roots.

mod blocks;
mod proofs;

use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::{Digest, Sha256};

use super::*;
use crate::Seq;

/// The entry of the n-th leaf.
fn entry(n: u64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

/// The same tree three times: by the other implementation, as leaf hashes, and as its head.
struct Twin {
    other: MemoryBackedTree<Sha256, Vec<u8>>,
    leaves: Vec<Hash>,
}

impl Twin {
    fn of(size: u64) -> Twin {
        let mut twin = Twin { other: MemoryBackedTree::new(), leaves: Vec::new() };
        (0..size).for_each(|n| twin.push(n));
        twin
    }

    fn push(&mut self, n: u64) {
        self.other.push(entry(n));
        self.leaves.push(leaf_hash(&entry(n)));
    }

    fn head(&self) -> TreeHead {
        let mut root = Hash([0; 32]);
        root.0.copy_from_slice(self.other.root().as_bytes());
        TreeHead { size: self.other.len(), root }
    }

    /// The root of a subtree, from its leaves alone.
    fn node(&self, subtree: Subtree) -> Result<Hash, Infallible> {
        let range = usize::try_from(subtree.first().0).unwrap()..=usize::try_from(subtree.last().0).unwrap();
        let mut level = self.leaves[range].to_vec();
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| node_hash(pair[0], pair[1])).collect();
        }
        Ok(level[0])
    }
}

#[test]
fn the_empty_tree_is_the_hash_of_nothing() {
    let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Frontier::new().root().to_string(), expected);
}

/// The reference data of certificate-transparency-go (`testonly/reference.go`), the common test of RFC 6962 trees.
#[test]
fn agrees_with_the_published_roots() {
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    for (leaf, root) in leaves.iter().zip(roots) {
        frontier.push(leaf_hash(&hex::decode(leaf).unwrap()));
        assert_eq!(frontier.root().to_string(), root);
    }
}

#[test]
fn agrees_with_another_implementation_at_every_size() {
    let mut frontier = Frontier::new();
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 1u64..300 {
        let entry = size.to_be_bytes().to_vec();
        frontier.push(leaf_hash(&entry));
        tree.push(entry);
        assert_eq!(frontier.root().0.as_slice(), tree.root().as_bytes().as_slice(), "at {size}");
        let back = Frontier::from_bytes(frontier.size(), &frontier.to_bytes()).unwrap();
        assert_eq!(back, frontier);
    }
    assert!(Frontier::from_bytes(3, &[0; 32]).is_none());
}

#[test]
fn whole_subtrees_are_as_good_as_their_leaves() {
    let twin = Twin::of(300);
    for size in 0..300 {
        let mut by_leaves = Frontier::new();
        twin.leaves[..size].iter().for_each(|leaf| by_leaves.push(*leaf));
        let end = Seq(u64::try_from(size).unwrap());
        // The largest ones that fit, and the smallest that are larger than a leaf.
        for level_max in [Subtree::LEVEL_MAX, 1] {
            let mut by_subtrees = Frontier::new();
            while let Some(largest) = Subtree::largest(Seq(by_subtrees.size()), end) {
                let level = largest.level().min(level_max);
                let subtree = Subtree::new(level, by_subtrees.size() >> level).unwrap();
                by_subtrees.append_subtree(level, twin.node(subtree).unwrap()).unwrap();
            }
            assert_eq!(by_subtrees, by_leaves, "{size}");
        }
    }
}

#[test]
fn a_subtree_that_does_not_fit_is_refused_and_changes_nothing() {
    let root = Hash([7; 32]);
    let mut tree = Frontier::new();
    tree.push(root);
    let before = tree.clone();
    assert_eq!(tree.append_subtree(1, root), Err(AppendError::Unaligned { level: 1, size: 1 }));
    assert_eq!(tree.append_subtree(64, root), Err(AppendError::TooLarge { level: 64, size: 1 }));
    assert_eq!(tree.append_void(Seq(0)), Err(AppendError::Behind { end: Seq(0), size: 1 }));
    assert_eq!(tree, before);

    // 2^63 leaves, and no room for as many again.
    let mut half = Frontier::from_bytes(1 << 63, &[1; 32]).unwrap();
    assert_eq!(half.append_subtree(63, root), Err(AppendError::TooLarge { level: 63, size: 1 << 63 }));
    half.append_subtree(62, root).unwrap();
    half.append_void(Seq(u64::MAX)).unwrap();
    assert_eq!((half.size(), half.to_bytes().len()), (u64::MAX, 64 * 32));
    assert_eq!(half.append_subtree(0, root), Err(AppendError::TooLarge { level: 0, size: u64::MAX }));
}

#[test]
fn void_leaves_are_leaves_of_nothing() {
    for (before, end) in [(0, 256), (5, 512), (255, 256), (100, 300), (9, 9)] {
        let mut one_by_one = Frontier::new();
        (0..before).for_each(|n| one_by_one.push(leaf_hash(&entry(n))));
        let mut at_once = one_by_one.clone();
        (before..end).for_each(|_| one_by_one.push(leaf_hash(&[])));
        at_once.append_void(Seq(end)).unwrap();
        assert_eq!(at_once, one_by_one, "{before}..{end}");
    }
    assert_eq!(void_root(0), Hash(Sha256::digest([0]).into()));
}

#[test]
fn subtrees_know_their_leaves() {
    let subtree = Subtree::new(3, 5).unwrap();
    assert_eq!((subtree.first(), subtree.last(), subtree.leaves()), (Seq(40), Seq(47), 8));
    assert_eq!(Subtree::largest(Seq(40), Seq(48)), Some(subtree));
    assert_eq!(Subtree::largest(Seq(40), Seq(47)), Subtree::new(2, 10));
    assert_eq!(Subtree::largest(Seq(41), Seq(48)), Subtree::new(0, 41));
    assert_eq!(Subtree::largest(Seq(0), Seq(u64::MAX)), Subtree::new(63, 0));
    assert_eq!((Subtree::largest(Seq(4), Seq(4)), Subtree::largest(Seq(5), Seq(4))), (None, None));
    assert_eq!(Subtree::new(63, 1).map(Subtree::last), Some(Seq(u64::MAX)));
    assert_eq!((Subtree::new(63, 2), Subtree::new(64, 0)), (None, None));
}
