//! Whether a page that runs here answers, as a reader would find out: for the watchdog.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A page is made in milliseconds; a machine that starts has more to do.
const ANSWER_SECONDS_MAX: u64 = 10;
/// Bytes of the answer that tell.
const STATUS: &[u8] = b"HTTP/1.1 200";

/// Whether the page that listens here gives its first page now. Any failure is a no.
pub fn answers(listen: SocketAddr) -> bool {
    let mut at = listen;
    if listen.ip().is_unspecified() {
        at.set_ip(if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    asked(at).is_ok_and(|status| status == STATUS)
}

fn asked(at: SocketAddr) -> std::io::Result<[u8; STATUS.len()]> {
    let patience = Duration::from_secs(ANSWER_SECONDS_MAX);
    let mut stream = TcpStream::connect_timeout(&at, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; STATUS.len()];
    stream.read_exact(&mut status)?;
    Ok(status)
}
