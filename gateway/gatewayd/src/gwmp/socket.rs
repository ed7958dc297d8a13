//! The port for packet forwarders: systemd's, else our own.

use std::io;

use rustix::net::sockopt;
use tokio::net::UdpSocket;

use crate::activation::Activated;
use crate::config;
use crate::error::StartError;

/// Its name in the socket unit.
const NAME: &str = "gwmp";

/// Asked of the kernel for datagrams that wait, bytes: about 3,000 uplinks, a minute of the busiest gateway while we
/// restart. Its default holds 166.
const RECEIVE_BYTES: usize = 4 * 1024 * 1024;

/// The socket, bound.
///
/// # Errors
/// [`StartError::Gwmp`] if it cannot be opened; [`StartError::OpenGwmp`] if systemd's is reachable by others and the
/// configuration does not say who may speak.
pub(super) async fn open(config: &config::Gwmp, activated: &mut Activated) -> Result<UdpSocket, StartError> {
    let failed = |source| StartError::Gwmp { listen: config.listen, source };
    let socket = match activated.udp(NAME).map_err(failed)? {
        Some(socket) => taken_over(socket).map_err(failed)?,
        None => UdpSocket::bind(config.listen).await.map_err(failed)?,
    };
    let listen = socket.local_addr().map_err(failed)?;
    // The configuration was checked with its own address; systemd's may be another.
    if !config.may_listen(listen) {
        return Err(StartError::OpenGwmp { listen });
    }
    let bytes = enlarge(&socket);
    log::debug!(listen:% = listen, receive_buffer_bytes = bytes; "port for LoRa gateways");
    Ok(socket)
}

fn taken_over(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Asks for a larger receive buffer and gives what there is, in bytes as the kernel counts them. With the privilege
/// the kernel grants all of it, without as much as `net.core.rmem_max`; with neither it works all the same.
fn enlarge(socket: &UdpSocket) -> usize {
    let large_enough = |bytes: &usize| *bytes >= RECEIVE_BYTES;
    let now = || sockopt::socket_recv_buffer_size(socket).unwrap_or(0);
    if !large_enough(&now()) && sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BYTES).is_err() {
        // As much as anybody may have; a refusal leaves what was there.
        let _ = sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BYTES);
    }
    now()
}
