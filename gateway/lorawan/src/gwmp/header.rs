//! The first 12 bytes of what a gateway sends, and the four bytes that acknowledge it.

use super::{DATAGRAM_BYTES_MAX, GwmpError};
use crate::Eui64;

pub(super) const VERSION: u8 = 2;
pub(super) const PUSH_DATA: u8 = 0;
pub(super) const PUSH_ACK: u8 = 1;
pub(super) const PULL_DATA: u8 = 2;
pub(super) const PULL_RESP: u8 = 3;
pub(super) const PULL_ACK: u8 = 4;
pub(super) const TX_ACK: u8 = 5;

/// Ties an answer to its question: two bytes without order, opaque to the other side.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub [u8; 2]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", hex::encode(self.0))
    }
}

/// What a gateway sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Uplinks and status.
    PushData,
    /// Keep-alive of the downlink path.
    PullData,
    /// The fate of a downlink.
    TxAck,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Kind::PushData => "PUSH_DATA",
            Kind::PullData => "PULL_DATA",
            Kind::TxAck => "TX_ACK",
        })
    }
}

/// The fixed part of a gateway's datagram: enough to acknowledge it before it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What follows.
    pub kind: Kind,
    /// To be repeated in the acknowledgement.
    pub token: Token,
    /// Which gateway says to have sent it.
    pub eui: Eui64,
}

impl Header {
    /// Its length in bytes.
    pub const BYTES: usize = 12;

    /// Reads the header and checks the datagram's length against its kind.
    ///
    /// # Errors
    /// [`GwmpError::TooLong`], [`GwmpError::Length`], [`GwmpError::Version`], [`GwmpError::Kind`].
    pub fn parse(datagram: &[u8]) -> Result<Header, GwmpError> {
        let bytes = datagram.len();
        if bytes > DATAGRAM_BYTES_MAX {
            return Err(GwmpError::TooLong { bytes });
        }
        let &[version, t0, t1, kind, ..] = datagram else { return Err(GwmpError::Length { bytes }) };
        if version != VERSION {
            return Err(GwmpError::Version { version });
        }
        let kind = match kind {
            PUSH_DATA => Kind::PushData,
            PULL_DATA => Kind::PullData,
            TX_ACK => Kind::TxAck,
            _ => return Err(GwmpError::Kind { kind }),
        };
        let Some(eui) = datagram[4..].first_chunk() else { return Err(GwmpError::Length { bytes }) };
        if kind == Kind::PullData && bytes != Header::BYTES {
            return Err(GwmpError::Length { bytes });
        }
        Ok(Header { kind, token: Token([t0, t1]), eui: Eui64(*eui) })
    }

    /// PUSH_ACK or PULL_ACK, to be sent to the address the datagram came from; a TX_ACK has none.
    pub fn acknowledgement(&self) -> Option<[u8; 4]> {
        let kind = match self.kind {
            Kind::PushData => PUSH_ACK,
            Kind::PullData => PULL_ACK,
            Kind::TxAck => return None,
        };
        let Token([t0, t1]) = self.token;
        Some([VERSION, t0, t1, kind])
    }
}
