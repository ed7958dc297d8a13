//! What can be said of a gateway.

use std::net::IpAddr;

use super::gateway::Gateway;
use super::{GatewayCounters, Hint};
use crate::Eui64;
use crate::gwmp::Stat;
use crate::ledger::DutyUse;

/// One gateway, as it stands. Ages are in ms.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayStatus<'a> {
    /// Which one.
    pub eui: Eui64,
    /// The address that may speak for it.
    pub address: IpAddr,
    /// A PULL_DATA or `stat` came within 30 s.
    pub online: bool,
    /// Since its last datagram.
    pub seen_ms_ago: u64,
    /// Since its last PULL_DATA, without which nothing can be sent through it; none if none came.
    pub pull_ms_ago: Option<u64>,
    /// Time on air by sub-band; empty where the plan limits none.
    pub duty: Vec<DutyUse>,
    /// The last other address that spoke for it while it was alive.
    pub conflict: Option<Conflict>,
    /// What its reports point at.
    pub hints: Vec<Hint>,
    /// What was counted.
    pub counters: GatewayCounters,
    /// Its last status report.
    pub stat: Option<&'a Stat>,
}

/// Somebody else spoke for a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// Who.
    pub from: IpAddr,
    /// When: monotonic ms.
    pub at_ms: u64,
}

impl GatewayStatus<'_> {
    pub(super) fn of<P>(now_ms: u64, eui: Eui64, gateway: &Gateway<P>) -> GatewayStatus<'_> {
        GatewayStatus {
            eui,
            address: gateway.pinned,
            online: gateway.is_online(now_ms),
            seen_ms_ago: now_ms.saturating_sub(gateway.seen_ms),
            pull_ms_ago: gateway.pull.map(|(_, at_ms)| now_ms.saturating_sub(at_ms)),
            duty: gateway.ledger.used(now_ms).collect(),
            conflict: gateway.conflict,
            hints: gateway.health.hints(),
            counters: gateway.counters,
            stat: gateway.health.last(),
        }
    }
}
