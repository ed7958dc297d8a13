//! A copy of the journal, made while it is written, and putting it back.
//!
//! A backup is a folder: `journal.db`, `blocks/*.blocks`, and `backup.txt`, which names the box, the number of records, the
//! root over them and the checksum of the database. Files that are there already and sound are not copied again, so an
//! interrupted backup goes on where it was, and the next one to the same folder copies what is new.
//!
//! The next one takes nothing from the one that is there until it is whole itself: what would be overwritten is written
//! beside, as `NAME.next`; the new note, which names the checksum of `journal.db.next`, makes it the backup that counts;
//! then the files take their places. Whoever comes upon a folder between the two ends that first.
//!
//! The box's private key is no part of it: it never leaves the box.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use record::Seq;
use record::merkle::{Frontier, Hash, Subtree};

use crate::archive::Archive;
use crate::check::check;
use crate::database::StoreError;
use crate::reader::Reader;
use crate::segment::{Segment, file};

mod files;
mod folder;
mod restore;

pub use restore::restore;

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
    /// The folder is that of the journal itself.
    #[error("`{path}` is the journal itself · try: a folder on another disk")]
    Itself {
        /// The folder.
        path: PathBuf,
    },
    /// The folder has the only copy of records that this journal does not have.
    #[error(
        "`{path}` holds a backup of {found} up to record {end}, which this journal does not continue · try: another folder"
    )]
    Other {
        /// The folder.
        path: PathBuf,
        /// Whose backup it is.
        found: String,
        /// The number that its next record would have had.
        end: Seq,
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
/// [`BackupError`]; what was copied is not copied again, and a backup that was there still is.
pub fn backup(reader: &Reader, to: &Path, mut copied: impl FnMut(&Path)) -> Result<Backup, BackupError> {
    files::make(to)?;
    let same = |journal: &Path| Some(journal.parent()?.canonicalize().ok()? == to.canonicalize().ok()?);
    if same(reader.path()) == Some(true) {
        return Err(BackupError::Itself { path: to.into() });
    }
    files::make(&to.join("blocks"))?;
    folder::settle(to)?;
    refuse_other(reader, to)?;
    let kept = folder::kept(to)?;
    for _ in 0..LOOKS_MAX {
        let (next, draft) = (folder::database_next(to), to.join("journal.db.draft"));
        files::remove(&draft)?;
        reader.copy_to(&draft)?;
        files::sync(&draft)?;
        files::rename(&draft, &next)?;
        copied(&folder::database(to));
        let copy = Reader::open(&next)?;
        let mut whole = true;
        for segment in copy.segments()?.iter().filter(|segment| segment.has_file()) {
            whole &= copy_segment(reader, &copy, segment, &kept, &mut copied)?;
        }
        if whole {
            files::sync_names(to)?;
            let backup = folder::write_note(&copy, to)?;
            drop(copy);
            folder::settle(to)?;
            return Ok(backup);
        }
    }
    Err(BackupError::Changing)
}

/// Refuses to take the place of records that this journal does not have: those of another box, or of this one in an
/// earlier life, or from before the loss of some.
fn refuse_other(reader: &Reader, to: &Path) -> Result<(), BackupError> {
    let Ok(noted) = folder::read_note(to) else { return Ok(()) };
    let position = reader.position()?;
    let same = |root| root == noted.root;
    if noted.box_id == position.box_id && noted.end <= position.end && root_at(reader, noted.end).is_none_or(same) {
        return Ok(());
    }
    Err(BackupError::Other { path: to.into(), found: noted.box_id, end: noted.end })
}

/// The root over the first records; `None` if it cannot be told, because retention took some of the last ones.
fn root_at(reader: &Reader, end: Seq) -> Option<Hash> {
    let mut tree = Frontier::new();
    while let Some(subtree) = Subtree::largest(Seq(tree.size()), end) {
        tree.append_subtree(subtree.level(), reader.node(subtree).ok()?).ok()?;
    }
    Some(tree.root())
}

/// Copies a segment's file unless a sound one is there; beside it where the backup that is there needs it as it is, which
/// is so for all `kept`. Gives whether it is the one that the copied database names, which a power cut may have left
/// reduced already where the loss of it was told.
fn copy_segment(
    reader: &Reader,
    copy: &Reader,
    segment: &Segment,
    kept: &BTreeSet<Seq>,
    copied: &mut impl FnMut(&Path),
) -> Result<bool, BackupError> {
    let (from, to) = (file(reader.path(), segment.first), file(copy.path(), segment.first));
    let is_named = |archive: Archive| archive.bytes() == segment.bytes || segment.condemned.is_some();
    let sound = |path: &Path| Archive::open(path).is_ok_and(is_named);
    if segment.condemned.is_some() && !from.exists() {
        return Ok(true);
    }
    if sound(&to) && check(copy, segment)?.is_empty() {
        return Ok(true);
    }
    if !sound(&from) {
        return Ok(false);
    }
    let draft = to.with_extension("draft");
    files::copy(&from, &draft)?;
    let place = if kept.contains(&segment.first) { folder::next(&to) } else { to.clone() };
    files::rename(&draft, &place)?;
    copied(&to);
    Ok(sound(&place))
}
