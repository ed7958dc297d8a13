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

/// PUBLISH at QoS 0 (no packet identifier) or 1.
pub(crate) fn publish(out: &mut BytesMut, level: Level, packet_id: Option<u16>, topic: &str, payload: &[u8]) {
    out.put_u8(if packet_id.is_some() { 0x32 } else { 0x30 });
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

/// CONNACK; the codec drops the properties for MQTT 3.1.1. Never with a stored session.
pub(crate) fn connack(out: &mut BytesMut, level: Level, code: ConnectReturnCode, properties: ConnAckProperties) {
    write(out, level, Packet::ConnAck(ConnAck { session_present: false, code }, Some(properties)));
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
