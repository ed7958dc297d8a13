//! Opening a database file: directory, rights, lock, settings, schema version.

use std::cmp::Ordering;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use record::{CanonicalError, SeqRange, SourceId};
use rusqlite::config::DbConfig;
use rusqlite::ffi::{
    SQLITE_ERROR, SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_DATA, SQLITE_IOERR_IN_PAGE, SQLITE_IOERR_READ,
    SQLITE_IOERR_SHORT_READ,
};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::archive::{ArchiveError, sync_directory};
use crate::schema::{Schema, number_of};

/// Group may read and enter. That new files take the directory's group (the other daemon's user is in it) comes down from
/// the state directory, which systemd makes with that bit: the daemons are forbidden to set it (`RestrictSUIDSGID`).
pub(crate) const DIRECTORY_MODE: u32 = 0o750;
/// The group reads.
pub(crate) const FILE_MODE: u32 = 0o640;
/// Readers wait this long while a writer recovers the WAL.
pub(crate) const BUSY_TIMEOUT_MS: u64 = 2_000;
/// 1 KiB: see the crate's head.
pub(crate) const PAGE_BYTES: i64 = 1024;
/// 4 MB: SQLite's own default of 1,000 pages means pages of 4 KiB. Each checkpoint syncs both files, so a WAL of 1 MB
/// would cost a busy gateway, which writes 0.4 MB a commit, two syncs more in every third commit.
const WAL_PAGES_MAX: i64 = 4_000;
/// A longer log is checkpointed at the opening: twice what a log has that was checkpointed as it should.
const LOG_LEFT_BYTES_MAX: u64 = 2 * 4_000 * 1_048;

/// Why the store did not do what it was asked. Each names the operation and the file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory could not be made.
    #[error("failed to create directory `{path}` · try: check its owner and free space with ls -ld and df -h")]
    CreateDirectory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file could not be created or opened.
    #[error("failed to open `{path}` for writing · try: check its owner and rights with ls -l")]
    CreateFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process is the writer.
    #[error("another process writes `{path}` · try: systemctl status weir-gateway weir-sync")]
    AlreadyOpen {
        /// The file.
        path: PathBuf,
    },
    /// The file to be read is not there.
    #[error("there is no database `{path}` yet · try: systemctl status weir-gateway weir-sync, or give --state-dir")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// SQLite refused to open or set up the file.
    #[error("failed to open database `{path}` · try: weir verify")]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// The file was written by another version.
    #[error("database `{path}` has schema {found}, this program knows {expected} · try: upgrade weir")]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: i64,
        /// What we know.
        expected: i64,
    },
    /// The file was written by an older version, and its writer has not brought it up to date yet.
    #[error(
        "database `{path}` has schema {found}, this program knows {expected} · try: systemctl restart weir-gateway weir-sync"
    )]
    OldSchema {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: i64,
        /// What we know.
        expected: i64,
    },
    /// A part of the transaction is beyond its bound; nothing of it is stored.
    #[error("failed to store {size} {what}, at most {max} fit · try: send less at once")]
    TooLarge {
        /// Which part, in which unit.
        what: &'static str,
        /// What was given.
        size: usize,
        /// What fits.
        max: usize,
    },
    /// A device has as many commands as it may have; nothing of the transaction is stored.
    #[error("device `{device}` has {max} commands waiting · try: cancel some, or wait until it listens")]
    TooManyCommands {
        /// The device.
        device: SourceId,
        /// What fits.
        max: usize,
    },
    /// There are as many states as there may be; nothing of the transaction is stored.
    #[error("the journal has {max} states; report this as a bug")]
    TooManyStates {
        /// What fits.
        max: usize,
    },
    /// The journal belongs to a box of another name.
    #[error("journal `{path}` belongs to box `{found}`, not `{expected}` · try: correct `box` in gateway.toml")]
    OtherBox {
        /// The file.
        path: PathBuf,
        /// Who wrote it.
        found: String,
        /// Who we are.
        expected: String,
    },
    /// The rows contradict each other: they were not written by us, or the disk lied.
    #[error("database `{path}` contradicts itself: {what} · try: weir verify")]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A row that is no record.
    #[error("record {seq} in `{path}` is damaged · try: weir verify")]
    DamagedRecord {
        /// The file.
        path: PathBuf,
        /// Its number.
        seq: u64,
        /// The cause.
        source: CanonicalError,
    },
    /// A row with several records does not unpack.
    #[error("records {} to {} in `{path}` are damaged · try: weir verify", range.first, range.last)]
    DamagedPack {
        /// The file.
        path: PathBuf,
        /// Their numbers.
        range: SeqRange,
    },
    /// A damaged journal could not be saved; its files are where they were.
    #[error("failed to {doing} damaged journal `{path}` · try: df -h, then systemctl restart weir-gateway")]
    Salvage {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of sealed records cannot be read.
    #[error("failed to read sealed records · try: weir journal check")]
    Archive(#[source] ArchiveError),
    /// Reading failed.
    #[error("failed to read {what} from `{path}` · try: weir verify")]
    Read {
        /// The file.
        path: PathBuf,
        /// Which rows.
        what: &'static str,
        /// The cause.
        source: rusqlite::Error,
    },
    /// Writing failed; nothing of the transaction is stored.
    #[error("failed to write {what} to `{path}` · try: df -h, dmesg | tail")]
    Write {
        /// The file.
        path: PathBuf,
        /// Which rows.
        what: &'static str,
        /// The cause.
        source: rusqlite::Error,
    },
}

/// The extended codes of SQLite for bytes that cannot be read, or come back as others than they were written.
const READ_FAILURES: [i32; 5] =
    [SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_DATA, SQLITE_IOERR_IN_PAGE];

impl StoreError {
    /// Whether the files are damaged, so that trying again cannot help and salvage can.
    pub fn is_damage(&self) -> bool {
        let source = match self {
            StoreError::Inconsistent { .. } | StoreError::DamagedRecord { .. } | StoreError::DamagedPack { .. } => {
                return true;
            }
            StoreError::Open { source, .. } | StoreError::Read { source, .. } | StoreError::Write { source, .. } => {
                source
            }
            _ => return false,
        };
        // What is no database, what contradicts its own format, and a disk that gives no bytes; a disk that takes none is
        // full or stuck, and heals.
        match source {
            // Columns of our own tables that have other names or types than we gave them.
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::SqlInputError { .. } => true,
            rusqlite::Error::SqliteFailure(error, _) => match error.code {
                // A length that no row of ours has is too big.
                ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::TooBig => true,
                ErrorCode::SystemIoFailure => READ_FAILURES.contains(&error.extended_code),
                _ => error.extended_code == SQLITE_ERROR,
            },
            _ => false,
        }
    }
}

/// Opens a file as its one writer: makes directory and file with their rights, takes the lock, brings its schema up to
/// date.
/// The lock lives as long as the returned `File`.
pub(crate) fn open_writer(path: &Path, schema: &Schema) -> Result<(Connection, File), StoreError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    make_directory(directory).map_err(|source| StoreError::CreateDirectory { path: directory.into(), source })?;
    let lock = take_lock(path)?;
    // SQLite gives -wal and -shm the mode of the file itself.
    create(path)?;
    let open = |source| StoreError::Open { path: path.into(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(open)?;
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS)).map_err(open)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(open)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(open)?;
    connection.pragma_update(None, "journal_mode", "wal").map_err(open)?;
    connection.pragma_update(None, "synchronous", "full").map_err(open)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX).map_err(open)?;
    connection.pragma_update(None, "temp_store", "memory").map_err(open)?;
    let (found, expected) = (schema.apply(&mut connection).map_err(open)?, schema.number());
    if found != expected {
        return Err(StoreError::Schema { path: path.into(), found, expected });
    }
    // A log that a hanging reader let grow goes into the database now, not before the first acknowledgement.
    if fs::metadata(path.with_extension("db-wal")).is_ok_and(|log| log.len() > LOG_LEFT_BYTES_MAX) {
        connection.query_row("PRAGMA wal_checkpoint(passive)", [], |_| Ok(())).map_err(open)?;
    }
    // SQLite syncs the directory too, but by `fdatasync`, which need not make the names of new files durable.
    sync_directory(directory).map_err(|source| StoreError::CreateDirectory { path: directory.into(), source })?;
    Ok((connection, lock))
}

