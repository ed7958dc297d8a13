//! HTTP as parties of the tests read it.

use std::io::{self, Read};

/// One message of HTTP/1.1 with its body.
///
/// # Errors
/// As the reader; [`io::ErrorKind::UnexpectedEof`] if it ends before the message does.
pub fn message(tls: &mut impl Read) -> io::Result<Vec<u8>> {
    let (mut message, mut part) = (Vec::new(), [0; 4_096]);
    let is_whole = |message: &[u8]| {
        let Some(head) = message.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
        let text = String::from_utf8_lossy(&message[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        message.len() >= head + 4 + length.unwrap_or(0)
    };
    while !is_whole(&message) {
        match tls.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => message.extend_from_slice(&part[..length]),
        }
    }
    Ok(message)
}
