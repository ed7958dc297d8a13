//! Reading the journal while its writer runs, is stopped, or restarts.

mod kept;
mod tree;

use std::cell::RefCell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use record::merkle::{Frontier, Node};
use record::{RecordAt, Seq, SeqRange, SeqRanges};
use rusqlite::{Connection, OptionalExtension};

use crate::database::{StoreError, from_sql, open_reader};
use crate::history::{History, Item};
use crate::schema::JOURNAL;
use crate::segment::{self, Segment};
pub(crate) use kept::{codecs, devices};
pub use tree::StoredCheckpoint;
pub(crate) use tree::frontier;

/// Where the journal stands, read in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The name of the box.
    pub box_id: String,
    /// The number the next record will get.
    pub end: Seq,
    /// The right edge of the tree over all records before `end`.
    pub frontier: Frontier,
}

/// A read-only view. Every method is one short transaction: none is held across a wait (S1).
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
    /// Device and inode of the file that is open.
    file: Option<(u64, u64)>,
    history: RefCell<History>,
}

impl Reader {
    /// Opens an existing journal for reading.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Open`], [`StoreError::Schema`], [`StoreError::OldSchema`].
    pub fn open(path: &Path) -> Result<Reader, StoreError> {
        let file = identity(path);
        let connection = open_reader(path, &JOURNAL)?;
        Ok(Reader { path: path.into(), connection, file, history: RefCell::new(History::new(path)) })
    }

    /// Opens the file anew where another one has taken its place, as after a salvage: whoever reads for days must not go on
    /// reading what was put aside.
    ///
    /// # Errors
    /// As [`Reader::open`]; then it reads what it read before.
    pub fn refresh(&mut self) -> Result<(), StoreError> {
        if identity(&self.path).is_some_and(|now| self.file != Some(now)) {
            *self = Reader::open(&self.path)?;
        }
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the database as it is at one moment into a file that is not there yet, beside its running writer.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "all of it", source };
        let name = path.to_string_lossy();
        self.connection.execute("VACUUM INTO ?1", [name.as_ref()]).map(|_| ()).map_err(failed)
    }

    /// Where the journal stands.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Inconsistent`].
    pub fn position(&self) -> Result<Position, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "its position", source };
        let transaction = self.connection.unchecked_transaction().map_err(failed)?;
        let box_id = transaction
            .query_row("SELECT value FROM meta WHERE key = 'box'", [], |row| row.get(0))
            .optional()
            .map_err(failed)?
            .unwrap_or_default();
        let frontier = frontier(&transaction, &self.path)?;
        Ok(Position { box_id, end: Seq(frontier.size()), frontier })
    }

    /// Records in `range`, in order, until `bytes_max` of canonical bytes are reached; at least one if there is one.
    /// What was taken away is left out, and so is a sealed block that is damaged: [`Reader::unreadable`] names both. A
    /// damaged record in the database ends what is read, or is the error if nothing was read before it.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::DamagedRecord`].
    pub fn read(&self, range: SeqRange, bytes_max: usize) -> Result<Vec<RecordAt>, StoreError> {
        self.history.borrow_mut().read(&self.connection, range, bytes_max)
    }

    /// Hands every record in `range` that is there to `each`, as its canonical bytes.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub fn bodies(&self, range: SeqRange, mut each: impl FnMut(Seq, &[u8])) -> Result<(), StoreError> {
        // Its own: `each` may read as well.
        History::new(&self.path).visit(&self.connection, range, |item| {
            if let Item::Record(seq, body) = item {
                each(seq, body);
            }
            Ok(true)
        })
    }

    /// Parts of the tree in `range`, in order, each with its first number, until `bytes_max` of canonical bytes are
    /// reached; at least one if there is one. They are records, and the roots of what was taken away.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub fn nodes(&self, range: SeqRange, bytes_max: usize) -> Result<Vec<(Seq, Node)>, StoreError> {
        let (mut nodes, mut bytes) = (Vec::new(), 0);
        self.history.borrow_mut().visit(&self.connection, range, |item| {
            let (first, node) = (item.first(), item.to_node());
            bytes += match &node {
                Node::Leaf(body) => body.len(),
                Node::Pruned { root, .. } => root.0.len(),
            };
            let taken = bytes <= bytes_max || nodes.is_empty();
            if taken {
                nodes.push((first, node));
            }
            Ok(taken)
        })?;
        Ok(nodes)
    }

    /// The numbers in `range`, below the end, whose records can no longer be read: taken away, or lost.
    ///
    /// # Errors
    /// [`StoreError::Read`]. Damage is no error here: what is damaged cannot be read.
    pub fn unreadable(&self, range: SeqRange) -> Result<SeqRanges, StoreError> {
        self.history.borrow_mut().unreadable(&self.connection, range)
    }

    /// All segments, in order.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "segments", source };
        segment::read_all(&self.connection).map_err(failed)
    }

    /// Bytes that the database takes: pages in use or to be used again, and the write-ahead log as it stands.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn database_bytes(&self) -> Result<u64, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "its size", source };
        let pages: i64 = self.connection.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(failed)?;
        let page: i64 = self.connection.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(failed)?;
        let log = std::fs::metadata(self.path.with_extension("db-wal")).map_or(0, |log| log.len());
        Ok(from_sql(pages).saturating_mul(from_sql(page)).saturating_add(log))
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|file| (file.dev(), file.ino()))
}
