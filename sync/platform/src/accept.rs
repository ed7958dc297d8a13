//! The bound on connections, before TLS costs anything.

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum_server::Handle;
use axum_server::accept::Accept;
use tokio::net::TcpStream;

/// Most connections at once: a fleet of that many boxes that all hold one. Each costs some 50 kB when idle.
const CONNECTIONS_MAX: usize = 1024;

/// Accepts until [`CONNECTIONS_MAX`]; further ones are closed at once.
#[derive(Debug, Clone)]
pub(crate) struct Bounded {
    handle: Handle<SocketAddr>,
    max: usize,
}

impl Bounded {
    pub(crate) fn new(handle: Handle<SocketAddr>) -> Bounded {
        Bounded { handle, max: CONNECTIONS_MAX }
    }
}

impl<S> Accept<TcpStream, S> for Bounded {
    type Stream = TcpStream;
    type Service = S;
    type Future = Ready<io::Result<(TcpStream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // The count has this connection in it.
        if self.handle.connection_count() > self.max {
            return ready(Err(io::Error::other(format!("{} connections are open", self.max))));
        }
        // A receipt is one small packet; it must not wait for an acknowledgement of the one before.
        ready(stream.set_nodelay(true).map(|()| (stream, service)))
    }
}

/// Logs the 1st, 2nd, 4th, 8th ... connection that came to nothing: whoever scans ports cannot fill the log.
pub(crate) fn log_failures() -> impl Fn(Option<&SocketAddr>, &io::Error) + Send + Sync + 'static {
    let failed = AtomicU64::new(0);
    move |peer, error| {
        let count = failed.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if count.is_power_of_two() {
            let peer = peer.map(ToString::to_string).unwrap_or_default();
            log::warn!(peer = peer.as_str(), count; "connection came to nothing: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn one_more_than_allowed_is_closed_and_room_comes_back() {
        let handle = Handle::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = axum_server::from_tcp(listener).unwrap().handle(handle.clone());
        let server = server.acceptor(Bounded { handle: handle.clone(), max: 1 });
        tokio::spawn(server.serve(axum::Router::<()>::new().into_make_service()));
        let answered = async || {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let sent = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
            let mut first = [0; 4];
            (sent.is_ok() && stream.read_exact(&mut first).await.is_ok()).then_some(stream)
        };
        let held = answered().await;
        assert!(held.is_some());
        assert!(answered().await.is_none());
        drop(held);
        let room = async {
            while handle.connection_count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), room).await.unwrap();
        assert!(answered().await.is_some());
    }
}
