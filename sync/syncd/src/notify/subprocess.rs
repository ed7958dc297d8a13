//! A program of the box, run to its end or ended with all that it started. No shell.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How much is kept of what it says on standard error. Bytes.
const SAID_BYTES_MAX: u64 = 1_000;
/// How much is kept of its output. Bytes.
const OUT_BYTES_MAX: u64 = 512 * 1024;
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// What came of it.
#[derive(Debug)]
pub(super) struct Ran {
    /// How it ended; none if it did not within its time, and was killed.
    pub(super) status: Option<ExitStatus>,
    /// Its output, at most [`OUT_BYTES_MAX`].
    pub(super) out: Vec<u8>,
    /// What it said on standard error, without white space around it.
    pub(super) said: String,
}

/// Runs it with this on its standard input.
///
/// # Errors
/// Where it cannot be started.
pub(super) fn run(command: &mut Command, input: Vec<u8>, timeout: Duration) -> std::io::Result<Ran> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.current_dir("/").process_group(0).spawn()?;
    let ends = Instant::now() + timeout;
    // Threads of their own: a program that neither reads nor ends must not hold the box for ever. All end with the pipes.
    let written = child.stdin.take().map(|mut pipe| std::thread::spawn(move || pipe.write_all(&input)));
    let out = child.stdout.take().map(|pipe| read(pipe, OUT_BYTES_MAX));
    let said = child.stderr.take().map(|pipe| read(pipe, SAID_BYTES_MAX));
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < ends => std::thread::sleep(LOOK),
            _ => break None,
        }
    };
    // Also what it left running: it would hold the pipes.
    end(&mut child);
    drop(written.map(JoinHandle::join));
    let of = |thread: Option<JoinHandle<Vec<u8>>>| thread.and_then(|thread| thread.join().ok()).unwrap_or_default();
    Ok(Ran { status, out: of(out), said: String::from_utf8_lossy(&of(said)).trim().to_owned() })
}

/// The first bytes of it; the others are taken, so that nobody waits, and dropped.
fn read(mut pipe: impl Read + Send + 'static, bytes_max: u64) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        drop(pipe.by_ref().take(bytes_max).read_to_end(&mut bytes));
        drop(std::io::copy(&mut pipe, &mut std::io::sink()));
        bytes
    })
}

fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Nobody is left in it where the program ended well.
        let _ = kill_process_group(group, Signal::KILL);
    }
    drop(child.wait());
}
