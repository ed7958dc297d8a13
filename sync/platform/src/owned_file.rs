//! Files that are made beside the running platform, by whoever types a command, and belong to the platform.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use crate::state_dir::{StateDir, write_whole};

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} `{path}` · try: df -h, ls -ld, as the user of the platform")]
pub struct FileError {
    /// What was tried.
    pub doing: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The cause.
    #[source]
    pub source: io::Error,
}

/// Durably, and as the owner of the nearest folder that was there before, whoever does it.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let failed = |doing| move |source| FileError { doing, path: path.into(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut made: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    StateDir::new(folder).create().map_err(failed("make the folder of"))?;
    write_whole(path, bytes, mode).map_err(failed("write"))?;
    let above = made.last().and_then(|first| first.parent()).unwrap_or(folder);
    let owner = fs::metadata(above).map_err(failed("see whose folder has"))?;
    made.push(path);
    let give = |path: &&Path| match fs::metadata(path)? {
        facts if (facts.uid(), facts.gid()) == (owner.uid(), owner.gid()) => Ok(()),
        _ => chown(path, Some(owner.uid()), Some(owner.gid())),
    };
    made.iter().try_for_each(give).map_err(failed("give to the platform's user"))
}
