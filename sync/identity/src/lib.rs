//! Key files: an Ed25519 seed on disk, made once, readable by its owner only (and by the group that the package gives its folder
//! to), never exported.
//!
//! **In:** a path. **Out:** a [`SigningKey`]; beside the file `NAME.key` its public half stands in `NAME.pub` as 64 hex
//! digits, which anyone may read. Of keys before it only the public halves are kept ([`former`]), and what was signed about how
//! one took the place of another ([`statements`]). A key is exchanged by a [`Rotation`].
//!
//! **Deliberately does not know:** whose key it is, or what is signed with it.

mod former;
mod rotation;
mod statements;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use batch::SigningKey;
use zeroize::Zeroizing;

pub use former::{former, remember};
pub use rotation::{Rotation, settle, statements_of};
pub use statements::{STATEMENTS_MAX, keep_statement, statements};

/// A key file is 64 hex digits and a newline; more is not read.
const FILE_BYTES_MAX: u64 = 128;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is not there yet.
    #[error("there is no key `{path}` yet · try: weir gateway run (it makes the key at its first start)")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("failed to read key `{path}` · try: ls -l, and run as the service's user")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Others can read it.
    #[error("key `{path}` is readable by others (mode {mode:o}) · try: chmod 600 it, and consider it known to them")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// Not 64 hex digits.
    #[error("`{path}` is not a key: 64 hex digits are expected · try: restore it from its backup")]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be made.
    #[error("failed to make key `{path}` · try: check owner and free space of its directory")]
    Create {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The system gave no randomness.
    #[error("failed to get randomness for key `{path}` from the kernel")]
    Random {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: getrandom::Error,
    },
}

/// Reads an existing key.
///
/// # Errors
/// [`IdentityError`]: missing, unreadable, readable by others, or no key.
pub fn load(path: &Path) -> Result<SigningKey, IdentityError> {
    let read = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => IdentityError::Missing { path: path.into() },
        _ => IdentityError::Read { path: path.into(), source },
    };
    let facts = fs::metadata(path).map_err(read)?;
    let mode = facts.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(IdentityError::Exposed { path: path.into(), mode });
    }
    let not_a_key = || IdentityError::NotAKey { path: path.into() };
    if facts.len() > FILE_BYTES_MAX {
        return Err(not_a_key());
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(read)?);
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *seed).map_err(|_| not_a_key())?;
    Ok(SigningKey::from_seed(&seed))
}

/// Reads the key, or makes it at the first start: written whole to the disk under another name, then renamed, so that a
/// power cut leaves either no key or all of it.
///
/// # Errors
/// [`IdentityError`].
pub fn load_or_create(path: &Path) -> Result<SigningKey, IdentityError> {
    match load(path) {
        Err(IdentityError::Missing { .. }) => create(path),
        found => found,
    }
}

fn create(path: &Path) -> Result<SigningKey, IdentityError> {
    let failed = |source| IdentityError::Create { path: path.into(), source };
    let directory = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o750).create(directory).map_err(failed)?;
    // The directory's own name, without which a power cut could take the key with it.
    sync_names_in(directory.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    let (key, text) = create_seed(path)?;
    write_whole(&path.with_extension("pub"), key.public().to_string().as_str(), 0o644).map_err(failed)?;
    write_whole(path, &text, key_mode(directory).map_err(failed)?).map_err(failed)?;
    Ok(key)
}

/// A new key, and what stands in its file.
fn create_seed(path: &Path) -> Result<(SigningKey, Zeroizing<String>), IdentityError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|source| IdentityError::Random { path: path.into(), source })?;
    Ok((SigningKey::from_seed(&seed), Zeroizing::new(hex::encode(*seed))))
}

/// Who may read a new key in this folder: its owner, and the folder's group where somebody gave the folder to another group than
/// ours and lets it hand its files to it (set-group-id). The package does so for the upload daemon, which signs as well.
fn key_mode(directory: &Path) -> io::Result<u32> {
    const SET_GROUP_ID: u32 = 0o2000;
    let facts = fs::metadata(directory)?;
    let given = facts.mode() & SET_GROUP_ID != 0 && facts.gid() != rustix::process::getegid().as_raw();
    Ok(if given { 0o640 } else { 0o600 })
}

fn write_whole(path: &Path, line: &str, mode: u32) -> io::Result<()> {
    let text = Zeroizing::new(format!("{line}\n"));
    write_bytes(path, text.as_bytes(), mode)
}

fn write_bytes(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    // What an interrupted write left may have other rights.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_names_in(path.parent().unwrap_or(Path::new(".")))
}

fn sync_names_in(directory: &Path) -> io::Result<()> {
    // The parent of a relative path's first part is the empty path.
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity/box.key");
        assert!(matches!(load(&path), Err(IdentityError::Missing { .. })));
        let made = load_or_create(&path).unwrap();
        let again = load_or_create(&path).unwrap();
        assert_eq!(made.public(), again.public());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        assert_eq!(public.trim(), made.public().to_string());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2, "nothing unfinished is left");
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box.key");
        load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(load(&path), Err(IdentityError::Exposed { mode: 0o644, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(load_or_create(&path), Err(IdentityError::NotAKey { .. })), "and it is not overwritten");
    }
}
