//! The yardstick under everything durable: how often this disk can be made to keep four kibibytes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// One write.
const BLOCK_BYTES: usize = 4096;
/// Blocks of the preallocated file.
const BLOCKS: u64 = 1024;

/// Appends a block and syncs it, `fdatasync` (2).
#[derive(Debug)]
pub(crate) struct AppendLoop {
    file: File,
}

impl AppendLoop {
    /// Begins with an empty file.
    pub(crate) fn new(folder: &Path) -> io::Result<AppendLoop> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(folder.join("append"))?;
        Ok(AppendLoop { file })
    }

    /// Once.
    pub(crate) fn step(&mut self) -> io::Result<()> {
        self.file.write_all(&[0x5a; BLOCK_BYTES])?;
        self.file.sync_data()
    }
}

/// `fdatasync`s per second: of a file that grows, and of one that is overwritten in place.
pub(crate) fn syncs_per_s(folder: &Path, time: Duration) -> io::Result<(f64, f64)> {
    let folder = tempfile::tempdir_in(folder)?;
    let folder = folder.path();
    let mut append = AppendLoop::new(folder)?;
    let appended = per_s(time, |_| append.step())?;
    let file = OpenOptions::new().create(true).write(true).truncate(true).open(folder.join("overwrite"))?;
    for block in 0..BLOCKS {
        file.write_all_at(&[0; BLOCK_BYTES], block * BLOCK_BYTES as u64)?;
    }
    file.sync_all()?;
    let overwritten = per_s(time, |step| {
        file.write_all_at(&[0x5a; BLOCK_BYTES], step % BLOCKS * BLOCK_BYTES as u64)?;
        file.sync_data()
    })?;
    Ok((appended, overwritten))
}

fn per_s(time: Duration, mut step: impl FnMut(u64) -> io::Result<()>) -> io::Result<f64> {
    let begin = Instant::now();
    let mut steps = 0;
    while begin.elapsed() < time {
        step(steps)?;
        steps += 1;
    }
    Ok(steps as f64 / begin.elapsed().as_secs_f64())
}
