//! A block: the records of one aligned range, from which some may have been taken away without losing its root.

use std::mem;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::{Frontier, Hash, Subtree, leaf_hash, node_hash};
use crate::{Seq, SeqRange, SeqRanges};

/// The level of a whole block in the tree.
pub const BLOCK_LEVEL: u8 = 8;
/// Leaves of a whole block.
pub const BLOCK_LEAVES: u64 = 1 << BLOCK_LEVEL;
/// Most bytes of one leaf: a batch that carries the record has no more either.
pub const LEAF_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A part of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A record, as its canonical bytes.
    Leaf(Vec<u8>),
    /// A complete subtree whose records were taken away, or never were ([`void_root`](super::void_root)).
    Pruned {
        /// Its level: it stands for `2^level` numbers.
        level: u8,
        /// Its root.
        root: Hash,
    },
}

impl Node {
    /// How many numbers it stands for; `None` beyond what a block holds.
    fn leaves(&self) -> Option<u64> {
        match self {
            Node::Leaf(_) => Some(1),
            Node::Pruned { level, .. } => (*level <= BLOCK_LEVEL).then(|| 1 << level),
        }
    }

    fn level_and_root(&self) -> (u8, Hash) {
        match self {
            Node::Leaf(bytes) => (0, leaf_hash(bytes)),
            Node::Pruned { level, root } => (*level, *root),
        }
    }
}

/// The leaves of an aligned range of at most [`BLOCK_LEAVES`] numbers, in order, and the roots of the subtrees from which
/// they were taken away, as few as can be. Its root is always that of all leaves it ever had.
///
/// As CBOR (deterministic, RFC 8949 §4.2): `[first, [+ bstr / [level, bstr .size 32]]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    first: Seq,
    leaves: u64,
    nodes: Vec<Node>,
}

/// Why there is no such block.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// It would not begin where a block begins.
    #[error("a block begins at a multiple of {BLOCK_LEAVES}, not at record {first}")]
    Unaligned {
        /// Where it would begin.
        first: Seq,
    },
    /// It would hold nothing.
    #[error("a block of nothing")]
    Empty,
    /// It would reach beyond its end.
    #[error("a block has at most {BLOCK_LEAVES} records")]
    TooLong,
    /// A pruned subtree at a place where the tree has none of its size.
    #[error("a pruned subtree of level {level} cannot begin at record {at}")]
    Misplaced {
        /// Its level.
        level: u8,
        /// Where it would begin.
        at: Seq,
    },
    /// No record has no byte or so many.
    #[error("record {at} would have {len} bytes; it has 1 to {LEAF_BYTES_MAX}")]
    LeafLength {
        /// Which.
        at: Seq,
        /// Its bytes.
        len: usize,
    },
    /// The bytes are no block.
    #[error("failed to decode a block")]
    Decode(#[source] decode::Error),
    /// A block, but not in its one form.
    #[error("a block of {len} bytes is not in canonical form")]
    NotCanonical {
        /// Length of what was given.
        len: usize,
    },
}

impl Block {
    /// A block of whole records, given as their canonical bytes.
    ///
    /// # Errors
    /// [`BlockError`] if `first` is no multiple of [`BLOCK_LEAVES`], or there are none or too many, or one has a length
    /// that no record has.
    pub fn new(first: Seq, leaves: impl IntoIterator<Item = Vec<u8>>) -> Result<Block, BlockError> {
        Block::from_nodes(first, leaves.into_iter().map(Node::Leaf))
    }

    /// A block of records and pruned subtrees; adjacent pruned siblings become one.
    ///
    /// # Errors
    /// As [`Block::new`]; [`BlockError::Misplaced`].
    pub fn from_nodes(first: Seq, nodes: impl IntoIterator<Item = Node>) -> Result<Block, BlockError> {
        if !first.0.is_multiple_of(BLOCK_LEAVES) {
            return Err(BlockError::Unaligned { first });
        }
        let mut block = Block { first, leaves: 0, nodes: Vec::new() };
        for node in nodes {
            block.append(node)?;
        }
        if block.nodes.is_empty() { Err(BlockError::Empty) } else { Ok(block) }
    }

    fn append(&mut self, node: Node) -> Result<(), BlockError> {
        let leaves = node.leaves().filter(|leaves| self.leaves + leaves <= BLOCK_LEAVES).ok_or(BlockError::TooLong)?;
        let at = Seq(self.first.0 + self.leaves);
        match &node {
            Node::Leaf(bytes) if bytes.is_empty() || bytes.len() > LEAF_BYTES_MAX => {
                return Err(BlockError::LeafLength { at, len: bytes.len() });
            }
            Node::Pruned { level, .. } if !self.leaves.is_multiple_of(leaves) => {
                return Err(BlockError::Misplaced { level: *level, at });
            }
            _ => {}
        }
        self.leaves += leaves;
        push(&mut self.nodes, node, self.leaves);
        Ok(())
    }

    /// The number of its first record.
    pub fn first(&self) -> Seq {
        self.first
    }

    /// The numbers it stands for, whether their records are here or were taken away.
    pub fn range(&self) -> SeqRange {
        SeqRange { first: self.first, last: Seq(self.first.0 + (self.leaves - 1)) }
    }

    /// Whether it has all the leaves that a block can have, so that its root is that of a subtree of [`BLOCK_LEVEL`].
    pub fn is_whole(&self) -> bool {
        self.leaves == BLOCK_LEAVES
    }

