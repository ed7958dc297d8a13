//! Failing on demand.

use fuser::Errno;

/// What is the matter with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// `ENOSPC` for all that needs space; what is there can be overwritten, renamed and removed.
    Full,
    /// `EROFS` for every change, as after `mount -o remount,ro`, which the kernel does by itself when it finds damage.
    ReadOnly,
    /// `EIO` for every change and every sync.
    Broken,
}

/// What a change needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Space that nothing had before.
    Space,
    /// To write where something is.
    Writing,
    /// To be told that it is durable.
    Sync,
}

/// A trouble below one folder.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    spared: u64,
    below: String,
    trouble: Trouble,
    refused: u64,
}

impl Fault {
    pub(super) fn new(spared: u64, below: &str, trouble: Trouble) -> Fault {
        Fault { spared, below: below.into(), trouble, refused: 0 }
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// What a change of this file comes to.
    pub(super) fn check(&mut self, path: &str, need: Need) -> Result<(), Errno> {
        let errno = match (self.trouble, need) {
            (Trouble::Full, Need::Space) => Errno::ENOSPC,
            (Trouble::ReadOnly, Need::Space | Need::Writing) => Errno::EROFS,
            (Trouble::Broken, _) => Errno::EIO,
            (Trouble::Full, Need::Writing | Need::Sync) | (Trouble::ReadOnly, Need::Sync) => return Ok(()),
        };
        if !path.starts_with(&self.below) {
            return Ok(());
        }
        if self.spared > 0 {
            self.spared -= 1;
            return Ok(());
        }
        self.refused += 1;
        Err(errno)
    }
}
