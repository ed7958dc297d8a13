//! What the journal's disk has been written, by everybody, and how long a card lasts at that rate.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use record::MonoMs;
use rustix::fs::{major, minor};

/// The kernel counts in these, whatever the disk's own sectors are (Documentation/block/stat.rst).
const SECTOR_BYTES: u64 = 512;
/// The column of `stat` with the sectors that were written.
const WRITTEN_COLUMN: usize = 6;

/// The disk of the journal.
#[derive(Debug)]
pub(super) struct Wear {
    /// Its folder below `/sys/dev/block`.
    device: PathBuf,
    /// When it was looked at first, and what had been written by then.
    began: Option<(MonoMs, u64)>,
}

/// What was written since it was looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// Bytes.
    pub(super) bytes: u64,
    /// In this time.
    pub(super) over_ms: u64,
    /// Of the whole disk.
    pub(super) disk_bytes: u64,
}

impl Wear {
    /// Of the disk with this journal.
    pub(super) fn new(journal: &Path) -> Wear {
        let directory = journal.parent().unwrap_or(Path::new("."));
        let device = fs::metadata(directory).map_or(0, |directory| directory.dev());
        Wear { device: PathBuf::from(format!("/sys/dev/block/{}:{}", major(device), minor(device))), began: None }
    }

    /// What was written so far; none where the kernel counts nothing, as for a disk in memory.
    pub(super) fn look(&mut self, now: MonoMs) -> Option<Written> {
        let written = sectors_written(&fs::read_to_string(self.device.join("stat")).ok()?)?;
        let (began, before) = *self.began.get_or_insert((now, written));
        // A partition wears the whole card.
        let whole = self.device.join("partition").exists();
        let size = if whole { self.device.join("../size") } else { self.device.join("size") };
        let sectors: u64 = fs::read_to_string(size).ok()?.trim().parse().ok()?;
        Some(Written {
            bytes: written.saturating_sub(before).saturating_mul(SECTOR_BYTES),
            over_ms: now.0.saturating_sub(began.0),
            disk_bytes: sectors.saturating_mul(SECTOR_BYTES),
        })
    }
}

fn sectors_written(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(WRITTEN_COLUMN)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_are_read_as_the_kernel_writes_them() {
        let stat = "    4321     99   87654     321     1234     56    78901     210        0      400      531";
        assert_eq!(sectors_written(stat), Some(78_901));
        assert_eq!(sectors_written(""), None);
    }
}
