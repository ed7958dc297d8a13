//! Files, and what went wrong with them.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::BackupError;
use crate::archive::sync_directory;
use crate::database::make_directory;

pub(super) fn read(path: &Path) -> Result<Vec<u8>, BackupError> {
    fs::read(path).map_err(|source| BackupError::File { doing: "read", path: path.into(), source })
}

pub(super) fn make(path: &Path) -> Result<(), BackupError> {
    make_directory(path).map_err(|source| BackupError::File { doing: "make", path: path.into(), source })
}

pub(super) fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(BackupError::File { doing: "remove", path: path.into(), source })
        }
        _ => Ok(()),
    }
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::rename(from, to).map_err(|source| BackupError::File { doing: "put in place", path: to.into(), source })
}

/// Durable, but for its name.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::copy(from, to).map_err(|source| BackupError::File { doing: "copy", path: from.into(), source })?;
    sync(to)
}

pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| BackupError::File { doing: "sync", path: path.into(), source })
}

/// The names in a folder of a journal, and in that of its blocks.
pub(super) fn sync_names(folder: &Path) -> Result<(), BackupError> {
    let synced = [folder.to_path_buf(), folder.join("blocks")].iter().try_for_each(|folder| sync_directory(folder));
    synced.map_err(|source| BackupError::File { doing: "sync", path: folder.into(), source })
}
