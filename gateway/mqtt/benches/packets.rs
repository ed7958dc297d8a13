//! Damaged MQTT packets a second, and whether memory stays flat: `cargo bench -p mqtt -- --packets 10000000`.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../../ingest/benches/damage/mod.rs"]
mod damage;
#[path = "../src/packet.rs"]
#[expect(dead_code, reason = "what a connection needs and a parser alone does not")]
mod packet;

use bytes::BytesMut;
use packet::{Header, Level, take};

/// As the edge has it by default.
const PACKET_BYTES_MAX: usize = 64 * 1024;

/// Good packets of each kind: PUBLISH at QoS 0 to 2, SUBSCRIBE, UNSUBSCRIBE, the short ones, and CONNECT.
const V4: [&[u8]; 9] = [
    b"\x30\x0b\x00\x06d/a/up{}\x0a",
    b"\x32\x0d\x00\x06d/a/up\x00\x01{1}",
    b"\x34\x0d\x00\x06d/a/up\x00\x02{1}",
    b"\x82\x0d\x00\x03\x00\x08d/a/down\x01",
    b"\xa2\x0c\x00\x04\x00\x08d/a/down",
    b"\x40\x02\x00\x05",
    b"\x62\x02\x00\x06",
    b"\xc0\x00",
    b"\x10\x13\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01a\x00\x01a\x00\x01p",
];
const V5: [&[u8]; 6] = [
    b"\x30\x13\x00\x06d/a/up\x07\x26\x00\x01k\x00\x01v{1}",
    b"\x32\x13\x00\x06d/a/up\x00\x01\x05\x02\x00\x00\x00\x3c{1}",
    b"\x82\x10\x00\x03\x02\x0b\x01\x00\x08d/a/down\x01",
    b"\xa2\x0d\x00\x04\x00\x00\x08d/a/down",
    b"\xe0\x07\x04\x05\x11\x00\x00\x00\x0a",
    b"\x10\x19\x00\x04MQTT\x05\xc2\x00\x3c\x05\x11\x00\x00\x00\x3c\x00\x01a\x00\x01a\x00\x01p",
];

fn main() {
    for (level, packets) in [(Level::V4, &V4[..]), (Level::V5, &V5[..])] {
        for packet in packets {
            assert!(parses(level, packet), "{packet:02x?}");
        }
    }
    damage::run("packets", |rng| {
        let (level, packets) = if rng.below(2) == 0 { (Level::V4, &V4[..]) } else { (Level::V5, &V5[..]) };
        let mut packet = packets[rng.below(packets.len())].to_vec();
        damage::damage(rng, &mut packet);
        parses(level, &packet)
    });
}

/// Takes packets to the end, as a connection does: CONNECT by its own way, the others by theirs.
fn parses(level: Level, bytes: &[u8]) -> bool {
    let mut bytes = BytesMut::from(bytes);
    if bytes.first() == Some(&0x10) {
        let header = Header::read(&bytes).ok().flatten().filter(|header| header.packet_bytes() <= bytes.len());
        return header.is_some_and(|header| level.parse(&mut bytes, header.body_bytes).is_ok());
    }
    let mut taken = false;
    while let Ok(Some(_)) = take(level, &mut bytes, PACKET_BYTES_MAX) {
        taken = true;
    }
    taken
}
