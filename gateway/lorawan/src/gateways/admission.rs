//! Who is listened to.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::Eui64;

/// Datagrams a second of one gateway unless configured: three times what an eight-channel gateway can hear.
pub const DATAGRAMS_PER_S: u32 = 1_000;

/// Who may speak, and how much. GWMP has no authentication, so on any address but loopback both lists are needed.
#[derive(Debug, Clone)]
pub struct Admission {
    /// EUIs that are heard; none: every one, which is for loopback only.
    pub gateways: Option<BTreeSet<Eui64>>,
    /// Source networks that are heard; none: every one, which is for loopback only.
    pub networks: Option<Vec<IpNet>>,
    /// Datagrams a second of one gateway; the rest is refused and counted. It may send two seconds' worth at once.
    pub datagrams_per_s_max: u32,
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
    /// It comes from outside the allowed networks.
    #[error("{from} is in none of the allowed networks: add its network to `gwmp.networks` if it is yours")]
    ForeignNetwork {
        /// Who sent it.
        from: IpAddr,
    },
    /// The EUI is not in the allow-list.
    #[error("gateway {eui} is not in the allow-list: add it to `gwmp.gateways` if it is yours")]
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
    /// It sends more than `datagrams_per_s_max`.
    #[error("gateway {eui} sends too many datagrams: look for a loop, or raise `gwmp.datagrams_per_s_max`")]
    TooFast {
        /// Whose datagram it is.
        eui: Eui64,
    },
    /// 64 gateways are alive.
    #[error("gateway {eui} is one too many, 64 are alive: set an allow-list of your own gateways")]
    TableFull {
        /// Whose datagram it claims to be.
        eui: Eui64,
    },
}

impl Default for Admission {
    /// Everybody, as on loopback.
    fn default() -> Admission {
        Admission { gateways: None, networks: None, datagrams_per_s_max: DATAGRAMS_PER_S }
    }
}

impl Admission {
    /// What can be told without knowing the gateway.
    pub(super) fn check(&self, from: SocketAddr, eui: Eui64) -> Result<(), Refusal> {
        // A socket that serves both families shows an IPv4 address as ::ffff:a.b.c.d.
        let from = from.ip().to_canonical();
        if self.networks.as_ref().is_some_and(|networks| !networks.iter().any(|network| network.contains(&from))) {
            return Err(Refusal::ForeignNetwork { from });
        }
        if self.gateways.as_ref().is_some_and(|gateways| !gateways.contains(&eui)) {
            return Err(Refusal::NotAllowed { eui });
        }
        Ok(())
    }
}
