//! Putting a backup back.

use std::fs::File;
use std::path::Path;

use record::SeqRanges;
use record::merkle::leaf_hash;

use super::{Backup, BackupError, files, folder};
use crate::check::check;
use crate::reader::Reader;
use crate::segment::{directory, file};

/// Puts a backup in the place of a journal that is not there, after every byte of it was verified. The next writer begins a
/// new range of numbers, and device counters jump ahead: nothing that was used before is used again.
///
/// # Errors
/// [`BackupError`]; then nothing is there.
pub fn restore(from: &Path, journal: &Path) -> Result<Backup, BackupError> {
    folder::settle(from)?;
    let backup = folder::read_note(from)?;
    verify(from, &backup)?;
    if journal.exists() {
        return Err(BackupError::Occupied { path: journal.into() });
    }
    let parent = journal.parent().unwrap_or(Path::new("."));
    files::make(parent)?;
    // The note first, durably: a gateway that is started on half of a backup must not repeat a number either.
    let note = journal.with_extension("restored");
    File::create(&note).map_err(|source| BackupError::File { doing: "write", path: note.clone(), source })?;
    files::make(&directory(journal))?;
    files::sync_names(parent)?;
    let stored = folder::database(from);
    for segment in Reader::open(&stored)?.segments()?.iter().filter(|segment| segment.has_file()) {
        let from = file(&stored, segment.first);
        if segment.condemned.is_none() || from.exists() {
            files::copy(&from, &file(journal, segment.first))?;
        }
    }
    let draft = journal.with_extension("db-restoring");
    files::copy(&stored, &draft)?;
    files::sync_names(parent)?;
    files::rename(&draft, journal)?;
    files::sync_names(parent)?;
    Ok(backup)
}

fn verify(from: &Path, backup: &Backup) -> Result<(), BackupError> {
    let damaged = |what: String| BackupError::Damaged { path: from.into(), what };
    let database = folder::database(from);
    if leaf_hash(&files::read(&database)?) != backup.database {
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
