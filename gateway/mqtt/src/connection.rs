//! One connection from accept to close. A panic in it ends it alone: the router link and the device's place are left
//! by their drop guards.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::close::Close;
use crate::edge::{Shared, stopped};
use crate::handshake::{self, Refused, Why};
use crate::session::Session;
use crate::strangers::Claim;
use crate::tls::{self, Tls};
use crate::wire::Wire;

/// How long a closing connection may take to accept our last words.
pub(crate) const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// Serves one client over TLS. The handshake is awaited here, in the connection's own task.
pub(crate) async fn serve_tls(tls: &Tls, stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let mut stopping = shared.stopping.clone();
    let shaken = tokio::select! {
        () = stopped(&mut stopping) => return,
        shaken = timeout(shared.limits.tls_handshake_timeout, tls.acceptor().accept(stream)) => shaken,
    };
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            let count = shared.counters.tls_failed.count();
            if count.is_power_of_two() {
                log::warn!(peer:display, error:display, count; "mqtt tls handshake failed");
            }
            return;
        }
        Err(_) => {
            shared.counters.tls_timeout.count();
            return;
        }
    };
    let names = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(tls::names);
    serve(stream, names, peer, shared).await;
}

/// Serves one client on any byte stream; `names` are those of its certificate, if it showed one.
pub(crate) async fn serve<S>(stream: S, names: Option<Vec<String>>, peer: SocketAddr, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut wire = Wire::new(stream);
    let mut stopping = shared.stopping.clone();
    let received = tokio::select! {
        () = stopped(&mut stopping) => return,
        received = timeout(shared.limits.connect_timeout, handshake::receive(&mut wire, &shared, names.as_deref())) => {
            received
        }
    };
    let admitted = match received.unwrap_or(Err(Refused::Silently(Close::ConnectTimeout))) {
        Ok(admitted) => admitted,
        Err(refused) => return refuse(&refused, wire, peer, &shared).await,
    };
    let place = shared.sessions.enter(&admitted.device.name).await;
    let name = Arc::clone(&admitted.device.name);
    let own = |filter: &str| admitted.device.may_subscribe(filter);
    let Ok(opened) = shared.kept.open(&name, admitted.clean, admitted.expiry_s, own).await else {
        let refused = Refused::With { level: admitted.level, why: Why::NotStored, claim: Claim::new(&name, None) };
        return refuse(&refused, wire, peer, &shared).await;
    };
    let (close, wire) = Session::start(wire, admitted, opened, place, Arc::clone(&shared)).run().await;
    if let Some(count) = close.counter(&shared.counters).map(crate::counters::Counter::count)
        && count.is_power_of_two()
    {
        log::warn!(device:% = name, peer:display, reason:? = close, count; "mqtt connection closed");
    }
    if close.told().is_some() {
        wire.farewell(FAREWELL_MAX).await;
    }
}

async fn refuse<S>(refused: &Refused, mut wire: Wire<S>, peer: SocketAddr, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some((claim, unknown)) = refused.stranger() {
        shared.strangers.note(claim, unknown, peer);
    }
    if let Some(count) = refused.answer(&shared.counters, &mut wire.output)
        && count.is_power_of_two()
    {
        log::warn!(peer:display, reason:? = refused, count; "mqtt connect refused");
    }
    wire.farewell(FAREWELL_MAX).await;
}
