//! What the edge says: packets written to a connection's output buffer.
//!
//! CONNACK, SUBACK and UNSUBACK are written by rumqttd's codec. The others are not: its PUBLISH hides QoS and packet
//! identifier, and its DISCONNECT without properties is one byte longer than it says.

use bytes::{BufMut, BytesMut};
use rumqttd::protocol::v4::V4;
use rumqttd::protocol::v5::V5;
use rumqttd::protocol::{
    ConnAck, ConnAckProperties, ConnectReturnCode, Packet, Protocol, SubAck, SubscribeReasonCode, UnsubAck,
    UnsubAckReason,
};

use crate::packet::Level;

/// First bytes of the acknowledgements.
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const PUBREC: u8 = 0x50;
pub(crate) const PUBCOMP: u8 = 0x70;

/// Reason codes of MQTT 5 (§2.4) that answer a PUBLISH.
pub(crate) const NOT_AUTHORIZED: u8 = 0x87;
pub(crate) const PAYLOAD_FORMAT_INVALID: u8 = 0x99;

/// Longest Reason String in bytes; longer ones are cut.
const REASON_BYTES_MAX: usize = 200;

/// PUBACK, PUBREC or PUBCOMP with success; the same bytes in both versions.
pub(crate) fn acknowledge(out: &mut BytesMut, first: u8, packet_id: u16) {
    out.put_slice(&[first, 2]);
    out.put_u16(packet_id);
}

/// PUBACK or PUBREC of MQTT 5 with a reason code and, if the client wants it, a Reason String.
pub(crate) fn acknowledge_with(out: &mut BytesMut, first: u8, packet_id: u16, code: u8, reason: Option<&str>) {
    let reason = reason.map(cut);
    out.put_u8(first);
    put_length(out, 2 + 1 + reason_bytes(reason));
    out.put_u16(packet_id);
    out.put_u8(code);
    put_reason(out, reason);
}

/// DISCONNECT of MQTT 5.
pub(crate) fn disconnect(out: &mut BytesMut, code: u8, reason: Option<&str>) {
    let reason = reason.map(cut);
    out.put_u8(0xE0);
    put_length(out, 1 + reason_bytes(reason));
    out.put_u8(code);
    put_reason(out, reason);
}

/// PINGRESP.
pub(crate) fn ping_response(out: &mut BytesMut) {
    out.put_slice(&[0xD0, 0]);
}

/// How a PUBLISH is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// QoS 0
    Once,
    /// QoS 1, with this packet identifier.
    First(u16),
    /// QoS 1 once more, with DUP.
    Again(u16),
}

impl Sending {
    fn packet_id(self) -> Option<u16> {
        match self {
            Self::Once => None,
            Self::First(id) | Self::Again(id) => Some(id),
        }
    }
}

/// PUBLISH.
pub(crate) fn publish(out: &mut BytesMut, level: Level, sending: Sending, topic: &str, payload: &[u8]) {
    let packet_id = sending.packet_id();
    out.put_u8(match sending {
        Sending::Once => 0x30,
        Sending::First(_) => 0x32,
        Sending::Again(_) => 0x3A,
    });
    put_length(out, publish_body_bytes(level, packet_id.is_some(), topic, payload));
    put_string(out, topic);
    if let Some(id) = packet_id {
        out.put_u16(id);
    }
    if level == Level::V5 {
        out.put_u8(0);
    }
    out.put_slice(payload);
}

/// Bytes of a PUBLISH after its fixed header.
pub(crate) fn publish_body_bytes(level: Level, with_id: bool, topic: &str, payload: &[u8]) -> usize {
    2 + topic.len() + 2 * usize::from(with_id) + usize::from(level == Level::V5) + payload.len()
}

/// CONNACK; the codec drops the properties for MQTT 3.1.1. `session_present` only with success (MQTT-3.2.2-6).
pub(crate) fn connack(
    out: &mut BytesMut,
    level: Level,
    code: ConnectReturnCode,
    session_present: bool,
    properties: ConnAckProperties,
) {
    write(out, level, Packet::ConnAck(ConnAck { session_present, code }, Some(properties)));
}

/// SUBACK.
pub(crate) fn suback(out: &mut BytesMut, level: Level, packet_id: u16, codes: Vec<SubscribeReasonCode>) {
    write(out, level, Packet::SubAck(SubAck { pkid: packet_id, return_codes: codes }, None));
}

