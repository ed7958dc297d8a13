//! What the platform holds: one SQLite file, one thread that writes it, and readers beside it.
//!
//! ```text
//! Delivery ─► queue ─► writer thread: savepoint a batch, one transaction a group ─► COMMIT ─► Accepted
//!                                                     platform.db (WAL, synchronous=FULL)
//! question ─► a read-only connection of the pool ─────────────┘
//! ```
//! All SQL of the crate is in this folder (S1). Nothing here reads a clock or knows of HTTP.

mod accept;
mod aggregates;
mod error;
mod filtered;
mod history;
mod line;
mod manual;
mod outfalls;
mod read;
mod schema;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use batch::{BatchId, BoxId, Command, PlatformId, SigningKey};
use record::{Seq, SeqRanges};
use rusqlite::{Connection, params};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

pub use accept::{Accepted, Delivery};
pub use aggregates::{AggregateLine, AggregateValueLine, AggregatesQuery};
pub use error::{AcceptError, Refused, StoreError};
pub use manual::{EntryLine, ManualSampleLine, ManualValueLine, PatrolLine};
pub use outfalls::DossierLine;
pub use read::{
    AlarmLine, BatchLine, BoxSummary, CodecLine, HeldHead, Page, ProvenCheckpoint, ReadingLine, ReadingsQuery, Tally,
};
pub use schema::OpenError;

use crate::config::EnrolledBox;
use writer::Job;

/// Most idle read connections that are kept; each holds a few hundred kilobytes of cache.
const IDLE_MAX: usize = 4;

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandState {
    /// The box has not answered.
    Waiting,
    /// It carries it out, or tries the rules.
    Journaled,
    /// It refuses it, and says why.
    Refused(String),
    /// Its rules are `kept`, `rolled_back` or `superseded`.
    Settled(String),
}

/// The store of one platform. One process may have it open; any number of [`Archive`]s may read beside it.
#[derive(Debug)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    archive: Archive,
}

impl Store {
    /// Opens or makes the database, enters the enrolled boxes and starts the writer.
    ///
    /// Receipts are signed with `key` in the name of `platform`. Beyond `bytes_max` the file does not grow.
    ///
    /// # Errors
    /// [`OpenError`] by cause.
    pub fn open(
        path: &Path,
        bytes_max: u64,
        boxes: &[EnrolledBox],
        platform: PlatformId,
        key: SigningKey,
    ) -> Result<Store, OpenError> {
        let lock = schema::lock(path)?;
        let mut db = schema::open_writer(path, bytes_max)?;
        enrol(&mut db, boxes).map_err(|source| OpenError::Open { path: path.to_owned(), source })?;
        let (jobs, queue) = mpsc::channel(writer::QUEUE_MAX);
        let signer = accept::Signer { platform, key };
        std::thread::Builder::new()
            .name("platform-store".to_owned())
            .spawn(move || writer::run(db, lock, &signer, queue))
            .map_err(OpenError::Thread)?;
        Ok(Store { jobs, archive: Archive::new(path) })
    }

    /// Stores a verified batch. When this returns `Ok`, batch, rows, coverage and receipt are on the disk.
    ///
    /// # Errors
    /// [`AcceptError`]; nothing of the batch is stored then.
    pub async fn accept(&self, delivery: Delivery) -> Result<Accepted, AcceptError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.try_send(Job::Accept(Box::new(delivery), answer)).map_err(|refused| match refused {
            TrySendError::Full(_) => AcceptError::Busy { max: writer::QUEUE_MAX },
            TrySendError::Closed(_) => AcceptError::Closed,
        })?;
        answered.await.unwrap_or(Err(AcceptError::Closed))
    }

    /// Enters a box, or gives it another key. When this returns `Ok`, it is on the disk.
    ///
    /// # Errors
    /// [`AcceptError::Closed`], [`AcceptError::Full`] or [`AcceptError::Failed`].
    pub async fn enrol(&self, entry: EnrolledBox) -> Result<(), AcceptError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Enrol(entry, answer)).await.map_err(|_| AcceptError::Closed)?;
        Ok(answered.await.map_err(|_| AcceptError::Closed)??)
    }

    /// Whether the writer lives and its database answers.
    ///
    /// # Errors
    /// [`AcceptError::Closed`] or [`AcceptError::Failed`].
    pub async fn probe(&self) -> Result<(), AcceptError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Probe(answer)).await.map_err(|_| AcceptError::Closed)?;
        Ok(answered.await.map_err(|_| AcceptError::Closed)??)
    }

    /// The reading side.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Stores what waits, folds the log into the database and closes it; what comes later is answered
    /// [`AcceptError::Closed`].
    pub async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        // A thread that is gone has closed the file already.
        if self.jobs.send(Job::Close(answer)).await.is_ok() && answered.await.is_err() {
            log::error!(
                "the database thread broke; nothing receipted is lost, report this with the log above as a bug"
            );
        }
    }
}

fn enrol(db: &mut Connection, boxes: &[EnrolledBox]) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    for entry in boxes {
        let enrol = "INSERT INTO box VALUES (?1, ?2) ON CONFLICT DO UPDATE SET public_key = excluded.public_key";
        transaction.execute(enrol, params![entry.id.as_str(), entry.key.to_string()])?;
    }
    transaction.commit()
}

