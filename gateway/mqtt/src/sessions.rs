//! Who is connected: at most one session a device, and what each device ever sent.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::counters::{DeviceCounters, DeviceTotals};
use crate::router::lock;

/// The live sessions, and the totals of every device ever seen (both bounded by the device table).
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    live: Mutex<HashMap<Arc<str>, Live>>,
    totals: Mutex<BTreeMap<Arc<str>, Arc<DeviceTotals>>>,
}

/// One live session as the next one of its device sees it.
#[derive(Debug)]
struct Live {
    /// Sent: the session ends with "taken over".
    take_over: oneshot::Sender<()>,
    /// Closed when the session is gone, its router link included.
    gone: oneshot::Receiver<()>,
    /// Which session it is: a session removes only itself.
    session: Arc<()>,
}

/// The right to be the session of a device, held for as long as the session lives.
#[derive(Debug)]
pub(crate) struct Place {
    name: Arc<str>,
    sessions: Arc<Sessions>,
    session: Arc<()>,
    pub(crate) taken_over: oneshot::Receiver<()>,
    _alive: oneshot::Sender<()>,
}

impl Sessions {
    /// Takes the device's place, and waits until its previous session is gone. That wait ends: each wait of a session
    /// also waits for its takeover, and its farewell has a limit of its own.
    pub(crate) async fn enter(self: &Arc<Self>, name: &Arc<str>) -> Place {
        let (take_over, taken_over) = oneshot::channel();
        let (alive, gone) = oneshot::channel();
        let session = Arc::new(());
        let live = Live { take_over, gone, session: Arc::clone(&session) };
        let place = Place { name: Arc::clone(name), sessions: Arc::clone(self), session, taken_over, _alive: alive };
        let previous = lock(&self.live).insert(Arc::clone(name), live);
        if let Some(previous) = previous {
            // Fails if that session is just ending by itself.
            let _ = previous.take_over.send(());
            let _ = previous.gone.await;
        }
        place
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

impl Drop for Place {
    fn drop(&mut self) {
        let mut live = lock(&self.sessions.live);
        if live.get(&self.name).is_some_and(|other| Arc::ptr_eq(&other.session, &self.session)) {
            live.remove(&self.name);
        }
    }
}
