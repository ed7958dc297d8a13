//! The examples of RFC 8949 appendix A, CBOR through a mapping, and what is refused.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::codec::tests::check_on_port;

/// A node in the diagnostic notation of RFC 8949 §8, with numbers as their decimals.
fn shown(node: &Node<'_>) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match &node.value {
        Value::Number(number) => match record::Decimal::parse(number) {
            Ok(decimal) => decimal.to_string(),
            Err(_) => format!("beyond({})", &**number),
        },
        Value::Text(text) => format!("{text:?}"),
        Value::Array(items) => format!("[{}]", list(items.iter().map(shown).collect())),
        Value::Object(members) => {
            format!("{{{}}}", list(members.iter().map(|(key, member)| format!("{key:?}: {}", shown(member))).collect()))
        }
        other => other.shown(),
    }
}

fn read(hex: &str) -> String {
    let payload = hex::decode(hex.replace(' ', "")).unwrap();
    match CborDocument::new(|integer| Cow::Owned(integer.to_string())).parse(&payload) {
        Ok(root) => shown(&root),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn rfc_8949_appendix_a() {
    for (hex, expected) in [
        ("00", "0"),
        ("17", "23"),
        ("1818", "24"),
        ("1903e8", "1000"),
        ("1a000f4240", "1000000"),
        ("1b000000e8d4a51000", "1000000000000"),
        // Decimals keep 18 digits; these have 20.
        ("1bffffffffffffffff", "18446744073709551600"),
        ("c249010000000000000000", "18446744073709551600"),
        ("3bffffffffffffffff", "-18446744073709551600"),
        ("c349010000000000000000", "-18446744073709551600"),
        ("20", "-1"),
        ("3903e7", "-1000"),
        ("f90000", "0"),
        ("f98000", "0"),
        ("f93c00", "1"),
        ("fb3ff199999999999a", "1.1"),
        ("f93e00", "1.5"),
        ("f97bff", "65504"),
        ("fa47c35000", "100000"),
        // The appendix shows this single as the double of the same value, 3.4028234663852886e+38.
        ("fa7f7fffff", "340282350000000000000000000000000000000"),
        ("fb7e37e43c8800759c", "beyond(1e300)"),
        ("f90001", "0.00000005960464477539063"),
        ("f90400", "0.00006103515625"),
        ("f9c400", "-4"),
        ("fbc010666666666666", "-4.1"),
        ("f97c00", "inf"),
        ("f97e00", "NaN"),
        ("f9fc00", "-inf"),
        ("fa7f800000", "inf"),
        ("fa7fc00000", "NaN"),
        ("fbfff0000000000000", "-inf"),
        ("f4", "false"),
        ("f5", "true"),
        ("f6", "null"),
        ("f7", "null"),
        ("f0", "null"),
        ("f8ff", "null"),
        ("c074323031332d30332d32315432303a30343a30305a", "\"2013-03-21T20:04:00Z\""),
        ("c11a514b67b0", "1363896240"),
        ("c1fb41d452d9ec200000", "1363896240.5"),
        ("d74401020304", "4 bytes"),
        ("d818456449455446", "5 bytes"),
        ("40", "0 bytes"),
        ("4401020304", "4 bytes"),
        ("60", "\"\""),
        ("6449455446", "\"IETF\""),
        ("62225c", r#""\"\\""#),
        ("64f0908591", "\"𐅑\""),
        ("80", "[]"),
        ("8301820203820405", "[1, [2, 3], [4, 5]]"),
        ("a0", "{}"),
        ("a201020304", r#"{"1": 2, "3": 4}"#),
        ("a26161016162820203", r#"{"a": 1, "b": [2, 3]}"#),
        ("826161a161626163", r#"["a", {"b": "c"}]"#),
        ("5f42010243030405ff", "5 bytes"),
        ("7f657374726561646d696e67ff", "\"streaming\""),
        ("9fff", "[]"),
        ("9f018202039f0405ffff", "[1, [2, 3], [4, 5]]"),
        ("83018202039f0405ff", "[1, [2, 3], [4, 5]]"),
        ("bf61610161629f0203ffff", r#"{"a": 1, "b": [2, 3]}"#),
        ("bf6346756ef563416d7421ff", r#"{"Fun": true, "Amt": -2}"#),
    ] {
        assert_eq!(read(hex), expected, "{hex}");
    }
}

#[test]
fn rfc_8949_3_4_4_decimal_fractions_are_exact() {
    assert_eq!(read("c48221196ab3"), "273.15");
    assert_eq!(read("c48221c2426ab3"), "273.15");
    assert_eq!(read("c4820e01"), "100000000000000");
    // Not of that form: its content, which is no number.
    assert_eq!(read("c48121"), "[-2]");
}

#[test]
fn what_is_not_one_valid_item_is_refused() {
    fn check(hex: &str, expected: Expect) {
        expected.assert_eq(&read(hex));
    }
    check("", expect!["error: payload is not CBOR at byte 0: it ends within an item"]);
    check("0001", expect!["error: payload goes on behind its item at byte 1: send one item a frame"]);
    check(
        "a2616101616102",
        expect!["error: key `a` stands twice in the map at byte 0, so the frame has two meanings: send each key once"],
    );
    check(
        "a20101613102",
        expect!["error: key `1` stands twice in the map at byte 0, so the frame has two meanings: send each key once"],
    );
    check("a1f501", expect!["error: the key at byte 1 is neither text nor integer: send such keys only"]);
    check("a1616183", expect!["error: payload is not CBOR at byte 4: it ends within an item"]);
    check("9bffffffffffffffff01", expect!["error: payload is not CBOR at byte 10: it ends within an item"]);
    check("5bffffffffffffffff01", expect!["error: payload is not CBOR at byte 0: it ends within an item"]);
    check("61ff", expect!["error: payload is not CBOR at byte 0: invalid utf-8 at position 0"]);
    for (hex, at) in
        [("ff", 0), ("1c", 0), ("f818", 0), ("fc", 0), ("81ff", 1), ("a1ff", 1), ("bf01ff", 2), ("9f1d", 1)]
    {
        assert_eq!(
            read(hex),
            format!("error: payload is not CBOR at byte {at}: no item begins with this byte"),
            "{hex}"
        );
    }
    for level in ["81", "9f", "a100", "c1"] {
        let depth = |levels: usize| read(&format!("{}00", level.repeat(levels)));
        assert!(depth(17).starts_with("error: payload is nested deeper than 16 levels at byte "), "{level}");
        assert!(!depth(16).starts_with("error: payload is nested"), "{level}");
    }
}

const PROBE: &str = r#"
    kind = "cbor"
    time = { path = "/-1", format = "unix_s" }
    fields = [
        { path = "/1", quantity = "cod", unit = "mg/L", max = 500 },
        { path = "/values/0/t", quantity = "water_temperature", unit = "Cel", scale = 0.1 },
        { path = "/ph", quantity = "ph", unit = "[pH]", optional = true },
    ]
"#;

fn check_probe(hex: &str, expected: Expect) {
    check_on_port(PROBE, &hex::decode(hex.replace(' ', "")).unwrap(), None, expected);
}

#[test]
fn a_mapping_finds_integer_keys_by_their_text() {
    // {-1: 1700000000.5, 1: 40.1 (single), "values": [{"t": 183}], "ph": 7.3 (decimal fraction)}
    check_probe(
        "a4 20 fb41d954fc40200000 01 fa42206666 6676616c756573 81a1617418b7 627068 c4822018 49",
        expect![[r#"
            cod 40.1 mg/L good @1700000000500
            water_temperature 18.3 Cel good @1700000000500
            ph 7.3 [pH] good @1700000000500
        "#]],
    );
    // {-1: "noon", 1: NaN, "ph": "No Sensor"}
    check_probe(
        "a3 20 646e6f6f6e 01 f97e00 627068 694e6f2053656e736f72",
        expect![[r#"
            cod - mg/L not_a_number
            water_temperature - Cel missing
            ph - [pH] not_a_number
            warning: device time `noon` cannot be read
            warning: cod has no value: the sensor sent `NaN`
            warning: ph has no value: the sensor sent `No Sensor`
        "#]],
    );
    check_probe(
        "a1 02 01",
        expect![
            "error: none of the mapping's fields is in the payload (/1, /values/0/t, /ph): compare `[device.codec]` with what it sends"
        ],
    );
}

proptest! {
    /// What is read at all is one item, whose every byte was looked at: without its last byte it is none.
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x81), Just(0xa1), Just(0x9f), Just(0xff), Just(0xc4), Just(0x61)], 0..60)) {
        let document = CborDocument::new(|integer| Cow::Owned(integer.to_string()));
        if document.parse(&bytes).is_ok() {
            prop_assert!(document.parse(&bytes[..bytes.len() - 1]).is_err());
        }
    }
}
