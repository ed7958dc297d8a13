//! The card of the box: two databases that may be full, and whatever was not committed when the process dies.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder of its own in memory: what is tested is what SQLite promises, not the disk below it.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: TempDir,
    pub(crate) journal_full: bool,
    pub(crate) outbox_full: bool,
}

impl Disk {
    pub(crate) fn new() -> Disk {
        let memory = Path::new("/dev/shm");
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("weir-sim-");
        let folder = if memory.is_dir() { folder.tempdir_in(memory) } else { folder.tempdir() };
        Disk { folder: folder.expect("a temporary folder"), journal_full: false, outbox_full: false }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal/journal.db")
    }

    pub(crate) fn outbox(&self) -> PathBuf {
        self.folder.path().join("outbox/outbox.db")
    }
}
