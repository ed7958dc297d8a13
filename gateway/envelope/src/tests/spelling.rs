//! One meaning, one spelling; and nothing else is an envelope. Hex with the items apart.

use expect_test::{Expect, expect};

use crate::{ENVELOPE_BYTES_MAX, Envelope, ParseError};

fn check(bytes: &str, answer: Expect) {
    let bytes = hex::decode(bytes.replace(' ', "")).unwrap();
    answer.assert_eq(&match Envelope::parse(&bytes) {
        Ok(envelope) => format!("{} {:?}", envelope.alg(), envelope.header()),
        Err(ParseError::Outline { what }) => what.to_owned(),
        Err(ParseError::Algorithm { number, tag }) => format!("algorithm {number} under tag {tag}"),
        Err(error) => format!("{error:?}"),
    });
}

#[test]
fn of_several_spellings_the_shortest_alone_is_taken() {
    check(
        "d1 84 49 a20104 3a00010000 01 a0 4131 48 0000000000000000",
        expect!["HMAC 256/64 Header { kid: None, counter: 1, device_ms: None }"],
    );
    // The counter in two bytes; the payload's length in two; the tag in two.
    check("d1 84 4a a20104 3a00010000 1801 a0 4131 48 0000000000000000", expect!["NotCanonical"]);
    check("d1 84 49 a20104 3a00010000 01 a0 580131 48 0000000000000000", expect!["NotCanonical"]);
    check("d811 84 49 a20104 3a00010000 01 a0 4131 48 0000000000000000", expect!["NotCanonical"]);
    // The labels the other way round; one label twice.
    check("d1 84 49 a2 3a00010000 01 0104 a0 4131 48 0000000000000000", expect!["NotCanonical"]);
    check("d1 84 4b a3 0104 0104 3a00010000 01 a0 4131 48 0000000000000000", expect!["NotCanonical"]);
    // A byte behind the header's map.
    check("d1 84 4a a20104 3a00010000 01 00 a0 4131 48 0000000000000000", expect!["NotCanonical"]);
    // Indefinite lengths.
    check("d1 9f 49 a20104 3a00010000 01 a0 4131 48 0000000000000000 ff", expect!["the array"]);
    check("d1 84 4a bf0104 3a00010000 01ff a0 4131 48 0000000000000000", expect!["the protected header"]);
}

#[test]
fn other_things_are_none() {
    check("7b7d", expect!["the tag"]);
    check("", expect!["the tag"]);
    check("d1 85", expect!["the array"]);
    // No counter; another label; an unprotected header; no payload; a byte behind.
    check("d1 84 43 a10104 a0 4131 48 0000000000000000", expect!["the protected header"]);
    check("d1 84 4b a3 0104 0301 3a00010000 01 a0 4131 48 0000000000000000", expect!["the protected header"]);
    check(
        "d1 84 49 a20104 3a00010000 01 a10440 4131 48 0000000000000000",
        expect!["the unprotected header, which must be empty,"],
    );
    check("d1 84 49 a20104 3a00010000 01 a0 f6 48 0000000000000000", expect!["the payload"]);
    check("d1 84 49 a20104 3a00010000 01 a0 4131 48 0000000000000000 00", expect!["what follows the array"]);
    // The tag cut short; HMAC as a signature; an algorithm that is none of the three.
    check("d1 84 49 a20104 3a00010000 01 a0 4131 47 00000000000000", expect!["the length of the signature or tag"]);
    check("d2 84 49 a20104 3a00010000 01 a0 4131 48 0000000000000000", expect!["algorithm 4 under tag 18"]);
    check("d1 84 49 a20106 3a00010000 01 a0 4131 48 0000000000000000", expect!["algorithm 6 under tag 17"]);
    let long = vec![0xd1; ENVELOPE_BYTES_MAX + 1];
    assert_eq!(Envelope::parse(&long), Err(ParseError::TooLong { bytes: long.len() }));
}
