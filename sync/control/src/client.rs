//! The asking side, blocking: the command has nothing else to do.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::{ANSWER_SECONDS_MAX, LINE_BYTES_MAX};

/// Why a daemon did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("no daemon answers at `{path}` · try: systemctl status weir-gateway weir-sync")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The daemon is there but did not answer in time, or hung up.
    #[error("the daemon at `{path}` did not answer · try: journalctl -u 'weir-*' -n 20")]
    Exchange {
        /// The socket.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The answer is no JSON object.
    #[error("the daemon at `{path}` answered something else than JSON: is it another version? · try: weir --version")]
    NotJson {
        /// The socket.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// The daemon refused.
    #[error("the daemon at `{path}` refused: {why}")]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Its words.
        why: String,
    },
}

/// Sends one request and returns the whole answer object.
///
/// # Errors
/// [`AskError`] by cause.
pub fn ask(path: &Path, request: &Value) -> Result<Value, AskError> {
    ask_within(path, request, Duration::from_secs(ANSWER_SECONDS_MAX))
}

/// The same with as much `patience` for the answer as the request takes.
///
/// # Errors
/// [`AskError`] by cause.
pub fn ask_within(path: &Path, request: &Value, patience: Duration) -> Result<Value, AskError> {
    let failed = |source| AskError::Exchange { path: path.into(), source };
    let mut stream = UnixStream::connect(path).map_err(|source| AskError::Connect { path: path.into(), source })?;
    let write = Duration::from_secs(ANSWER_SECONDS_MAX);
    stream.set_read_timeout(Some(patience)).and_then(|()| stream.set_write_timeout(Some(write))).map_err(failed)?;
    stream.write_all(format!("{request}\n").as_bytes()).map_err(failed)?;
    let mut line = String::new();
    let bytes_max = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    BufReader::new(stream.take(bytes_max)).read_line(&mut line).map_err(failed)?;
    let answer: Value =
        serde_json::from_str(&line).map_err(|source| AskError::NotJson { path: path.into(), source })?;
    if answer.get("ok").and_then(Value::as_bool) == Some(true) {
        return Ok(answer);
    }
    let why = answer.get("error").and_then(Value::as_str).unwrap_or("without a reason").to_owned();
    Err(AskError::Refused { path: path.into(), why })
}
