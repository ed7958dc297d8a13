//! Walking through the records in order, wherever they stand.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use record::merkle::{Block, Hash, Node, Subtree, void_root};
use record::{Record, RecordAt, Seq, SeqRange, SeqRanges};
use rusqlite::Connection;

use crate::archive::{Archive, ArchiveError};
use crate::database::{StoreError, from_sql, to_sql};
use crate::hot;
use crate::segment::{self, BLOCK_RECORDS, Segment, Stage};

/// A retention step may take a file away between the moment a reader learned of it and the moment it opens it; then it
/// looks again, this often.
const LOOKS_MAX: usize = 4;

/// A part of the journal.
pub(crate) enum Item<'a> {
    /// A record, as its canonical bytes.
    Record(Seq, &'a [u8]),
    /// What was taken away.
    Pruned {
        /// The first number of the subtree.
        first: Seq,
        /// The subtree's level.
        level: u8,
        /// The subtree's root.
        root: Hash,
    },
}

impl Item<'_> {
    /// Its first number.
    pub(crate) fn first(&self) -> Seq {
        match self {
            Item::Record(seq, _) => *seq,
            Item::Pruned { first, .. } => *first,
        }
    }

    /// It, without its place.
    pub(crate) fn to_node(&self) -> Node {
        match *self {
            Item::Record(_, body) => Node::Leaf(body.to_vec()),
            Item::Pruned { level, root, .. } => Node::Pruned { level, root },
        }
    }
}

