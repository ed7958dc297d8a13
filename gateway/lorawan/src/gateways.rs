//! The gateways that talk to us: where each one is, whether it is alive, what it may still send, and which downlinks it
//! owes us word of.
//!
//! GWMP has no authentication, so an EUI is believed only as far as its address: the first address that speaks for an
//! EUI keeps it while it is alive. Otherwise a stranger's PULL_DATA would draw all downlinks to itself.

mod admission;
mod air;
mod bucket;
mod counters;
mod gateway;
mod health;
mod pending;
mod status;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::dedupe::Reception;
use crate::gwmp::{Header, Kind, PushData};
use crate::{Eui64, Region};
pub use admission::{Admission, Admitted, DATAGRAMS_PER_S, Refusal};
pub use counters::{GatewayCounters, RefusedCounters};
use gateway::Gateway;
pub use health::Hint;
pub use pending::{Acknowledged, NotSent, SendError};
pub use status::{Conflict, GatewayStatus};

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

/// All gateways. `P` is what the caller wants back with the fate of a downlink: whose it is.
///
/// All times are of one monotonic clock, in ms.
#[derive(Debug)]
pub struct Gateways<P> {
    region: Region,
    admission: Admission,
    table: BTreeMap<Eui64, Gateway<P>>,
    token_next: u16,
    refused: RefusedCounters,
    /// Pending when their gateway restarted, until [`Gateways::expire`]; at most `PENDING_MAX` a restart.
    dropped: Vec<NotSent<P>>,
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
    /// An empty table. `token_first` is a seed, so that tokens of an earlier run are not mistaken for ours.
    pub fn new(region: Region, admission: Admission, token_first: u16) -> Gateways<P> {
        Gateways {
            region,
            admission,
            table: BTreeMap::new(),
            token_next: token_first,
            refused: RefusedCounters::default(),
            dropped: Vec::new(),
        }
    }

    /// Decides whether a datagram is listened to, and notes that its gateway is alive. Call it on the header, before
    /// acknowledging and before parsing the rest.
    ///
    /// # Errors
    /// [`Refusal`]; it is counted.
    pub fn admit(&mut self, now_ms: u64, from: SocketAddr, header: &Header) -> Result<Admitted, Refusal> {
        self.judge(now_ms, from, header).inspect_err(|refusal| self.refused.count(refusal))
    }

    fn judge(&mut self, now_ms: u64, from: SocketAddr, header: &Header) -> Result<Admitted, Refusal> {
        let eui = header.eui;
        self.admission.check(from, eui)?;
        let datagrams_per_s_max = self.admission.datagrams_per_s_max;
        let admitted = match self.table.get_mut(&eui) {
            None => {
                self.make_room(now_ms, eui)?;
                self.table.insert(eui, Gateway::new(now_ms, from.ip(), self.region, datagrams_per_s_max));
                Admitted::New
            }
            Some(gateway) => gateway.pin(now_ms, eui, from.ip())?,
        };
        if let Some(gateway) = self.table.get_mut(&eui) {
            gateway.seen_ms = now_ms;
            gateway.keeps_rate(now_ms, eui)?;
            if header.kind == Kind::PullData {
                gateway.pull = Some((from, now_ms));
                gateway.online_ms = Some(now_ms);
                gateway.counters.pull += 1;
            }
        }
        Ok(admitted)
    }

    /// Counts what an admitted PUSH_DATA held, and gives the frames that go on to the MAC layer, in its order.
    ///
    /// If the gateway's counter began anew (its forwarder restarted), its pending downlinks are dropped, to be taken
    /// with [`Gateways::expire`], and receptions before it are of another [`CounterRun`](crate::CounterRun): no answer
    /// to them is sent through this gateway.
    pub fn heard(&mut self, now_ms: u64, push: PushData) -> Vec<Reception> {
        let eui = push.eui;
        let Some(gateway) = self.table.get_mut(&eui) else { return Vec::new() };
        gateway.counters.count(&push);
        let mut receptions = Vec::with_capacity(push.rxpk.len());
        for rxpk in push.rxpk {
            if gateway.counter(now_ms, rxpk.tmst_us) {
                self.dropped.extend(gateway.drop_pending(eui));
            }
            if rxpk.crc.is_usable() {
                receptions.push(Reception { gateway: eui, run: gateway.run, received_ms: now_ms, rxpk });
            }
        }
        if let Some(stat) = push.stat {
            gateway.online_ms = Some(now_ms);
            gateway.health.report(stat);
        }
        receptions
    }

    /// Counts an admitted datagram that could not be parsed.
    pub fn unreadable(&mut self, eui: Eui64) {
        if let Some(gateway) = self.table.get_mut(&eui) {
            gateway.counters.malformed += 1;
        }
    }

    /// Whether this gateway is in the table.
    pub fn contains(&self, eui: Eui64) -> bool {
        self.table.contains_key(&eui)
    }

    /// How many gateways are online: nobody else can hear a frame.
    pub fn online(&self, now_ms: u64) -> usize {
        self.table.values().filter(|gateway| gateway.is_online(now_ms)).count()
    }

    /// Gateways that are online and can be sent to, by EUI: for a device of which nobody knows who hears it best.
    pub fn reachable(&self, now_ms: u64) -> Vec<Eui64> {
        let reachable = |(_, gateway): &(&Eui64, &Gateway<P>)| gateway.is_online(now_ms) && gateway.pull.is_some();
        self.table.iter().filter(reachable).map(|(eui, _)| *eui).collect()
    }

    /// Every gateway in the table, by EUI.
    pub fn status(&self, now_ms: u64) -> impl Iterator<Item = GatewayStatus<'_>> {
        self.table.iter().map(move |(eui, gateway)| GatewayStatus::of(now_ms, *eui, gateway))
    }

    /// Datagrams that were not listened to.
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
                if let Some(mut gateway) = self.table.remove(&oldest) {
                    self.dropped.extend(gateway.drop_pending(oldest));
                }
                self.refused.forgotten += 1;
                Ok(())
            }
            None => Err(Refusal::TableFull { eui }),
        }
    }
}

#[cfg(test)]
mod tests;
