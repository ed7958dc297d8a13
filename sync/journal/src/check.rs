//! Looking for what rots, a segment at a time, and mending files (lessons E2, N2).

use std::collections::BTreeSet;
use std::path::PathBuf;

use record::merkle::{BLOCK_LEVEL, Block, Frontier, Hash, Node, leaf_hash};
use record::{Seq, SeqRange, SeqRanges};

use crate::archive::{self, Archive, ArchiveError};
use crate::database::StoreError;
use crate::reader::Reader;
use crate::salvage::quarantine;
use crate::segment::{self, BLOCK_RECORDS, Segment, SegmentChange, Stage};

/// From block to block.
const BLOCK_STEP: usize = 256;
const _: () = assert!(BLOCK_STEP as u64 == BLOCK_RECORDS);

/// The blocks of a segment whose records are not those that were committed, by their root; empty if all is well. A table is
/// judged up to its last complete block.
///
/// # Errors
/// [`StoreError::Read`] where the database itself cannot be read.
pub fn check(reader: &Reader, segment: &Segment) -> Result<SeqRanges, StoreError> {
    let damaged = match segment.readable(reader.path()) {
        Stage::Gone | Stage::Void => return Ok(SeqRanges::new()),
        Stage::Hot => check_table(reader, segment)?,
        Stage::Whole | Stage::Thinned | Stage::Remnant => check_file(reader, segment)?,
    };
    Ok(damaged.into_iter().map(whole_block).collect())
}

fn whole_block(first: Seq) -> SeqRange {
    SeqRange { first, last: Seq(first.0 + (BLOCK_RECORDS - 1)) }
}

fn check_table(reader: &Reader, segment: &Segment) -> Result<Vec<Seq>, StoreError> {
    let last = segment.last.unwrap_or(Seq(i64::MAX.cast_unsigned()));
    let Some(range) = SeqRange::new(segment.first, last) else { return Ok(Vec::new()) };
    let roots = reader.roots(range)?;
    let (mut damaged, mut tree, mut at) = (BTreeSet::new(), Frontier::new(), segment.first);
    let mut next = range.first;
    while let Some(rest) = SeqRange::new(next, range.last) {
        let walked = reader.bodies(rest, |seq, body| {
            if seq.0 / BLOCK_RECORDS != at.0 / BLOCK_RECORDS {
                tree = Frontier::new();
            }
            at = seq;
            tree.push(leaf_hash(body));
            let first = block_of(seq);
            let ends = (seq.0 + 1).is_multiple_of(BLOCK_RECORDS) && tree.size() == BLOCK_RECORDS;
            if ends && roots.get(&first).is_some_and(|root| *root != tree.root()) {
                damaged.insert(first);
            }
        });
        match walked {
            Ok(()) => break,
            Err(StoreError::DamagedPack { range, .. }) => {
                damaged.extend((block_of(range.first).0..=range.last.0).step_by(BLOCK_STEP).map(Seq));
                next = range.last.next();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(damaged.into_iter().collect())
}

/// The first record of the block of this one.
fn block_of(seq: Seq) -> Seq {
    Seq(seq.0 / BLOCK_RECORDS * BLOCK_RECORDS)
}

fn check_file(reader: &Reader, segment: &Segment) -> Result<Vec<Seq>, StoreError> {
    let Some(range) = segment.range() else { return Ok(Vec::new()) };
    let roots = reader.roots(range)?;
    let archive = Archive::open(&segment::file(reader.path(), segment.first));
    let sound = |first: &Seq| {
        let block = archive.as_ref().ok().and_then(|archive| archive.block(*first).ok());
        block.is_some_and(|block| agrees(&block, roots.get(first).copied()))
    };
    let firsts = (range.first.0..=range.last.0).step_by(BLOCK_STEP).map(Seq);
    Ok(firsts.filter(|first| !sound(first)).collect())
}

/// Whether a block has the root that was noted when it was complete. One with a record that was lost before it was sealed
/// never can; it was told then.
fn agrees(block: &Block, noted: Option<Hash>) -> bool {
    let lost = Node::Pruned { level: 0, root: record::merkle::void_root(0) };
    noted.is_none_or(|noted| noted == block.root()) || block.nodes().contains(&lost)
}

/// Copies a damaged file to the quarantine and writes what is sound of it anew: a block that is lost keeps its root. The
/// loss must be journaled before. Returns what the writer has to store.
///
/// # Errors
/// [`StoreError::Archive`], [`StoreError::Salvage`]; then the file is as it was.
pub fn mend(reader: &Reader, segment: &Segment) -> Result<(PathBuf, SegmentChange), StoreError> {
    let path = segment::file(reader.path(), segment.first);
    let failed = |source| StoreError::Salvage { doing: "copy a file of", path: reader.path().into(), source };
    let folder = quarantine(reader.path()).map_err(failed)?;
    if path.exists() {
        std::fs::copy(&path, folder.join(path.file_name().unwrap_or_default())).map_err(failed)?;
    }
    let range = segment.range().unwrap_or(SeqRange { first: segment.first, last: segment.first });
    let roots = reader.roots(range)?;
    let archive = Archive::open(&path);
    let mut blocks = Vec::new();
    for (first, root) in roots {
        let sound = archive.as_ref().ok().and_then(|archive| archive.block(first).ok());
        let pruned = || Block::from_nodes(first, [Node::Pruned { level: BLOCK_LEVEL, root }]);
        let block = match sound.filter(|block| agrees(block, Some(root))) {
            Some(block) => block,
            None => pruned()
                .map_err(|error| StoreError::Inconsistent { path: reader.path().into(), what: error.to_string() })?,
        };
        blocks.push(block);
    }
    let empty = blocks.iter().all(|block| block.leaves().next().is_none());
    let (stage, bytes) = match empty {
        true => archive::remove(&path).map(|()| (Stage::Gone, 0)),
        false => archive::write(&path, &blocks).map(|bytes| (segment.stage, bytes)),
    }
    .map_err(|error: ArchiveError| StoreError::Archive(error))?;
    Ok((folder, SegmentChange::Reduced { first: segment.first, stage, bytes }))
}
