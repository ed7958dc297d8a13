//! A copy of the journal, made while it is written, and putting it back.
//!
//! A backup is a folder: `journal.db`, `blocks/*.blocks`, and `backup.txt`, which is written last and names the box, the
//! number of records, the root over them and the checksum of the database. Files that are there already and sound are not
//! copied again, so an interrupted backup goes on where it was, and the next one to the same folder copies what is new.
//!
//! The box's private key is no part of it: it never leaves the box.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use record::merkle::{Hash, leaf_hash};
use record::{Seq, SeqRanges};

use crate::archive::{Archive, sync_directory};
use crate::check::check;
use crate::database::{StoreError, make_directory};
use crate::reader::Reader;
use crate::segment::{Segment, directory, file};

const NOTE: &str = "backup.txt";
/// Retention may change a file between the snapshot and its copy; then all is looked at again, this often.
const LOOKS_MAX: usize = 8;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The box.
    pub box_id: String,
    /// The number that its next record would have had.
    pub end: Seq,
    /// The Merkle root over its records.
    pub root: Hash,
    /// Checksum of the database.
    database: Hash,
}

/// Why there is no backup, or none was put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The journal or the copy cannot be read.
    #[error("failed to read the journal or its copy")]
    Store(#[source] StoreError),
    /// The system did not do it.
    #[error("failed to {doing} `{path}` · try: df -h, ls -ld")]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Retention changed the files faster than they could be copied.
    #[error("the journal changed while it was copied · try: the same again")]
    Changing,
    /// There is no whole backup in the folder.
    #[error("`{path}` holds no whole backup · try: weir backup to it again, or another folder")]
    NoBackup {
        /// The folder.
        path: PathBuf,
    },
    /// The backup is not what was written.
    #[error("the backup in `{path}` is damaged: {what} · try: another backup; this one was not put back")]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// How it shows.
        what: String,
    },
    /// There is a journal already.
    #[error("there is a journal at `{path}` · try: move that folder away first, it is not overwritten")]
    Occupied {
        /// The journal.
        path: PathBuf,
    },
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> BackupError {
        BackupError::Store(error)
    }
}

/// Copies the journal as it is at one moment into a folder, durable when this returns. `copied` hears of each file.
///
/// # Errors
/// [`BackupError`]; what was copied is not copied again.
pub fn backup(reader: &Reader, to: &Path, mut copied: impl FnMut(&Path)) -> Result<Backup, BackupError> {
    make(to)?;
    make(&to.join("blocks"))?;
    for _ in 0..LOOKS_MAX {
        let database = to.join("journal.db");
        let draft = to.join("journal.db.draft");
        remove(&draft)?;
        reader.copy_to(&draft)?;
        sync(&draft)?;
        rename(&draft, &database)?;
        copied(&database);
        let copy = Reader::open(&database)?;
        let mut whole = true;
        for segment in copy.segments()?.iter().filter(|segment| segment.has_file()) {
            whole &= copy_segment(reader, &copy, segment, &mut copied)?;
        }
        if whole {
            sync_names(to)?;
            return note(&copy, to, &database);
        }
    }
    Err(BackupError::Changing)
}

/// Copies a segment's file unless a sound one is there. Gives whether it is the one that the copied database names.
fn copy_segment(
    reader: &Reader,
    copy: &Reader,
    segment: &Segment,
    copied: &mut impl FnMut(&Path),
) -> Result<bool, BackupError> {
    let (from, to) = (file(reader.path(), segment.first), file(copy.path(), segment.first));
    let sound = |path: &Path| Archive::open(path).is_ok_and(|archive| archive.bytes() == segment.bytes);
    if sound(&to) && check(copy, segment)?.is_empty() {
        return Ok(true);
    }
    if !sound(&from) {
        return Ok(false);
    }
    let draft = to.with_extension("draft");
    let failed = |doing| move |source| BackupError::File { doing, path: from.clone(), source };
    fs::copy(file(reader.path(), segment.first), &draft).map_err(failed("copy"))?;
    sync(&draft)?;
    rename(&draft, &to)?;
    copied(&to);
    Ok(sound(&to))
}

