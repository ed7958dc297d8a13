//! Who tried to connect and was not let in: what a technician adds, mends, or leaves to its owner.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Strangers that are remembered; the one that tried longest ago makes room.
pub const STRANGERS_MAX: usize = 64;

/// Characters of a client id or user name that are remembered.
const NAME_CHARS_MAX: usize = 64;

/// A client that was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// How it calls itself; nothing of it is proved.
    pub name: StrangerName,
    /// CONNECTs since the edge started.
    pub connects: u64,
    /// When it tried last.
    pub last: Instant,
    /// From where it tried last.
    pub from: IpAddr,
}

/// How a client calls itself, and why that does not let it in. Control characters are replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StrangerName {
    /// Client id.
    pub client_id: String,
    /// User name; none if it gave none.
    pub user: Option<String>,
    /// What is the matter.
    pub why: Unknown,
}

/// Why nobody knows a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// No device has this name.
    Device,
    /// The device is known; its secret is wrong or missing, or it is disabled.
    Secret,
    /// Client id, user name and device are not the same.
    Identity,
    /// The client id is no name: empty, too long, or with other characters.
    ClientId,
    /// The client's certificate does not name it.
    Certificate,
}

/// What a refused CONNECT said of its client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) client_id: String,
    pub(crate) user: Option<String>,
}

/// The strangers since the start.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<BTreeMap<StrangerName, Stranger>>);

impl Claim {
    pub(crate) fn new(client_id: &str, user: Option<&str>) -> Claim {
        Claim { client_id: readable(client_id), user: user.filter(|user| !user.is_empty()).map(readable) }
    }
}

/// The beginning of a text, fit for a terminal.
fn readable(text: &str) -> String {
    let safe = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(NAME_CHARS_MAX).map(safe).collect()
}

impl Strangers {
    pub(crate) fn note(&self, claim: &Claim, why: Unknown, peer: SocketAddr) {
        let Claim { client_id, user } = claim.clone();
        let (name, now, from) = (StrangerName { client_id, user, why }, Instant::now(), peer.ip());
        let mut strangers = self.lock();
        if let Some(known) = strangers.get_mut(&name) {
            known.connects = known.connects.saturating_add(1);
            (known.last, known.from) = (now, from);
            return;
        }
        if strangers.len() >= STRANGERS_MAX {
            let oldest = strangers.values().min_by_key(|stranger| stranger.last).map(|stranger| stranger.name.clone());
            oldest.and_then(|oldest| strangers.remove(&oldest));
        }
        strangers.insert(name.clone(), Stranger { name, connects: 1, last: now, from });
    }

    pub(crate) fn list(&self) -> Vec<Stranger> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StrangerName, Stranger>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
