//! A program under measurement: started, watched through `/proc`, killed when dropped.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `/proc/PID/stat` counts in hundredths of a second on every architecture Debian has (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);
/// A start that takes longer has failed.
const START_MAX: Duration = Duration::from_secs(60);

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// What the kernel says of a process's memory, MiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) rss: f64,
    /// Of it without a file behind it: heap and stacks.
    pub(crate) anonymous: f64,
    /// Resident at most since the start.
    pub(crate) peak: f64,
}

impl Process {
    /// Starts it; what it prints goes to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> io::Result<Process> {
        let file = File::create(log)?;
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Process { child, log: log.into() })
    }

    /// Waits until something listens at `address`.
    pub(crate) fn wait_for(&mut self, address: SocketAddr) -> io::Result<()> {
        let until = Instant::now() + START_MAX;
        loop {
            match TcpStream::connect(address) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
            self.still_runs()?;
        }
    }

    /// Waits until a file is there.
    pub(crate) fn wait_for_file(&mut self, path: &Path) -> io::Result<()> {
        let until = Instant::now() + START_MAX;
        while !path.exists() {
            if Instant::now() > until {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{} does not appear", path.display())));
            }
            std::thread::sleep(Duration::from_millis(5));
            self.still_runs()?;
        }
        Ok(())
    }

    fn still_runs(&mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            Some(status) => {
                let told = fs::read_to_string(&self.log).unwrap_or_default();
                Err(io::Error::other(format!("a measured program ended at once ({status}): {}", told.trim())))
            }
            None => Ok(()),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time used so far, all threads, user and system.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        cpu(&self.child.id().to_string())
    }

    /// Its memory now.
    pub(crate) fn memory(&self) -> io::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0
        };
        Ok(Memory { rss: mib("VmRSS:"), anonymous: mib("RssAnon:"), peak: mib("VmHWM:") })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either fails only if the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of this program itself.
pub(crate) fn own_cpu() -> io::Result<Duration> {
    cpu("self")
}

fn cpu(pid: &str) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, field 2, may hold blanks; behind its bracket utime and stime are the 12th and 13th.
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok());
    Ok(TICK * ticks.sum::<u32>())
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
