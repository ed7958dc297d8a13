//! The gateways that talk to us: where each one is, whether it is alive, and which downlinks it owes us word of.
//!
//! GWMP has no authentication, so an EUI is believed only as far as its address: the first address that speaks for an
//! EUI keeps it while it is alive. Otherwise a stranger's PULL_DATA would draw all downlinks to itself.

mod counters;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::Eui64;
use crate::gwmp::{Header, Kind, PushData, Token, TxAck, Txpk, pull_resp};
pub use counters::{GatewayCounters, RefusedCounters};
pub use status::GatewayStatus;

/// Most gateways known at a time. A site has one to three.
pub const GATEWAYS_MAX: usize = 64;

/// Most downlinks of a gateway without TX_ACK: the depth of the forwarder's own queue.
pub const PENDING_MAX: usize = 32;

/// How long a TX_ACK is waited for, ms. It normally comes within 50; a gateway drops a `txpk` that it cannot read without one.
pub const TX_ACK_MS_MAX: u64 = 5_000;

/// A gateway is online if a PULL_DATA (every 5 to 10 s) or a `stat` (every 30 s) came within this time, ms.
pub const ONLINE_MS_MAX: u64 = 30_000;

/// A gateway that was silent for longer gives its address and its place in the table free, ms.
pub const PINNED_MS_MAX: u64 = 60_000;

/// All gateways. `P` is what the caller wants back with the TX_ACK: the answer and whom it is for.
///
/// All times are of one monotonic clock, in ms.
#[derive(Debug)]
pub struct Gateways<P> {
    allowed: Option<BTreeSet<Eui64>>,
    table: BTreeMap<Eui64, Gateway<P>>,
    token_next: u16,
    refused: RefusedCounters,
}

#[derive(Debug)]
struct Gateway<P> {
    pinned: IpAddr,
    /// From where the last PULL_DATA came: the only place to send a downlink to.
    pull_from: Option<SocketAddr>,
    seen_ms: u64,
    /// Last PULL_DATA or `stat`.
    online_ms: Option<u64>,
    pending: BTreeMap<Token, Pending<P>>,
    counters: GatewayCounters,
    stat: Option<crate::gwmp::Stat>,
}

#[derive(Debug)]
struct Pending<P> {
    value: P,
    expires_ms: u64,
}

/// What admitting a datagram said about its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// Same gateway, same address.
    Known,
    /// First datagram of this gateway.
    New,
    /// The gateway was silent for over 60 s and now speaks from another address. Worth a log line.
    Moved {
        /// Its address until now.
        before: IpAddr,
    },
}

/// Why a datagram is not listened to. Do not acknowledge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The EUI is not in the allow-list.
    #[error("gateway {eui} is not in the allow-list: add it to the configuration if it is yours")]
    NotAllowed {
        /// Whose datagram it claims to be.
        eui: Eui64,
    },
    /// Another address speaks for a gateway that is alive. A security event.
    #[error("gateway {eui} is at {pinned} but {from} speaks for it: find out who that is")]
    AddressChanged {
        /// Whose datagram it claims to be.
        eui: Eui64,
        /// Where that gateway is.
        pinned: IpAddr,
        /// Who sent this.
        from: IpAddr,
    },
    /// 64 gateways are alive.
    #[error("gateway {eui} is one too many, 64 are alive: set an allow-list of your own gateways")]
    TableFull {
        /// Whose datagram it claims to be.
        eui: Eui64,
    },
}

/// Why a downlink cannot be handed to a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It never sent a PULL_DATA, so the way to it is unknown.
    #[error("gateway {eui} has not sent PULL_DATA: check its server address and down port")]
    NoPath {
        /// Which gateway.
        eui: Eui64,
    },
    /// 32 of its downlinks have no TX_ACK yet.
    #[error("gateway {eui} has 32 downlinks without TX_ACK: drop this one, the device repeats its frame")]
    QueueFull {
        /// Which gateway.
        eui: Eui64,
    },
}

/// A datagram to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to: the source of the gateway's last PULL_DATA.
    pub to: SocketAddr,
    /// The PULL_RESP.
    pub datagram: Vec<u8>,
}

impl<P> Gateways<P> {
    /// An empty table. `allowed` none admits every EUI, which is for loopback only; `token_first` is a seed, so that
    /// tokens of an earlier run are not mistaken for ours.
    pub fn new(allowed: Option<BTreeSet<Eui64>>, token_first: u16) -> Gateways<P> {
        Gateways { allowed, table: BTreeMap::new(), token_next: token_first, refused: RefusedCounters::default() }
    }

    /// Decides whether a datagram is listened to, and notes that its gateway is alive. Call it on the header, before
    /// acknowledging and before parsing the rest.
    ///
    /// # Errors
    /// [`Refusal`]; it is counted.
    pub fn admit(&mut self, now_ms: u64, from: SocketAddr, header: &Header) -> Result<Admitted, Refusal> {
        let eui = header.eui;
        if self.allowed.as_ref().is_some_and(|allowed| !allowed.contains(&eui)) {
            self.refused.not_allowed += 1;
            return Err(Refusal::NotAllowed { eui });
        }
        let admitted = match self.table.get_mut(&eui) {
            None => {
                self.make_room(now_ms, eui)?;
                self.table.insert(eui, Gateway::new(from.ip()));
                Admitted::New
            }
            Some(gateway) => gateway.pin(now_ms, eui, from.ip())?,
        };
        if let Some(gateway) = self.table.get_mut(&eui) {
            gateway.seen_ms = now_ms;
            if header.kind == Kind::PullData {
                gateway.pull_from = Some(from);
                gateway.online_ms = Some(now_ms);
                gateway.counters.pull += 1;
            }
        }
        Ok(admitted)
    }