/// Opens a file read-only. Never creates it, never writes it.
pub(crate) fn open_reader(path: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.into() });
    }
    let open = |source| StoreError::Open { path: path.into(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(open)?;
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS)).map_err(open)?;
    let (found, expected) = (number_of(&connection).map_err(open)?, schema.number());
    match found.cmp(&expected) {
        Ordering::Equal => Ok(connection),
        Ordering::Less => Err(StoreError::OldSchema { path: path.into(), found, expected }),
        Ordering::Greater => Err(StoreError::Schema { path: path.into(), found, expected }),
    }
}

/// Makes a directory, and those above it, unless it is there. Its name is durable afterwards: without the sync of the one
/// above, all files in it could be gone after a power cut.
pub(crate) fn make_directory(directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|above| !above.exists()).collect();
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    // Its own name in any case: who made it may have been killed before this.
    let made = missing.into_iter().skip(1).chain([directory]);
    made.filter_map(Path::parent).try_for_each(|above| {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        File::open(above)?.sync_all()
    })
}

fn create(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)
        .map_err(|source| StoreError::CreateFile { path: path.into(), source })
}

/// An advisory lock on a file beside the database: closing a descriptor of the database itself would drop SQLite's
/// own locks.
pub(crate) fn take_lock(path: &Path) -> Result<File, StoreError> {
    let lock = create(&path.with_extension("lock"))?;
    match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::AlreadyOpen { path: path.into() }),
        Err(errno) => Err(StoreError::CreateFile { path: path.into(), source: errno.into() }),
    }
}

/// A full disk, as SQLite sees it: the file gets no page more than it has. SQLite makes no file smaller by it.
pub(crate) fn fill(connection: &Connection, path: &Path, full: bool) -> Result<(), StoreError> {
    let pages_max = if full { 1 } else { i64::from(u32::MAX - 1) };
    // It answers with what is now the bound.
    connection
        .pragma_update_and_check(None, "max_page_count", pages_max, |_| Ok(()))
        .map_err(|source| StoreError::Write { path: path.into(), what: "its bound", source })
}

/// SQLite integers are signed; numbers of records stay far below 2^63.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Back from [`to_sql`]; a negative number is damage and reads as 0, which the callers' checks refuse.
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
