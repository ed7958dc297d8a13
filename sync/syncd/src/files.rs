//! Journal, outbox and key on one thread of their own: SQLite never runs on an async worker, and no transaction
//! outlives the job that began it.

mod continuity;
mod cut;
mod obeyed;
mod parked;
mod sieve;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use batch::{Batch, BoxId, KeyId, KeyStatement, PublicKey, SigningKey, Whose};
use identity::IdentityError;
use journal::{Outbox, Reader, Standings, StoreError};
use tokio::sync::{mpsc, oneshot};

/// Jobs that may wait: a few for each of the destinations; who finds it full waits his turn.
const JOBS_MAX: usize = 64;

pub use cut::{Cut, CutBatch, CutError, Settled};
pub use obeyed::Obeyed;

/// Journal, outbox and key: what a batch is made of, and where it waits for its receipt. Without the thread, which
/// only owns it.
#[derive(Debug)]
pub struct Files {
    /// The journal.
    pub reader: Reader,
    /// What is on its way.
    pub outbox: Outbox,
    key: SigningKey,
    /// Where the key is, if it may become another one.
    key_path: Option<PathBuf>,
    box_id: BoxId,
    carried: cut::Carried,
    continuity: continuity::Continuity,
    /// Of destinations that have a filter, or had one.
    sieves: HashMap<String, sieve::Sieve>,
    /// For their filters.
    standings: Standings,
}

impl Files {
    /// The box signs with `key`.
    pub fn new(reader: Reader, outbox: Outbox, key: SigningKey, box_id: BoxId) -> Files {
        let (carried, continuity) = (cut::Carried::default(), continuity::Continuity::default());
        let (sieves, standings) = (HashMap::new(), Standings::default());
        Files { reader, outbox, key, key_path: None, box_id, carried, continuity, sieves, standings }
    }

    /// The key is looked at in this file before each batch: the gateway may have changed it.
    #[must_use]
    pub fn following(self, key_path: PathBuf) -> Files {
        Files { key_path: Some(key_path), ..self }
    }

    /// Takes the key that signs now. Asked for after the journal's end was read: the gateway changes the key before it
    /// journals that, so an old key never signs for a tree that has the record of its end.
    fn look_at_the_key(&mut self) -> Result<(), IdentityError> {
        if let Some(path) = &self.key_path {
            let key = identity::load(path)?;
            if key.public() != self.key.public() {
                log::info!(former:% = self.key.public(), key:% = key.public(); "batches are signed with another key now");
            }
            self.key = key;
        }
        Ok(())
    }

    fn statements(&self) -> Vec<(Vec<u8>, KeyStatement)> {
        let Some(folder) = self.key_path.as_deref().map(identity::statements_of) else { return Vec::new() };
        identity::statements(&folder).unwrap_or_else(|error| {
            log::warn!(error:%, folder:% = folder.display(); "statements about keys cannot be read");
            Vec::new()
        })
    }

    /// The keys of a platform: the pinned one, and those that took its place, as far as the gateway has journaled it.
    pub(crate) fn platform_keys(&self, pinned: PublicKey) -> Vec<PublicKey> {
        let statements: Vec<KeyStatement> = self.statements().into_iter().map(|(_, statement)| statement).collect();
        batch::platform_keys(pinned, &statements)
    }

    /// Gives up batches on their way to a destination that are signed with a key in whose place a platform has let another one
    /// in: nobody takes them any more. Their records come again, under the key of today.
    ///
    /// # Errors
    /// [`StoreError`] of the outbox.
    pub(crate) fn forsake(&mut self, destination: &str) -> Result<(), StoreError> {
        let succeeded = |statement: &KeyStatement| match statement {
            KeyStatement::Succession { says, .. } => Some(says.former.id()),
            KeyStatement::Change(_) => None,
        };
        let gone: Vec<KeyId> = self.statements().iter().filter_map(|(_, statement)| succeeded(statement)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        for stored in self.outbox.batches(destination)? {
            if Batch::signer(&stored.bytes).is_some_and(|signer| gone.contains(&signer)) {
                log::warn!(destination, records = stored.ranges.len(); "a batch of a key that was replaced is cut anew");
                self.outbox.discard(destination, &stored.id)?;
            }
        }
        Ok(())
    }

    /// What the box's keys have signed about each other, the oldest first.
    pub(crate) fn key_changes(&self) -> Vec<Vec<u8>> {
        let statements = self.statements();
        let is_ours = |statement: &KeyStatement| match statement {
            KeyStatement::Change(change) => change.whose == Whose::Box(self.box_id.clone()),
            KeyStatement::Succession { .. } => false,
        };
        statements.into_iter().filter(|(_, statement)| is_ours(statement)).map(|(cose, _)| cose).collect()
    }
}

type Job = Box<dyn FnOnce(&mut Files) + Send>;

/// The way to the thread. It ends when the last of these is dropped.
#[derive(Debug, Clone)]
pub(crate) struct FileThread {
    jobs: mpsc::Sender<Job>,
}

/// The thread has ended: a job on it panicked.
#[derive(Debug, thiserror::Error)]
#[error("the thread that reads the journal has ended · try: report the log as a bug; the service starts again")]
pub struct FileThreadEnded;

impl FileThread {
    /// Starts it.
    ///
    /// # Errors
    /// What the system said when it had no thread to give.
    pub(crate) fn start(mut files: Files) -> std::io::Result<(FileThread, JoinHandle<()>)> {
        let (jobs, mut queue) = mpsc::channel::<Job>(JOBS_MAX);
        let work = move || {
            while let Some(job) = queue.blocking_recv() {
                if let Err(error) = files.reader.refresh() {
                    // The job meets what is wrong as well, and says so.
                    log::debug!(error = control::chain(&error).as_str(); "the journal is another one and does not open");
                }
                job(&mut files);
            }
        };
        let thread = std::thread::Builder::new().name("weir-sync-files".into()).spawn(work)?;
        Ok((FileThread { jobs }, thread))
    }

    /// Does a job there and brings back what it returned.
    pub(crate) async fn run<T, F>(&self, job: F) -> Result<T, FileThreadEnded>
    where
        T: Send + 'static,
        F: FnOnce(&mut Files) -> T + Send + 'static,
    {
        let (done, outcome) = oneshot::channel();
        let job: Job = Box::new(move |files| {
            // Nobody listens any more when the daemon stops; the job is done all the same.
            drop(done.send(job(files)));
        });
        self.jobs.send(job).await.map_err(|_| FileThreadEnded)?;
        outcome.await.map_err(|_| FileThreadEnded)
    }
}

/// Key and journal, when the gateway has made them; until then, what is missing.
pub(crate) fn open(key: &Path, journal: &Path) -> Result<(SigningKey, Reader, BoxId), String> {
    let told = |error: &dyn std::error::Error| control::chain(error);
    let key = identity::load(key).map_err(|error| told(&error))?;
    if !journal.exists() {
        return Err(format!("there is no journal `{}` yet · try: weir gateway run", journal.display()));
    }
    let reader = Reader::open(journal).map_err(|error| told(&error))?;
    let position = reader.position().map_err(|error| told(&error))?;
    let box_id = BoxId::new(&position.box_id).map_err(|error| told(&error))?;
    Ok((key, reader, box_id))
}
