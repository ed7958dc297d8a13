//! What can be said of a gateway.

use std::net::IpAddr;

use super::GatewayCounters;
use crate::Eui64;
use crate::gwmp::Stat;

/// One gateway, as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayStatus<'a> {
    /// Which one.
    pub eui: Eui64,
    /// The address that may speak for it.
    pub address: IpAddr,
    /// A PULL_DATA or `stat` came within 30 s.
    pub online: bool,
    /// Since its last datagram, ms.
    pub seen_ms_ago: u64,
    /// What was counted.
    pub counters: GatewayCounters,
    /// Its last status report.
    pub stat: Option<&'a Stat>,
}