/// The reading side of a store; it can also be opened alone, while a platform runs or afterwards.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Archive {
    /// Names a database. It is opened by the first question.
    pub fn new(path: &Path) -> Archive {
        Archive { path: path.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// Whether a box's record of this command has come.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_commanded(&self, box_id: &BoxId, command: &[u8]) -> Result<bool, StoreError> {
        let digest = Command::digest(command).to_string();
        self.with(|db| read::commanded(db, box_id, &digest)).map(|found| found.is_some())
    }

    /// What became of a command, by the box's records.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn command_state(&self, box_id: &BoxId, command: &[u8]) -> Result<CommandState, StoreError> {
        let digest = Command::digest(command).to_string();
        self.with(|db| {
            Ok(match read::commanded(db, box_id, &digest)? {
                None => CommandState::Waiting,
                Some(Some(why)) => CommandState::Refused(why),
                Some(None) => {
                    read::settled(db, box_id, &digest)?.map_or(CommandState::Journaled, CommandState::Settled)
                }
            })
        })
    }

    /// The receipt of a batch of this box, as it was given first.
    ///
    /// # Errors
    /// [`StoreError`] here and below: the database cannot be read.
    pub fn receipt(&self, box_id: &BoxId, id: &BatchId) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|db| read::receipt(db, box_id, id))
    }

    /// The bytes of a batch of this box.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn batch(&self, box_id: &BoxId, id: &BatchId) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|db| read::batch(db, box_id, id))
    }

    /// What is held of a box.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn coverage(&self, box_id: &BoxId) -> Result<SeqRanges, StoreError> {
        self.with(|db| read::coverage(db, box_id))
    }

    /// How many records of a box are held.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn records(&self, box_id: &BoxId) -> Result<u64, StoreError> {
        self.with(|db| read::records(db, box_id))
    }

    /// Every box that was ever enrolled, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn boxes(&self) -> Result<Vec<BoxSummary>, StoreError> {
        self.with(read::boxes)
    }

    /// Counts by box, source and kind.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tallies(&self) -> Result<Vec<Tally>, StoreError> {
        self.with(read::tallies)
    }

    /// Readings of a box by number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn readings(&self, box_id: &BoxId, query: &ReadingsQuery) -> Result<Page<ReadingLine>, StoreError> {
        self.with(|db| read::readings(db, box_id, query))
    }

    /// Alarm transitions of a box by number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn alarms(&self, box_id: &BoxId, after: Option<Seq>, limit: usize) -> Result<Page<AlarmLine>, StoreError> {
        self.with(|db| read::alarms(db, box_id, after, limit))
    }

    /// What readings of a box came to over times of the clock, by number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn aggregates(&self, box_id: &BoxId, query: &AggregatesQuery) -> Result<Page<AggregateLine>, StoreError> {
        self.with(|db| aggregates::aggregates(db, box_id, query))
    }

    /// Versions of the dossiers of a box's outfalls, by number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn dossiers(&self, box_id: &BoxId, after: Option<Seq>, limit: usize) -> Result<Page<DossierLine>, StoreError> {
        self.with(|db| outfalls::dossiers(db, box_id, after, limit))
    }

    /// Samples that people entered by hand on a box, by number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn manual(
        &self,
        box_id: &BoxId,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<Page<ManualSampleLine>, StoreError> {
        self.with(|db| manual::samples(db, box_id, after, limit))
    }

    /// Patrols that people entered by hand on a box, by number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn patrols(&self, box_id: &BoxId, after: Option<Seq>, limit: usize) -> Result<Page<PatrolLine>, StoreError> {
        self.with(|db| manual::patrols(db, box_id, after, limit))
    }

    /// Codecs that a box used, by number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn codecs(&self, box_id: &BoxId, after: Option<Seq>, limit: usize) -> Result<Page<CodecLine>, StoreError> {
        self.with(|db| read::codecs(db, box_id, after, limit))
    }

    /// The text of the codec that this record of a box told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn codec(&self, box_id: &BoxId, seq: Seq) -> Result<Option<String>, StoreError> {
        self.with(|db| read::codec(db, box_id, seq))
    }

    /// Batches of a box in the order of their arrival.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn batches(&self, box_id: &BoxId, after: Option<u64>, limit: usize) -> Result<Page<BatchLine>, StoreError> {
        self.with(|db| read::batches(db, box_id, after, limit))
    }

    /// Checkpoints of a box, each as tree size and signed bytes, by size.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn checkpoints(&self, box_id: &BoxId) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        self.with(|db| read::checkpoints(db, box_id))
    }

    /// The newest checkpoint of a box that is proven to be of one history, or the one of this size.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn proven_checkpoint(&self, box_id: &BoxId, size: Option<u64>) -> Result<Option<ProvenCheckpoint>, StoreError> {
        self.with(|db| read::proven_checkpoint(db, box_id, size))
    }

    /// Sizes of such checkpoints, the largest first, at most `max`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn proven_sizes(&self, box_id: &BoxId, max: usize) -> Result<Vec<u64>, StoreError> {
        self.with(|db| read::proven_sizes(db, box_id, max))
    }

    /// The tree head of this size, whether it is proven or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn head(&self, box_id: &BoxId, size: u64) -> Result<Option<HeldHead>, StoreError> {
        self.with(|db| read::head(db, box_id, size))
    }

    fn with<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let db = match idle {
            Some(db) => db,
            None => schema::open_reader(&self.path)?,
        };
        let answer = ask(&db);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(db);
        }
        answer
    }
}
