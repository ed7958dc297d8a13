//! A program of the box as a channel: the message as JSON on its standard input, its exit status as the answer. No shell.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use notify::Outcome;
use serde_json::Value;

use super::subprocess;

/// Runs it to its end, or ends it with all that it started.
pub(super) async fn run(program: PathBuf, object: Value, timeout: Duration) -> Outcome {
    let ran = tokio::task::spawn_blocking(move || run_blocking(&program, &object, timeout)).await;
    ran.unwrap_or_else(|broke| Outcome::InDoubt { why: broke.to_string() })
}

fn run_blocking(program: &PathBuf, object: &Value, timeout: Duration) -> Outcome {
    let ran = match subprocess::run(&mut Command::new(program), format!("{object}\n").into_bytes(), timeout) {
        Ok(ran) => ran,
        Err(error) => return Outcome::Failed { why: format!("failed to start it: {error}") },
    };
    match ran.status {
        Some(status) if status.success() => Outcome::Delivered,
        Some(status) => Outcome::Failed { why: format!("{status}: {}", ran.said) },
        None => Outcome::InDoubt { why: format!("it did not end within {} s and was killed", timeout.as_secs()) },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

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
