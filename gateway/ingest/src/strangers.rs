//! Who was heard and is in no device table, or claims to be in it and proves nothing: what a technician adds, mends, or
//! leaves to its owner.

use std::collections::BTreeMap;

use lorawan::{DevAddr, DevEui, JoinEui};
use record::{GatewayEui, Stamp};

/// Strangers that are remembered; the one not heard for longest makes room.
pub const STRANGERS_MAX: usize = 256;

/// How a stranger calls itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StrangerId {
    /// A join-request.
    Joining {
        /// DevEUI.
        dev_eui: DevEui,
        /// JoinEUI.
        join_eui: JoinEui,
    },
    /// A data frame.
    Speaking(DevAddr),
    /// A frame on a serial port.
    Serial(u32),
    /// A join-request of a device of the table whose root key does not verify it.
    UnprovedJoin {
        /// DevEUI.
        dev_eui: DevEui,
        /// JoinEUI.
        join_eui: JoinEui,
    },
    /// A data frame with an address of the table that no key verifies.
    Unproved(DevAddr),
    /// A frame on a serial port with an id of the table whose key does not verify it.
    UnprovedSerial(u16),
    /// An event of a ChirpStack, by DevEUI.
    Chirpstack(DevEui),
}

/// A device that is in no table, or not the one that it says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// How it calls itself; nothing of it is proved.
    pub id: StrangerId,
    /// Frames since the box started.
    pub frames: u64,
    /// When it was heard last.
    pub last: Stamp,
    /// By which gateway; none on a serial port.
    pub gateway: Option<GatewayEui>,
    /// Of a data frame: its DevAddr is not one of a private network, so most likely it is another network's device.
    pub foreign: bool,
}

/// The strangers since the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strangers {
    heard: BTreeMap<StrangerId, Stranger>,
}

impl Strangers {
    pub(crate) fn note(&mut self, id: StrangerId, gateway: Option<GatewayEui>, now: Stamp) {
        if let Some(known) = self.heard.get_mut(&id) {
            known.frames = known.frames.saturating_add(1);
            (known.last, known.gateway) = (now, gateway);
            return;
        }
        if self.heard.len() >= STRANGERS_MAX {
            let oldest = self.heard.values().min_by_key(|stranger| stranger.last.mono_ms).map(|stranger| stranger.id);
            oldest.and_then(|oldest| self.heard.remove(&oldest));
        }
        let foreign = matches!(id, StrangerId::Speaking(dev_addr) if !is_private(dev_addr));
        self.heard.insert(id, Stranger { id, frames: 1, last: now, gateway, foreign });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Stranger> {
        self.heard.values()
    }
}

/// NetIDs 000000 and 000001 are for private networks: DevAddrs 00000000 to 03ffffff (TS002 §13).
fn is_private(dev_addr: DevAddr) -> bool {
    dev_addr.to_u32() >> 26 == 0
}
