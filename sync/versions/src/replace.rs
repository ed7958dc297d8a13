//! A file whose text becomes another one at once, or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Writes a file whole beside its place, syncs it, and renames it to there; owner and rights stay as they were. A new one gets
/// this mode, and belongs to whom its folder belongs, if the writer may give it away.
///
/// # Errors
/// The system's, by operation; then the file is as it was.
pub fn replace(path: &Path, bytes: &[u8], mode_if_new: u32) -> io::Result<()> {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".new");
    let unfinished = path.with_file_name(name);
    let written = write(path, bytes, mode_if_new, &unfinished);
    if written.is_err() {
        // What is left of it would only be in the way; the error that matters is the first one.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write(path: &Path, bytes: &[u8], mode_if_new: u32, unfinished: &PathBuf) -> io::Result<()> {
    let before = match fs::metadata(path) {
        Ok(facts) => Some(facts),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let mode = before.as_ref().map_or(mode_if_new, |facts| facts.permissions().mode() & 0o777);
    // Nobody may have prepared a file or a link of this name.
    let _ = fs::remove_file(unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(unfinished)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    match before {
        Some(facts) => fchown(&file, Some(facts.uid()), Some(facts.gid()))?,
        None => give_to_owner_of(folder_of(path), &file)?,
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    File::open(folder_of(path))?.sync_all()
}

/// Root makes files in the folders of daemons, which must be able to read them.
pub(crate) fn give_to_owner_of(folder: &Path, file: &File) -> io::Result<()> {
    let (owner, own) = (fs::metadata(folder)?, file.metadata()?);
    match fchown(file, Some(owner.uid()), Some(owner.gid())) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && own.uid() != 0 => Ok(()),
        given => given,
    }
}

/// Where a file stands; the parent of a bare name is the empty path, which cannot be opened.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
