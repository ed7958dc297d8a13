//! Going on after damage: the damaged files are put aside, never deleted, and every record that can still be read stands
//! in a new database.
//!
//! ```text
//! journal.db, -wal ─► bytes, as far as they can be read ─┬─► SQL, table by table ──┐
//! (as they are)                                          └─► rows found on pages ──┤
//! blocks/*.blocks ─────────────────────────────────────────────────────────────────┴─► Found ─► journal.db.new
//!                                                    journal.db, -wal ─► quarantine/N/       └─► journal.db
//! ```
//! The new database is complete and synced before the old one is moved, and the move can be finished after a power cut at
//! any step ([`finish`]). Records that were lost keep their numbers: the caller journals a gap. Where the tree's edge
//! survived, or every record did, the tree goes on and no signed head is contradicted; else the numbers jump ahead, beyond
//! any that the damaged part can have used (J2).

mod cells;
mod found;
mod pages;
mod rebuild;

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use record::{Seq, SeqRanges};

use crate::archive::sync_directory;
use crate::database::{DIRECTORY_MODE, PAGE_BYTES, StoreError, take_lock};
use crate::writer::Journal;
use found::Found;
use pages::{Pages, wal_state};

/// Read at one time from a disk that may fail.
const CHUNK_BYTES: usize = 64 * 1024;
/// Most of a database that is read into memory: two full tables of records, devices and roots are a fraction of it.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// Where the damaged files stand.
    pub quarantine: PathBuf,
    /// Records of the database that are in the new one.
    pub records: u64,
    /// Numbers whose records are lost.
    pub lost: SeqRanges,
    /// Bytes of the database that the disk did not give.
    pub unread_bytes: u64,
    /// Devices whose counters were saved.
    pub devices: usize,
    /// Whether the tree goes on from the one that platforms know.
    pub continued: bool,
}

/// Opens the journal, or what can be saved of it. `floor` is as for [`salvage`]; a journal that ends before it jumps ahead.
///
/// # Errors
/// As [`Journal::open`] and [`salvage`]; damage alone is no error.
pub fn open(path: &Path, box_id: &str, floor: Seq) -> Result<(Journal, Option<Salvaged>), StoreError> {
    finish(path)?;
    let restored = is_restored(path);
    let mut salvaged = match needed(path) {
        true => Some(salvage(path, box_id, floor)?),
        false => None,
    };
    match Journal::open(path, box_id) {
        Err(error) if error.is_damage() && salvaged.is_none() => {
            salvaged = Some(salvage(path, box_id, floor)?);
            Ok((Journal::open(path, box_id)?, salvaged))
        }
        // Somebody holds records of this box that it does not know of: it is older than it was (lesson N3).
        Ok(older) if older.end() < floor || restored => {
            let life = Seq(older.end().0.saturating_add(1).next_multiple_of(LIFE_RECORDS));
            let floor = if restored { floor.max(life) } else { floor };
            drop(older);
            salvaged = Some(salvage(path, box_id, floor)?);
            Ok((Journal::open(path, box_id)?, salvaged))
        }
        opened => Ok((opened?, salvaged)),
    }
}

/// A restored journal is older than the box was, by an unknown number of records: its numbers go on in a new range of this
/// size (2^32), which no earlier life can have reached.
const LIFE_RECORDS: u64 = 1 << 32;

/// Whether the journal was put here by [`crate::restore`] and has not been opened for writing since.
pub fn is_restored(path: &Path) -> bool {
    path.with_extension("restored").exists()
}

/// Everything that must not repeat an earlier life has jumped ahead, durably.
///
/// # Errors
/// What the system said.
pub fn settle_restored(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path.with_extension("restored"))?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Notes that a running writer met damage, which opening the database alone need not meet again.
///
/// # Errors
/// What the system said.
pub fn mark(path: &Path) -> io::Result<()> {
    File::create(path.with_extension("damaged")).map(|_| ())
}

/// Whether a journal needs to be salvaged before SQLite sees it: a writer noted damage, the database is gone although there
/// are records, or its write-ahead log is damaged before the end, where SQLite would forget what was committed behind.
pub fn needed(path: &Path) -> bool {
    if path.with_extension("damaged").exists() {
        return true;
    }
    let has_files = crate::segment::directory(path).read_dir().is_ok_and(|mut files| files.next().is_some());
    let (log, _) = read_lossy(&path.with_extension("db-wal"));
    match path.metadata().map(|file| file.len()) {
        Err(_) | Ok(0) => has_files || !log.is_empty(),
        Ok(_) => wal_state(&log).behind_damage > 0,
    }
}

