//! Where clients come in: a TCP socket, plain or with TLS.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::{EdgeError, Tls};

/// A listening socket, and what is spoken on it.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Tls>,
}

impl Listener {
    /// Listens for plain MQTT on `address`.
    ///
    /// # Errors
    /// [`EdgeError::AddressInUse`], [`EdgeError::BindDenied`], [`EdgeError::Bind`] if that is not possible.
    pub async fn bind(address: SocketAddr) -> Result<Self, EdgeError> {
        let failed = |source| EdgeError::bind(address, source);
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address, tls: None })
    }

    /// Takes over a socket that listens already, from the service manager for instance.
    ///
    /// # Errors
    /// [`EdgeError::Inherit`] if it is no listening TCP socket.
    pub fn from_std(socket: std::net::TcpListener) -> Result<Self, EdgeError> {
        socket.set_nonblocking(true).map_err(EdgeError::Inherit)?;
        let address = socket.local_addr().map_err(EdgeError::Inherit)?;
        Ok(Self { socket: TcpListener::from_std(socket).map_err(EdgeError::Inherit)?, address, tls: None })
    }

    /// Speaks TLS on this socket.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The address listened on; with port 0 asked for, the port that was given.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}