fn note(copy: &Reader, to: &Path, database: &Path) -> Result<Backup, BackupError> {
    let position = copy.position()?;
    let backup = Backup {
        box_id: position.box_id,
        end: position.end,
        root: position.frontier.root(),
        database: leaf_hash(&read(database)?),
    };
    let Backup { box_id, end, root, database } = &backup;
    let text = format!("weir backup 1\nbox {box_id}\nrecords {end}\nroot {root}\ndatabase {database}\n");
    let draft = to.join("backup.draft");
    let failed = |source| BackupError::File { doing: "write", path: to.join(NOTE), source };
    File::create(&draft).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    sync(&draft)?;
    rename(&draft, &to.join(NOTE))?;
    sync_names(to)?;
    Ok(backup)
}

/// What a folder holds by its own note.
fn read_note(from: &Path) -> Result<Backup, BackupError> {
    let none = || BackupError::NoBackup { path: from.into() };
    let text = fs::read_to_string(from.join(NOTE)).map_err(|_| none())?;
    let mut lines = text.lines();
    let mut value = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ').map(str::to_owned);
    let hash = |text: String| {
        let bytes: Option<Vec<u8>> =
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect();
        Some(Hash(bytes?.try_into().ok()?))
    };
    let mut parse = || {
        value("weir backup").filter(|version| version == "1")?;
        let (box_id, end) = (value("box")?, Seq(value("records")?.parse().ok()?));
        Some(Backup { box_id, end, root: hash(value("root")?)?, database: hash(value("database")?)? })
    };
    parse().ok_or_else(none)
}

/// Puts a backup in the place of a journal that is not there, after every byte of it was verified. The next writer begins a
/// new range of numbers, and device counters jump ahead: nothing that was used before is used again.
///
/// # Errors
/// [`BackupError`]; then nothing is there.
pub fn restore(from: &Path, journal: &Path) -> Result<Backup, BackupError> {
    let backup = read_note(from)?;
    verify(from, &backup)?;
    if journal.exists() {
        return Err(BackupError::Occupied { path: journal.into() });
    }
    let folder = journal.parent().unwrap_or(Path::new("."));
    make(folder)?;
    // The note first, durably: a gateway that is started on half of a backup must not repeat a number either.
    let note = journal.with_extension("restored");
    File::create(&note).map_err(|source| BackupError::File { doing: "write", path: note.clone(), source })?;
    make(&directory(journal))?;
    sync_names(folder)?;
    let copy = |from: &Path, to: &Path| {
        fs::copy(from, to).map_err(|source| BackupError::File { doing: "copy", path: from.into(), source })?;
        sync(to)
    };
    for segment in Reader::open(&from.join("journal.db"))?.segments()?.iter().filter(|segment| segment.has_file()) {
        copy(&file(&from.join("journal.db"), segment.first), &file(journal, segment.first))?;
    }
    let draft = journal.with_extension("db-restoring");
    copy(&from.join("journal.db"), &draft)?;
    sync_names(folder)?;
    rename(&draft, journal)?;
    sync_names(folder)?;
    Ok(backup)
}

fn verify(from: &Path, backup: &Backup) -> Result<(), BackupError> {
    let damaged = |what: String| BackupError::Damaged { path: from.into(), what };
    let database = from.join("journal.db");
    if leaf_hash(&read(&database)?) != backup.database {
        return Err(damaged("the database is not the one that was written".into()));
    }
    let reader = Reader::open(&database)?;
    let mut rotten = SeqRanges::new();
    for segment in reader.segments()? {
        check(&reader, &segment)?.iter().for_each(|range| rotten.insert(range));
    }
    if let Some(bounds) = rotten.bounds() {
        return Err(damaged(format!("records {} to {}", bounds.first, bounds.last)));
    }
    let tree = reader.recompute(|_, _| {})?;
    match tree.size() == backup.end.0 && tree.root() == backup.root {
        true => Ok(()),
        false => Err(damaged("the root over its records is another".into())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BackupError> {
    fs::read(path).map_err(|source| BackupError::File { doing: "read", path: path.into(), source })
}

fn make(path: &Path) -> Result<(), BackupError> {
    make_directory(path).map_err(|source| BackupError::File { doing: "make", path: path.into(), source })
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(BackupError::File { doing: "remove", path: path.into(), source })
        }
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::rename(from, to).map_err(|source| BackupError::File { doing: "put in place", path: to.into(), source })
}

fn sync(path: &Path) -> Result<(), BackupError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| BackupError::File { doing: "sync", path: path.into(), source })
}

fn sync_names(folder: &Path) -> Result<(), BackupError> {
    let synced = [folder.to_path_buf(), folder.join("blocks")].iter().try_for_each(|folder| sync_directory(folder));
    synced.map_err(|source| BackupError::File { doing: "sync", path: folder.into(), source })
}
