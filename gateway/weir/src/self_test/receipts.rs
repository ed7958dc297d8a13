//! From the journal to the platforms: until each has given its receipt for a record.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use journal::Outbox;
use record::Seq;
use serde_json::json;
use syncd::status::{DestinationStatus, Status};

use crate::error::CommandError;

/// Between two looks into the outbox.
const LOOK: Duration = Duration::from_millis(100);

/// What the upload daemon did with a record.
#[derive(Debug)]
pub(crate) enum Upload {
    /// It sends to these.
    Platforms(Vec<Platform>),
    /// It does not say how it is.
    Silent(String),
}

/// One platform.
#[derive(Debug)]
pub(crate) struct Platform {
    /// Its name in sync.toml.
    pub(crate) name: String,
    /// What came of the record there.
    pub(crate) outcome: Outcome,
}

/// What came of a record at a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its receipt was there after so long.
    Receipt(Duration),
    /// It refused the record.
    Refused,
    /// Nothing in time; the last thing that went wrong, with what to do.
    Late(Option<String>),
}

/// Waits until every destination has its receipt for this record, or refused it, or `patience` is over.
pub(super) fn wait(seq: Seq, patience: Duration, state_dir: &Path, run_dir: &Path) -> Result<Upload, CommandError> {
    let begun = Instant::now();
    // What waits for its next try is tried at once: somebody has just mended the link, perhaps.
    let destinations = match ask(run_dir) {
        Ok(status) => status.destinations,
        Err(why) => return Ok(Upload::Silent(why)),
    };
    let mut found: Vec<(String, Option<Outcome>)> = destinations.into_iter().map(|one| (one.name, None)).collect();
    loop {
        for (name, outcome) in found.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
            *outcome = look(seq, name, state_dir, begun)?;
        }
        if found.iter().all(|(_, outcome)| outcome.is_some()) || begun.elapsed() >= patience {
            break;
        }
        sleep(LOOK);
    }
    let late = match found.iter().any(|(_, outcome)| outcome.is_none()) {
        true => status(run_dir).map(|status| status.destinations).unwrap_or_default(),
        false => Vec::new(),
    };
    let named = |(name, outcome): (String, Option<Outcome>)| {
        let outcome = outcome.unwrap_or_else(|| Outcome::Late(complaint(&late, &name)));
        Platform { name, outcome }
    };
    Ok(Upload::Platforms(found.into_iter().map(named).collect()))
}

fn complaint(destinations: &[DestinationStatus], name: &str) -> Option<String> {
    let error = destinations.iter().find(|one| one.name == name)?.last_error.as_ref()?;
    Some(format!("{} · try: {}", error.what, error.cure))
}

fn look(seq: Seq, platform: &str, state_dir: &Path, begun: Instant) -> Result<Option<Outcome>, CommandError> {
    let path = state_dir.join("outbox/outbox.db");
    if !path.exists() {
        return Ok(None);
    }
    let outbox = Outbox::open_read_only(&path).map_err(CommandError::Store)?;
    if outbox.coverage(platform).map_err(CommandError::Store)?.contains(seq) {
        return Ok(Some(Outcome::Receipt(begun.elapsed())));
    }
    let refused = outbox.parked(platform).map_err(CommandError::Store)?.contains(seq);
    Ok(refused.then_some(Outcome::Refused))
}

/// Whether a platform has given its receipt for this record.
pub(crate) fn holds(seq: Seq, platform: &str, state_dir: &Path) -> Result<bool, CommandError> {
    Ok(matches!(look(seq, platform, state_dir, Instant::now())?, Some(Outcome::Receipt(_))))
}

fn ask(run_dir: &Path) -> Result<Status, String> {
    let socket = run_dir.join("sync.sock");
    control::ask(&socket, &json!({ "do": "link_up" })).map_err(|error| control::chain(&error))?;
    status(run_dir)
}

fn status(run_dir: &Path) -> Result<Status, String> {
    let answer = control::ask(&run_dir.join("sync.sock"), &json!({ "do": "status" }));
    let mut answer = answer.map_err(|error| control::chain(&error))?;
    serde_json::from_value(answer["status"].take()).map_err(|error| error.to_string())
}
