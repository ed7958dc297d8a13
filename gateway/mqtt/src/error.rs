//! Why the edge does not start, or must end.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// Why the edge cannot be started, or cannot go on. None of them goes away by retrying within the process.
#[derive(Debug, Error)]
pub enum EdgeError {
    /// Another program listens on the address.
    #[error(
        "failed to listen for MQTT on {address}, the address is in use; find the program with `ss -ltnp`, stop it or configure another address"
    )]
    AddressInUse {
        /// The configured address.
        address: SocketAddr,
        /// The system's own words.
        #[source]
        source: io::Error,
    },
    /// The process lacks the right to the port.
    #[error(
        "failed to listen for MQTT on {address}, not permitted; configure a port from 1024 up, or grant CAP_NET_BIND_SERVICE"
    )]
    BindDenied {
        /// The configured address.
        address: SocketAddr,
        /// The system's own words.
        #[source]
        source: io::Error,
    },
    /// The address cannot be listened on for another reason.
    #[error("failed to listen for MQTT on {address}; configure an address that this machine has, see `ip address`")]
    Bind {
        /// The configured address.
        address: SocketAddr,
        /// The system's own words.
        #[source]
        source: io::Error,
    },
    /// The socket of the service manager does not serve.
    #[error("failed to take over the MQTT socket from the service manager · try: systemctl cat weir-gateway.socket")]
    Inherit(#[source] io::Error),
    /// Nowhere to listen.
    #[error("failed to start MQTT without a listener; configure an address, or disable MQTT")]
    NoListener,
    /// A limit is outside what the protocol and the router can hold.
    #[error("MQTT limit {name} is {value}; set it from {low} to {high}")]
    Limit {
        /// Field of [`Limits`](crate::Limits).
        name: &'static str,
        /// What was asked for.
        value: usize,
        /// Least value.
        low: usize,
        /// Greatest value.
        high: usize,
    },
    /// The router did not accept the edge's own links at start.
    #[error("failed to start the MQTT router; start the daemon again, and report this if it recurs")]
    RouterStart,
    /// The router's thread is gone: no command reaches a device any more. Nothing acknowledged is lost.
    #[error("the MQTT router died; restart the daemon, nothing acknowledged is lost")]
    RouterDied,
}

impl EdgeError {
    pub(crate) fn bind(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { address, source },
            io::ErrorKind::PermissionDenied => Self::BindDenied { address, source },
            _ => Self::Bind { address, source },
        }
    }
}
