//! A private ext4 on a loop device, whose sectors are counted by the kernel and by nobody else.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Room for the journal, its WAL and the yardstick's file.
const BYTES: u64 = 512 * 1024 * 1024;
/// `/sys/block/*/stat` counts in these, whatever the device's own block is.
const SECTOR_BYTES: u64 = 512;

/// Unmounted and detached when dropped, from whatever step it had reached.
#[derive(Debug)]
pub(crate) struct LoopDevice {
    device: String,
    mounted: Option<PathBuf>,
}

/// What was written since the device was attached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// Bytes that reached the device.
    pub(crate) bytes: u64,
    /// Flush requests that it was given.
    pub(crate) flushes: u64,
}

impl LoopDevice {
    /// Makes a file system in a file of `folder` and mounts it there. Needs root.
    pub(crate) fn mount(folder: &Path) -> io::Result<LoopDevice> {
        let image = folder.join("ext4.img");
        File::create(&image)?.set_len(BYTES)?;
        let device = tool("losetup", &["--find", "--show", &image.to_string_lossy()])?;
        let mut this = LoopDevice { device: device.trim().to_owned(), mounted: None };
        // Nothing may be left for the kernel to initialise later, while we count.
        tool("mkfs.ext4", &["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", &this.device])?;
        let point = folder.join("mounted");
        fs::create_dir_all(&point)?;
        tool("mount", &[&this.device, &point.to_string_lossy()])?;
        this.mounted = Some(point);
        Ok(this)
    }

    /// Where it is mounted.
    pub(crate) fn folder(&self) -> &Path {
        self.mounted.as_deref().unwrap_or(Path::new("/nonexistent"))
    }

    /// Writes back what the kernel holds, then counts.
    pub(crate) fn written(&self) -> io::Result<Written> {
        rustix::fs::syncfs(File::open(self.folder())?)?;
        let name = Path::new(&self.device).file_name().unwrap_or_default();
        let stat = fs::read_to_string(Path::new("/sys/block").join(name).join("stat"))?;
        let field = |at: usize| stat.split_whitespace().nth(at).and_then(|n| n.parse::<u64>().ok()).unwrap_or_default();
        Ok(Written { bytes: field(6) * SECTOR_BYTES, flushes: field(15) })
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        if let Some(point) = &self.mounted
            && let Err(error) = tool("umount", &[&point.to_string_lossy()])
        {
            eprintln!("{error}");
        }
        if let Err(error) = tool("losetup", &["--detach", &self.device]) {
            eprintln!("{error}");
        }
    }
}

fn tool(name: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(name).args(arguments).output()?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{name} {}: {}", arguments.join(" "), told.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
