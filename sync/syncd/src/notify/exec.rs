//! A program of the box as a channel: the message as JSON on its standard input, its exit status as the answer. No shell.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use notify::Outcome;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

/// How much it may say on standard error; what is more is not waited for. Bytes.
const SAID_BYTES_MAX: u64 = 1_000;
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Runs it to its end, or ends it with all that it started.
pub(super) async fn run(program: PathBuf, object: Value, timeout: Duration) -> Outcome {
    let ran = tokio::task::spawn_blocking(move || run_blocking(&program, &object, timeout)).await;
    ran.unwrap_or_else(|broke| Outcome::InDoubt { why: broke.to_string() })
}

fn run_blocking(program: &PathBuf, object: &Value, timeout: Duration) -> Outcome {
    let spawned = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .current_dir("/")
        .process_group(0)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Outcome::Failed { why: format!("failed to start it: {error}") },
    };
    let ends = Instant::now() + timeout;
    let text = format!("{object}\n");
    // Threads of their own: a program that neither reads nor ends must not hold the message for ever. Both end with the pipes.
    let input = child.stdin.take().map(|mut input| std::thread::spawn(move || input.write_all(text.as_bytes())));
    let output = child.stderr.take().map(|errors| {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            drop(errors.take(SAID_BYTES_MAX).read_to_end(&mut said));
            String::from_utf8_lossy(&said).into_owned()
        })
    });
    let outcome = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < ends => std::thread::sleep(LOOK),
            _ => break None,
        }
    };
    // Also what it left running: it would hold the pipes.
    end(&mut child);
    drop(input.map(std::thread::JoinHandle::join));
    let said = output.and_then(|output| output.join().ok()).unwrap_or_default();
    match outcome {
        Some(status) if status.success() => Outcome::Delivered,
        Some(status) => Outcome::Failed { why: format!("{status}: {}", said.trim()) },
        None => Outcome::InDoubt { why: format!("it did not end within {} s and was killed", timeout.as_secs()) },
    }
}

fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Nobody is left in it where the program ended well.
        let _ = kill_process_group(group, Signal::KILL);
    }
    drop(child.wait());
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    fn check(script: &str, timeout_ms: u64) -> (Outcome, Duration) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tell");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let begun = Instant::now();
        (
            run_blocking(&path, &json!({"box": "b", "fill": "x".repeat(200_000)}), Duration::from_millis(timeout_ms)),
            begun.elapsed(),
        )
    }

    #[test]
    fn a_program_has_the_message_by_its_exit_status_and_never_holds_the_box() {
        assert_eq!(check(r#"grep -q '"box":"b"'"#, 9_000).0, Outcome::Delivered);
        assert_eq!(check("exit 0", 9_000).0, Outcome::Delivered, "one that does not read");
        let failed = check("echo no modem >&2; exit 3", 9_000).0;
        assert_eq!(failed, Outcome::Failed { why: "exit status: 3: no modem".into() });
        let (hung, took) = check("sleep 60 & sleep 60", 300);
        assert!(matches!(hung, Outcome::InDoubt { .. }) && took < Duration::from_secs(20), "{hung:?} {took:?}");
        let (left, took) = check("sleep 60 & exit 0", 9_000);
        assert!(left == Outcome::Delivered && took < Duration::from_secs(20), "{took:?}");
        let (noisy, took) = check("yes >&2", 5_000);
        assert!(noisy != Outcome::Delivered && took < Duration::from_secs(20), "{noisy:?} {took:?}");
    }
}