type Visit<'v> = &'v mut dyn FnMut(Item<'_>) -> Result<bool, StoreError>;

/// Reads, and keeps the file and the block that it read last: whoever reads forward unpacks each block once.
#[derive(Debug)]
pub(crate) struct History {
    journal: PathBuf,
    archive: Option<(Seq, Archive)>,
    block: Option<Block>,
}

impl History {
    /// Of the journal with this file.
    pub(crate) fn new(journal: &Path) -> History {
        History { journal: journal.into(), archive: None, block: None }
    }

    /// Records in `range`, see [`crate::Reader::read`].
    pub(crate) fn read(
        &mut self,
        connection: &Connection,
        range: SeqRange,
        bytes_max: usize,
    ) -> Result<Vec<RecordAt>, StoreError> {
        let path = self.journal.clone();
        let (mut records, mut bytes) = (Vec::new(), 0);
        let mut next = range.first;
        while let Some(rest) = SeqRange::new(next, range.last) {
            let visited = self.visit(connection, rest, |item| {
                let Item::Record(seq, body) = item else { return Ok(true) };
                bytes += body.len();
                if bytes > bytes_max && !records.is_empty() {
                    return Ok(false);
                }
                next = seq.next();
                let damaged = |source| StoreError::DamagedRecord { path: path.clone(), seq: seq.0, source };
                records.push(RecordAt { seq, record: Record::from_canonical(body).map_err(damaged)? });
                Ok(true)
            });
            match visited {
                Ok(()) => break,
                Err(StoreError::Archive(_)) => next = behind_block(next),
                Err(error) if records.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(records)
    }

    /// Numbers in `range` without a record, see [`crate::Reader::unreadable`].
    pub(crate) fn unreadable(&mut self, connection: &Connection, range: SeqRange) -> Result<SeqRanges, StoreError> {
        let failed = |source| StoreError::Read { path: self.journal.clone(), what: "its end", source };
        let end: i64 = connection.query_row("SELECT size FROM tree", [], |row| row.get(0)).map_err(failed)?;
        let Some(last) = from_sql(end).checked_sub(1).map(|last| range.last.min(Seq(last))) else {
            return Ok(SeqRanges::new());
        };
        let Some(range) = SeqRange::new(range.first, last) else { return Ok(SeqRanges::new()) };
        let (mut there, mut next) = (SeqRanges::new(), range.first);
        while let Some(rest) = SeqRange::new(next, range.last) {
            let visited = self.visit(connection, rest, |item| {
                if let Item::Record(seq, _) = item {
                    there.insert(SeqRange { first: seq, last: seq });
                    next = seq.next();
                }
                Ok(true)
            });
            match visited {
                Ok(()) => break,
                Err(StoreError::Archive(_)) => next = behind_block(next),
                Err(StoreError::DamagedPack { range, .. }) => next = range.last.next(),
                Err(error) => return Err(error),
            }
        }
        Ok(there.missing_in(range))
    }

    /// Hands what there is in `range` to `visit`, in order, until it gives `false`.
    pub(crate) fn visit(
        &mut self,
        connection: &Connection,
        range: SeqRange,
        mut visit: impl FnMut(Item<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut next = range.first;
        let mut looks = 0;
        while let Some(rest) = SeqRange::new(next, range.last) {
            let mut counting = |item: Item<'_>| {
                next = match &item {
                    Item::Record(seq, _) => seq.next(),
                    Item::Pruned { first, level, .. } => Seq(first.0 + (1 << level)),
                };
                visit(item)
            };
            match self.walk(connection, rest, &mut counting) {
                Err(StoreError::Archive(ArchiveError::File { source, .. }))
                    if source.kind() == std::io::ErrorKind::NotFound && looks < LOOKS_MAX =>
                {
                    looks += 1;
                }
                Err(error) => return Err(error),
                Ok(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn walk(
        &mut self,
        connection: &Connection,
        range: SeqRange,
        visit: Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let failed = |source| StoreError::Read { path: self.journal.clone(), what: "segments", source };
        // One snapshot, that of whoever walks already if he reads on the way: a table that is listed is there.
        let begins = connection.is_autocommit();
        let _snapshot = begins.then(|| connection.unchecked_transaction()).transpose().map_err(failed)?;
        for segment in segment::read_within(connection, range).map_err(failed)? {
            let within =
                SeqRange::new(range.first.max(segment.first), range.last.min(segment.last.unwrap_or(range.last)));
            let Some(within) = within else { continue };
            let flow = match segment.readable(&self.journal) {
                Stage::Hot => self.hot(connection, segment.first, within, visit)?,
                Stage::Gone => self.gone(connection, within, visit)?,
                Stage::Void => void(within, visit)?,
                Stage::Whole | Stage::Thinned | Stage::Remnant => self.sealed(&segment, within, visit)?,
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn hot(
        &self,
        connection: &Connection,
        first: Seq,
        within: SeqRange,
        visit: Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        hot::walk(connection, &self.journal, first, within, |seq, body| {
            // Where a record was lost, an empty row has its number.
            let lost = Item::Pruned { first: seq, level: 0, root: void_root(0) };
            visit(if body.is_empty() { lost } else { Item::Record(seq, body) })
        })
    }

    /// Nothing is left of these but the roots of their blocks.
    fn gone(&self, connection: &Connection, within: SeqRange, visit: Visit<'_>) -> Result<ControlFlow<()>, StoreError> {
        let failed = |source| StoreError::Read { path: self.journal.clone(), what: "roots of blocks", source };
        let mut statement = connection
            .prepare_cached("SELECT no, root FROM block WHERE no BETWEEN ?1 AND ?2 ORDER BY no")
            .map_err(failed)?;
        let numbers = [within.first.0, within.last.0].map(|seq| to_sql(seq / BLOCK_RECORDS));
        let mut rows = statement.query(numbers).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let first = Seq(from_sql(row.get(0).map_err(failed)?) * BLOCK_RECORDS);
            let root = Hash(row.get(1).map_err(failed)?);
            if !visit(Item::Pruned { first, level: record::merkle::BLOCK_LEVEL, root })? {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn sealed(&mut self, segment: &Segment, within: SeqRange, visit: Visit<'_>) -> Result<ControlFlow<()>, StoreError> {
        let mut block_first = Seq(within.first.0 / BLOCK_RECORDS * BLOCK_RECORDS);
        while block_first <= within.last {
            let block = self.block(segment, block_first).map_err(StoreError::Archive)?;
            let mut at = block.first();
            for node in block.nodes() {
                let first = at;
                let item = match node {
                    Node::Leaf(body) => {
                        at = at.next();
                        Item::Record(first, body)
                    }
                    Node::Pruned { level, root } => {
                        at = Seq(at.0 + (1 << level));
                        Item::Pruned { first, level: *level, root: *root }
                    }
                };
                let wanted = first <= within.last && at > within.first;
                if wanted && !visit(item)? {
                    return Ok(ControlFlow::Break(()));
                }
            }
            block_first = Seq(block_first.0 + BLOCK_RECORDS);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn block(&mut self, segment: &Segment, first: Seq) -> Result<&Block, ArchiveError> {
        let known = |(of, archive): &(Seq, Archive)| *of == segment.first && archive.bytes() == segment.bytes;
        if !self.archive.as_ref().is_some_and(known) {
            self.block = None;
            let archive = Archive::open(&segment::file(&self.journal, segment.first))?;
            self.archive = Some((segment.first, archive));
        }
        if self.block.as_ref().is_none_or(|block| block.first() != first)
            && let Some((_, archive)) = &self.archive
        {
            self.block = Some(archive.block(first)?);
        }
        match &self.block {
            Some(block) => Ok(block),
            None => unreachable!("a block was just read"),
        }
    }
}

/// Past a block that is damaged.
fn behind_block(seq: Seq) -> Seq {
    Seq((seq.0 / BLOCK_RECORDS + 1) * BLOCK_RECORDS)
}

/// Numbers that no record ever had, in as few subtrees as there are.
fn void(within: SeqRange, visit: Visit<'_>) -> Result<ControlFlow<()>, StoreError> {
    let (mut first, end) = (within.first, within.last.next());
    while let Some(subtree) = Subtree::largest(first, end) {
        let (level, root) = (subtree.level(), void_root(subtree.level()));
        if !visit(Item::Pruned { first, level, root })? {
            return Ok(ControlFlow::Break(()));
        }
        first = subtree.last().next();
    }
    Ok(ControlFlow::Continue(()))
}