    /// Its parts, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The records that are here, in order.
    pub fn leaves(&self) -> impl Iterator<Item = (Seq, &[u8])> {
        self.places().filter_map(|(at, node)| match node {
            Node::Leaf(bytes) => Some((at, bytes.as_slice())),
            Node::Pruned { .. } => None,
        })
    }

    /// The numbers whose records are not here.
    pub fn gone(&self) -> SeqRanges {
        let pruned = self.places().filter(|(_, node)| matches!(node, Node::Pruned { .. }));
        let range = |(at, node): (Seq, &Node)| SeqRange::new(at, Seq(at.0 + (node.leaves()? - 1)));
        pruned.filter_map(range).collect()
    }

    /// Each part with its first number.
    fn places(&self) -> impl Iterator<Item = (Seq, &Node)> {
        self.nodes.iter().scan(self.first.0, |next, node| {
            let at = Seq(*next);
            // Wraps only behind the last block of all, where nothing follows.
            *next = next.wrapping_add(node.leaves()?);
            Some((at, node))
        })
    }

    /// The root over its leaves: of a subtree of [`BLOCK_LEVEL`] if it is whole.
    pub fn root(&self) -> Hash {
        tree(self.nodes.iter()).root()
    }

    /// The root of a complete subtree within it; `None` if it reaches outside, or lies inside what was taken away.
    pub fn node(&self, subtree: Subtree) -> Option<Hash> {
        let within = |at: Seq| subtree.first() <= at && at <= subtree.last();
        let held =
            tree(self.places().skip_while(|(at, _)| !within(*at)).take_while(|(at, _)| within(*at)).map(|p| p.1));
        // What is here of it must be all of it; a pruned subtree that contains it begins before it or is larger.
        (held.size() == subtree.leaves()).then(|| held.root())
    }

    /// Takes away the records whose numbers `keep` does not want, and what remains of them is as small as can be. Gives
    /// how many were taken away.
    pub fn prune(&mut self, keep: impl Fn(Seq) -> bool) -> u64 {
        let (mut end, mut taken) = (0, 0);
        for node in mem::take(&mut self.nodes) {
            let at = Seq(self.first.0 + end);
            end += node.leaves().unwrap_or(0);
            let node = match node {
                Node::Leaf(bytes) if !keep(at) => {
                    taken += 1;
                    Node::Pruned { level: 0, root: leaf_hash(&bytes) }
                }
                other => other,
            };
            push(&mut self.nodes, node, end);
        }
        taken
    }

    /// The one byte form of this block.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Writing to a Vec cannot fail, and no field's encoder refuses a value of its type.
        match minicbor::to_vec(self) {
            Ok(bytes) => bytes,
            Err(never) => unreachable!("encoding into memory failed: {never}"),
        }
    }

    /// Reads the byte form back.
    ///
    /// # Errors
    /// [`BlockError`] if the bytes are no block, or another encoding of one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Block, BlockError> {
        let mut decoder = Decoder::new(bytes);
        let (first, nodes) = decode_parts(&mut decoder).map_err(BlockError::Decode)?;
        let block = Block::from_nodes(first, nodes)?;
        if block.to_bytes() != bytes {
            return Err(BlockError::NotCanonical { len: bytes.len() });
        }
        Ok(block)
    }
}

/// Appends a node that ends before `end`, counted from the block's first leaf, and merges what are pruned siblings now.
fn push(nodes: &mut Vec<Node>, node: Node, end: u64) {
    let mut node = node;
    while let (Some(Node::Pruned { level, root: left }), Node::Pruned { level: own, root: right }) =
        (nodes.last(), &node)
        && level == own
        && end.is_multiple_of(2 << level)
    {
        node = Node::Pruned { level: level + 1, root: node_hash(*left, *right) };
        nodes.pop();
    }
    nodes.push(node);
}

/// The tree over nodes of which the first begins at a multiple of the size of all.
fn tree<'n>(nodes: impl Iterator<Item = &'n Node>) -> Frontier {
    let mut tree = Frontier::new();
    for node in nodes {
        let (level, root) = node.level_and_root();
        if tree.append_subtree(level, root).is_err() {
            // Never: what is aligned in a block is aligned in a part of it that is.
            return Frontier::new();
        }
    }
    tree
}

fn decode_parts(d: &mut Decoder<'_>) -> Result<(Seq, Vec<Node>), decode::Error> {
    if d.array()? != Some(2) {
        return Err(decode::Error::message("a block is [first, nodes]"));
    }
    let first = d.decode()?;
    let len = d.array()?.filter(|len| *len <= BLOCK_LEAVES);
    let len = len.ok_or_else(|| decode::Error::message("more nodes than a block has leaves"))?;
    let nodes = (0..len).map(|_| d.decode()).collect::<Result<_, _>>()?;
    Ok((first, nodes))
}

impl<C> Encode<C> for Block {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(2)?.encode_with(self.first, ctx)?.encode_with(&self.nodes, ctx)?.ok()
    }
}

impl<C> Encode<C> for Node {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        match self {
            Node::Leaf(bytes) => e.bytes(bytes)?.ok(),
            Node::Pruned { level, root } => e.array(2)?.u8(*level)?.encode_with(root, ctx)?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for Node {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        if d.datatype()? == minicbor::data::Type::Bytes {
            return Ok(Node::Leaf(d.bytes()?.to_vec()));
        }
        if d.array()? != Some(2) {
            return Err(decode::Error::message("a node is a leaf or [level, root]"));
        }
        Ok(Node::Pruned { level: d.u8()?, root: d.decode_with(ctx)? })
    }
}
