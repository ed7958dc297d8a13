//! A key that is not known at one end may have taken the place of one that is: whoever does not know it is told.
//!
//! A platform that does not know the key that signed a batch gets the statements of the box's keys, and then the same batch
//! once more. A receipt by a key that is not known here is a reason to ask the platform for the statements of its own; what the
//! pinned key has signed for, directly or by those between, is believed once the gateway has journaled it.
//!
//! Nothing is remembered of either: who was never reached, or has lost what it was told, asks by refusing. So a change of a
//! key needs no link, and a kill in between changes nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use batch::{BatchId, KeyStatement, PublicKey, platform_keys};
use delivery::Transient;
use serde_json::json;

use crate::destination::answer::{Answer, Expected};
use crate::destination::progress::Progress;
use crate::destination::transport::{Transport, Way};
use crate::files::FileThread;

/// What both need.
pub(super) struct Strangers<'a> {
    pub(super) transport: &'a Transport,
    pub(super) files: FileThread,
    pub(super) name: Arc<str>,
    pub(super) timeout: Duration,
}

impl Strangers<'_> {
    /// Tells the platform of the box's keys, then sends the same bytes again, once.
    pub(super) async fn introduce(&self, expected: &Expected, progress: Progress, id: BatchId, what: String) -> Answer {
        let refused = |what: String| {
            let why = if what.contains("key_revoked") { Transient::Revoked } else { Transient::NotEnrolled };
            Answer::Failed { why, retry_after_ms: None, what }
        };
        let name = self.name.clone();
        let read = self.files.run(move |files| (files.key_changes(), files.outbox.batch_bytes(&name, &id.0)));
        let Ok((changes, Ok(Some(bytes)))) = read.await else { return refused(what) };
        if changes.is_empty() {
            return refused(what);
        }
        log::info!(destination:% = self.name, changes = changes.len(); "the platform is told of the box's new key");
        let told = self.transport.tell_keys(&expected.box_id, changes, self.timeout).await;
        match self.transport.put(Way::Fresh, progress, expected, id, bytes, self.timeout).await {
            Answer::StrangeKey { what } => refused(told.map_or(what.clone(), |told| format!("{what} · {told}"))),
            answer => answer,
        }
    }

    /// Asks the platform which keys took the place of the known ones; what the receipt is worth then, and the keys.
    pub(super) async fn ask_for_keys(
        &self,
        expected: &Expected,
        id: BatchId,
        receipt: Vec<u8>,
        what: String,
        gateway: PathBuf,
    ) -> (Answer, Option<Vec<PublicKey>>) {
        let told = self.transport.platform_changes(self.timeout).await;
        let known = expected.keys.len();
        let all: Vec<KeyStatement> = told.iter().map(|(_, statement)| statement.clone()).collect();
        let keys = platform_keys(expected.keys[0], &all);
        let widened = Expected { keys: keys.clone(), ..expected.clone() };
        let answer = widened.verify(id, receipt);
        // Not by any of them: nothing is changed for it.
        if !matches!(answer, Answer::Receipt { .. }) || keys.len() <= known {
            let what = format!("{what}; the pinned key has not signed for it");
            return (Answer::Failed { why: Transient::Unverified, retry_after_ms: None, what }, None);
        }
        let joined = told.iter().filter(|(_, statement)| keys.contains(&statement.keys().1));
        let changes: Vec<Vec<u8>> = joined.map(|(cose, _)| cose.clone()).collect();
        match self.journal(changes, gateway).await {
            Ok(()) => {
                let newest = keys.last().map(ToString::to_string).unwrap_or_default();
                log::warn!(destination:% = self.name, key:% = newest; "the platform signs with another key now, by the word of the pinned one");
                (answer, Some(keys))
            }
            Err(why) => {
                let what = format!("the platform's key has changed, and the gateway does not journal it yet: {why}");
                (Answer::Failed { why: Transient::Unverified, retry_after_ms: None, what }, None)
            }
        }
    }

    /// Has the gateway journal and keep them, before they are believed.
    async fn journal(&self, changes: Vec<Vec<u8>>, gateway: PathBuf) -> Result<(), String> {
        let reason = format!("told by {}", self.name);
        let ask = move || {
            changes.iter().try_for_each(|cose| {
                let statement = hex::encode(cose);
                let order = json!({"do": "audit", "act": "key_changed", "statement": statement, "reason": reason});
                control::ask(&gateway, &order).map(drop).map_err(|error| control::chain(&error))
            })
        };
        tokio::task::spawn_blocking(ask).await.map_err(|error| error.to_string())?
    }
}
