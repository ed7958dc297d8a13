//! The door: who comes from a network that may ask, how many at once, and for how long. Whoever sends or takes one byte at a time
//! has his connection cut like everybody else, and keeps nobody out.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

use crate::Config;
use crate::watch::lock;

/// Most connections at once: some inspectors with some tabs each.
const CONNECTIONS_MAX: usize = 64;
/// Of one address, so that one phone keeps no other out.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 8;
/// A connection ends after this, whatever it does: 100 kB over a weak link of the site take a second.
pub(crate) const CONNECTION_SECONDS_MAX: u64 = 20;
/// Bytes of all requests of a connection: a browser's head has one thousand.
const RECEIVED_BYTES_MAX: usize = 64 * 1024;
/// After an error of the kernel's, which without a pause would be the next one as well.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// Open connections by address.
type Guests = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

/// A listener that lets in who may come.
pub(crate) struct Doorkeeper {
    listener: TcpListener,
    config: Arc<Config>,
    guests: Guests,
    patience: Duration,
}

impl Doorkeeper {
    pub(crate) fn new(listener: TcpListener, config: Arc<Config>) -> Doorkeeper {
        let patience = Duration::from_secs(CONNECTION_SECONDS_MAX);
        Doorkeeper { listener, config, guests: Guests::default(), patience }
    }

    /// The same with another time.
    #[cfg(test)]
    pub(crate) fn patient(self, patience: Duration) -> Doorkeeper {
        Doorkeeper { patience, ..self }
    }

    /// None for who may not come, and where there is no room.
    fn admit(&self, stream: TcpStream, peer: SocketAddr) -> Option<Guest> {
        let address = peer.ip().to_canonical();
        // Who watches over this process asks from its own address, whatever the networks.
        let own = stream.local_addr().is_ok_and(|own| own.ip().to_canonical() == address);
        if !own && !self.config.admits(address) {
            return None;
        }
        let place = Place::take(&self.guests, address)?;
        Some(Guest { stream, until: Box::pin(sleep(self.patience)), room_bytes: RECEIVED_BYTES_MAX, _place: place })
    }
}

impl Listener for Doorkeeper {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    if let Some(guest) = self.admit(stream, peer) {
                        return (guest, peer);
                    }
                }
                Err(_) => sleep(ERROR_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection counts as long as this is there.
struct Place {
    guests: Guests,
    address: IpAddr,
}

impl Place {
    fn take(guests: &Guests, address: IpAddr) -> Option<Place> {
        let mut open = lock(guests);
        let all: usize = open.values().sum();
        let own = open.entry(address).or_default();
        if all >= CONNECTIONS_MAX || *own >= CONNECTIONS_PER_ADDRESS_MAX {
            open.retain(|_, count| *count > 0);
            return None;
        }
        *own += 1;
        Some(Place { guests: Arc::clone(guests), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.guests);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
        }
        open.retain(|_, count| *count > 0);
    }
}

/// A connection with an end.
pub(crate) struct Guest {
    stream: TcpStream,
    until: Pin<Box<Sleep>>,
    room_bytes: usize,
    _place: Place,
}

impl Guest {
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.until.as_mut().poll(cx).is_ready()
    }
}

fn over<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_over(cx) || self.room_bytes == 0 {
            return over();
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.room_bytes = self.room_bytes.saturating_sub(buffer.filled().len().saturating_sub(before));
        read
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_over(cx) {
            return over();
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_over(cx) {
            return over();
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
