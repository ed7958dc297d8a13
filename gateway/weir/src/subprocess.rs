//! Another program's word, waited for no longer than its answer is worth.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Why it said nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubprocessError {
    /// It is not installed, or may not be run.
    #[error("failed to start it")]
    Start(#[source] io::Error),
    /// It said nothing to the end in time.
    #[error("it did not end in time")]
    Late,
}

/// What a command says on standard output, `bytes_max` of it, if it ends within `patience`. One that does not is killed.
///
/// # Errors
/// [`SubprocessError`].
pub(crate) fn output(mut command: Command, patience: Duration, bytes_max: u64) -> Result<String, SubprocessError> {
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = started.map_err(SubprocessError::Start)?;
    let out = child.stdout.take().ok_or(SubprocessError::Late)?;
    let (told, answer) = sync_channel(1);
    let reader = thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let read = out.take(bytes_max).read_to_end(&mut bytes).map(|_| bytes);
        // Nobody waits any more: then it was too late.
        let _ = told.send(read);
    });
    let said = match reader {
        Ok(_) => answer.recv_timeout(patience),
        Err(_) => Err(RecvTimeoutError::Disconnected),
    };
    // It has ended by itself, or said more than is wanted, or is late: in each case it is no more afterwards.
    let _ = child.kill();
    let _ = child.wait();
    let bytes = said.map_err(|_| SubprocessError::Late)?.map_err(SubprocessError::Start)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn who_does_not_answer_is_not_waited_for() {
        let begun = Instant::now();
        let mut command = Command::new("sleep");
        command.arg("60");
        assert!(matches!(output(command, Duration::from_millis(50), 9), Err(SubprocessError::Late)));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn more_than_a_pipe_holds_is_read_to_the_bound() {
        let command = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let said = |script, bytes| output(command(script), Duration::from_secs(20), bytes).unwrap();
        assert_eq!(said("echo well", 100), "well\n");
        assert_eq!(said("head -c 300000 /dev/zero | tr '\\0' x", 1_000_000).len(), 300_000);
        assert_eq!(said("yes", 100_000).len(), 100_000, "a program that never ends is cut");
        assert!(matches!(output(Command::new("/no/such"), Duration::from_secs(1), 9), Err(SubprocessError::Start(_))));
    }
}