/// Puts the database aside and makes a new one of what can be read. `floor` is a number that must not be used again, whoever
/// knows it: the first that no platform has.
///
/// # Errors
/// [`StoreError::AlreadyOpen`] while a writer has it; [`StoreError::Salvage`] if the new database cannot be written: then the
/// old one is where it was.
pub fn salvage(path: &Path, box_id: &str, floor: Seq) -> Result<Salvaged, StoreError> {
    let _lock = take_lock(path)?;
    let failed = |doing| move |source| StoreError::Salvage { doing, path: path.into(), source };
    let (file, unread) = read_lossy(path);
    let (log, _) = read_lossy(&path.with_extension("db-wal"));
    let pages = Pages::new(&file, &log, usize::try_from(PAGE_BYTES).unwrap_or(1024));
    let scratch = path.with_extension("db-scratch");
    let found = Found::gather(path, &scratch, &file, &log, &pages);
    let draft = draft(path);
    let mut salvaged = rebuild::build(&draft, path, box_id, floor, &found)?;
    File::open(&draft).and_then(|file| file.sync_all()).map_err(failed("sync the new database of"))?;
    salvaged.unread_bytes = unread;
    salvaged.quarantine = set_aside(path).map_err(failed("put aside"))?;
    put_in_place(path).map_err(failed("put in place"))?;
    let note = path.with_extension("damaged");
    if note.exists() {
        std::fs::remove_file(&note).map_err(failed("remove the note about"))?;
    }
    Ok(salvaged)
}

/// Finishes a salvage that a power cut interrupted: a complete new database takes its place, an incomplete one is removed.
///
/// # Errors
/// [`StoreError::Salvage`].
pub fn finish(path: &Path) -> Result<(), StoreError> {
    let failed = |doing| move |source| StoreError::Salvage { doing, path: path.into(), source };
    let draft = draft(path);
    if !draft.exists() {
        return Ok(());
    }
    if !rebuild::is_complete(&draft) {
        return std::fs::remove_file(&draft).map_err(failed("remove an unfinished copy of"));
    }
    set_aside(path).map_err(failed("put aside"))?;
    put_in_place(path).map_err(failed("put in place"))
}

fn draft(path: &Path) -> PathBuf {
    path.with_extension("db-new")
}

/// Moves the damaged files into a folder of their own. The log goes first: a database must never meet the log of another.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let quarantine = quarantine(path)?;
    for extension in ["db-wal", "db-shm", "db"] {
        let file = path.with_extension(extension);
        if file.exists() {
            std::fs::rename(&file, quarantine.join(file.file_name().unwrap_or_default()))?;
            // Its new name is durable before its old one is gone: a power cut in between may not lose the file.
            sync_directory(&quarantine)?;
            sync_directory(path.parent().unwrap_or(Path::new(".")))?;
        }
    }
    Ok(quarantine)
}

/// A new folder for damaged files of the journal at `path`.
pub(crate) fn quarantine(path: &Path) -> io::Result<PathBuf> {
    let all = path.with_file_name("quarantine");
    let taken = all.read_dir().map_or(0, |folders| folders.flatten().count());
    let folder = (taken..).map(|number| all.join(number.to_string())).find(|folder| !folder.exists());
    let folder = folder.unwrap_or_else(|| all.clone());
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(&folder)?;
    sync_directory(&all)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))?;
    Ok(folder)
}

fn put_in_place(path: &Path) -> io::Result<()> {
    std::fs::rename(draft(path), path)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// The bytes of a file, zeros where the disk does not give them, and how many those are. A file that is not there is empty.
fn read_lossy(path: &Path) -> (Vec<u8>, u64) {
    let Ok(mut file) = File::open(path) else { return (Vec::new(), 0) };
    let size = file.metadata().map_or(0, |file| file.len()).min(FILE_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    let mut unread = 0;
    for (chunk, at) in bytes.chunks_mut(CHUNK_BYTES).zip((0u64..).step_by(CHUNK_BYTES)) {
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(chunk));
        if read.is_err() {
            chunk.fill(0);
            unread += u64::try_from(chunk.len()).unwrap_or(0);
        }
    }
    (bytes, unread)
}
