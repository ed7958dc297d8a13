//! An MQTT 3.1.1 sensor in a few lines, for tests that send one message at a time and are about something else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::{Device, World};

/// How long an acknowledgement may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to the gateway as one device.
#[derive(Debug)]
pub struct Sensor {
    stream: TcpStream,
    topic: String,
    packet_id: u16,
}

impl Sensor {
    /// Connects as this device of a world.
    pub fn connect(world: &World, device: &Device) -> Sensor {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, world.mqtt_port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0b1100_0010, 0, 0];
        for field in [&device.name, &device.name, &device.password()] {
            body.extend(text(field));
        }
        stream.write_all(&packet(0x10, &body)).unwrap();
        expect(&mut stream, [0x20, 2, 0, 0]);
        Sensor { stream, topic: device.topic(), packet_id: 0 }
    }

    /// Publishes at QoS 1 and waits until it is stored.
    pub fn publish(&mut self, payload: &str) {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        let [high, low] = self.packet_id.to_be_bytes();
        let mut body = text(&self.topic);
        body.extend([high, low]);
        body.extend_from_slice(payload.as_bytes());
        self.stream.write_all(&packet(0x32, &body)).unwrap();
        expect(&mut self.stream, [0x40, 2, high, low]);
    }
}

/// With its length in front (MQTT 3.1.1 §1.5.3).
fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&length, text.as_bytes()].concat()
}

/// Fixed header and body (§2.2); nothing here is longer than two bytes of length can say.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    assert!(length < 16_384);
    let length = [u8::try_from(length % 128).unwrap() | 0x80, u8::try_from(length / 128).unwrap()];
    [&[kind], &length[..], body].concat()
}

fn expect(stream: &mut TcpStream, packet: [u8; 4]) {
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, packet, "of the gateway");
}

/// Splitmix64 of a number: digits that no batch can pack away.
pub fn noise(n: u64) -> u64 {
    let z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 27)
}
