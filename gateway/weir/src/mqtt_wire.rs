//! A client's MQTT connection, of the demo's sensors and of the self-test. rumqttd's codec writes what a client says; it is a
//! server's and panics on most of what a server answers, so answers are read here.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rumqttd::protocol::v4::V4;
use rumqttd::protocol::v5::V5;
use rumqttd::protocol::{Connect, ConnectProperties, Login, Packet, Protocol, PubRel, PubRelReason, Publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest answer of the box that is read, in bytes; they have some twenty, a Reason String included.
const ANSWER_BYTES_MAX: usize = 1024;
/// Reason codes from here on are refusals (MQTT 5 §2.4).
const REFUSED_FROM: u8 = 0x80;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);
/// Seconds of silence after which the box may give the sensor up.
const KEEP_ALIVE_S: u16 = 60;
/// Seconds for which the box is asked to remember the session (it answers that it does not; the sensor does).
const SESSION_EXPIRY_S: u32 = 3_600;

/// The version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// MQTT 3.1.1
    V4,
    /// MQTT 5
    V5,
}

/// What the box is to remember of a client that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Its session.
    Session,
    /// Nothing.
    Nothing,
}

/// A connection that the box has let in.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    level: Level,
    input: BytesMut,
    output: BytesMut,
}

/// A PUBLISH as it is to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) qos: u8,
    pub(crate) packet_id: u16,
    /// It may have been sent before.
    pub(crate) dup: bool,
    pub(crate) payload: &'a [u8],
}

/// What the box says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// CONNACK with success.
    LetIn,
    /// PUBACK.
    Acknowledged {
        packet_id: u16,
        /// Whether the box has it; false for a reason code that refuses.
        taken: bool,
    },
    /// PUBREC.
    Received {
        packet_id: u16,
        /// As above.
        taken: bool,
    },
    /// PUBCOMP.
    Completed { packet_id: u16 },
    /// CONNACK with a refusal, or DISCONNECT.
    Gone {
        /// Return or reason code.
        code: u8,
    },
    /// Anything else.
    Other,
}

impl Answer {
    /// The first answer in `bytes` and its length; none if it is not there as a whole.
    fn parse(bytes: &[u8]) -> io::Result<Option<(Answer, usize)>> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let Some((header, length)) = remaining_length(rest)? else { return Ok(None) };
        let Some(body) = rest.get(header..header + length) else { return Ok(None) };
        let code = |place: usize| body.get(place).copied().unwrap_or(0);
        let packet_id = u16::from_be_bytes([code(0), code(1)]);
        let taken = code(2) < REFUSED_FROM;
        let answer = match first {
            0x20 if code(1) == 0 => Answer::LetIn,
            0x20 => Answer::Gone { code: code(1) },
            0x40 => Answer::Acknowledged { packet_id, taken },
            0x50 => Answer::Received { packet_id, taken },
            0x70 => Answer::Completed { packet_id },
            0xE0 => Answer::Gone { code: code(0) },
            _ => Answer::Other,
        };
        Ok(Some((answer, 1 + header + length)))
    }
}

/// How many bytes the Remaining Length has, and what it says (MQTT 5 §2.1.4).
fn remaining_length(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (place, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * place);
        if length > ANSWER_BYTES_MAX {
            break;
        }
        if byte & 0x80 == 0 {
            return Ok(Some((place + 1, length)));
        }
    }
    match bytes.len() < 4 && length <= ANSWER_BYTES_MAX {
        true => Ok(None),
        false => Err(io::Error::other("an answer longer than any of the box")),
    }
}

impl Wire {
    /// Connects; the client's name is the user's.
    pub(crate) async fn connect(
        to: SocketAddr,
        level: Level,
        (name, password): (&str, &str),
        memory: Memory,
    ) -> io::Result<Wire> {
        let connecting = async {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            let mut wire = Wire { stream, level, input: BytesMut::new(), output: BytesMut::new() };
            let clean_session = memory == Memory::Nothing;
            let connect = Connect { keep_alive: KEEP_ALIVE_S, client_id: name.to_owned(), clean_session };
            let login = Login { username: name.to_owned(), password: password.to_owned() };
            let properties = (level == Level::V5).then(|| session(memory));
            wire.put(Packet::Connect(connect, properties, None, None, Some(login)))?;
            wire.flush().await?;
            match wire.read().await? {
                Answer::LetIn => Ok(wire),
                other => Err(io::Error::other(format!("not let in: {other:?}"))),
            }
        };
        timeout(CONNECT, connecting).await?
    }

