//! Each kind of number, conditions, and the published examples of real sensors through `config/codecs`.

mod sensors;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::Codec;
use crate::codec::tests::{NOW, check_config, check_on_port};

fn check(fields: &str, payload: &str, expected: Expect) {
    let config = format!("kind = \"binary\"\nfields = [{fields}]");
    check_on_port(&config, &hex::decode(payload.replace(' ', "")).unwrap(), Some(2), expected);
}

/// One field `n` with these keys.
fn field(keys: &str) -> String {
    format!("{{ quantity = \"n\", unit = \"1\", {keys} }}")
}

fn check_number(keys: &str, payload: &str, expected: &str) {
    let config = format!("kind = \"binary\"\nfields = [{}]", field(keys));
    let codec: Codec = toml::from_str(&config).unwrap();
    codec.validate().unwrap();
    let decoded = codec.decode(&hex::decode(payload).unwrap(), NOW, None).unwrap();
    let value = decoded.readings[0].value.map(|value| value.to_string());
    let found = decoded.warnings.first().map(ToString::to_string);
    assert_eq!(value.or(found).unwrap(), expected, "{keys} of {payload}");
}

#[test]
fn every_type_and_byte_order() {
    check_number("length = 1", "ff", "255");
    check_number("length = 2", "0102", "258");
    check_number("length = 2, endian = \"little\"", "0102", "513");
    check_number("length = 3, type = \"int\"", "fffffe", "-2");
    check_number("length = 3, type = \"int\", endian = \"little\"", "feffff", "-2");
    check_number("length = 8, type = \"int\"", "8000000000000000", "-9223372036854775808");
    check_number("length = 8", "7fffffffffffffff", "9223372036854775807");
    // Beyond 2^63 a decimal keeps 18 digits.
    check_number("length = 8", "ffffffffffffffff", "18446744073709551600");
    check_number("length = 4, type = \"bcd\"", "00012345", "12345");
    check_number("length = 2, type = \"bcd\", endian = \"little\"", "3412", "1234");
    check_number("length = 2, type = \"bcd\"", "12fa", "n has no value: the sensor sent `0x12fa`");
    check_number("type = \"float32\"", "42206666", "40.1");
    check_number("type = \"float32\", endian = \"little\"", "66662042", "40.1");
    check_number("type = \"float64\"", "40440ccccccccccd", "40.1");
    check_number("type = \"float32\"", "7fc00000", "n has no value: the sensor sent `NaN`");
    check_number("type = \"float64\"", "fff0000000000000", "n has no value: the sensor sent `-inf`");
    check_number("type = \"float32\"", "00000001", "n has no value: the sensor sent `1e-45`");
}

#[test]
fn places_bits_and_scale() {
    check_number("offset = 1, length = 1", "aabbcc", "187");
    check_number("offset = -1, length = 1", "aabbcc", "204");
    check_number("offset = -3, length = 2", "aabbcc", "43707");
    check_number("length = 2, bits = 14", "cb45", "2885");
    check_number("length = 2, bits = 2, bit_offset = 14", "cb45", "3");
    check_number("length = 2, bit_offset = 14", "cb45", "3");
    check_number("length = 1, bits = 4, bit_offset = 4, type = \"int\"", "e0", "-2");
    check_number("length = 1, bits = 4, type = \"bcd\"", "e7", "7");
    check_number("length = 2, scale = 0.001", "0b45", "2.885");
    check_number("length = 2, scale = 0.1, add = -3276.8", "8081", "12.9");
    check_number("length = 8, scale = 0.001", "7fffffffffffffff", "9223372036854775.807");
    check_number("length = 8, scale = 3", "7fffffffffffffff", "n has no value: the sensor sent `9223372036854775807`");
}

