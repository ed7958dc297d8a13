//! Moving records from a table into a file, and taking records out of one.
//!
//! Neither touches the database: whoever calls has the writer store the [`SegmentChange`] that is returned. A power cut in
//! between leaves a file that nothing names, which the next try replaces, or a step that is carried out again.

use std::collections::BTreeSet;

use record::merkle::{Block, Node, void_root};
use record::{Body, Kind, Record, Seq, SeqRange, SeqRanges, SourceId};

use crate::archive::{self, Archive};
use crate::database::StoreError;
use crate::hot::is_marked;
use crate::reader::Reader;
use crate::segment::{self, BLOCK_RECORDS, HOT_RECORDS_MAX, Segment, SegmentChange, Stage};

/// A thinned segment keeps the first frame of each device in each of these, by the monotonic clock.
const THINNED_MS: u64 = 3_600_000;

/// What a step takes away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loss {
    /// The numbers.
    pub ranges: SeqRanges,
    /// Accepted frames among them.
    pub frames: u64,
    /// Rejected frames among them.
    pub rejected: u64,
    /// Others.
    pub other: u64,
    /// Their canonical bytes.
    pub bytes: u64,
}

/// Writes the records of a table that grows no more into files, each of at most [`HOT_RECORDS_MAX`] records.
///
/// # Errors
/// [`StoreError::Read`], [`StoreError::Archive`] where a file cannot be written; what was written is written again by the
/// next try. [`StoreError::Inconsistent`] for a table that does not end with a block.
pub fn seal(reader: &Reader, table: &Segment) -> Result<SegmentChange, StoreError> {
    let inconsistent = |what: &str| StoreError::Inconsistent { path: reader.path().into(), what: what.into() };
    let range = table.range().filter(|range| (range.last.0 + 1).is_multiple_of(BLOCK_RECORDS));
    let range = range.ok_or_else(|| inconsistent("records that still grow cannot be sealed"))?;
    let mut files = Vec::new();
    let mut first = range.first;
    while let Some(rest) = SeqRange::new(first, range.last) {
        let last = Seq(rest.last.0.min(first.0 + (HOT_RECORDS_MAX - 1)));
        let (blocks, newest_ms) = blocks(reader, SeqRange { first, last })?;
        let bytes = archive::write(&segment::file(reader.path(), first), &blocks).map_err(StoreError::Archive)?;
        files.push(Segment { first, last: Some(last), stage: Stage::Whole, condemned: None, bytes, newest_ms });
        first = last.next();
    }
    Ok(SegmentChange::Sealed { table: table.first, files })
}

/// The blocks of a range that begins and ends with one, and the stamp of its newest record.
fn blocks(reader: &Reader, range: SeqRange) -> Result<(Vec<Block>, i64), StoreError> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut newest = None;
    reader.bodies(range, |seq, body| {
        // A number whose record was lost has the place of a void leaf.
        let missing = seq.0.saturating_sub(range.first.0 + to_u64(nodes.len()));
        nodes.extend((0..missing).map(|_| lost()));
        nodes.push(Node::Leaf(body.to_vec()));
        newest = Record::from_canonical(body).ok().or(newest.take());
    })?;
    let missing = range.len().saturating_sub(to_u64(nodes.len()));
    nodes.extend((0..missing).map(|_| lost()));
    let mut blocks = Vec::new();
    let mut first = range.first;
    let mut nodes = nodes.into_iter();
    let size = usize::try_from(BLOCK_RECORDS).unwrap_or(usize::MAX);
    while first <= range.last {
        let block = Block::from_nodes(first, nodes.by_ref().take(size))
            .map_err(|error| StoreError::Inconsistent { path: reader.path().into(), what: error.to_string() })?;
        blocks.push(block);
        first = Seq(first.0 + BLOCK_RECORDS);
    }
    Ok((blocks, newest.map_or(0, |record| record.stamp.wall_ms.0)))
}

fn lost() -> Node {
    Node::Pruned { level: 0, root: void_root(0) }
}

