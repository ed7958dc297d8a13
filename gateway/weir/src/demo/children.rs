//! The daemons, each a process of this same executable.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::error::DemoError;

/// How long a daemon may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(5);
/// How much of a log is shown when its daemon failed, in bytes.
const TAIL_BYTES: u64 = 2_000;

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `weir VERB run --config CONFIG` with its output in `LOGS/NAME.log`.
    pub(crate) fn start(
        name: &'static str,
        verb: &'static str,
        config: &Path,
        logs: &Path,
    ) -> Result<Daemon, DemoError> {
        let exe = std::env::current_exe().map_err(DemoError::OwnExecutable)?;
        let log = logs.join(format!("{name}.log"));
        let failed = |source| DemoError::Write { path: log.clone(), source };
        let output = OpenOptions::new().create(true).append(true).open(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let child = Command::new(exe)
            .args([verb, "run", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C goes to a whole group; the demo stops its children itself, in order.
            .process_group(0)
            .spawn()
            .map_err(|source| DemoError::Spawn { verb, source })?;
        Ok(Daemon { name, child, log })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its log.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) -> Result<(), DemoError> {
        match self.child.try_wait() {
            Ok(Some(status)) => Err(DemoError::Ended { name: self.name, status, tail: self.tail() }),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// SIGKILL, as a power cut would; returns when the process is gone.
    pub(crate) fn kill(&mut self) {
        // Either fails only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, then waiting; SIGKILL for one that does not stop. Whether it stopped by itself.
    pub(crate) async fn stop(mut self) -> bool {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It fails only if the process has ended already, and that is what is wanted.
            let _ = kill_process(pid, Signal::TERM);
        }
        let end = Instant::now() + STOP;
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let length = fs::metadata(&self.log)?.len();
            let mut file = File::open(&self.log)?;
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
