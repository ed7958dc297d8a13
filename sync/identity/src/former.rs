//! Public keys that a box signed with before: of the machine that it took the place of. They prove what was signed then,
//! and nothing new.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use batch::PublicKey;

use crate::write_whole;

/// Most of them that are read: machines at one place, one after the other.
const KEYS_MAX: usize = 64;

/// The keys in this folder, each a file of 64 hex digits; none if it is not there. What is no key is passed over.
///
/// # Errors
/// If the folder or a file cannot be read.
pub fn former(folder: &Path) -> io::Result<Vec<PublicKey>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "pub"));
    paths.sort();
    let texts = paths.iter().take(KEYS_MAX).map(fs::read_to_string).collect::<io::Result<Vec<String>>>()?;
    Ok(texts.iter().filter_map(|text| text.trim().parse().ok()).collect())
}

/// Puts a key into this folder, under its own name; durable when this returns.
///
/// # Errors
/// If it cannot be written.
pub fn remember(folder: &Path, key: &PublicKey) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
    write_whole(&folder.join(format!("{}.pub", key.id())), &key.to_string(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;
    use batch::SigningKey;

    #[test]
    fn keys_are_remembered_once() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("former");
        assert_eq!(former(&keys).unwrap(), []);
        let mut known = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32]).public());
        for key in known.iter().chain(&known) {
            remember(&keys, key).unwrap();
        }
        fs::write(keys.join("none.pub"), "12").unwrap();
        known.sort_by_key(|key| key.id().to_string());
        assert_eq!(former(&keys).unwrap(), known);
    }
}
