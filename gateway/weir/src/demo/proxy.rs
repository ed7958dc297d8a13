//! The link to a platform: a TCP proxy that can be cut.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::DemoError;

/// A link; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a port of its own and passes everything on to `to`.
    pub(crate) async fn start(to: SocketAddr) -> Result<Proxy, DemoError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(DemoError::Socket)?;
        let address = listener.local_addr().map_err(DemoError::Socket)?;
        let (whole, state) = watch::channel(true);
        let task = tokio::spawn(accept(listener, to, state));
        Ok(Proxy { address, whole, task })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection. New ones are taken and then nothing comes: what a dead modem looks like.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets new connections through.
    pub(crate) fn heal(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, state: watch::Receiver<bool>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(pass(stream, to, state.clone()))),
            // Out of descriptors for a moment; the client tries again.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

/// One connection: passed on while the link is whole, held in silence while it is cut, closed when that changes.
async fn pass(mut stream: TcpStream, to: SocketAddr, mut state: watch::Receiver<bool>) {
    let whole = *state.borrow_and_update();
    let passing = async {
        if !whole {
            return std::future::pending().await;
        }
        if let Ok(mut far) = TcpStream::connect(to).await {
            // An end that breaks off is what links do.
            let _ = copy_bidirectional(&mut stream, &mut far).await;
        }
    };
    tokio::select! {
        () = passing => {}
        _ = state.changed() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    async fn says(stream: &mut TcpStream) -> Option<u8> {
        stream.write_all(b"x").await.ok()?;
        stream.read_u8().await.ok()
    }

    #[tokio::test]
    async fn a_cut_breaks_what_is_there_and_swallows_what_comes() {
        let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = echo.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = echo.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        let proxy = Proxy::start(to).await.unwrap();
        let mut before = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(says(&mut before).await, Some(b'x'));
        proxy.cut();
        assert_eq!(says(&mut before).await, None);
        let mut during = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(timeout(Duration::from_millis(100), says(&mut during)).await.is_err(), "silence");
        proxy.heal();
        assert_eq!(says(&mut during).await, None, "held connections are closed");
        let mut after = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(says(&mut after).await, Some(b'x'));
    }
}