/// UNSUBACK.
pub(crate) fn unsuback(out: &mut BytesMut, level: Level, packet_id: u16, reasons: Vec<UnsubAckReason>) {
    write(out, level, Packet::UnsubAck(UnsubAck { pkid: packet_id, reasons }, None));
}

fn write(out: &mut BytesMut, level: Level, packet: Packet) {
    let written = match level {
        Level::V4 => V4.write(packet, out),
        Level::V5 => V5.write(packet, out),
    };
    // The codec fails only above 256 MiB, and our answers are bounded by what was asked.
    debug_assert!(written.is_ok(), "an answer exceeds the protocol's packet length");
}

/// Variable Byte Integer (MQTT 5 §1.5.5).
fn put_length(out: &mut BytesMut, mut length: usize) {
    loop {
        let low = u8::try_from(length & 0x7F).unwrap_or(0);
        length >>= 7;
        out.put_u8(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            return;
        }
    }
}

/// Length-prefixed UTF-8 (§1.5.4). Callers pass topics and cut reasons, which fit 16 bits.
fn put_string(out: &mut BytesMut, s: &str) {
    out.put_u16(u16::try_from(s.len()).unwrap_or(u16::MAX));
    out.put_slice(s.as_bytes());
}

/// Bytes of the properties: their length, and Reason String (identifier 0x1F). Without any, the length is left out.
fn reason_bytes(reason: Option<&str>) -> usize {
    reason.map_or(0, |r| put_length_bytes(3 + r.len()) + 3 + r.len())
}

fn put_length_bytes(length: usize) -> usize {
    1 + usize::from(length > 0x7F)
}

fn put_reason(out: &mut BytesMut, reason: Option<&str>) {
    if let Some(reason) = reason {
        put_length(out, 3 + reason.len());
        out.put_u8(0x1F);
        put_string(out, reason);
    }
}

/// The reason, cut to [`REASON_BYTES_MAX`] at a character.
fn cut(reason: &str) -> &str {
    let end = (0..=reason.len().min(REASON_BYTES_MAX)).rev().find(|&i| reason.is_char_boundary(i));
    &reason[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl Fn(&mut BytesMut), expected: &[u8]) {
        let mut out = BytesMut::new();
        write(&mut out);
        assert_eq!(&out[..], expected);
    }

    #[test]
    fn reasons_are_optional_and_cut() {
        check(|out| disconnect(out, 0x8B, None), &[0xE0, 1, 0x8B]);
        check(|out| disconnect(out, 0x8B, Some("why")), b"\xe0\x08\x8b\x06\x1f\x00\x03why");
        check(|out| acknowledge_with(out, PUBREC, 258, 0x87, None), &[0x50, 3, 1, 2, 0x87]);
        let mut out = BytesMut::new();
        disconnect(&mut out, 0x80, Some(&"ä".repeat(150)));
        // 200 bytes of text; 203 of properties, whose length takes 2; the code.
        assert_eq!((&out[..8], out.len()), (&[0xE0, 0xCE, 1, 0x80, 0xCB, 1, 0x1F, 0][..], 3 + 206));
        disconnect(&mut out, 0x80, Some(&format!("a{}", "ä".repeat(150))));
        assert!(std::str::from_utf8(&out[out.len() - 199..]).is_ok(), "cut at a character");
    }

    #[test]
    fn publishes() {
        check(|out| publish(out, Level::V4, Sending::Once, "a/b", b"hi"), b"\x30\x07\x00\x03a/bhi");
        check(|out| publish(out, Level::V4, Sending::First(9), "a/b", b"hi"), b"\x32\x09\x00\x03a/b\x00\x09hi");
        check(|out| publish(out, Level::V5, Sending::First(9), "a/b", b"hi"), b"\x32\x0a\x00\x03a/b\x00\x09\x00hi");
        check(|out| publish(out, Level::V5, Sending::Again(9), "a/b", b"hi"), b"\x3a\x0a\x00\x03a/b\x00\x09\x00hi");
    }

    #[test]
    fn lengths() {
        // MQTT 5 §1.5.5, table 1-1.
        for (length, bytes) in [
            (0, &[0][..]),
            (127, &[0x7F]),
            (128, &[0x80, 1]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 1]),
            (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            check(|out| put_length(out, length), bytes);
        }
    }
}
