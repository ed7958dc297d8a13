//! Asking the daemons and the outbox, no more often than anybody looks.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use control::chain;
use record::UnixMs;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::known::Told;
use crate::watch::{Shared, lock, machine_now};
use crate::{Config, receipts};

/// What was asked within this time is not asked again: readers share the answer.
const FRESH_MS_MAX: u64 = 3_000;
/// A daemon that hangs keeps a reader so long, and the next one only after [`RETRY_MS_MIN`].
const ANSWER_MS_MAX: u64 = 1_500;
/// One that did not answer is asked again after so long.
const RETRY_MS_MIN: u64 = 6_000;

/// When both were asked last. Who holds it asks; the others wait for that answer.
#[derive(Debug, Default)]
pub(crate) struct Asker {
    asked: Mutex<Option<Asked>>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    answered: bool,
}

impl Asker {
    /// Brings what is known of daemons and receipts up to date, if it is not.
    pub(crate) fn refresh(&self, config: &Config, known: &Shared) {
        let mut asked = lock(&self.asked);
        let fresh = |asked: &Asked| {
            let patience_ms = if asked.answered { FRESH_MS_MAX } else { RETRY_MS_MIN };
            asked.at.elapsed() < Duration::from_millis(patience_ms)
        };
        if asked.as_ref().is_some_and(fresh) {
            return;
        }
        let gateway = ask(&config.run_dir.join("gateway.sock"));
        let sync = ask(&config.run_dir.join("sync.sock"));
        // Before the journal was looked into, nobody can say whether a receipt is about this box.
        let box_id = Some(lock(known).progress.box_id.clone()).filter(|box_id| !box_id.is_empty());
        let receipts = match &box_id {
            Some(box_id) => receipts::read(&config.sync_file, &config.state_dir, box_id).map_err(|error| chain(&error)),
            None => Err("the journal was not read yet".to_owned()),
        };
        let answered = gateway.is_ok() && sync.is_ok();
        *asked = box_id.map(|_| Asked { at: Instant::now(), answered });
        let (mut known, now) = (lock(known), machine_now());
        take(&mut known.gateway, gateway, now);
        take(&mut known.sync, sync, now);
        known.receipts = receipts;
    }
}

fn take<T>(told: &mut Told<T>, answer: Result<T, String>, now: UnixMs) {
    match answer {
        Ok(answer) => *told = Told { answer: Some((now, answer)), trouble: None },
        // What it said last stays, with its time.
        Err(why) => told.trouble = Some(why),
    }
}

fn ask<T: DeserializeOwned>(socket: &Path) -> Result<T, String> {
    let patience = Duration::from_millis(ANSWER_MS_MAX);
    let mut answer = control::ask_within(socket, &json!({"do": "status"}), patience).map_err(|error| chain(&error))?;
    let status = answer.get_mut("status").map(Value::take).unwrap_or_default();
    serde_json::from_value(status).map_err(|error| error.to_string())
}