    /// Counts what an admitted PUSH_DATA held.
    pub fn heard(&mut self, now_ms: u64, push: &PushData) {
        let Some(gateway) = self.table.get_mut(&push.eui) else { return };
        gateway.counters.count(push);
        if let Some(stat) = &push.stat {
            gateway.online_ms = Some(now_ms);
            gateway.stat = Some(stat.clone());
        }
    }

    /// Counts an admitted datagram that could not be parsed.
    pub fn unreadable(&mut self, eui: Eui64) {
        if let Some(gateway) = self.table.get_mut(&eui) {
            gateway.counters.malformed += 1;
        }
    }

    /// Makes the PULL_RESP for `txpk` and remembers `pending` until its TX_ACK or [`TX_ACK_MS_MAX`].
    ///
    /// # Errors
    /// [`SendError`]; nothing is remembered then.
    pub fn send(&mut self, now_ms: u64, eui: Eui64, txpk: &Txpk, pending: P) -> Result<Outgoing, SendError> {
        let gateway = self.table.get_mut(&eui).ok_or(SendError::NoPath { eui })?;
        let to = gateway.pull_from.ok_or(SendError::NoPath { eui })?;
        if gateway.pending.len() >= PENDING_MAX {
            return Err(SendError::QueueFull { eui });
        }
        // Ends after at most PENDING_MAX steps.
        let token = loop {
            let token = Token(self.token_next.to_be_bytes());
            self.token_next = self.token_next.wrapping_add(1);
            if !gateway.pending.contains_key(&token) {
                break token;
            }
        };
        let expires_ms = now_ms.saturating_add(TX_ACK_MS_MAX);
        gateway.pending.insert(token, Pending { value: pending, expires_ms });
        gateway.counters.tx_sent += 1;
        Ok(Outgoing { to, datagram: pull_resp(token, txpk) })
    }

    /// Gives back what was pending under an admitted TX_ACK's gateway and token; none if nothing was, or no more.
    pub fn acknowledged(&mut self, ack: &TxAck) -> Option<P> {
        let gateway = self.table.get_mut(&ack.eui)?;
        match gateway.pending.remove(&ack.token) {
            Some(pending) => {
                gateway.counters.count_outcome(ack.outcome);
                Some(pending.value)
            }
            None => {
                gateway.counters.tx_ack_unmatched += 1;
                None
            }
        }
    }

    /// Takes out what has waited too long for its TX_ACK.
    pub fn expire(&mut self, now_ms: u64) -> Vec<(Eui64, P)> {
        let mut expired = Vec::new();
        for (eui, gateway) in &mut self.table {
            let all = std::mem::take(&mut gateway.pending);
            let (late, waiting): (BTreeMap<_, _>, _) =
                all.into_iter().partition(|(_, pending)| pending.expires_ms <= now_ms);
            gateway.pending = waiting;
            gateway.counters.tx_timed_out += late.len() as u64;
            expired.extend(late.into_values().map(|pending| (*eui, pending.value)));
        }
        expired
    }

    /// When [`Gateways::expire`] has something to do; none if nothing is pending.
    pub fn next_timeout_ms(&self) -> Option<u64> {
        self.table.values().flat_map(|gateway| gateway.pending.values()).map(|pending| pending.expires_ms).min()
    }

    /// Every gateway in the table, by EUI.
    pub fn status(&self, now_ms: u64) -> impl Iterator<Item = GatewayStatus<'_>> {
        self.table.iter().map(move |(eui, gateway)| GatewayStatus {
            eui: *eui,
            address: gateway.pinned,
            online: gateway.online_ms.is_some_and(|online_ms| now_ms.saturating_sub(online_ms) <= ONLINE_MS_MAX),
            seen_ms_ago: now_ms.saturating_sub(gateway.seen_ms),
            counters: gateway.counters,
            stat: gateway.stat.as_ref(),
        })
    }

    /// Datagrams that belong to no gateway in the table.
    pub fn refused(&self) -> RefusedCounters {
        self.refused
    }

    /// A full table gives up the gateway that was silent the longest, if it is not alive any more.
    fn make_room(&mut self, now_ms: u64, eui: Eui64) -> Result<(), Refusal> {
        if self.table.len() < GATEWAYS_MAX {
            return Ok(());
        }
        let oldest = self.table.iter().min_by_key(|(_, gateway)| gateway.seen_ms);
        match oldest.filter(|(_, gateway)| !gateway.is_alive(now_ms)).map(|(oldest, _)| *oldest) {
            Some(oldest) => {
                self.table.remove(&oldest);
                self.refused.forgotten += 1;
                Ok(())
            }
            None => {
                self.refused.table_full += 1;
                Err(Refusal::TableFull { eui })
            }
        }
    }
}

impl<P> Gateway<P> {
    fn new(pinned: IpAddr) -> Gateway<P> {
        Gateway {
            pinned,
            pull_from: None,
            seen_ms: 0,
            online_ms: None,
            pending: BTreeMap::new(),
            counters: GatewayCounters::default(),
            stat: None,
        }
    }

    fn is_alive(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.seen_ms) <= PINNED_MS_MAX
    }

    fn pin(&mut self, now_ms: u64, eui: Eui64, from: IpAddr) -> Result<Admitted, Refusal> {
        if from == self.pinned {
            return Ok(Admitted::Known);
        }
        if self.is_alive(now_ms) {
            self.counters.address_refused += 1;
            return Err(Refusal::AddressChanged { eui, pinned: self.pinned, from });
        }
        let before = std::mem::replace(&mut self.pinned, from);
        self.pull_from = None;
        Ok(Admitted::Moved { before })
    }
}

#[cfg(test)]
mod tests;
