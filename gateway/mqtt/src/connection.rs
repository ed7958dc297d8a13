//! One connection from accept to close. A panic in it ends it alone: the router link and the device's place are left
//! by their drop guards.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::close::Close;
use crate::edge::{Shared, stopped};
use crate::handshake::{self, Refused};
use crate::session::Session;
use crate::wire::Wire;

/// How long a closing connection may take to accept our last words.
pub(crate) const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// Serves one client on any byte stream.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, peer: SocketAddr, shared: Arc<Shared>) {
    let mut wire = Wire::new(stream);
    let mut stopping = shared.stopping.clone();
    let received = tokio::select! {
        () = stopped(&mut stopping) => return,
        received = timeout(shared.limits.connect_timeout, handshake::receive(&mut wire, &shared)) => received,
    };
    let admitted = match received.unwrap_or(Err(Refused::Silently(Close::ConnectTimeout))) {
        Ok(admitted) => admitted,
        Err(refused) => {
            if let Some(count) = refused.answer(&shared.counters, &mut wire.output)
                && count.is_power_of_two()
            {
                log::warn!(peer:display, reason:? = refused, count; "mqtt connect refused");
            }
            wire.farewell(FAREWELL_MAX).await;
            return;
        }
    };
    let place = shared.sessions.enter(&admitted.device.name).await;
    let name = Arc::clone(&admitted.device.name);
    let (close, wire) = Session::start(wire, admitted, place, Arc::clone(&shared)).run().await;
    if let Some(count) = close.counter(&shared.counters).map(crate::counters::Counter::count)
        && count.is_power_of_two()
    {
        log::warn!(device:% = name, peer:display, reason:? = close, count; "mqtt connection closed");
    }
    if close.told().is_some() {
        wire.farewell(FAREWELL_MAX).await;
    }
}