/// What reducing a segment to `to` would take away. The same segment gives the same answer each time.
///
/// # Errors
/// [`StoreError::Archive`].
pub fn weigh(reader: &Reader, segment: &Segment, to: Stage) -> Result<Loss, StoreError> {
    let mut loss = Loss::default();
    let mut keeping = Keeping::new(to);
    let Some(range) = segment.range() else { return Ok(loss) };
    reader.bodies(range, |seq, body| {
        let record = Record::from_canonical(body).ok();
        if keeping.keeps(record.as_ref()) {
            return;
        }
        loss.ranges.insert(SeqRange { first: seq, last: seq });
        loss.bytes += to_u64(body.len());
        match record.map(|record| record.body.kind()) {
            Some(Kind::Frame) => loss.frames += 1,
            Some(Kind::Rejected) => loss.rejected += 1,
            _ => loss.other += 1,
        }
    })?;
    Ok(loss)
}

/// Reduces the file of a condemned segment. Doing it again changes nothing.
///
/// # Errors
/// [`StoreError::Archive`] where the file cannot be read, written or removed.
pub fn reduce(reader: &Reader, segment: &Segment) -> Result<SegmentChange, StoreError> {
    let to = segment.condemned.unwrap_or(segment.stage);
    let path = segment::file(reader.path(), segment.first);
    let gone = SegmentChange::Reduced { first: segment.first, stage: Stage::Gone, bytes: 0 };
    if to == Stage::Gone {
        archive::remove(&path).map_err(StoreError::Archive)?;
        return Ok(gone);
    }
    // Nothing was left of it, and the power went before that could be said.
    if segment.readable(reader.path()) == Stage::Gone {
        return Ok(gone);
    }
    let archive = Archive::open(&path).map_err(StoreError::Archive)?;
    let mut keeping = Keeping::new(to);
    let (mut blocks, mut left) = (Vec::new(), 0);
    for place in archive.places() {
        let mut block = archive.block(place.first).map_err(StoreError::Archive)?;
        let judged = block.leaves().map(|(seq, body)| (seq, keeping.keeps(Record::from_canonical(body).ok().as_ref())));
        let kept: BTreeSet<Seq> = judged.filter(|(_, keeps)| *keeps).map(|(seq, _)| seq).collect();
        left += kept.len();
        block.prune(|seq| kept.contains(&seq));
        blocks.push(block);
    }
    if left == 0 {
        archive::remove(&path).map_err(StoreError::Archive)?;
        return Ok(gone);
    }
    let bytes = archive::write(&path, &blocks).map_err(StoreError::Archive)?;
    Ok(SegmentChange::Reduced { first: segment.first, stage: to, bytes })
}

/// Which records stay, judged in their order.
struct Keeping {
    to: Stage,
    /// The devices whose frame of the hour was kept.
    hour: (u32, u64),
    kept: BTreeSet<SourceId>,
}

impl Keeping {
    fn new(to: Stage) -> Keeping {
        Keeping { to, hour: (0, 0), kept: BTreeSet::new() }
    }

    /// What cannot be read stays, except where everything goes: it is not ours to judge.
    fn keeps(&mut self, record: Option<&Record>) -> bool {
        let Some(record) = record else { return self.to < Stage::Gone };
        match (self.to, &record.body) {
            (Stage::Gone | Stage::Void, _) => false,
            (Stage::Hot | Stage::Whole, _) => true,
            (_, body) if is_marked(body.kind()) => true,
            (Stage::Thinned, Body::Frame(frame)) => {
                let hour = (record.stamp.boot.0, record.stamp.mono_ms.0 / THINNED_MS);
                if hour != self.hour {
                    self.hour = hour;
                    self.kept.clear();
                }
                self.kept.insert(frame.source.clone())
            }
            // Those of an hour and more are as few as the frames that stay, and tell of those that go.
            (Stage::Thinned, Body::Aggregate(aggregate)) => aggregate.period.ms().cast_unsigned() >= THINNED_MS,
            (Stage::Thinned | Stage::Remnant, _) => false,
        }
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