#[test]
fn what_says_no_sensor_is_no_value() {
    check(
        r#"{ quantity = "a", unit = "m", length = 2, type = "int", invalid = [32767, -1] },
           { quantity = "b", unit = "m", offset = 2, length = 2, type = "int", invalid = [32767, -1] },
           { quantity = "c", unit = "m", offset = 4, length = 1, min = 1, max = 2 }"#,
        "7fff ffff 03",
        expect![[r#"
            a - m not_a_number
            b - m not_a_number
            c 3 m out_of_range
            warning: a has no value: the sensor sent `32767`
            warning: b has no value: the sensor sent `-1`
        "#]],
    );
}

#[test]
fn a_condition_chooses_the_layout() {
    let fields = r#"
        { quantity = "level", unit = "mm", offset = 1, length = 2, when = { equals = 1 } },
        { quantity = "level", unit = "mm", offset = 3, length = 2, when = { equals = 2 } },
        { quantity = "alarm", unit = "1", length = 1, offset = -1, bits = 1, when = { length = 2, mask = 0xff00, equals = 0x0200 } }
    "#;
    check(
        fields,
        "01 000a",
        expect![[r#"
        level 10 mm good
    "#]],
    );
    check(
        fields,
        "02 000a 000b 01",
        expect![[r#"
        level 11 mm good
        alarm 1 1 good
    "#]],
    );
    check(
        fields,
        "03 000a",
        expect![
            "error: none of the mapping's fields is in the payload (level, level, alarm): compare `[device.codec]` with what it sends"
        ],
    );
}

#[test]
fn a_frame_that_ends_before_a_field_or_within_it() {
    let fields = r#"
        { quantity = "a", unit = "1", length = 2 },
        { quantity = "b", unit = "1", offset = 2, length = 2 },
        { quantity = "c", unit = "1", offset = 4, length = 2, optional = true }
    "#;
    check(
        fields,
        "0001",
        expect![[r#"
        a 1 1 good
        b - 1 missing
    "#]],
    );
    check(
        fields,
        "000102",
        expect!["error: `b` needs bytes 2 to 3 and the payload has 3: the frame was cut, or is another one"],
    );
    check(
        fields,
        "",
        expect![
            "error: none of the mapping's fields is in the payload (a, b, c): compare `[device.codec]` with what it sends"
        ],
    );
}

#[test]
fn another_port_is_refused() {
    let config = "kind = \"binary\"\nf_ports = [2, 3]\nfields = [{ quantity = \"a\", unit = \"1\", length = 1 }]";
    check_on_port(
        config,
        &[1],
        Some(5),
        expect!["error: payload came on FPort 5, and `f_ports` of the device has only [2, 3]"],
    );
    check_on_port(
        config,
        &[1],
        Some(3),
        expect![[r#"
        a 1 1 good
    "#]],
    );
    check_on_port(
        config,
        &[1],
        None,
        expect![[r#"
        a 1 1 good
    "#]],
    );
}

#[test]
fn a_mapping_that_cannot_work_is_refused() {
    let check = |keys: &str, expected: Expect| {
        check_config(&format!("kind = \"binary\"\nfields = [{}]", field(keys)), expected)
    };
    check_config(
        "kind = \"binary\"\nfields = []",
        expect!["`fields` is empty: add at least one { quantity, unit, offset, length }"],
    );
    check("offset = 0", expect!["`fields[0]`: `length` is missing: write the number of bytes, 1 to 8"]);
    check(
        "length = 9",
        expect!["`fields[0]`: a uint is not 9 bytes long: integers have 1 to 8, float32 has 4, float64 has 8"],
    );
    check(
        "length = 0",
        expect!["`fields[0]`: a uint is not 0 bytes long: integers have 1 to 8, float32 has 4, float64 has 8"],
    );
    check(
        "length = 8, type = \"float32\"",
        expect!["`fields[0]`: a float32 is not 8 bytes long: integers have 1 to 8, float32 has 4, float64 has 8"],
    );
    check(
        "length = 1, bits = 9",
        expect![
            "`fields[0]`: 9 bits from bit 0 are no part of a uint of 1 bytes: stay within it; floats have no parts, and bcd has 4 bits a digit"
        ],
    );
    check(
        "length = 1, bits = 0",
        expect![
            "`fields[0]`: 0 bits from bit 0 are no part of a uint of 1 bytes: stay within it; floats have no parts, and bcd has 4 bits a digit"
        ],
    );
    check(
        "length = 1, bit_offset = 8",
        expect![
            "`fields[0]`: 0 bits from bit 8 are no part of a uint of 1 bytes: stay within it; floats have no parts, and bcd has 4 bits a digit"
        ],
    );
    check(
        "length = 1, type = \"bcd\", bits = 6",
        expect![
            "`fields[0]`: 6 bits from bit 0 are no part of a bcd of 1 bytes: stay within it; floats have no parts, and bcd has 4 bits a digit"
        ],
    );
    check(
        "type = \"float32\", bits = 8",
        expect![
            "`fields[0]`: 8 bits from bit 0 are no part of a float32 of 4 bytes: stay within it; floats have no parts, and bcd has 4 bits a digit"
        ],
    );
    check(
        "offset = -1, length = 2",
        expect!["`fields[0]`: 2 bytes from offset -1 go beyond the end: offsets count from 0, or from the end by -1"],
    );
    check(
        "length = 1, scale = 0",
        expect!["`fields[0]`: scale is 0, so every value would be 0: leave it out or write the factor"],
    );
    check("length = 1, min = 2, max = 1", expect!["`fields[0]`: min 2 is above max 1: exchange them"]);
    check(
        "length = 1, when = { mask = 0x01, equals = 2 }",
        expect!["`fields[0].when`: 2 is never the value of the bits 0x1: correct `equals`, `mask` or `length`"],
    );
    check(
        "length = 1, when = { equals = 256 }",
        expect!["`fields[0].when`: 256 is never the value of the bits 0xff: correct `equals`, `mask` or `length`"],
    );
    check(
        "length = 1, when = { length = 9, equals = 0 }",
        expect!["`fields[0].when`: a uint is not 9 bytes long: integers have 1 to 8, float32 has 4, float64 has 8"],
    );
    check(
        "length = 1, invalid = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]",
        expect!["`fields[0]`: `invalid` has 17 values: at most 16 are possible, and `min` and `max` say a range"],
    );
    check(
        "length = 1, type = \"uint8\"",
        expect!["unknown variant `uint8`, expected one of `uint`, `int`, `bcd`, `float32`, `float64`"],
    );
    check(
        "length = 1, offest = 1",
        expect![
            "unknown field `offest`, expected one of `quantity`, `unit`, `offset`, `length`, `endian`, `type`, `bits`, `bit_offset`, `scale`, `add`, `min`, `max`, `invalid`, `when`, `optional`"
        ],
    );
    check_config(
        &format!("kind = \"binary\"\nfields = [{0}, {0}]", field("length = 1, when = { equals = 1 }")),
        expect!["`fields[1]`: `n` is already the quantity of another entry: give each its own name"],
    );
    check_config(
        &format!(
            "kind = \"binary\"\nfields = [{}, {}]",
            field("length = 1"),
            field("length = 1, when = { equals = 1 }")
        ),
        expect!["`fields[1]`: `n` is already the quantity of another entry: give each its own name"],
    );
}

fn number_type() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("uint"), Just("int"), Just("bcd"), Just("float32"), Just("float64")]
}

proptest! {
    /// Whatever validates, reads any bytes.
    #[test]
    fn any_valid_field_answers_any_bytes(
        number_type in number_type(),
        offset in -12i16..12,
        length in proptest::option::of(0u8..10),
        bits in proptest::option::of(0u8..66),
        bit_offset in prop_oneof![Just(0u8), 0u8..66],
        little in any::<bool>(),
        payload in proptest::collection::vec(any::<u8>(), 0..12),
    ) {
        let endian = if little { "little" } else { "big" };
        let optional = |key: &str, value: Option<u8>| value.map_or(String::new(), |value| format!(", {key} = {value}"));
        let keys = format!(
            "type = \"{number_type}\", endian = \"{endian}\", offset = {offset}, bit_offset = {bit_offset}{}{}",
            optional("length", length), optional("bits", bits),
        );
        let codec: Codec = toml::from_str(&format!("kind = \"binary\"\nfields = [{}]", field(&keys))).unwrap();
        if codec.validate().is_ok() && let Ok(decoded) = codec.decode(&payload, NOW, None) {
            prop_assert_eq!(decoded.readings.len(), 1);
        }
    }

    /// Integers against another way to read them.
    #[test]
    fn integers_are_those_of_the_language(value in any::<i64>(), length in 1u32..=8) {
        let value = value >> (64 - 8 * length);
        let bytes = value.to_le_bytes();
        let keys = format!("length = {length}, type = \"int\", endian = \"little\"");
        check_number(&keys, &hex::encode(&bytes[..length as usize]), &value.to_string());
    }
}
