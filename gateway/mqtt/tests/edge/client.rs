//! A device made of hand-written bytes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes; only a failure waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) level: u8,
}

/// CONNECT, to be varied by its fields.
pub(crate) struct Connect<'a> {
    pub(crate) level: u8,
    pub(crate) id: &'a str,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    pub(crate) keep_alive: u16,
    pub(crate) clean: bool,
    pub(crate) will: Option<(&'a str, bool)>,
    pub(crate) properties: &'a [u8],
}

impl<'a> Connect<'a> {
    pub(crate) fn new(level: u8, name: &'a str) -> Self {
        let (user, password) = (Some(name), Some("secret"));
        Self { level, id: name, user, password, keep_alive: 60, clean: true, will: None, properties: &[] }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut flags = if self.clean { 0b10 } else { 0 };
        let mut tail = string(self.id);
        if let Some((topic, retain)) = self.will {
            flags |= if retain { 0x24 } else { 0x04 };
            if self.level == 5 {
                tail.push(0);
            }
            tail.extend(string(topic));
            tail.extend(string("gone"));
        }
        for (text, flag) in [(self.user, 0x80), (self.password, 0x40)] {
            if let Some(text) = text {
                flags |= flag;
                tail.extend(string(text));
            }
        }
        let mut body = string("MQTT");
        body.extend([self.level, flags]);
        body.extend(self.keep_alive.to_be_bytes());
        if self.level == 5 {
            body.push(self.properties.len() as u8);
            body.extend(self.properties);
        }
        body.extend(tail);
        packet(0x10, &body)
    }
}

pub(crate) fn string(s: &str) -> Vec<u8> {
    let mut bytes = (s.len() as u16).to_be_bytes().to_vec();
    bytes.extend(s.as_bytes());
    bytes
}

pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        bytes.push((length & 0x7F) as u8 | if length > 0x7F { 0x80 } else { 0 });
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

/// PUBLISH; `flags` are the low four bits.
pub(crate) fn publish(level: u8, flags: u8, id: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = string(topic);
    if flags & 0b110 != 0 {
        body.extend(id.to_be_bytes());
    }
    if level == 5 {
        body.push(0);
    }
    body.extend(payload);
    packet(0x30 | flags, &body)
}

pub(crate) fn subscribe(level: u8, id: u16, filter: &str, qos: u8) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if level == 5 {
        body.push(0);
    }
    body.extend(string(filter));
    body.push(qos);
    packet(0x82, &body)
}

pub(crate) fn unsubscribe(level: u8, id: u16, filter: &str) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if level == 5 {
        body.push(0);
    }
    body.extend(string(filter));
    packet(0xA2, &body)
}

impl Client {
    pub(crate) async fn dial(address: SocketAddr, level: u8) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, level }
    }

    /// Connects and expects to be let in.
    pub(crate) async fn connect(address: SocketAddr, level: u8, name: &str) -> Self {
        let mut client = Self::dial(address, level).await;
        client.send(&Connect::new(level, name).bytes()).await;
        let connack = client.packet().await;
        assert_eq!((connack[0], connack[2], connack[3]), (0x20, 0, 0), "{name} is let in: {connack:02x?}");
        client
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // A server that has closed already is what some tests expect.
        let _ = self.stream.write_all(bytes).await;
    }

    pub(crate) async fn publish(&mut self, flags: u8, id: u16, topic: &str, payload: &[u8]) {
        let bytes = publish(self.level, flags, id, topic, payload);
        self.send(&bytes).await;
    }

    /// The next packet whole, or none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        let read = async {
            let mut bytes = vec![self.stream.read_u8().await.ok()?];
            let mut length = 0;
            for shift in [0, 7, 14, 21] {
                let byte = self.stream.read_u8().await.ok()?;
                bytes.push(byte);
                length |= usize::from(byte & 0x7F) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let start = bytes.len();
            bytes.resize(start + length, 0);
            self.stream.read_exact(&mut bytes[start..]).await.ok()?;
            Some(bytes)
        };
        timeout(PATIENCE, read).await.expect("the edge answers or closes")
    }

    pub(crate) async fn packet(&mut self) -> Vec<u8> {
        self.next().await.expect("a packet, not the end")
    }

    /// Expects the end of the stream, for MQTT 5 after a DISCONNECT with this code; and closes its own side.
    pub(crate) async fn closed(mut self, code: u8) {
        if self.level == 5 {
            let bytes = self.packet().await;
            assert_eq!((bytes[0], bytes[2]), (0xE0, code), "{bytes:02x?}");
            assert_eq!(bytes[4], 0x1F, "a reason string says what to do");
        }
        assert_eq!(self.next().await, None, "the end of the stream");
    }

    /// True if nothing arrives for a moment.
    pub(crate) async fn silent(&mut self) -> bool {
        timeout(Duration::from_millis(60), self.stream.peek(&mut [0])).await.is_err()
    }
}
