//! One connection from accept to close.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::edge::Shared;

/// How long a closing connection may take to accept our last words.
pub(crate) const FAREWELL_MAX: Duration = Duration::from_secs(1);

pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, peer: SocketAddr, shared: Arc<Shared>) {
    drop((stream, peer, shared));
}
