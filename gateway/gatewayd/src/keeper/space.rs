//! Room on the disk, and a reserve of our own for when others have taken all of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// A file of this size keeps room for the records of alarms and gaps, and for the draft of a thinned file: it is given up
/// when the disk is full, and made again when there is room.
const BALLAST_BYTES: u64 = 8 * 1024 * 1024;

/// The disk of the journal.
#[derive(Debug)]
pub(super) struct Space {
    directory: PathBuf,
    ballast: PathBuf,
    reserve_bytes: u64,
    free_bytes: u64,
    /// The ballast was given up.
    scarce: bool,
}

impl Space {
    /// Of the disk with this journal, `reserve_bytes` of which are for others.
    pub(super) fn new(journal: &Path, reserve_bytes: u64) -> Space {
        let directory = journal.parent().unwrap_or(Path::new(".")).to_path_buf();
        Space { ballast: directory.join("ballast"), directory, reserve_bytes, free_bytes: 0, scarce: false }
    }

    /// Bytes that were free when it looked last.
    pub(super) fn free(&self) -> u64 {
        self.free_bytes
    }

    /// Whether the reserve is given up: what is left is for alarms.
    pub(super) fn is_scarce(&self) -> bool {
        self.scarce
    }

    /// How many bytes the disk lacks of the reserve. Gives up the ballast where that is more than a little, and takes it
    /// again where there is room for it.
    pub(super) fn look(&mut self) -> io::Result<u64> {
        let disk = statvfs(&self.directory)?;
        self.free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        let short = self.reserve_bytes.saturating_sub(self.free_bytes);
        if self.free_bytes < BALLAST_BYTES / 2 && self.ballast.exists() {
            std::fs::remove_file(&self.ballast)?;
            self.scarce = true;
            log::error!(free_bytes = self.free_bytes; "the disk is full, the reserve is given up");
        } else if self.free_bytes > 4 * BALLAST_BYTES && !self.ballast.exists() {
            self.scarce = false;
            if self.take_ballast().is_err() {
                // A file system that reserves nothing: then there is no reserve, and nothing else is wrong.
                log::debug!("the file system reserves no room");
            }
        }
        Ok(short)
    }

    fn take_ballast(&self) -> io::Result<()> {
        let file: File = OpenOptions::new().write(true).create(true).truncate(false).open(&self.ballast)?;
        Ok(fallocate(&file, FallocateFlags::empty(), 0, BALLAST_BYTES)?)
    }
}
