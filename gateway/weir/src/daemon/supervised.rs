//! Telling systemd how a daemon is (sd_notify(3)): ready once it answers on its control socket, and alive for as long as it
//! does. What answers is not this thread but the part that does the work, so that one that hangs is started again.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use control::{AskError, chain};
use sd_notify::NotifyState;
use serde_json::{Value, json};
use versions::{Place, Versions, sha256};

use crate::error::CommandError;

/// How soon it is asked again before it is ready.
const START_POLL: Duration = Duration::from_millis(100);
/// How soon it is asked again before its configuration is kept.
const KEEP_POLL: Duration = Duration::from_millis(500);
/// How soon the gateway is told again of what was changed by hand, while it does not answer.
const TELL_POLL: Duration = Duration::from_secs(30);
/// It is asked so often within the time that systemd gives it.
const ASKED_TIMES: u32 = 3;

/// Watches over a daemon of this process from a thread of its own, if systemd wants to know.
///
/// # Errors
/// [`CommandError::Watch`] if there is no thread.
pub(super) fn watch(socket: PathBuf, probe: Value) -> Result<(), CommandError> {
    watch_by(move || is_alive(&socket, &probe))
}

/// The same of one that is alive as long as `is_alive` says so.
///
/// # Errors
/// [`CommandError::Watch`] if there is no thread.
pub(super) fn watch_by(is_alive: impl Fn() -> bool + Send + 'static) -> Result<(), CommandError> {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return Ok(());
    }
    let within = sd_notify::watchdog_enabled();
    let work = move || {
        while !is_alive() {
            thread::sleep(START_POLL);
        }
        tell(NotifyState::Ready);
        let Some(within) = within else { return };
        loop {
            if is_alive() {
                tell(NotifyState::Watchdog);
            } else {
                log::warn!("the daemon does not answer itself; systemd starts it again if that lasts");
            }
            thread::sleep(within / ASKED_TIMES);
        }
    };
    thread::Builder::new().name("weir-watch".into()).spawn(work).map(drop).map_err(CommandError::Watch)
}

/// Keeps the texts by which the daemon of this process works, once it answers: some day one of its files may be broken. The
/// gateway journals those that nobody had applied.
///
/// # Errors
/// [`CommandError::Watch`] if there is no thread.
pub(super) fn keep_once_it_works(
    socket: PathBuf,
    probe: Value,
    folder: PathBuf,
    texts: Vec<(Place, String)>,
    gateway: PathBuf,
) -> Result<(), CommandError> {
    let work = move || {
        while !is_alive(&socket, &probe) {
            thread::sleep(KEEP_POLL);
        }
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let mut untold = by_hand(&folder, &texts);
        untold.retain(|found| control::ask(&gateway, found).is_err());
        if let Err(error) = Versions::worked(&folder, now_ms, &texts) {
            log::warn!(error = chain(&error).as_str(); "the configuration in force is not kept");
        }
        while !untold.is_empty() {
            thread::sleep(TELL_POLL);
            untold.retain(|found| control::ask(&gateway, found).is_err());
        }
    };
    thread::Builder::new().name("weir-keep".into()).spawn(work).map(drop).map_err(CommandError::Watch)
}

/// What the gateway is told of texts that are other ones than those that were put there last. A file's first one is none.
fn by_hand(folder: &Path, texts: &[(Place, String)]) -> Vec<Value> {
    let Ok(versions) = Versions::open(folder) else { return Vec::new() };
    let is_other = |(place, text): &&(Place, String)| {
        versions.newest(place.file).is_some_and(|newest| newest.sha256 != sha256(text))
    };
    let found = texts.iter().filter(is_other);
    found
        .map(|(place, text)| json!({ "do": "found", "file": place.file, "sha256": hex::encode(sha256(text)) }))
        .collect()
}

/// Says that it stops by itself.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// A refusal is an answer too: a full disk is not mended by another start.
fn is_alive(socket: &std::path::Path, probe: &Value) -> bool {
    matches!(control::ask(socket, probe), Ok(_) | Err(AskError::Refused { .. }))
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        log::warn!(error:% = error; "systemd cannot be told");
    }
}
