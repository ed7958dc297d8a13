//! The journal's one writer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use record::merkle::Frontier;
use record::{CodecId, Record, RecordAt, Seq, SeqRange, SourceId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::command::{self, COMMANDS_PER_DEVICE_MAX, CommandChange, CommandId, StoredCommand};
use crate::database::{StoreError, fill, from_sql, open_writer, to_sql};
use crate::device::{DeviceRow, Tally};
use crate::history::History;
use crate::hot::{self, Hot};
use crate::invariant;
use crate::reader;
use crate::schema::JOURNAL;
use crate::segment::{self, Segment, SegmentChange, TableSize};
use crate::state::{self, STATES_MAX};
use crate::subtree;

/// One atomic step of the journal. `None` as a device stands for frames whose device could not be told.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Records, in order; the first gets the number [`Journal::end`].
    pub records: Vec<Record>,
    /// Devices that changed, with their whole row.
    pub devices: BTreeMap<Option<SourceId>, DeviceRow>,
    /// Steps of commands, in order.
    pub commands: Vec<CommandChange>,
    /// States that changed, with their whole value; an empty one takes the name away. At most [`STATES_MAX`] names of
    /// [`STATE_BYTES_MAX`](crate::STATE_BYTES_MAX) each are kept.
    pub states: BTreeMap<String, Vec<u8>>,
    /// Steps of segments, in order.
    pub segments: Vec<SegmentChange>,
}

impl Transaction {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Transaction { records, devices, commands, states, segments } = self;
        records.is_empty() && devices.is_empty() && commands.is_empty() && states.is_empty() && segments.is_empty()
    }
}

/// What a commit achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The number of its first record.
    pub first: Seq,
    /// The tree after it.
    pub frontier: Frontier,
}

/// The open journal. One process has it at a time.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    connection: Connection,
    frontier: Frontier,
    hot: Hot,
    history: RefCell<History>,
    _lock: File,
}

impl Journal {
    /// Opens or creates the journal of the box `box_id`.
    ///
    /// # Errors
    /// [`StoreError`] when the directory or file cannot be made, another process is the writer, the file is of
    /// another box or version, or its tree does not fit its records.
    pub fn open(path: &Path, box_id: &str) -> Result<Journal, StoreError> {
        let (connection, lock) = open_writer(path, &JOURNAL)?;
        let owner = claim(&connection, box_id).map_err(|source| StoreError::Write {
            path: path.into(),
            what: "the box's name",
            source,
        })?;
        if owner != box_id {
            return Err(StoreError::OtherBox { path: path.into(), found: owner, expected: box_id.into() });
        }
        let frontier = reader::frontier(&connection, path)?;
        hot::complete_blocks(&connection, path, frontier.size())?;
        subtree::complete(&connection, path, frontier.size())?;
        let hot = Hot::read(&connection, path, &frontier)?;
        let history = RefCell::new(History::new(path));
        Ok(Journal { path: path.into(), connection, frontier, hot, history, _lock: lock })
    }

    /// The same with tables of this size from the next record on.
    #[must_use]
    pub fn with_tables(mut self, size: TableSize) -> Journal {
        self.hot.size = size;
        self
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number the next record will get.
    pub fn end(&self) -> Seq {
        Seq(self.frontier.size())
    }

    /// The right edge of the tree.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// All devices the journal knows.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn devices(&self) -> Result<BTreeMap<Option<SourceId>, DeviceRow>, StoreError> {
        reader::devices(&self.connection, &self.path)
    }

    /// Every codec that is journaled, with the record that has its text.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::DamagedRecord`].
    pub fn codecs(&self) -> Result<BTreeMap<CodecId, Seq>, StoreError> {
        reader::codecs(&self.connection, &self.path, &mut self.history.borrow_mut())
    }

