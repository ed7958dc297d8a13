use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn frame(kind: Kind, envelope: &[u8]) -> Event {
    Event::Frame(Frame { kind, envelope: envelope.to_vec(), crc_agrees: true })
}

/// The stream in hex, and what is found in it.
fn check(stream: &str, events: Expect) {
    let mut decoder = Decoder::default();
    let bytes = hex::decode(stream.replace(' ', "")).unwrap();
    let found = decoder.push(&bytes).into_iter().map(|event| match event {
        Event::Frame(Frame { kind, envelope, crc_agrees }) => {
            format!("{kind:?} {} {}", hex::encode(envelope), if crc_agrees { "" } else { "crc differs" })
        }
        Event::Damaged { damage, bytes } => format!("{damage:?} {bytes}"),
    });
    events.assert_eq(found.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" | ").as_str());
}

#[test]
fn one_frame_and_what_else_stands_on_a_line() {
    assert_eq!(hex::encode(encode(Kind::Frame, &[0xd1, 0x00, 0x84]).unwrap()), "00040103d10484a32900");
    check("00 040103d10484a329 00", expect!["Frame d10084"]);
    // Two frames share a zero byte.
    check("00 040103d10484a329 00 040103d10484a329 00", expect!["Frame d10084 | Frame d10084"]);
    // Noise before, half a frame, a byte lost, a bit flipped in CRC and in the envelope, an unknown kind, nothing at all.
    check("ffee 00 040103d10484a329 00", expect!["Noise 2 | Frame d10084"]);
    check("00 040103d1 00 040103d10484a329 00", expect!["Length 4 | Frame d10084"]);
    check("00 030103 0484a329 00", expect!["Length 7"]);
    check("00 040103d10484a328 00 040103d00484a329 00", expect!["Frame d10084 crc differs | Frame d00084 crc differs"]);
    check("00 040903d10484a329 00", expect!["Noise 8"]);
    check("00 00 00 01 00", expect!["Noise 1"]);
    check(&"55".repeat(1000), expect![""]);
    check(&format!("{}00", "55".repeat(1000)), expect!["TooLong 1000"]);
}

/// The worked example of README.md.
#[test]
fn the_example_of_the_documentation() {
    let line = |kind, envelope: &str| hex::encode(encode(kind, &hex::decode(envelope).unwrap()).unwrap());
    expect!["000d0220d1844ea301040441073a02010115190102a044312e3235482b8bc5cb47e0addcfc1b00"]
        .assert_eq(&line(Kind::ConfirmedFrame, "d1844ea301040441073a00010000190102a044312e3235482b8bc5cb47e0addc"));
    expect!["000d031cd1844ea301040441073a02010111190102a0404830d056ca57e79283010200"]
        .assert_eq(&line(Kind::Acknowledgement, "d1844ea301040441073a00010000190102a0404830d056ca57e79283"));
}

#[test]
fn the_longest_and_the_shortest() {
    let longest = [0x55; ENVELOPE_BYTES_MAX];
    let line = encode(Kind::ConfirmedFrame, &longest).unwrap();
    assert_eq!(line.len(), FRAME_BYTES_MAX);
    assert_eq!(Decoder::default().push(&line), [frame(Kind::ConfirmedFrame, &longest)]);
    assert_eq!(encode(Kind::Frame, &[0; ENVELOPE_BYTES_MAX + 1]), Err(EncodeError { bytes: ENVELOPE_BYTES_MAX + 1 }));
    assert_eq!(encode(Kind::Frame, &[]), Err(EncodeError { bytes: 0 }));
}

#[test]
fn an_interrupted_line_starts_anew() {
    let line = encode(Kind::Acknowledgement, b"ack").unwrap();
    let mut decoder = Decoder::default();
    assert_eq!(decoder.push(&line[..4]), []);
    assert_eq!(decoder.reset(), Some(Event::Damaged { damage: Damage::Length, bytes: 3 }));
    assert_eq!(decoder.reset(), None);
    assert_eq!(decoder.push(&line), [frame(Kind::Acknowledgement, b"ack")]);
}

/// What may stand on a line: whole frames, and everything else.
#[derive(Debug, Clone)]
enum Piece {
    Whole(Kind, Vec<u8>),
    Garbage(Vec<u8>),
    Half(Vec<u8>, prop::sample::Index, bool),
    /// One frame inserted into another, as two devices that talk at once.
    Inside(Vec<u8>, prop::sample::Index, Vec<u8>),
}

fn envelope() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 1..=ENVELOPE_BYTES_MAX)
}

fn piece() -> impl Strategy<Value = Piece> {
    let kind = prop::sample::select(vec![Kind::Frame, Kind::ConfirmedFrame, Kind::Acknowledgement]);
    let garbage = prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..600);
    prop_oneof![
        3 => (kind, envelope()).prop_map(|(kind, envelope)| Piece::Whole(kind, envelope)),
        1 => garbage.prop_map(Piece::Garbage),
        1 => (envelope(), any::<prop::sample::Index>(), any::<bool>()).prop_map(|(e, at, first)| Piece::Half(e, at, first)),
        1 => (envelope(), any::<prop::sample::Index>(), envelope()).prop_map(|(e, at, inner)| Piece::Inside(e, at, inner)),
    ]
}

/// The bytes on the line, and the frames that stand whole in them.
fn line(pieces: &[Piece]) -> (Vec<u8>, Vec<Event>) {
    let (mut line, mut whole) = (Vec::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Whole(kind, envelope) => {
                line.extend(encode(*kind, envelope).unwrap());
                whole.push(frame(*kind, envelope));
            }
            Piece::Garbage(bytes) => line.extend(bytes),
            Piece::Half(envelope, at, first) => {
                let bytes = encode(Kind::Frame, envelope).unwrap();
                let (head, tail) = bytes.split_at(at.index(bytes.len() - 1) + 1);
                line.extend(if *first { head } else { tail });
            }
            Piece::Inside(outer, at, inner) => {
                let bytes = encode(Kind::Frame, outer).unwrap();
                // Not at its boundaries, where it would not be inside.
                let (head, tail) = bytes.split_at(at.index(bytes.len() - 3) + 2);
                line.extend(head);
                line.extend(encode(Kind::Frame, inner).unwrap());
                line.extend(tail);
                whole.push(frame(Kind::Frame, inner));
            }
        }
    }
    (line, whole)
}

proptest! {
    /// Every frame that stands whole in the stream is found, in order, however the stream is cut.
    #[test]
    fn every_whole_frame_is_found(pieces in prop::collection::vec(piece(), 0..12), cut in 1_usize..300) {
        let (line, whole) = line(&pieces);
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for bytes in line.chunks(cut) {
            events.extend(decoder.push(bytes));
        }
        let mut found = events.iter();
        for frame in &whole {
            prop_assert!(found.any(|event| event == frame), "{frame:?} is lost");
        }
        // Noise never passes the CRC often, and never gives a frame in which a byte is missing.
        let agreeing = events.iter().filter(|event| matches!(event, Event::Frame(frame) if frame.crc_agrees)).count();
        prop_assert!(agreeing >= whole.len());
        // Each byte that is no zero is in exactly one piece.
        let counted = events.iter().map(|event| match event {
            Event::Frame(frame) => frame.envelope.len() as u64 + 5,
            Event::Damaged { bytes, .. } => *bytes,
        });
        let rest = decoder.reset().map_or(0, |event| match event {
            Event::Damaged { bytes, .. } => bytes,
            Event::Frame(_) => 0,
        });
        prop_assert_eq!(counted.sum::<u64>() + rest, line.iter().filter(|byte| **byte != 0).count() as u64);
    }
}
