//! How a connection is opened, and the one version of the schema (`schema.sql`).

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// `PRAGMA user_version` of the schema in `schema.sql` with all of [`STEPS`] after it.
const VERSION: i64 = 9;
/// The oldest one that is brought up to date.
const VERSION_OLDEST: i64 = 3;
/// What brings a database from [`VERSION_OLDEST`] up to date, a version each.
const STEPS: [&str; 6] = [
    include_str!("since_3.sql"),
    include_str!("since_4.sql"),
    include_str!("since_5.sql"),
    include_str!("since_6.sql"),
    include_str!("since_7.sql"),
    include_str!("since_8.sql"),
];
/// SQLite's page, in bytes; the unit of `PRAGMA max_page_count`.
const PAGE_BYTES: u64 = 4096;
/// What the writer keeps of the file in memory. The index of readings by series has its newest page for each quantity of each
/// device of each box, and a batch touches them all: with SQLite's own 2 MB they are read and written again for each. KiB.
const CACHE_KIB: i64 = 64 * 1024;
/// The log is taken over into the file when it has so many pages, 32 MB; SQLite's own 4 MB are less than one large batch.
const WAL_PAGES: i64 = 8192;
/// How long a reader waits for a lock: in WAL mode only recovery after a crash takes one.
const BUSY: Duration = Duration::from_secs(5);
/// Rights of the database and, by SQLite's rule, of its `-wal` and `-shm`.
const MODE: u32 = 0o640;

/// Why the database does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be made.
    #[error("failed to create database `{path}`; give the user of this service write access to its folder")]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process writes it.
    #[error("database `{path}` is in use by another platform; stop that one, or set another state_dir")]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// SQLite does not take it.
    #[error("failed to open database `{path}`; if it is damaged, move it away, and boxes deliver again what they hold")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// Another program version wrote it.
    #[error(
        "database `{path}` has schema version {found}, this program reads {VERSION}: start the version that wrote it"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: i64,
    },
    /// The writer's thread cannot be started.
    #[error("failed to start the database thread; raise the limit of tasks of this service (TasksMax)")]
    Thread(#[source] io::Error),
}

/// Keeps other processes from writing this database, until it is dropped. A file of its own: SQLite's locks on the
/// database would fall with any other handle on it that is closed.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let beside = path.with_extension("lock");
    let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(MODE).open(&beside);
    let lock = opened.map_err(|source| OpenError::Create { path: beside.clone(), source })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Create { path: beside, source }),
    }
}

/// The one connection that writes. `bytes_max` bounds the file; beyond it SQLite answers `SQLITE_FULL`.
pub(super) fn open_writer(path: &Path, bytes_max: u64) -> Result<Connection, OpenError> {
    // Made here because SQLite would take the process's umask and nothing else.
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(MODE)
        .open(path)
        .map_err(|source| OpenError::Create { path: path.to_owned(), source })?;
    let failed = |source| OpenError::Open { path: path.to_owned(), source };
    let mut db = Connection::open(path).map_err(failed)?;
    configure_writer(&db, bytes_max).map_err(failed)?;
    let found = create(&mut db).map_err(failed)?;
    if found != VERSION {
        return Err(OpenError::Version { path: path.to_owned(), found });
    }
    Ok(db)
}

/// A connection that can only read.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

fn configure_writer(db: &Connection, bytes_max: u64) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "page_size", i64::try_from(PAGE_BYTES).unwrap_or(i64::MAX))?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // FULL: a receipt means that the batch survives a power cut of the platform.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update_and_check(None, "wal_autocheckpoint", WAL_PAGES, |_| Ok(()))?;
    let pages = i64::try_from(bytes_max / PAGE_BYTES).unwrap_or(i64::MAX);
    db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    // As many as there are different statements, so that none is compiled twice.
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Makes the schema in an empty database, or brings an older one up to date; the version that is there afterwards.
fn create(db: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = db.transaction()?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = found == 0 && tables == 0;
    if is_new {
        transaction.execute_batch(include_str!("schema.sql"))?;
    }
    let from = if is_new { VERSION_OLDEST } else { found };
    if (VERSION_OLDEST..VERSION).contains(&from) {
        let done = usize::try_from(from - VERSION_OLDEST).unwrap_or(STEPS.len());
        STEPS[done..].iter().try_for_each(|step| transaction.execute_batch(step))?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        return Ok(VERSION);
    }
    Ok(found)
}
