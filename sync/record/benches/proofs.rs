//! Proofs over ten million records, beside hashing all of them again: `cargo bench -p record`.
//!
//! *kept*: the roots of all complete subtrees from level 8 up are at hand, 2.5 MB. *blocks*: only those of level 8 are, as
//! a journal keeps them, and those above are computed for each proof. Below level 8 either hashes the records of one block.
//! *naive* is the root over all records, which is what a proof saves its reader.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and stops at the first surprise")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::convert::Infallible;
use std::time::{Duration, Instant};

use record::Seq;
use record::merkle::{
    BLOCK_LEAVES, BLOCK_LEVEL, ConsistencyProof, Frontier, Hash, InclusionProof, Subtree, TreeHead, leaf_hash,
    node_hash,
};

const RECORDS: u64 = 10_000_000;
const RECORD_BYTES: usize = 120;
const PROOFS: u64 = 200;

fn main() {
    println!("{RECORDS} records of {RECORD_BYTES} bytes, mean of {PROOFS} proofs");
    let begin = Instant::now();
    let mut naive = Frontier::new();
    (0..RECORDS).for_each(|seq| naive.push(leaf_hash(&record(seq))));
    let head = TreeHead { size: RECORDS, root: naive.root() };
    let naive = begin.elapsed();
    let tree = Tree::new();
    println!("naive: {naive:.2?} for each question");
    println!("proof        nodes    hashes   generate     verify    naive / both");
    for (nodes, kept) in [("kept", true), ("blocks", false)] {
        let node = |subtree| Ok::<_, Infallible>(tree.node(subtree, kept));
        measure("inclusion", nodes, naive, |nth| {
            let leaf = Seq(somewhere(nth));
            let (proof, generate) = timed(|| InclusionProof::generate(leaf, RECORDS, node).unwrap());
            let hash = leaf_hash(&record(leaf.0));
            let (verified, verify) = timed(|| proof.verify(leaf, hash, &head));
            verified.unwrap();
            (proof.path.len(), generate, verify)
        });
        measure("consistency", nodes, naive, |nth| {
            let size = 1 + somewhere(nth);
            let older = TreeHead { size, root: tree.root_of_first(size) };
            let (proof, generate) = timed(|| ConsistencyProof::generate(size..RECORDS, node).unwrap());
            let (verified, verify) = timed(|| proof.verify(&older, &head));
            verified.unwrap();
            (proof.path.len(), generate, verify)
        });
    }
}

fn measure(proof: &str, nodes: &str, naive: Duration, mut one: impl FnMut(u64) -> (usize, Duration, Duration)) {
    let (mut hashes, mut generate, mut verify) = (0, Duration::ZERO, Duration::ZERO);
    for nth in 0..PROOFS {
        let (more, generated, verified) = one(nth);
        hashes += more;
        generate += generated;
        verify += verified;
    }
    let count = u32::try_from(PROOFS).unwrap();
    let (generate, verify) = (generate / count, verify / count);
    let ratio = naive.as_secs_f64() / (generate + verify).as_secs_f64();
    let hashes = hashes / usize::try_from(PROOFS).unwrap();
    println!("{proof:<12} {nodes:<8} {hashes:<8} {generate:<12.2?} {verify:<9.2?} {ratio:.0}");
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    (run(), begin.elapsed())
}

/// Numbers far apart, the same on every machine.
fn somewhere(nth: u64) -> u64 {
    nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (RECORDS - 1)
}

fn record(seq: u64) -> [u8; RECORD_BYTES] {
    let mut bytes = [0x5a; RECORD_BYTES];
    bytes[..8].copy_from_slice(&seq.to_be_bytes());
    bytes
}

/// The roots of all complete subtrees from level 8 up.
struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    fn new() -> Tree {
        let blocks = (0..RECORDS / BLOCK_LEAVES).map(|no| root_of_records(no * BLOCK_LEAVES, BLOCK_LEAVES));
        let mut levels = vec![blocks.collect::<Vec<Hash>>()];
        while levels[levels.len() - 1].len() > 1 {
            let (pairs, _) = levels[levels.len() - 1].as_chunks::<2>();
            let above = pairs.iter().map(|[left, right]| node_hash(*left, *right)).collect();
            levels.push(above);
        }
        Tree { levels }
    }

    fn node(&self, subtree: Subtree, kept: bool) -> Hash {
        let Some(above) = subtree.level().checked_sub(BLOCK_LEVEL) else {
            return root_of_records(subtree.first().0, subtree.leaves());
        };
        let index = usize::try_from(subtree.index()).unwrap();
        if kept {
            return self.levels[usize::from(above)][index];
        }
        let mut tree = Frontier::new();
        self.levels[0][index << above..(index + 1) << above].iter().for_each(|root| tree.push(*root));
        tree.root()
    }

    fn root_of_first(&self, size: u64) -> Hash {
        let mut tree = Frontier::new();
        while let Some(subtree) = Subtree::largest(Seq(tree.size()), Seq(size)) {
            tree.append_subtree(subtree.level(), self.node(subtree, true)).unwrap();
        }
        tree.root()
    }
}

fn root_of_records(first: u64, count: u64) -> Hash {
    let mut tree = Frontier::new();
    (first..first + count).for_each(|seq| tree.push(leaf_hash(&record(seq))));
    tree.root()
}
