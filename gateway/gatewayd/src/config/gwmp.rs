//! `[gwmp]`: the LoRa gateways.

use std::net::SocketAddr;

use ipnet::IpNet;
use lorawan::{Eui64, Region};
use serde::Deserialize;

/// The LoRa side.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gwmp {
    /// Whether to listen at all.
    pub enabled: bool,
    /// Address and port, unless systemd hands a socket over. Only loopback without `gateways` and `networks`, because
    /// GWMP has no authentication.
    pub listen: SocketAddr,
    /// The band plan of the gateways.
    pub region: Region,
    /// EUIs of the gateways that may talk; empty: any, on loopback only.
    pub gateways: Vec<Eui64>,
    /// Networks they may talk from; empty: any, on loopback only.
    pub networks: Vec<IpNet>,
    /// How long an uplink waits for copies by other gateways, ms, while more than one is online.
    pub merge_ms: u64,
    /// Datagrams a second of one gateway that are listened to.
    pub datagrams_per_s_max: u32,
}

impl Default for Gwmp {
    fn default() -> Gwmp {
        Gwmp {
            enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 1700)),
            region: Region::Eu868,
            gateways: Vec::new(),
            networks: Vec::new(),
            merge_ms: 200,
            datagrams_per_s_max: lorawan::gateways::DATAGRAMS_PER_S,
        }
    }
}

impl Gwmp {
    /// Whether this address is safe to listen on: nobody else can reach it, or it is said who may speak.
    pub(crate) fn may_listen(&self, listen: SocketAddr) -> bool {
        listen.ip().is_loopback() || !(self.gateways.is_empty() || self.networks.is_empty())
    }
}
