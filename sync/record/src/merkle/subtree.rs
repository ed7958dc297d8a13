//! Complete subtrees: the parts of a tree that never change once their last leaf is there.

use super::{Hash, leaf_hash, node_hash, root_of};
use crate::Seq;

/// The leaves `index * 2^level` up to, and without, `(index + 1) * 2^level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subtree {
    level: u8,
    index: u64,
}

impl Subtree {
    /// Highest level: 2^63 leaves.
    pub const LEVEL_MAX: u8 = 63;

    /// The subtree with this index on this level, from 0; `None` beyond 2^64 leaves.
    pub fn new(level: u8, index: u64) -> Option<Subtree> {
        (level <= Subtree::LEVEL_MAX && index <= u64::MAX >> level).then_some(Subtree { level, index })
    }

    /// The largest one that begins with leaf `first` and ends before leaf `end`; `None` if there is no leaf between.
    pub fn largest(first: Seq, end: Seq) -> Option<Subtree> {
        let room = end.0.checked_sub(first.0)?.checked_ilog2()?;
        let level = first.0.trailing_zeros().min(room);
        Some(Subtree { level: u8::try_from(level).ok()?, index: first.0 >> level })
    }

    /// Hashes between its root and a leaf; 0 is a leaf.
    pub fn level(self) -> u8 {
        self.level
    }

    /// How many of the same level stand before it.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Its first leaf.
    pub fn first(self) -> Seq {
        Seq(self.index << self.level)
    }

    /// Its last leaf.
    pub fn last(self) -> Seq {
        Seq((self.index << self.level) | (self.leaves() - 1))
    }

    /// How many leaves it has.
    pub fn leaves(self) -> u64 {
        1 << self.level
    }
}

/// The root over `first..end`, as it stands in a tree: `first` is a multiple of a power of two no smaller than the range.
pub(super) fn root_between<E>(
    first: u64,
    end: u64,
    node: &mut impl FnMut(Subtree) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let (mut roots, mut next) = (Vec::new(), first);
    while let Some(subtree) = Subtree::largest(Seq(next), Seq(end)) {
        roots.push(node(subtree)?);
        // No subtree reaches beyond `end`.
        next += subtree.leaves();
    }
    Ok(root_of(roots.into_iter()))
}

/// The root of a complete subtree of void leaves, the hash of an empty entry each: they fill numbers that no record will
/// ever have. No record is empty, so a void leaf cannot pass for one.
pub fn void_root(level: u8) -> Hash {
    (0..level).fold(leaf_hash(&[]), |root, _| node_hash(root, root))
}
