//! One gateway: where it is, whether it is alive, which run of its counter this is.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::air::Air;
use super::bucket::Bucket;
use super::health::Health;
use super::pending::Pending;
use super::{Admitted, Conflict, GatewayCounters, ONLINE_MS_MAX, PINNED_MS_MAX, Refusal};
use crate::dedupe::CounterRun;
use crate::gwmp::Token;
use crate::ledger::Ledger;
use crate::{Eui64, Region};

/// How far, ms, a gateway's counter may differ from what our clock expects. Less is a datagram that waited while we
/// restarted; more is another run of the counter.
const COUNTER_JUMP_MS_MAX: u32 = 5_000;

#[derive(Debug)]
pub(super) struct Gateway<P> {
    pub(super) pinned: IpAddr,
    /// From where the last PULL_DATA came, and when: the only place to send a downlink to.
    pub(super) pull: Option<(SocketAddr, u64)>,
    pub(super) seen_ms: u64,
    /// Last PULL_DATA or `stat`.
    pub(super) online_ms: Option<u64>,
    pub(super) run: CounterRun,
    /// A value of its counter and when it reached us.
    counter: Option<(u32, u64)>,
    pub(super) pending: BTreeMap<Token, Pending<P>>,
    pub(super) air: Air,
    pub(super) ledger: Ledger,
    bucket: Bucket,
    pub(super) conflict: Option<Conflict>,
    pub(super) health: Health,
    pub(super) counters: GatewayCounters,
}

impl<P> Gateway<P> {
    pub(super) fn new(now_ms: u64, pinned: IpAddr, region: Region, datagrams_per_s_max: u32) -> Gateway<P> {
        Gateway {
            pinned,
            pull: None,
            seen_ms: now_ms,
            online_ms: None,
            run: CounterRun::default(),
            counter: None,
            pending: BTreeMap::new(),
            air: Air::default(),
            ledger: Ledger::new(now_ms, region),
            bucket: Bucket::new(now_ms, datagrams_per_s_max),
            conflict: None,
            health: Health::default(),
            counters: GatewayCounters::default(),
        }
    }

    pub(super) fn is_alive(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.seen_ms) <= PINNED_MS_MAX
    }

    pub(super) fn is_online(&self, now_ms: u64) -> bool {
        self.online_ms.is_some_and(|online_ms| now_ms.saturating_sub(online_ms) <= ONLINE_MS_MAX)
    }

    /// The first address that speaks for a gateway keeps it while it is alive.
    pub(super) fn pin(&mut self, now_ms: u64, eui: Eui64, from: IpAddr) -> Result<Admitted, Refusal> {
        if from == self.pinned {
            return Ok(Admitted::Known);
        }
        if self.is_alive(now_ms) {
            self.counters.address_refused += 1;
            self.conflict = Some(Conflict { from, at_ms: now_ms });
            return Err(Refusal::AddressChanged { eui, pinned: self.pinned, from });
        }
        let before = std::mem::replace(&mut self.pinned, from);
        self.pull = None;
        Ok(Admitted::Moved { before })
    }

    /// Whether it keeps to its rate. Only its own datagrams are counted, or a stranger could use its share up.
    pub(super) fn keeps_rate(&mut self, now_ms: u64, eui: Eui64) -> Result<(), Refusal> {
        if self.bucket.take(now_ms) {
            return Ok(());
        }
        self.counters.too_fast += 1;
        Err(Refusal::TooFast { eui })
    }

    /// Takes note of its counter; true if it cannot be the one it was, because the forwarder restarted.
    pub(super) fn counter(&mut self, now_ms: u64, tmst_us: u32) -> bool {
        let restarted = self.counter.is_some_and(|(before_us, before_ms)| {
            let passed_us = now_ms.saturating_sub(before_ms).wrapping_mul(1_000);
            // The counter's own width: whole turns of it are no difference.
            let [a, b, c, d, ..] = passed_us.to_le_bytes();
            let expected_us = before_us.wrapping_add(u32::from_le_bytes([a, b, c, d]));
            let off_us = tmst_us.wrapping_sub(expected_us);
            off_us.min(off_us.wrapping_neg()) > COUNTER_JUMP_MS_MAX * 1_000
        });
        if restarted {
            self.run.0 = self.run.0.wrapping_add(1);
            self.air.clear();
            self.counters.restarts += 1;
        }
        self.counter = Some((tmst_us, now_ms));
        restarted
    }
}
