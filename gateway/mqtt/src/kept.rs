//! Sessions without a connection: kept in memory for resuming, and handed to the committer before a client is promised
//! anything.
//!
//! Bounded by [`Limits::sessions_kept_max`], and each by [`SESSION_BYTES_MAX`](crate::SESSION_BYTES_MAX) and the two
//! windows. A lapsed session goes within a second of its expiry.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::command::CommandId;
use crate::router::lock;
use crate::session_state::SessionState;
use crate::will::Will;
use crate::{Limits, SessionChange, SessionReply, StoredSession};

/// How long a client waits for its session to be stored.
const STORE_WAIT: Duration = Duration::from_secs(10);

/// All kept sessions, those of connected devices included.
#[derive(Debug)]
pub(crate) struct KeptSessions {
    kept: Mutex<HashMap<Arc<str>, Kept>>,
    changes: mpsc::Sender<SessionChange>,
    sessions_max: usize,
}

/// The part of a session that only lasts as long as the daemon.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    /// QoS 2: identifiers answered with PUBREC and not released yet, the newest last.
    pub(crate) unreleased: VecDeque<u16>,
    /// Commands sent and not acknowledged, with their packet identifiers.
    pub(crate) in_flight: Vec<(u16, CommandId)>,
}

#[derive(Debug)]
struct Kept {
    state: SessionState,
    exchanges: Exchanges,
    /// When it lapses; none while its device is connected.
    until: Option<Instant>,
    /// A will that waits for its Will Delay Interval (MQTT 5 §3.1.3.2.2).
    will: Option<(Will, Instant)>,
}

/// A session as it begins.
#[derive(Debug)]
pub(crate) struct Opened {
    /// It goes on from an earlier connection.
    pub(crate) present: bool,
    pub(crate) state: SessionState,
    pub(crate) exchanges: Exchanges,
}

/// The session could not be made durable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotStored;

impl KeptSessions {
    /// Takes over what was stored. The time without the daemon does not count: the box's clock may not be right.
    pub(crate) fn new(stored: Vec<StoredSession>, changes: mpsc::Sender<SessionChange>, limits: &Limits) -> Self {
        let now = Instant::now();
        let kept = stored.into_iter().take(limits.sessions_kept_max).filter_map(|StoredSession { device, state }| {
            let Some(state) = SessionState::decode(&state) else {
                log::warn!(device:%; "a stored mqtt session cannot be read, its device subscribes anew");
                return None;
            };
            let until = Some(now + state.expiry().min(limits.session_expiry_max));
            Some((device, Kept { state, exchanges: Exchanges::default(), until, will: None }))
        });
        Self { kept: Mutex::new(kept.collect()), changes, sessions_max: limits.sessions_kept_max }
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.kept).len()
    }

    /// Begins a session, or goes on with the kept one, and makes durable what that changes. `own` says whether a topic
    /// still is the device's. The caller holds the device's place.
    pub(crate) async fn open(
        &self,
        device: &Arc<str>,
        clean: bool,
        expiry_s: u32,
        own: impl Fn(&str) -> bool,
    ) -> Result<Opened, NotStored> {
        let (mut opened, before) = self.take(device, clean, expiry_s);
        opened.state.subscriptions.retain(|(topic, _)| own(topic));
        let after = opened.state.encode();
        if after != before && self.store(device, after).await.is_err() {
            self.release(device, Instant::now());
            return Err(NotStored);
        }
        self.note(device, &opened.state);
        Ok(opened)
    }

    /// The session to begin, and the stored bytes of the one that was. Until [`KeptSessions::note`] or
    /// [`KeptSessions::release`] that one neither lapses nor changes.
    fn take(&self, device: &Arc<str>, clean: bool, expiry_s: u32) -> (Opened, Vec<u8>) {
        let mut all = lock(&self.kept);
        let room = all.len() < self.sessions_max || all.contains_key(device);
        let expiry_s = if room { expiry_s } else { 0 };
        let mut opened = Opened {
            present: false,
            state: SessionState { expiry_s, subscriptions: Vec::new() },
            exchanges: Exchanges::default(),
        };
        let Some(kept) = all.get_mut(device) else { return (opened, Vec::new()) };
        let before = kept.state.encode();
        let lapsed = kept.until.is_some_and(|until| until <= Instant::now());
        kept.until = None;
        // The device is back before its will was due.
        kept.will = None;
        if !clean && !lapsed {
            opened.present = true;
            opened.state.subscriptions.clone_from(&kept.state.subscriptions);
            opened.exchanges = std::mem::take(&mut kept.exchanges);
        }
        (opened, before)
    }

    /// Remembers the session of a connected device.
    pub(crate) fn note(&self, device: &Arc<str>, state: &SessionState) {
        let mut all = lock(&self.kept);
        if state.expiry_s == 0 {
            all.remove(device);
            return;
        }
        let kept = Kept { state: state.clone(), exchanges: Exchanges::default(), until: None, will: None };
        all.insert(Arc::clone(device), kept);
    }

    /// The connection has ended; the session waits for the next one, and `will` for its delay.
    pub(crate) fn leave(&self, device: &Arc<str>, exchanges: Exchanges, will: Option<(Will, Duration)>) {
        let now = Instant::now();
        if let Some(kept) = lock(&self.kept).get_mut(device) {
            kept.exchanges = exchanges;
            kept.will = will.map(|(will, delay)| (will, now + delay.min(kept.state.expiry())));
        }
        self.release(device, now);
    }

    fn release(&self, device: &Arc<str>, now: Instant) {
        if let Some(kept) = lock(&self.kept).get_mut(device) {
            kept.until = Some(now + kept.state.expiry());
        }
    }

    /// Makes a session durable.
    pub(crate) async fn store(&self, device: &Arc<str>, state: Vec<u8>) -> Result<(), NotStored> {
        let (stored, is_stored) = oneshot::channel();
        let change = SessionChange { device: Arc::clone(device), state, reply: SessionReply(stored) };
        let storing = async {
            self.changes.send(change).await.map_err(|_| NotStored)?;
            is_stored.await.map_err(|_| NotStored)
        };
        timeout(STORE_WAIT, storing).await.unwrap_or(Err(NotStored))
    }

    /// Lets lapsed sessions go, and returns the wills that are due: by their delay, or because their session ended.
    pub(crate) fn sweep(&self, now: Instant) -> Vec<Will> {
        let mut due = Vec::new();
        lock(&self.kept).retain(|device, kept| {
            let lapsed = kept.until.is_some_and(|until| until <= now);
            if let Some((will, _)) = kept.will.take_if(|(_, at)| lapsed || *at <= now) {
                due.push(will);
            }
            // Under the lock, so that no new session of the device is stored in between. Nobody waits for the reply:
            // a session that lapsed and is still stored lapses again after a restart.
            let gone = |reply| SessionChange { device: Arc::clone(device), state: Vec::new(), reply };
            !(lapsed && self.changes.try_send(gone(SessionReply(oneshot::channel().0))).is_ok())
        });
        due
    }
}
