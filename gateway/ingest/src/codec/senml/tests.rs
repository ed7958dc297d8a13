//! The examples of RFC 8428 §5.1 and §6, and packs that are none.

use expect_test::{Expect, expect};

use crate::codec::tests;

fn check(config: &str, payload: &str, expected: Expect) {
    tests::check(&format!("kind = \"senml_json\"\n{config}"), payload, expected);
}

#[test]
fn rfc_8428_5_1_1_single_data_point() {
    check(
        "names = { \"urn:dev:ow:10e2073a01080063\" = \"air_temperature\" }",
        r#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#,
        expect![[r#"
            air_temperature 23.1 Cel good
        "#]],
    );
}

#[test]
fn rfc_8428_5_1_2_multiple_data_points() {
    check(
        "",
        r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]"#,
        expect![[r#"
            voltage 120.1 V good
            current 1.2 A good
        "#]],
    );
    check(
        "",
        r#"[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
            {"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},{"n":"current","v":1.7}]"#,
        expect![[r#"
            voltage 120.1 V good @1276020076001
            current 1.2 A good @1276020071001
            current 1.3 A good @1276020072001
            current 1.7 A good @1276020076001
        "#]],
    );
}

#[test]
fn rfc_8428_5_1_3_multiple_measurements() {
    check(
        "names = { \"urn:dev:ow:10e2073a01080063\" = \"station\" }",
        r#"[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},{"u":"lon","v":24.30621},
            {"u":"lat","v":60.07965},{"t":60,"v":20.3},{"u":"%EL","t":150,"v":98},{"u":"lat","t":180,"v":60.07967}]"#,
        expect![[r#"
            station 20 % good @1320067464000
            station 24.30621 lon good @1320067464000
            station 60.07965 lat good @1320067464000
            station 20.3 % good @1320067524000
            station 98 % good @1320067614000
            station 60.07967 lat good @1320067644000
        "#]],
    );
}

#[test]
fn rfc_8428_5_1_5_multiple_data_types() {
    check(
        "",
        r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},{"n":"label","vs":"Machine Room"},
            {"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"}]"#,
        expect![[r#"
            temp 23.1 Cel good
            label - 1 not_a_number
            open 0 1 good
            nfc_reader - 1 not_a_number
            warning: label has no value: the sensor sent `Machine Room`
            warning: nfc_reader has no value: the sensor sent `aGkgCg`
        "#]],
    );
}

#[test]
fn rfc_8428_5_1_6_collection_of_resources() {
    check(
        "names = { \"2001:db8::2/temperature\" = \"air_temperature\" }",
        r#"[{"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":25.2},{"n":"humidity","u":"%RH","v":30},
            {"bn":"2001:db8::1/","n":"temperature","u":"Cel","v":12.3},{"n":"humidity","u":"%RH","v":67}]"#,
        expect![[r#"
            air_temperature 25.2 Cel good @1320078429000
            humidity 30 % good @1320078429000
            temperature 12.3 Cel good @1320078429000
            humidity 67 % good @1320078429000
        "#]],
    );
}

#[test]
fn relative_times_count_from_now() {
    check(
        "",
        r#"[{"n":"cod","u":"mg/L","t":-90.5,"v":40.10},{"n":"cod","u":"mg/L","bt":0,"v":40.2},{"n":"cod","u":"mg/L","bt":268435455,"v":1},{"n":"cod","u":"mg/L","bt":268435456,"v":1}]"#,
        expect![[r#"
            cod 40.1 mg/L good @1699999909500
            cod 40.2 mg/L good @1700000000000
            cod 1 mg/L good @1968435455000
            cod 1 mg/L good @268435456000
        "#]],
    );
}

#[test]
fn base_value_is_added_exactly_and_units_are_one_spelling() {
    check(
        "units = { ph = \"[pH]\" }",
        r#"[{"n":"cod","bu":"mg/L","bv":0.1,"v":0.2},{"n":"d:NH3-N","v":1},{"n":"turbidity","u":"NTU","bv":0,"v":3}]"#,
        expect![[r#"
            cod 0.3 mg/L good
            nh3_n 1.1 mg/L good
            turbidity 3 {NTU} good
        "#]],
    );
    check(
        "units = { ph = \"[pH]\" }",
        r#"[{"n":"ph","v":7.2},{"n":"cod","v":40.1},{"n":"cod","u":"mgl","v":40.1},{"n":"cod","u":"mgl","v":1e99}]"#,
        expect![[r#"
            ph 7.2 [pH] good
            cod 40.1 1 unknown_unit
            cod 40.1 mgl unknown_unit
            cod - mgl not_a_number
            warning: cod has no value: the sensor sent `1e99`
        "#]],
    );
}

#[test]
fn a_broken_probe_does_not_cost_the_sound_ones() {
    check(
        "",
        r#"[{"n":"cod","u":"mg/L","v":NaN},{"n":"ph","u":"pH","v":7.3}]"#,
        expect![[r#"
            cod - mg/L not_a_number
            ph 7.3 [pH] good
            warning: cod has no value: the sensor sent `NaN`
        "#]],
    );
}

#[test]
fn a_sum_beside_a_value_is_told() {
    check(
        "",
        r#"[{"n":"flow","u":"m3/h","v":3,"s":1200}]"#,
        expect![[r#"
        flow 3 m3/h good
        warning: record /0: the sum `s` beside the value is not kept
    "#]],
    );
    check(
        "",
        r#"[{"n":"flow","u":"m3/h","s":1200}]"#,
        expect!["error: record /0 has only a sum (`s`), which is no measured value: let the sensor send `v`"],
    );
}

#[test]
fn packs_that_are_none_are_refused_with_the_record() {
    for (payload, expected) in [
        (r#"{"n":"cod","v":1}"#, "payload is no SenML pack: a pack is an array of records, `[{..}, ..]`"),
        ("[]", "SenML pack is empty: check the sensor's configuration"),
        (r#"[{"n":"a","v":1}, 7]"#, "record /1 (byte 18) is no object: a record is `{\"n\": .., \"v\": ..}`"),
        (r#"[{"n":"a","v":"1"}]"#, "record /0 (byte 14): `v` is not a number"),
        (r#"[{"n":"a","v":null}]"#, "record /0 (byte 14): `v` is not a number"),
        (r#"[{"n":"a","vb":1}]"#, "record /0 (byte 15): `vb` is not true or false"),
        (r#"[{"n":1,"v":1}]"#, "record /0 (byte 6): `n` is not a text"),
        (r#"[{"n":"a"}]"#, "record /0 has no value: one of `v`, `vb`, `vs`, `vd` belongs there"),
        (
            r#"[{"n":"a","v":1,"vb":true}]"#,
            "record /0 has more than one of `v`, `vb`, `vs`, `vd`: send a record for each",
        ),
        (r#"[{"v":1}]"#, "record /0: `` is not a SenML name: use letters, digits and - : . / _"),
        (r#"[{"n":"a b","v":1}]"#, "record /0: `a b` is not a SenML name: use letters, digits and - : . / _"),
        (
            r#"[{"n":"urn:dev:ow:10e2","v":1}]"#,
            "record /0: no quantity is known for name `urn:dev:ow:10e2`: add it to `names` in `[device.codec]`",
        ),
        (
            r#"[{"n":"a","v":1,"x_":1}]"#,
            "record /0: label `x_` must be understood and is not: the sensor uses an extension of SenML",
        ),
        (r#"[{"bver":11,"n":"a","v":1}]"#, "record /0: version 11 is not 1 to 10: set the sensor to plain RFC 8428"),
        (r#"[{"n":"a","u":"","v":1}]"#, "record /0: `` is not a unit: use the SenML registry's spelling"),
        (
            r#"[{"n":"a","t":1e30,"v":1}]"#,
            "record /0: its time cannot be resolved from `bt` and `t`: check the sensor's clock",
        ),
        (
            r#"[{"n":"a","t":-1e12,"v":1}]"#,
            "record /0: its time cannot be resolved from `bt` and `t`: check the sensor's clock",
        ),
        (
            r#"[{"n":"a","v":1,"v":2}]"#,
            "key `v` stands twice in the object at byte 1, so the frame has two meanings: send each key once",
        ),
    ] {
        tests::check_text("kind = \"senml_json\"", payload, &format!("error: {expected}"));
    }
}

fn check_cbor(payload: &str, expected: Expect) {
    let payload = hex::decode(payload.replace([' ', '\n'], "")).unwrap();
    tests::check_on_port("kind = \"senml_cbor\"", &payload, None, expected);
}

#[test]
fn rfc_8428_6_multiple_data_points() {
    // The figure of §6: the second pack of §5.1.2 with its units, 195 bytes.
    check_cbor(
        "87 a7 21 781b75726e3a6465763a6f773a3130653230373361303130383030363a 22 fb41d303a15b001062 23 6141 20 05
         00 67766f6c74616765 01 6156 02 fb405e066666666666
         a3 00 6763757272656e74 06 24 02 fb3ff3333333333333
         a3 00 6763757272656e74 06 23 02 fb3ff4cccccccccccd
         a3 00 6763757272656e74 06 22 02 fb3ff6666666666666
         a3 00 6763757272656e74 06 21 02 f93e00
         a3 00 6763757272656e74 06 20 02 fb3ff999999999999a
         a3 00 6763757272656e74 06 00 02 fb3ffb333333333333",
        expect![[r#"
            voltage 120.1 V good @1276020076001
            current 1.2 A good @1276020071001
            current 1.3 A good @1276020072001
            current 1.4 A good @1276020073001
            current 1.5 A good @1276020074001
            current 1.6 A good @1276020075001
            current 1.7 A good @1276020076001
        "#]],
    );
}

#[test]
fn cbor_has_data_decimal_fractions_and_labels_that_are_refused() {
    // [{0: "cod", 1: "mg/L", 2: 40.10 as 4([-2, 4010])}, {0: "key", 8: h'aabb'}, {0: "door", 4: true, 99: 1, "x": 1}]
    check_cbor(
        "83 a3 00 63636f64 01 646d672f4c 02 c48221190faa  a2 00 636b6579 08 42aabb  a4 00 64646f6f72 04 f5 1863 01 6178 01",
        expect![[r#"
            cod 40.1 mg/L good
            key - 1 not_a_number
            door 1 1 good
            warning: key has no value: the sensor sent `2 bytes`
        "#]],
    );
    // {0: "a", 2: 1, "x_": 1}; {0: "a", "n": "b"}; {0: "a", 2: "1"}; a map instead of an array
    check_cbor(
        "81a300616102016278 5f01",
        expect!["error: record /0: label `x_` must be understood and is not: the sensor uses an extension of SenML"],
    );
    check_cbor(
        "81a3006161616e61620201",
        expect!["error: key `n` stands twice in the map at byte 1, so the frame has two meanings: send each key once"],
    );
    check_cbor("81a200616102 6131", expect!["error: record /0 (byte 6): `v` is not a number"]);
    check_cbor("a0", expect!["error: payload is no SenML pack: a pack is an array of records, `[{..}, ..]`"]);
}
