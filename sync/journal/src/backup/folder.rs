//! What stands in a backup's folder, and which of it counts.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use record::Seq;
use record::merkle::{Hash, leaf_hash};

use super::{Backup, BackupError, files};
use crate::reader::Reader;
use crate::segment::{directory, file};

const NOTE: &str = "backup.txt";
/// Behind the name of a file that is to take its place.
const NEXT: &str = "next";
/// The end of a segment's name, and of one that is being copied.
const BLOCKS: &str = "blocks";
const DRAFT: &str = "draft";

pub(super) fn database(folder: &Path) -> PathBuf {
    folder.join("journal.db")
}

pub(super) fn database_next(folder: &Path) -> PathBuf {
    next(&database(folder))
}

/// Where a file stands until it may take its place.
pub(super) fn next(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".");
    name.push(NEXT);
    name.into()
}

/// Says that what was copied is the backup that counts from now on.
pub(super) fn write_note(copy: &Reader, to: &Path) -> Result<Backup, BackupError> {
    let position = copy.position()?;
    let backup = Backup {
        box_id: position.box_id,
        end: position.end,
        root: position.frontier.root(),
        database: leaf_hash(&files::read(copy.path())?),
    };
    let Backup { box_id, end, root, database } = &backup;
    let text = format!("weir backup 1\nbox {box_id}\nrecords {end}\nroot {root}\ndatabase {database}\n");
    let draft = to.join("backup.draft");
    let failed = |source| BackupError::File { doing: "write", path: to.join(NOTE), source };
    File::create(&draft).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    files::sync(&draft)?;
    files::rename(&draft, &to.join(NOTE))?;
    files::sync_names(to)?;
    Ok(backup)
}

/// What a folder holds by its own note.
pub(super) fn read_note(from: &Path) -> Result<Backup, BackupError> {
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

/// The segments whose files the backup that is there needs as they are.
pub(super) fn kept(folder: &Path) -> Result<BTreeSet<Seq>, BackupError> {
    let Ok(noted) = read_note(folder) else { return Ok(BTreeSet::new()) };
    let database = database(folder);
    if fs::read(&database).map(|bytes| leaf_hash(&bytes)).ok() != Some(noted.database) {
        return Ok(BTreeSet::new());
    }
    let segments = Reader::open(&database)?.segments()?;
    Ok(segments.iter().filter(|segment| segment.has_file()).map(|segment| segment.first).collect())
}

/// Ends what a backup began that was whole when the power went: the note counts, so its files take their places, the
/// database last, and what no part of it needs goes. Whatever waits beside another note is half of a backup, and stays.
pub(super) fn settle(folder: &Path) -> Result<(), BackupError> {
    let Ok(noted) = read_note(folder) else { return Ok(()) };
    let (place, waiting) = (database(folder), database_next(folder));
    if fs::read(&waiting).map(|bytes| leaf_hash(&bytes)).ok() != Some(noted.database) {
        return Ok(());
    }
    for path in blocks(folder)?.iter().filter(|path| path.extension().is_some_and(|end| end == NEXT)) {
        files::rename(path, &path.with_extension(""))?;
    }
    files::sync_names(folder)?;
    files::rename(&waiting, &place)?;
    files::sync_names(folder)?;
    let segments = Reader::open(&place)?.segments()?;
    let needed: BTreeSet<PathBuf> =
        segments.iter().filter(|segment| segment.has_file()).map(|segment| file(&place, segment.first)).collect();
    blocks(folder)?.iter().filter(|path| !needed.contains(*path)).try_for_each(|path| files::remove(path))
}

/// All files of a backup that stand where those of segments do.
fn blocks(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let blocks = directory(&database(folder));
    let failed = |source| BackupError::File { doing: "list", path: blocks.clone(), source };
    let ours = |path: &PathBuf| path.extension().is_some_and(|end| [BLOCKS, DRAFT, NEXT].iter().any(|own| end == *own));
    let paths: Result<Vec<PathBuf>, _> = fs::read_dir(&blocks)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(failed);
    Ok(paths?.into_iter().filter(ours).collect())
}
