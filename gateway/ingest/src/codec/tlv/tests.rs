//! Entries, what is passed over, and what is refused. Real sensors are in `config/codecs` and `../binary/tests`.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::Codec;
use crate::codec::tests::{NOW, check_config, check_on_port};

const LEVEL: &str = r#"
    kind = "tlv"
    f_ports = [85]
    [[entries]]
    channel = 0x01
    type = 0x75
    length = 1
    fields = [{ quantity = "battery", unit = "%" }]
    [[entries]]
    channel = 0x03
    type = 0x77
    length = 2
    fields = [{ quantity = "level", unit = "cm", endian = "little", invalid = [0xffff] }]
    [[entries]]
    channel = 0x04
    type = 0x01
    length = 5
    fields = [
        { quantity = "tilt", unit = "deg", length = 1, type = "int" },
        { quantity = "pressure", unit = "kPa", offset = 1, type = "float32" },
    ]
    [[entries]]
    channel = 0xff
    type = 0x16
    length = 8
"#;

fn check(payload: &str, expected: Expect) {
    check_on_port(LEVEL, &hex::decode(payload.replace(' ', "")).unwrap(), Some(85), expected);
}

#[test]
fn entries_in_any_order_and_number() {
    check(
        "01755c 03770200",
        expect![[r#"
            battery 92 % good
            level 2 cm good
        "#]],
    );
    check(
        "ff160102030405060708 0377 0100 0377ffff 0401 fe42206666",
        expect![[r#"
            level 1 cm good
            level - cm not_a_number
            tilt -2 deg good
            pressure 40.1 kPa good
            warning: level has no value: the sensor sent `65535`
        "#]],
    );
}

#[test]
fn half_a_frame_is_refused_whole() {
    check(
        "",
        expect!["error: payload has none of the entries with `fields`: it is no measurement, or `entries` lacks one"],
    );
    check(
        "ff160102030405060708",
        expect!["error: payload has none of the entries with `fields`: it is no measurement, or `entries` lacks one"],
    );
    check(
        "01755c0377",
        expect!["error: byte 5: channel 3 with type 119 needs 2 bytes and 0 are left: the frame was cut"],
    );
    check("01755c03", expect!["error: byte 3: channel 3 has no type behind it: the frame was cut"]);
    check(
        "01755c037602",
        expect![
            "error: byte 3: channel 3 with type 118 is not in `entries`: add it with its length, and without `fields` if it is no measurement"
        ],
    );
    check(&"01755c".repeat(257), expect!["error: payload has more than 256 readings: split it into several frames"]);
}

#[test]
fn a_mapping_that_cannot_work_is_refused() {
    let check =
        |entries: &str, expected: Expect| check_config(&format!("kind = \"tlv\"\nentries = [{entries}]"), expected);
    let none = expect!["`entries` is empty: add at least one { channel, type, length, fields = [..] }"];
    check("{ channel = 1, type = 2, length = 1 }", none);
    check(
        "{ channel = 1, type = 2, length = 1, fields = [{ quantity = \"a\", unit = \"m\" }] }, { channel = 1, type = 2, length = 2 }",
        expect!["`entries[1]`: channel 1 already has such an entry: remove one, or tell them apart by `type`"],
    );
    check(
        "{ channel = 1, type = 2, length = 1, fields = [{ quantity = \"a\", unit = \"m\", offset = 1, length = 1 }] }",
        expect![
            "`entries[0].fields[0]`: 1 bytes from offset 1 go beyond the end: offsets count from 0, or from the end by -1"
        ],
    );
    check(
        "{ channel = 1, type = 2, length = 9, fields = [{ quantity = \"a\", unit = \"m\" }] }",
        expect![
            "`entries[0].fields[0]`: a uint is not 9 bytes long: integers have 1 to 8, float32 has 4, float64 has 8"
        ],
    );
    check(
        "{ channel = 1, type = 2, length = 1, fields = [{ quantity = \"a\", unit = \"m\" }] }, { channel = 2, type = 2, length = 1, fields = [{ quantity = \"a\", unit = \"m\" }] }",
        expect!["`entries[1].fields[0]`: `a` is already the quantity of another entry: give each its own name"],
    );
    check("{ channel = 1, type = 256, length = 1 }", expect!["invalid value: integer `256`, expected u8"]);
}

proptest! {
    #[test]
    fn any_bytes_are_answered(words in proptest::collection::vec(prop_oneof![
        Just(vec![0x01, 0x75]), Just(vec![0x03, 0x77]), Just(vec![0x04, 0x01]), Just(vec![0xff, 0x16]), any::<[u8; 2]>().prop_map(Vec::from), any::<u8>().prop_map(|byte| vec![byte]),
    ], 0..20)) {
        let codec: Codec = toml::from_str(LEVEL).unwrap();
        if let Ok(decoded) = codec.decode(&words.concat(), NOW, Some(85)) {
            prop_assert!(!decoded.readings.is_empty());
        }
    }
}
