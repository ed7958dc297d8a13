//! The way to each platform, all of them at once: its name, then a connection that says nothing.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::Probe;
use crate::doctor::facts::{DestinationFacts, Fact, FarEnd, Unseen, Upload};

/// How long a name server, and then a platform, may take. ms.
const STEP_MS_MAX: u64 = 1_000;
/// Addresses of a name that are looked at.
const ADDRESSES_MAX: usize = 4;

/// Looks.
pub(super) fn look(upload: &Upload) -> Vec<FarEnd> {
    let names: Vec<_> = upload.destinations.iter().map(|one| (one, resolve(one))).collect();
    let until = deadline();
    let found = names.into_iter().map(|(one, resolving)| (one, resolving.wait(until)));
    let found: Vec<_> = found.map(|(one, addresses)| (one, addresses.clone(), connect(addresses))).collect();
    let until = deadline();
    let ended = found.into_iter().map(|(one, addresses, connecting)| FarEnd {
        name: one.name.clone(),
        host: one.host.clone(),
        addresses,
        connect_ms: connecting.wait(until),
    });
    ended.collect()
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_millis(STEP_MS_MAX)
}

fn resolve(destination: &DestinationFacts) -> Probe<Vec<SocketAddr>> {
    let (host, port) = (destination.host.clone(), destination.port);
    Probe::begin(move || {
        let found = (host.as_str(), port).to_socket_addrs().map_err(|error| Unseen::Failed(error.to_string()))?;
        Ok(found.take(ADDRESSES_MAX).collect())
    })
}

/// To whichever address answers first in their order.
fn connect(addresses: Fact<Vec<SocketAddr>>) -> Probe<u64> {
    Probe::begin(move || {
        let begun = Instant::now();
        let mut failure = Unseen::Late;
        for address in addresses? {
            let left = Duration::from_millis(STEP_MS_MAX).saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(_) => return Ok(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)),
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => failure = Unseen::Late,
                Err(error) => failure = Unseen::Failed(error.to_string()),
            }
        }
        Err(failure)
    })
}
