//! Evidence of who was told, journaled by the gateway; and what it says of alarms that stand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use control::chain;
use notify::{AlarmKey, Evidence, Told};
use record::{Act, Notification, Priority, Seq, SeqRange, Suppression};
use serde::Deserialize;
use serde_json::json;

use crate::files::{FileThread, FileThreadEnded};

/// How long the gateway may think. It answers at once, or has other worries.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the gateway is asked to journal.
fn act(evidence: &Evidence) -> Act {
    let (outcome, channel) = match &evidence.told {
        Told::Delivered(channel) => (Notification::Delivered, Some(channel.to_string())),
        Told::Escalated => (Notification::Escalated, None),
        Told::Unreached => (Notification::Unreached, None),
    };
    Act::Notified { alarm: evidence.alarm, level: evidence.level.to_string(), outcome, channel }
}

/// Has it journaled; whether it is.
pub(super) async fn journal(
    files: FileThread,
    gateway: PathBuf,
    evidence: Evidence,
    in_doubt: bool,
) -> Result<bool, FileThreadEnded> {
    let act = act(&evidence);
    if in_doubt {
        let (sought, from) = (act.clone(), evidence.alarm);
        match files.run(move |files| is_journaled(&files.reader, &sought, from)).await? {
            Ok(false) => {}
            Ok(true) => return Ok(true),
            Err(error) => {
                log::debug!(error = chain(&error).as_str(); "the journal does not say whether people were told");
                return Ok(false);
            }
        }
    }
    let Ok(mut request) = serde_json::to_value(&act) else { return Ok(false) };
    request["do"] = "audit".into();
    request["reason"] = "".into();
    let asked = tokio::task::spawn_blocking(move || control::ask_within(&gateway, &request, PATIENCE)).await;
    let refused = match asked {
        Ok(Ok(_)) => return Ok(true),
        // The alarm's record is gone, or was never one: nothing more can be proven of it.
        Ok(Err(control::AskError::Refused { why, .. })) => {
            log::warn!(alarm:% = evidence.alarm, why = why.as_str(); "the gateway does not journal who was told");
            return Ok(true);
        }
        Ok(Err(error)) => chain(&error),
        Err(broke) => broke.to_string(),
    };
    log::debug!(alarm:% = evidence.alarm, error = refused.as_str(); "the gateway was not asked to journal who was told");
    Ok(false)
}

fn is_journaled(reader: &journal::Reader, sought: &Act, from: Seq) -> Result<bool, journal::StoreError> {
    let Some(last) = reader.position()?.end.0.checked_sub(1).map(Seq) else { return Ok(false) };
    let Some(range) = SeqRange::new(from, last) else { return Ok(false) };
    let mut is_there = false;
    reader.audits(range, |_, audit| is_there |= audit.act == *sought)?;
    Ok(is_there)
}

/// What the gateway says of an alarm that stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// How urgent.
    pub(super) priority: Option<Priority>,
    /// Whether nobody is told of it: somebody has set it aside, or its rule suppresses it.
    pub(super) is_shelved: bool,
}

/// Alarms that stand by the gateway's word; none if it does not answer.
pub(super) async fn ask_alarms(gateway: &Path) -> Option<BTreeMap<AlarmKey, Shown>> {
    #[derive(Deserialize)]
    struct Alarm {
        #[serde(flatten)]
        key: AlarmKey,
        #[serde(default)]
        priority: Option<Priority>,
        #[serde(default)]
        shelved_until_ms: Option<i64>,
        #[serde(default)]
        suppression: Option<Suppression>,
    }
    let gateway = gateway.to_owned();
    let asked =
        tokio::task::spawn_blocking(move || control::ask_within(&gateway, &json!({"do": "status"}), PATIENCE)).await;
    let mut answer = asked.ok()?.ok()?;
    let alarms: Vec<Alarm> = serde_json::from_value(answer["status"]["alarms"].take()).ok()?;
    let shown = |alarm: Alarm| {
        let Alarm { key, priority, shelved_until_ms, suppression } = alarm;
        (key, Shown { priority, is_shelved: shelved_until_ms.is_some() || suppression.is_some() })
    };
    Some(alarms.into_iter().map(shown).collect())
}

/// Those of the two newest answers, and where the journal ended before the older one: an alarm that was there by then and
/// stands in neither is gone, however late the gateway shows what it journaled.
#[derive(Debug, Default)]
pub(super) struct Standing {
    before: Option<(Seq, BTreeSet<AlarmKey>)>,
}

impl Standing {
    /// Takes an answer; what is sure after it.
    pub(super) fn take(&mut self, end: Seq, alarms: BTreeSet<AlarmKey>) -> Option<(Seq, BTreeSet<AlarmKey>)> {
        let before = self.before.replace((end, alarms.clone()));
        before.map(|(end, mut before)| {
            before.extend(alarms);
            (end, before)
        })
    }
}
