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
    /// Acknowledges what we sent with this packet identifier, with this reason code (0 in MQTT 3.1.1).
    PubAck(u16, u8),
    /// Second half of QoS 2.
    PubRel(u16),
    /// Packet identifier, filters with the QoS asked for, and whether a subscription identifier is attached.
    Subscribe(u16, Vec<(String, u8)>, bool),
    Unsubscribe(u16, Vec<String>),
    PingReq,
    Disconnect {
        /// The will is to be sent all the same (MQTT 5 reason 0x04).
        send_will: bool,
        /// The Session Expiry Interval from now on, if the client changes it (MQTT 5 §3.14.2.2.2).
        expiry_s: Option<u32>,
    },
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
        0x40 => Packet::PubAck(packet_id(body)?, body.get(2).copied().unwrap_or(0)),
        0x62 => Packet::PubRel(packet_id(body)?),
        0xC0 if body.is_empty() => Packet::PingReq,
        0xE0 if body.is_empty() || level == Level::V5 => Packet::Disconnect {
            send_will: body.first() == Some(&0x04),
            expiry_s: session_expiry(body.get(1..).unwrap_or_default())?,
        },
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

/// The Session Expiry Interval among the properties of a DISCONNECT. A client may send it, a Reason String and User
/// Properties (MQTT 5 §3.14.2.2); the rest is skipped with them.
fn session_expiry(properties: &[u8]) -> Result<Option<u32>, Fault> {
    // As the Remaining Length of a fixed header whose first byte is anything.
    let Some(header) = Header::read(&[&[0][..], properties].concat())? else {
        return if properties.is_empty() { Ok(None) } else { Err(Fault::Malformed) };
    };
    let mut rest = properties.get(header.header_bytes - 1..).unwrap_or_default();
    if rest.len() != header.body_bytes {
        return Err(Fault::Malformed);
    }
    let mut expiry_s = None;
    let text = |bytes: &mut &[u8]| -> Option<()> {
        let (length, tail) = bytes.split_first_chunk()?;
        *bytes = tail.get(u16::from_be_bytes(*length).into()..)?;
        Some(())
    };
    while let Some((identifier, tail)) = rest.split_first() {
        rest = tail;
        let skipped = match identifier {
            0x11 if expiry_s.is_none() => rest.split_first_chunk().map(|(seconds, tail)| {
                expiry_s = Some(u32::from_be_bytes(*seconds));
                rest = tail;
            }),
            0x1F => text(&mut rest),
            0x26 => text(&mut rest).and_then(|()| text(&mut rest)),
            _ => None,
        };
        skipped.ok_or(Fault::Malformed)?;
    }
    Ok(expiry_s)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PACKET_BYTES_MAX: usize = 512;

    /// All packets at the front of `bytes`, and why it went no further.
    fn all(level: Level, bytes: &mut BytesMut) -> (Vec<Packet>, Option<Fault>) {
        let mut packets = Vec::new();
        loop {
            let before = bytes.len();
            match take(level, bytes, PACKET_BYTES_MAX) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => return (packets, None),
                Err(fault) => return (packets, Some(fault)),
            }
            assert!(bytes.len() < before, "a packet takes its bytes");
        }
    }

    fn level() -> impl Strategy<Value = Level> {
        prop_oneof![Just(Level::V4), Just(Level::V5)]
    }

    /// Packets as a client sends them, MQTT 5 with properties.
    fn samples(level: Level) -> Vec<Vec<u8>> {
        let mut samples: Vec<Vec<u8>> = vec![
            b"\x40\x02\x00\x01".to_vec(),
            b"\x62\x02\x00\x02".to_vec(),
            b"\xc0\x00".to_vec(),
            b"\xe0\x00".to_vec(),
        ];
        match level {
            Level::V4 => samples.extend([
                b"\x30\x05\x00\x03a/b".to_vec(),
                b"\x3b\x09\x00\x03a/b\x00\x07hi".to_vec(),
                b"\x82\x08\x00\x09\x00\x03a/b\x02".to_vec(),
                b"\xa2\x07\x00\x09\x00\x03a/b".to_vec(),
            ]),
            Level::V5 => samples.extend([
                b"\x30\x06\x00\x03a/b\x00".to_vec(),
                b"\x34\x15\x00\x03a/b\x00\x07\x0b\x26\x00\x01k\x00\x01v\x02\x00\x00\x00hi".to_vec(),
                b"\x82\x0b\x00\x09\x02\x0b\x05\x00\x03a/b\x01".to_vec(),
                b"\xa2\x08\x00\x09\x00\x00\x03a/b".to_vec(),
                b"\xe0\x01\x04".to_vec(),
            ]),
        }
        samples
    }

    #[test]
    fn what_the_codec_hides_is_read() {
        let mut bytes = BytesMut::from(&b"\x3c\x0a\x00\x03a/b\x12\x34\x00hi"[..]);
        let expected = Publish {
            qos: 2,
            packet_id: 0x1234,
            dup: true,
            retain: false,
            topic: "a/b".into(),
            payload: "hi".into(),
            topic_alias: false,
        };
        assert_eq!(all(Level::V5, &mut bytes), (vec![Packet::Publish(expected)], None));
    }

    #[test]
    fn every_sample_is_a_packet() {
        for level in [Level::V4, Level::V5] {
            for sample in samples(level) {
                let (packets, fault) = all(level, &mut BytesMut::from(&sample[..]));
                assert_eq!((packets.len(), fault), (1, None), "{level:?} {sample:02x?}");
            }
        }
    }

    #[test]
    fn a_length_of_five_bytes_is_malformed() {
        assert_eq!(Header::read(&[0x30, 0xFF, 0xFF, 0xFF]), Ok(None));
        assert_eq!(Header::read(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF]), Err(Fault::Malformed));
        let longest = Header { first: 0x30, header_bytes: 5, body_bytes: 268_435_455 };
        assert_eq!(Header::read(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]), Ok(Some(longest)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(level in level(), bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            all(level, &mut BytesMut::from(&bytes[..]));
        }

        #[test]
        fn damaged_packets_are_answered(
            level in level(), order in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let samples = samples(level);
            let mut bytes: Vec<u8> = order.iter().flat_map(|i| i.get(&samples).clone()).collect();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            all(level, &mut BytesMut::from(&bytes[..]));
        }

        #[test]
        fn pieces_make_the_same_packets(
            level in level(), order in prop::collection::vec(any::<prop::sample::Index>(), 1..8), piece in 1_usize..9,
        ) {
            let samples = samples(level);
            let bytes: Vec<u8> = order.iter().flat_map(|i| i.get(&samples).clone()).collect();
            let whole = all(level, &mut BytesMut::from(&bytes[..])).0;
            let (mut buffer, mut packets) = (BytesMut::new(), Vec::new());
            for piece in bytes.chunks(piece) {
                buffer.extend_from_slice(piece);
                packets.extend(all(level, &mut buffer).0);
            }
            prop_assert_eq!(packets, whole);
        }

        #[test]
        fn any_connect_is_answered(level in level(), tail in prop::collection::vec(any::<u8>(), 0..120)) {
            let mut bytes = BytesMut::from(&[0x10, 0][..]);
            bytes.extend_from_slice(b"\x00\x04MQTT");
            bytes.extend_from_slice(&[level.number()]);
            bytes.extend_from_slice(&tail);
            let body_bytes = bytes.len() - 2;
            bytes[1] = u8::try_from(body_bytes).unwrap();
            let parsed = level.parse(&mut bytes, body_bytes);
            prop_assert!(matches!(parsed, Ok(protocol::Packet::Connect(..)) | Err(Fault::Malformed)));
        }
    }
}
