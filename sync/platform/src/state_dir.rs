//! The platform's folder: what lies in it, and how files come to be there whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use batch::BoxId;

/// Rights of a file that only this user may read.
pub(crate) const SECRET: u32 = 0o600;
/// Rights of a file that everybody may read.
pub(crate) const PUBLIC: u32 = 0o644;

/// The folder `state_dir` of the configuration.
#[derive(Debug, Clone)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// Names a folder; nothing is touched.
    pub fn new(path: impl Into<PathBuf>) -> StateDir {
        StateDir(path.into())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The SQLite database.
    pub fn database(&self) -> PathBuf {
        self.0.join("platform.db")
    }

    /// The signing key, made at the first start, 0600 (`identity`).
    pub fn key(&self) -> PathBuf {
        self.0.join("platform.key")
    }

    /// Its public half, 64 hex digits: what boxes pin.
    pub fn public_key(&self) -> PathBuf {
        self.0.join("platform.pub")
    }

    /// The self-signed certificate, PEM; boxes and readers pin it.
    pub fn tls_cert(&self) -> PathBuf {
        self.0.join("tls.crt")
    }

    /// Its private key, PEM, 0600.
    pub fn tls_key(&self) -> PathBuf {
        self.0.join("tls.key")
    }

    /// What was signed about the keys of a box.
    pub(crate) fn box_keys(&self, box_id: &BoxId) -> PathBuf {
        self.0.join("keys").join(box_id.as_str())
    }

    /// Which keys of a box prove nothing any more.
    pub(crate) fn revocations(&self, box_id: &BoxId) -> PathBuf {
        self.0.join("revoked").join(box_id.as_str())
    }

    /// Makes the folder, for this user and its group only, if it is not there.
    pub(crate) fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o750).create(&self.0)
    }
}

/// Writes a file durably under a name that either does not exist or has all of the bytes.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // A leftover of an interrupted start may have other rights.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