    /// The next answer. Cancel safe.
    pub(crate) async fn read(&mut self) -> io::Result<Answer> {
        loop {
            if let Some((answer, bytes)) = Answer::parse(&self.input)? {
                self.input.advance(bytes);
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Queues a PUBLISH.
    pub(crate) fn publish(&mut self, publish: &Outgoing<'_>) -> io::Result<()> {
        let Outgoing { topic, qos, packet_id, dup, payload } = publish;
        // The codec keeps QoS, packet identifier and DUP to itself; this form of its own is the way to set them.
        let mut form = BytesMut::with_capacity(5 + topic.len() + payload.len());
        form.put_u8(0x30 | (qos << 1) | (u8::from(*dup) << 3));
        form.put_u16(*packet_id);
        form.put_u16(u16::try_from(topic.len()).map_err(io::Error::other)?);
        form.put_slice(topic.as_bytes());
        form.put_slice(payload);
        self.put(Packet::Publish(Publish::deserialize(form.freeze()), None))
    }

    /// Queues a PUBREL.
    pub(crate) fn release(&mut self, packet_id: u16) -> io::Result<()> {
        self.put(Packet::PubRel(PubRel { pkid: packet_id, reason: PubRelReason::Success }, None))
    }

    /// Says goodbye. Nobody is left to be told of a failure.
    pub(crate) async fn goodbye(mut self) {
        // rumqttd's codec writes one byte too few of an MQTT 5 DISCONNECT without properties; both versions take these.
        self.output.put_slice(&[0xE0, 0]);
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }

    /// Sends what is queued.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.output).await
    }

    fn put(&mut self, packet: Packet) -> io::Result<()> {
        let written = match self.level {
            Level::V4 => V4.write(packet, &mut self.output),
            Level::V5 => V5.write(packet, &mut self.output),
        };
        written.map(drop).map_err(io::Error::other)
    }
}

fn session(memory: Memory) -> ConnectProperties {
    ConnectProperties {
        session_expiry_interval: (memory == Memory::Session).then_some(SESSION_EXPIRY_S),
        receive_maximum: None,
        max_packet_size: None,
        topic_alias_max: None,
        request_response_info: None,
        request_problem_info: None,
        user_properties: Vec::new(),
        authentication_method: None,
        authentication_data: None::<Bytes>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(hex: &str, expected: Expect) {
        let mut bytes = &hex::decode(hex).unwrap()[..];
        let mut shown = String::new();
        loop {
            match Answer::parse(bytes) {
                Ok(Some((answer, length))) => {
                    shown.push_str(&format!("{answer:?} "));
                    bytes = &bytes[length..];
                }
                Ok(None) => break shown.push_str(&format!("and {} bytes", bytes.len())),
                Err(error) => break shown.push_str(&error.to_string()),
            }
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn answers_of_both_versions_are_read() {
        check("20020000", expect!["LetIn and 0 bytes"]);
        check("200501000221", expect!["and 6 bytes"]);
        check("2003008600", expect!["Gone { code: 134 } and 0 bytes"]);
        check("40020007", expect!["Acknowledged { packet_id: 7, taken: true } and 0 bytes"]);
        check("4003000799", expect!["Acknowledged { packet_id: 7, taken: false } and 0 bytes"]);
        check(
            "500201007002010040",
            expect!["Received { packet_id: 256, taken: true } Completed { packet_id: 256 } and 1 bytes"],
        );
        check("e0018b", expect!["Gone { code: 139 } and 0 bytes"]);
        check("d000", expect!["Other and 0 bytes"]);
        check("40ffffff7f", expect!["an answer longer than any of the box"]);
    }
}