    /// Every command that waits, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn commands(&self) -> Result<Vec<StoredCommand>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "commands", source };
        command::read(&self.connection).map_err(failed)
    }

    /// The id for the next command: larger than every id that this journal ever stored.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn next_command(&self) -> Result<CommandId, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "commands", source };
        command::next(&self.connection).map_err(failed)
    }

    /// All states, by name.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn states(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "states", source };
        state::read(&self.connection).map_err(failed)
    }

    /// Records in `range`, in order, until `bytes_max` of canonical bytes are reached; at least one if there is one.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::DamagedRecord`].
    pub fn read(&self, range: SeqRange, bytes_max: usize) -> Result<Vec<RecordAt>, StoreError> {
        self.history.borrow_mut().read(&self.connection, range, bytes_max)
    }

    /// Stores everything in `transaction`, or nothing. When this returns `Ok`, it survives a power cut (A1).
    ///
    /// # Errors
    /// [`StoreError::Write`]; then nothing is stored and the next call may succeed (for example when the disk was
    /// full). [`StoreError::TooLarge`], [`StoreError::TooManyCommands`], [`StoreError::TooManyStates`] where commands or
    /// states pass their bounds: nothing is stored either. The caller must forget what it derived from the records.
    pub fn commit(&mut self, transaction: &Transaction) -> Result<Committed, StoreError> {
        let first = self.end();
        command::check(&transaction.commands)?;
        state::check(&transaction.states)?;
        let before = (&self.frontier, &self.hot);
        let written = write(&mut self.connection, transaction, before).map_err(|source| StoreError::Write {
            path: self.path.clone(),
            what: "records",
            source,
        })?;
        let (frontier, hot) = match written {
            Written::All(frontier, hot) => (frontier, hot),
            Written::TooManyCommands(device) => {
                return Err(StoreError::TooManyCommands { device, max: COMMANDS_PER_DEVICE_MAX });
            }
            Written::TooManyStates => return Err(StoreError::TooManyStates { max: STATES_MAX }),
        };
        let next = Seq(first.0 + transaction.records.len() as u64);
        debug_assert!(
            invariant::j2_follows(next, Seq(frontier.size())),
            "J2: {next}, the tree has {}",
            frontier.size()
        );
        self.frontier = frontier.clone();
        self.hot = hot;
        Ok(Committed { first, frontier })
    }

    /// All segments, in order.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), what: "segments", source };
        segment::read_all(&self.connection).map_err(failed)
    }

    /// Keeps a signed tree head. Keeping one of the same size again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn keep_checkpoint(&mut self, size: u64, cose: &[u8]) -> Result<(), StoreError> {
        self.connection
            .execute("INSERT OR IGNORE INTO checkpoint VALUES (?1, ?2)", params![to_sql(size), cose])
            .map(|_| ())
            .map_err(|source| StoreError::Write { path: self.path.clone(), what: "a checkpoint", source })
    }

    /// The size of the newest signed tree head, 0 if there is none.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn checkpoint_size(&self) -> Result<u64, StoreError> {
        self.connection
            .query_row("SELECT coalesce(max(size), 0) FROM checkpoint", [], |row| row.get(0))
            .map(from_sql)
            .map_err(|source| StoreError::Read { path: self.path.clone(), what: "checkpoints", source })
    }
}

impl Journal {
    /// From now on the disk is full, or has room again: for tests, which have no disk of their own to fill.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    #[doc(hidden)]
    pub fn fill_disk(&self, full: bool) -> Result<(), StoreError> {
        fill(&self.connection, &self.path, full)
    }
}

#[cfg(test)]
impl Journal {
    /// A disk that is full at this many pages.
    pub(crate) fn limit_pages(&self, pages_max: i64) {
        self.connection.pragma_update(None, "max_page_count", pages_max).unwrap();
    }
}

fn claim(connection: &Connection, box_id: &str) -> rusqlite::Result<String> {
    let owner = connection.query_row("SELECT value FROM meta WHERE key = 'box'", [], |row| row.get(0)).optional()?;
    match owner {
        Some(owner) => Ok(owner),
        None => {
            connection.execute("INSERT INTO meta VALUES ('box', ?1)", [box_id])?;
            Ok(box_id.into())
        }
    }
}

/// What became of a transaction: all of it, or nothing.
enum Written {
    All(Frontier, Hot),
    TooManyCommands(SourceId),
    TooManyStates,
}

fn write(
    connection: &mut Connection,
    what: &Transaction,
    (before, hot): (&Frontier, &Hot),
) -> rusqlite::Result<Written> {
    let (mut frontier, mut hot) = (before.clone(), hot.clone());
    let transaction = connection.transaction()?;
    {
        for record in &what.records {
            let body = record.to_canonical();
            let leaf = record::merkle::leaf_hash(&body);
            hot.append(&transaction, Seq(frontier.size()), record.body.kind(), &body, leaf)?;
            frontier.push(leaf);
        }
        hot.flush(&transaction)?;
        let mut upsert = transaction.prepare_cached(
            "INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO UPDATE SET \
             session = ?2, accepted = ?3, duplicate = ?4, rejected = ?5, shed = ?6, client = ?7",
        )?;
        for (name, row) in &what.devices {
            let name = name.as_ref().map_or("", SourceId::as_str);
            let Tally { accepted, duplicate, rejected, shed } = row.tally;
            let [accepted, duplicate, rejected, shed] = [accepted, duplicate, rejected, shed].map(to_sql);
            upsert.execute(params![name, row.session, accepted, duplicate, rejected, shed, row.client])?;
        }
        if frontier.size() != before.size() {
            let mut tree = transaction.prepare_cached("UPDATE tree SET size = ?1, roots = ?2")?;
            tree.execute(params![to_sql(frontier.size()), frontier.to_bytes()])?;
        }
    }
    for change in &what.segments {
        segment::change(&transaction, change)?;
    }
    // Nearly every transaction is of frames alone, and pays for nothing else.
    if !what.commands.is_empty()
        && let Some(device) = command::write(&transaction, &what.commands)?
    {
        return Ok(Written::TooManyCommands(device));
    }
    if !what.states.is_empty() && !state::write(&transaction, &what.states)? {
        return Ok(Written::TooManyStates);
    }
    transaction.commit()?;
    Ok(Written::All(frontier, hot))
}
