//! What a client may say after CONNECT, taken from its byte stream.
//!
//! Framing, the first byte and every field that rumqttd keeps to itself (QoS, packet identifier, DUP) are read here;
//! its codec parses CONNECT, PUBLISH, SUBSCRIBE and UNSUBSCRIBE. Two traps are closed by that order: the codec says
//! "more bytes" also of a complete packet that lies about its inner lengths, and panics on packets that only a server
//! sends.

use bytes::{Buf, Bytes, BytesMut};
use rumqttd::protocol::v4::V4;
use rumqttd::protocol::v5::V5;
use rumqttd::protocol::{self, Protocol, QoS};

/// MQTT 3.1.1 or MQTT 5, by the level byte of CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// MQTT 3.1.1
    V4,
    /// MQTT 5
    V5,
}

impl Level {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V5 => 5,
        }
    }

    /// Parses one complete packet of at most `body_bytes` after its fixed header.
    pub(crate) fn parse(self, bytes: &mut BytesMut, body_bytes: usize) -> Result<protocol::Packet, Fault> {
        let parsed = match self {
            Self::V4 => V4.read_mut(bytes, body_bytes),
            Self::V5 => V5.read_mut(bytes, body_bytes),
        };
        parsed.map_err(|_| Fault::Malformed)
    }
}

/// The fixed header (MQTT 3.1.1 §2.2, MQTT 5 §2.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Packet type and flags.
    pub(crate) first: u8,
    /// Bytes of the fixed header, 2 to 5.
    pub(crate) header_bytes: usize,
    /// Remaining Length: bytes after the fixed header.
    pub(crate) body_bytes: usize,
}

impl Header {
    /// Reads the fixed header; none if its bytes are not all there. The length field has at most 4 bytes.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let Some((&first, length)) = bytes.split_first() else { return Ok(None) };
        let mut body_bytes = 0;
        for (i, byte) in length.iter().take(4).enumerate() {
            body_bytes |= usize::from(byte & 0x7F) << (7 * i);
            if byte & 0x80 == 0 {
                return Ok(Some(Self { first, header_bytes: i + 2, body_bytes }));
            }
        }
        if length.len() >= 4 { Err(Fault::Malformed) } else { Ok(None) }
    }

    pub(crate) fn packet_bytes(self) -> usize {
        self.header_bytes + self.body_bytes
    }
}

/// Why a byte stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes are no packet.
    Malformed,
    /// A packet that no client may send now.
    Unexpected,
    /// The packet exceeds the limit.
    Oversize,
}

/// A packet of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    Publish(Publish),
    /// Acknowledges what we sent with this packet identifier.
    PubAck(u16),
    /// Second half of QoS 2.
    PubRel(u16),
    /// Packet identifier, filters with the QoS asked for, and whether a subscription identifier is attached.
    Subscribe(u16, Vec<(String, u8)>, bool),
    Unsubscribe(u16, Vec<String>),
    PingReq,
    /// True if the will is to be sent all the same (MQTT 5 reason 0x04).
    Disconnect(bool),
}

/// PUBLISH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) qos: u8,
    /// 0 at QoS 0.
    pub(crate) packet_id: u16,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) topic: Bytes,
    pub(crate) payload: Bytes,
    pub(crate) topic_alias: bool,
}

/// Takes the next packet from the front of `bytes`; none if it is not complete. Refuses by the first byte and by the
/// length before the rest has arrived.
pub(crate) fn take(level: Level, bytes: &mut BytesMut, packet_bytes_max: usize) -> Result<Option<Packet>, Fault> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    // The flags of all but PUBLISH are fixed. PUBREC and PUBCOMP answer QoS 2, which we never send.
    match first {
        0x30..=0x35 | 0x3A..=0x3D | 0x40 | 0x62 | 0x82 | 0xA2 | 0xC0 | 0xE0 => {}
        0x50 | 0x70 => return Err(Fault::Unexpected),
        0x10 => return Err(Fault::Unexpected),
        _ => return Err(Fault::Malformed),
    }
    let Some(header) = Header::read(bytes)? else { return Ok(None) };
    if header.packet_bytes() > packet_bytes_max {
        return Err(Fault::Oversize);
    }
    if bytes.len() < header.packet_bytes() {
        return Ok(None);
    }
    parse(level, header, bytes).map(Some)
}

/// Takes one packet that is complete.
fn parse(level: Level, header: Header, bytes: &mut BytesMut) -> Result<Packet, Fault> {
    let body = &bytes[header.header_bytes..header.packet_bytes()];
    let packet = match header.first {
        0x40 => Packet::PubAck(packet_id(body)?),
        0x62 => Packet::PubRel(packet_id(body)?),
        0xC0 if body.is_empty() => Packet::PingReq,
        0xE0 if body.is_empty() || level == Level::V5 => Packet::Disconnect(body.first() == Some(&0x04)),
        0xC0 | 0xE0 => return Err(Fault::Malformed),
        _ => return parse_by_codec(level, header, bytes),
    };
    bytes.advance(header.packet_bytes());
    Ok(packet)
}

fn parse_by_codec(level: Level, header: Header, bytes: &mut BytesMut) -> Result<Packet, Fault> {
    let qos = (header.first >> 1) & 0b11;
    let body = &bytes[header.header_bytes..header.packet_bytes()];
    let id = match (header.first >> 4, qos) {
        (3, 0) => 0,
        (3, _) => {
            let topic_bytes = usize::from(u16::from_be_bytes(*body.first_chunk().ok_or(Fault::Malformed)?));
            packet_id(body.get(2 + topic_bytes..).unwrap_or_default())?
        }
        _ => packet_id(body)?,
    };
    match level.parse(bytes, header.body_bytes)? {
        protocol::Packet::Publish(publish, properties) => {
            if properties.as_ref().is_some_and(|p| !p.subscription_identifiers.is_empty()) {
                return Err(Fault::Unexpected);
            }
            Ok(Packet::Publish(Publish {
                qos,
                packet_id: id,
                dup: header.first & 0b1000 != 0,
                retain: publish.retain,
                topic: publish.topic,
                payload: publish.payload,
                topic_alias: properties.is_some_and(|p| p.topic_alias.is_some()),
            }))
        }
        protocol::Packet::Subscribe(subscribe, properties) => {
            let asked = |f: protocol::Filter| (f.path, f.qos as u8);
            let filters = subscribe.filters.into_iter().map(asked).collect();
            Ok(Packet::Subscribe(id, filters, properties.is_some_and(|p| p.id.is_some())))
        }
        protocol::Packet::Unsubscribe(unsubscribe, _) if !unsubscribe.filters.is_empty() => {
            Ok(Packet::Unsubscribe(id, unsubscribe.filters))
        }
        _ => Err(Fault::Malformed),
    }
}

/// The packet identifier at the front of `body`; never 0 (MQTT-2.3.1-1, MQTT-2.2.1-3).
fn packet_id(body: &[u8]) -> Result<u16, Fault> {
    match body.first_chunk().map(|id| u16::from_be_bytes(*id)) {
        None | Some(0) => Err(Fault::Malformed),
        Some(id) => Ok(id),
    }
}

/// QoS of the codec for a number up to 2; a higher one is not granted by anybody.
pub(crate) fn qos(number: u8) -> QoS {
    protocol::qos(number).unwrap_or(QoS::AtMostOnce)
}
