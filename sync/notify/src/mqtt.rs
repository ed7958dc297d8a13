//! A message to an MQTT broker: the packets of one connection that publishes once, by MQTT 3.1.1 (OASIS, 2014), which every broker
//! speaks. It says CONNECT, PUBLISH with QoS 1, DISCONNECT, and hears CONNACK and PUBACK; it subscribes to nothing and keeps no
//! session.

use sha2::{Digest, Sha256};

/// The packet identifier of the one PUBLISH.
const PACKET_ID: u16 = 1;
/// Longest text of a packet, §1.5.3. Bytes.
pub const TEXT_BYTES_MAX: usize = 65_535;
/// Bytes of the digest in a client id: in hex and with the rest no more than 23 letters and digits, which every broker takes, §3.1.3.1.
const CLIENT_ID_BYTES: usize = 8;
/// The last packet.
pub const DISCONNECT: [u8; 2] = [0xe0, 0];

/// What answers CONNECT and PUBLISH: four bytes each.
pub type Answer = [u8; 4];

/// CONNECT with a clean session. `box_id` and `channel` make the client id: two boxes with one would throw each other out.
pub fn connect((box_id, channel): (&str, &str), login: Option<(&str, &str)>, keep_alive_s: u16) -> Vec<u8> {
    const CLEAN_SESSION: u8 = 0x02;
    const USER_AND_PASSWORD: u8 = 0xc0;
    let digest = Sha256::digest(format!("{box_id}/{channel}"));
    let client_id = format!("weir{}", hex::encode(&digest[..CLIENT_ID_BYTES]));
    let mut body = text("MQTT");
    body.extend([4, CLEAN_SESSION | login.map_or(0, |_| USER_AND_PASSWORD)]);
    body.extend(keep_alive_s.to_be_bytes());
    body.extend(text(&client_id));
    for part in login.into_iter().flat_map(|(user, password)| [user, password]) {
        body.extend(text(part));
    }
    packet(0x10, &body)
}

/// PUBLISH with QoS 1, not retained: an alarm of yesterday must not greet whoever subscribes today.
pub fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = text(topic);
    body.extend(PACKET_ID.to_be_bytes());
    body.extend(payload);
    packet(0x32, &body)
}

/// Whether the broker lets the box in, §3.2.
///
/// # Errors
/// Why not.
pub fn let_in(connack: Answer) -> Result<(), &'static str> {
    match connack {
        [0x20, 2, _, 0] => Ok(()),
        [0x20, 2, _, 1] => Err("the broker does not speak MQTT 3.1.1"),
        [0x20, 2, _, 2] => Err("the broker does not take the client id"),
        [0x20, 2, _, 3] => Err("the broker is not available"),
        [0x20, 2, _, 4] => Err("the broker does not know this user and password"),
        [0x20, 2, _, 5] => Err("the broker does not let this user in"),
        _ => Err("what answers is no MQTT broker"),
    }
}

/// Whether the broker has it, §3.4.
pub fn is_taken(puback: Answer) -> bool {
    let [high, low] = PACKET_ID.to_be_bytes();
    puback == [0x40, 2, high, low]
}

/// Whether one may publish to it, §4.7.
pub fn is_topic(topic: &str) -> bool {
    !topic.is_empty() && topic.len() <= TEXT_BYTES_MAX && !topic.contains(['+', '#', '\0'])
}

/// A text behind its length, §1.5.3; what is longer than it can be is cut, which who reads configurations refuses before.
fn text(text: &str) -> Vec<u8> {
    let bytes = &text.as_bytes()[..text.len().min(TEXT_BYTES_MAX)];
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

/// The remaining length in front, seven bits a byte, §2.2.3.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let (mut packet, mut rest) = (vec![kind], body.len());
    loop {
        let [low, ..] = (rest & 0x7f).to_le_bytes();
        rest >>= 7;
        packet.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_those_of_the_standard() {
        // Figure 3.6 of the standard, with our client id and what stands in §3.1.3 behind it.
        let connect = connect(("outfall-1", "desk"), Some(("li", "pw")), 60);
        let client_id = b"\0\x14weir129d6fdee17e7925";
        let expected = [b"\x10\x28\0\x04MQTT\x04\xc2\0\x3c".as_slice(), client_id, b"\0\x02li\0\x02pw"].concat();
        assert_eq!(connect, expected);
        assert_eq!(publish("a/b", b"{}"), b"\x32\x09\0\x03a/b\0\x01{}");
        // Table 2.4: 128 and 16,384 are the first of two and of three bytes.
        for (bytes, length) in
            [(127, &[0x7f][..]), (128, &[0x80, 1]), (16_383, &[0xff, 0x7f]), (16_384, &[0x80, 0x80, 1])]
        {
            let payload = vec![0; bytes - 5];
            assert_eq!(publish("a", &payload)[1..=length.len()], *length, "{bytes}");
        }
    }

    #[test]
    fn only_a_broker_that_says_so_has_it() {
        assert!(let_in([0x20, 2, 0, 0]).is_ok() && is_taken([0x40, 2, 0, 1]));
        for wrong in [[0x20, 2, 0, 5], [0x20, 3, 0, 0], *b"HTTP", [0; 4]] {
            assert!(let_in(wrong).is_err(), "{wrong:?}");
        }
        for wrong in [[0x40, 2, 0, 2], [0x50, 2, 0, 1], [0x40, 2, 1, 0]] {
            assert!(!is_taken(wrong), "{wrong:?}");
        }
        assert!(is_topic("weir/outfall-1") && !is_topic("") && !is_topic("weir/#") && !is_topic("a/+/b"));
    }
}
