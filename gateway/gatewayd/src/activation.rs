//! Sockets that systemd opened for us: the kernel keeps what arrives while we restart.
//!
//! A socket unit names its sockets (`FileDescriptorName=`), and the daemon takes them by name. systemd holds each of them
//! as well, so our end of it closes nothing: what nobody read stays for the next start.

use std::io;
use std::net::{TcpListener, UdpSocket};

use listenfd::ListenFd;

/// Sockets that came with the start (`LISTEN_FDS`), by name (`LISTEN_FDNAMES`). Each can be taken once.
pub(crate) struct Activated {
    fds: ListenFd,
    names: Vec<String>,
}

impl Activated {
    /// What this process was given; mostly nothing. Read once, at the start.
    pub(crate) fn from_env() -> Activated {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        Activated { fds: ListenFd::from_env(), names: names.split(':').map(str::to_owned).collect() }
    }

    /// Takes the UDP socket of this name; none if there is none.
    ///
    /// # Errors
    /// If what has that name is no UDP socket.
    pub(crate) fn udp(&mut self, name: &str) -> io::Result<Option<UdpSocket>> {
        let Some(at) = self.at(name) else { return Ok(None) };
        self.fds.take_udp_socket(at)
    }

    /// Takes the TCP listener of this name; none if there is none.
    ///
    /// # Errors
    /// If what has that name is no TCP socket.
    pub(crate) fn tcp(&mut self, name: &str) -> io::Result<Option<TcpListener>> {
        let Some(at) = self.at(name) else { return Ok(None) };
        self.fds.take_tcp_listener(at)
    }

    fn at(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}
