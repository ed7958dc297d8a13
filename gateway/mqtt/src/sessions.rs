//! Who is connected: at most one session a device, and what each device ever sent.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::command::COMMANDS_WAITING_MAX;
use crate::counters::{DeviceCounters, DeviceTotals};
use crate::pace::Pace;
use crate::router::lock;
use crate::{Command, Handed};

/// The live sessions, and the totals and the pace of every device ever seen (all bounded by the device table).
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    live: Mutex<HashMap<Arc<str>, Live>>,
    totals: Mutex<BTreeMap<Arc<str>, Arc<DeviceTotals>>>,
    /// Of devices without a session: a new connection is as fast as the last one left it.
    paces: Mutex<HashMap<Arc<str>, Pace>>,
}

/// One live session as the next one of its device sees it.
#[derive(Debug)]
struct Live {
    /// Sent: the session ends with "taken over".
    take_over: oneshot::Sender<()>,
    /// Closed when the session is gone, its router link included.
    gone: oneshot::Receiver<()>,
    /// Which session it is: a session removes only itself. True while it is subscribed to its command topic.
    listening: Arc<AtomicBool>,
    commands: mpsc::Sender<Command>,
}

/// The right to be the session of a device, held for as long as the session lives.
#[derive(Debug)]
pub(crate) struct Place {
    name: Arc<str>,
    sessions: Arc<Sessions>,
    listening: Arc<AtomicBool>,
    /// Commands for the device.
    pub(crate) commands: mpsc::Receiver<Command>,
    /// How far the device is ahead of its rate.
    pub(crate) pace: Pace,
    pub(crate) taken_over: oneshot::Receiver<()>,
    _alive: oneshot::Sender<()>,
}

impl Sessions {
    /// Takes the device's place, and waits until its previous session is gone. That wait ends: each wait of a session
    /// also waits for its takeover, and its farewell has a limit of its own.
    pub(crate) async fn enter(self: &Arc<Self>, name: &Arc<str>) -> Place {
        let (take_over, taken_over) = oneshot::channel();
        let (alive, gone) = oneshot::channel();
        let (commands, sent) = mpsc::channel(COMMANDS_WAITING_MAX);
        let listening = Arc::new(AtomicBool::new(false));
        let live = Live { take_over, gone, listening: Arc::clone(&listening), commands };
        let mut place = Place {
            name: Arc::clone(name),
            sessions: Arc::clone(self),
            listening,
            commands: sent,
            pace: Pace::new(Instant::now()),
            taken_over,
            _alive: alive,
        };
        let previous = lock(&self.live).insert(Arc::clone(name), live);
        if let Some(previous) = previous {
            // Fails if that session is just ending by itself.
            let _ = previous.take_over.send(());
            let _ = previous.gone.await;
        }
        if let Some(pace) = lock(&self.paces).get(name) {
            place.pace = *pace;
        }
        place
    }

    /// Hands a command to the device's session.
    pub(crate) fn send(&self, name: &str, command: Command) -> Handed {
        let live = lock(&self.live);
        let Some(live) = live.get(name).filter(|live| live.listening.load(Ordering::Relaxed)) else {
            return Handed::NotListening;
        };
        match live.commands.try_send(command) {
            Ok(()) => Handed::Over,
            Err(TrySendError::Full(_)) => Handed::Busy,
            Err(TrySendError::Closed(_)) => Handed::NotListening,
        }
    }

    pub(crate) fn totals(&self, name: &Arc<str>) -> Arc<DeviceTotals> {
        Arc::clone(lock(&self.totals).entry(Arc::clone(name)).or_default())
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.live).len()
    }

    pub(crate) fn devices(&self) -> Vec<DeviceCounters> {
        lock(&self.totals).iter().map(|(name, totals)| totals.snapshot(Arc::clone(name))).collect()
    }
}

impl Place {
    /// Whether the session takes commands from now on.
    pub(crate) fn listen(&self, listening: bool) {
        self.listening.store(listening, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.sessions.paces).insert(Arc::clone(&self.name), self.pace);
        let mut live = lock(&self.sessions.live);
        if live.get(&self.name).is_some_and(|other| Arc::ptr_eq(&other.listening, &self.listening)) {
            live.remove(&self.name);
        }
    }
}
