//! Semtech's UDP protocol between packet forwarder and server, version 2 ("GWMP").
//!
//! ```text
//! offset  bytes  field
//! 0       1      protocol version, 02
//! 1       2      token, chosen by whoever starts the exchange, repeated in its acknowledgement
//! 3       1      kind
//! 4       8      gateway EUI, most significant byte first; in the gateway's datagrams only
//! 12      ..     JSON
//!
//! kind                direction            JSON                  answered with
//! 00 PUSH_DATA        gateway -> server    {"rxpk":[..],"stat"}  01 PUSH_ACK
//! 02 PULL_DATA        gateway -> server    -                     04 PULL_ACK
//! 03 PULL_RESP        server -> gateway    {"txpk":{..}}         05 TX_ACK
//! 05 TX_ACK           gateway -> server    - or {"txpk_ack"}     -
//! ```
//!
//! The forwarder has **two sockets**: PUSH_DATA comes from one, PULL_DATA from the other, and PULL_RESP must go to
//! the second. It stops receiving while it waits up to 100 ms for PUSH_ACK and never repeats a PUSH_DATA: read the
//! [`Header`], answer with [`Header::acknowledgement`], then parse the rest. PUSH_ACK says "seen", nothing more.
//!
//! Source: Lora-net/packet_forwarder `PROTOCOL.TXT` and Lora-net/sx1302_hal `packet_forwarder/PROTOCOL.md`, version 2.

pub mod forwarder;
mod header;
mod pull_resp;
mod push_data;
mod rxpk;
mod stat;
mod tx_ack;

pub use header::{Header, Kind, Token};
pub use pull_resp::{TxTime, Txpk, pull_resp};
pub use push_data::{PushData, Skipped};
pub use rxpk::{CrcStatus, Rxpk, RxpkError};
pub use stat::Stat;
pub use tx_ack::{TxAck, TxError, TxOutcome};

/// Longest datagram, in bytes: what UDP over IPv4 can carry. Receive buffers have at least this size.
pub const DATAGRAM_BYTES_MAX: usize = 65_507;

/// Most `rxpk` objects in one PUSH_DATA: the forwarder's own NB_PKT_MAX.
pub const RXPK_MAX: usize = 255;

/// Longest text taken from a datagram and kept (`time` and the like), in bytes.
const TEXT_BYTES_MAX: usize = 64;

/// A datagram that a gateway sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet {
    /// Uplinks, a status report, or both.
    PushData(PushData),
    /// Keeps the way for downlinks open.
    PullData {
        /// To be repeated in PULL_ACK.
        token: Token,
        /// Which gateway says to have sent it.
        eui: crate::Eui64,
    },
    /// What became of a downlink.
    TxAck(TxAck),
}

/// Why a datagram is not one that a gateway sends. It is refused whole; nothing of it was used.
#[derive(Debug, thiserror::Error)]
pub enum GwmpError {
    /// Longer than UDP can carry.
    #[error("datagram of {bytes} bytes is longer than 65,507: refuse it")]
    TooLong {
        /// Bytes received.
        bytes: usize,
    },
    /// Shorter than its header, or a PULL_DATA with something after it.
    #[error("datagram of {bytes} bytes has the wrong length for its kind: is something else sending to this port?")]
    Length {
        /// Bytes received.
        bytes: usize,
    },
    /// Version 1, or no GWMP at all.
    #[error("protocol version {version} is not 2: update the packet forwarder, or find what else sends to this port")]
    Version {
        /// First byte.
        version: u8,
    },
    /// A kind that only servers send, or that does not exist.
    #[error("datagram kind {kind:#04x} is not one that a gateway sends: point the forwarder at the server's port")]
    Kind {
        /// Fourth byte.
        kind: u8,
    },
    /// The body is not the JSON object that its kind has.
    #[error("failed to read the JSON of a {kind}: check the packet forwarder's version")]
    Json {
        /// What was being read.
        kind: Kind,
        /// Position and cause.
        source: serde_json::Error,
    },
    /// More `rxpk` than any forwarder sends.
    #[error("{count} rxpk in one PUSH_DATA, at most 255 are taken: refuse it")]
    TooManyRxpk {
        /// How many there are.
        count: usize,
    },
}

impl Packet {
    /// Reads one datagram of a gateway.
    ///
    /// An `rxpk` that cannot be read does not spoil the others: see [`PushData::skipped`].
    ///
    /// # Errors
    /// [`GwmpError`], if the datagram as a whole is none.
    pub fn parse(datagram: &[u8]) -> Result<Packet, GwmpError> {
        let header = Header::parse(datagram)?;
        let Header { kind, token, eui } = header;
        let body = &datagram[Header::BYTES..];
        match kind {
            Kind::PushData => PushData::parse(token, eui, body).map(Packet::PushData),
            Kind::PullData => Ok(Packet::PullData { token, eui }),
            Kind::TxAck => TxAck::parse(token, eui, body).map(Packet::TxAck),
        }
    }
}

/// Reads a JSON object into a struct, which serde alone would fill from an array of its fields as well.
fn object<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Result<T, serde_json::Error> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde::de::Error::custom("not a JSON object"));
    }
    serde_json::from_slice(json)
}

/// Keeps a text from outside only if it is short; a longer one is treated as absent.
fn short(text: Option<String>) -> Option<String> {
    text.filter(|text| text.len() <= TEXT_BYTES_MAX)
}

#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod tests;
