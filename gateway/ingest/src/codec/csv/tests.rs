//! Tables as loggers write them, the rules of RFC 4180 §2, and what is refused.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::Codec;
use crate::codec::tests::{NOW, check, check_config, check_on_port};

const BY_PLACE: &str = r#"
    kind = "csv"
    columns = [
        { column = 1, quantity = "cod", unit = "mg/L", max = 500 },
        { column = 2, quantity = "ph", unit = "[pH]", suffix = "pH", optional = true },
    ]
    time = { column = 0, format = "rfc3339" }
"#;

const BY_NAME: &str = r#"
    kind = "csv"
    header = true
    separator = ";"
    decimal_comma = true
    columns = [
        { column = "CSB", quantity = "cod", unit = "mg/L" },
        { column = "Temp, °C", quantity = "water_temperature", unit = "Cel" },
    ]
"#;

#[test]
fn columns_by_place_with_a_time_in_each_row() {
    check(
        BY_PLACE,
        "2020-10-01T09:30:00Z,40.10,7.30 pH\r\n2020-10-01T09:31:00Z,501,\r\n",
        expect![[r#"
            cod 40.1 mg/L good @1601544600000
            ph 7.3 [pH] good @1601544600000
            cod 501 mg/L out_of_range @1601544660000
        "#]],
    );
}

#[test]
fn columns_by_name_with_a_decimal_comma() {
    check(
        BY_NAME,
        "Station;\"Temp, °C\"; CSB \nA;18,3;40,1\n\nB;18.4;40",
        expect![[r#"
            cod 40.1 mg/L good
            water_temperature 18.3 Cel good
            cod 40 mg/L good
            water_temperature - Cel not_a_number
            warning: water_temperature has no value: the sensor sent `18.4`
        "#]],
    );
    check(
        BY_NAME,
        "CSB\n40,1",
        expect![[r#"
            cod 40.1 mg/L good
            water_temperature - Cel missing
        "#]],
    );
}

#[test]
fn a_bad_cell_loses_its_reading_and_not_the_frame() {
    check(
        BY_PLACE,
        "noon,No Sensor,7.3\n,,\n2020-10-01T09:31:00Z",
        expect![[r#"
            cod - mg/L not_a_number
            ph 7.3 [pH] good
            cod - mg/L not_a_number
            cod - mg/L missing @1601544660000
            warning: device time `noon` cannot be read
            warning: cod has no value: the sensor sent `No Sensor`
            warning: device time `` cannot be read
            warning: cod has no value: the sensor sent ``
        "#]],
    );
}

#[test]
fn quoting_of_rfc_4180() {
    let quoted = "kind = \"csv\"\ncolumns = [{ column = 1, quantity = \"cod\", unit = \"mg/L\" }]";
    check(
        quoted,
        "\"a,\"\"b\"\"\r\nc\",\"40.1\"\r\n\"\",\"4\"\"1\"\r\n",
        expect![[r#"
            cod 40.1 mg/L good
            cod - mg/L not_a_number
            warning: cod has no value: the sensor sent `4"1`
        "#]],
    );
    check(quoted, "1,\"40.1", expect!["error: row 1: a quoted cell is not closed: the frame was cut"]);
    check(
        quoted,
        "1,2\n\"a\nb\",\"40\"1",
        expect!["error: row 2: text stands behind a closing quote: double each quote within a quoted cell"],
    );
}

#[test]
fn a_table_without_meaning_is_refused() {
    check(BY_NAME, "", expect!["error: payload has no row of values"]);
    check(BY_NAME, "CSB;Temp", expect!["error: payload has no row of values"]);
    check(
        BY_NAME,
        "CSB;CSB\n1;2",
        expect![
            "error: column `CSB` stands twice in the header line, so the frame has two meanings: name each column once"
        ],
    );
    check(
        BY_NAME,
        "cod;temp\n1;2",
        expect![
            "error: none of the mapping's fields is in the payload (CSB, Temp, °C): compare `[device.codec]` with what it sends"
        ],
    );
    check(
        BY_PLACE,
        "1\n2",
        expect![
            "error: none of the mapping's fields is in the payload (1, 2): compare `[device.codec]` with what it sends"
        ],
    );
    check(
        BY_PLACE,
        &"a,1\n".repeat(257),
        expect!["error: payload has more than 256 rows: split it into several frames"],
    );
    check(
        BY_PLACE,
        &"a,1,2\n".repeat(129),
        expect!["error: payload has more than 256 readings: split it into several frames"],
    );
    check_on_port(
        BY_PLACE,
        b"1,\xff",
        None,
        expect!["error: payload is not UTF-8 text at byte 2: set the sensor to text, or choose another codec"],
    );
}

#[test]
fn a_mapping_that_cannot_work_is_refused() {
    let config = |keys: &str, column: &str| {
        format!("kind = \"csv\"\n{keys}\ncolumns = [{{ column = {column}, quantity = \"cod\", unit = \"mg/L\" }}]")
    };
    check_config(
        "kind = \"csv\"\ncolumns = []",
        expect!["`columns` is empty: add at least one { column, quantity, unit }"],
    );
    check_config(
        &config("", "\"COD\""),
        expect![
            "`columns[0]`: column `COD` has no name without a header line: write `header = true`, or its number from 0"
        ],
    );
    check_config(
        &config("time = { column = \"t\", format = \"unix_s\" }", "0"),
        expect!["`time`: column `t` has no name without a header line: write `header = true`, or its number from 0"],
    );
    for separator in ["5", "\\n", "é", "\\\"", "."] {
        let shown = toml::from_str::<Codec>(&config(&format!("separator = \"{separator}\""), "0")).unwrap().validate();
        assert!(shown.unwrap_err().to_string().starts_with("`separator` cannot be"), "{separator}");
    }
    check_config(
        &config("decimal_comma = true", "0"),
        expect!["`separator` cannot be `,` here: use one of , ; | or a tab, and not a comma beside decimal_comma"],
    );
    check_config(&config("separator = \"\\t\"", "0"), expect!["valid"]);
    check_config(&config("", "-1"), expect!["data did not match any variant of untagged enum Column"]);
}

#[test]
fn a_plain_number_and_what_is_none() {
    let plain = "kind = \"plain\"\nquantity = \"ph\"\nunit = \"[pH]\"\nmin = 0\nmax = 14\n";
    fn shown(config: &str, payload: &str, expected: Expect) {
        check(config, payload, expected);
    }
    shown(
        plain,
        " 7.30\n",
        expect![[r#"
        ph 7.3 [pH] good
    "#]],
    );
    shown(
        plain,
        "14.1",
        expect![[r#"
        ph 14.1 [pH] out_of_range
    "#]],
    );
    shown(
        plain,
        "7.3 pH",
        expect![[r#"
        ph - [pH] not_a_number
        warning: ph has no value: the sensor sent `7.3 pH`
    "#]],
    );
    shown(
        &format!("{plain}suffix = \"pH\"\ndecimal_comma = true"),
        "7,3 pH",
        expect![[r#"
        ph 7.3 [pH] good
    "#]],
    );
    shown(
        plain,
        "",
        expect![[r#"
        ph - [pH] not_a_number
        warning: ph has no value: the sensor sent ``
    "#]],
    );
    check_on_port(
        plain,
        b"7.3\xff",
        None,
        expect!["error: payload is not UTF-8 text at byte 3: set the sensor to text, or choose another codec"],
    );
    check_config(
        &format!("{plain}scale = 0"),
        expect!["`scale, min, max`: scale is 0, so every value would be 0: leave it out or write the factor"],
    );
}

proptest! {
    /// What is written by the rules of RFC 4180 is read as it was meant.
    #[test]
    fn any_cells_survive_quoting(cells in proptest::collection::vec(proptest::collection::vec("[ -~\r\n\"°]{0,8}", 2..5), 1..5)) {
        let text: String = cells
            .iter()
            .map(|row| row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>().join(",") + "\r\n")
            .collect();
        let read = super::rows::rows(&text, b',', 256).unwrap();
        prop_assert_eq!(read, cells);
    }

    #[test]
    fn any_text_is_answered(text in "[a0-9,;.\"\r\n ]{0,60}") {
        for config in [BY_PLACE, BY_NAME] {
            let codec: Codec = toml::from_str(config).unwrap();
            if let Ok(decoded) = codec.decode(text.as_bytes(), NOW, None) {
                prop_assert!(!decoded.readings.is_empty());
            }
        }
    }
}
