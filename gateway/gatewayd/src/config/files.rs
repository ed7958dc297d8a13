//! Configuration files as text: bounded, and keys that nobody else can read.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::ConfigError;

/// Longest configuration file that is read.
pub(super) const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Everybody but the owner: nobody else may read keys.
const OTHERS_MODE: u32 = 0o077;

pub(super) fn read_keys(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let file = open(path)?;
    let failed = |source| ConfigError::Read { path: path.into(), source };
    // Of the file that is open, not of whatever has its name a moment later.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & OTHERS_MODE != 0 {
        return Err(ConfigError::ExposedKeys { path: path.into(), mode });
    }
    read_open(path, file).map(Zeroizing::new)
}

pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    read_open(path, open(path)?)
}

fn open(path: &Path) -> Result<File, ConfigError> {
    File::open(path).map_err(|source| ConfigError::Read { path: path.into(), source })
}

fn read_open(path: &Path, file: File) -> Result<String, ConfigError> {
    let mut text = String::new();
    // Not by the size that the file claims: a device claims none and never ends.
    let taken = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    taken.map_err(|source| ConfigError::Read { path: path.into(), source })?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(ConfigError::TooLong { path: path.into() });
    }
    Ok(text)
}
