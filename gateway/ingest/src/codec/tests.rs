//! One `check` for every codec: configuration and payload in, text out.

use expect_test::Expect;
use proptest::prelude::*;
use record::UnixMs;

use super::*;

pub(crate) const NOW: UnixMs = UnixMs(1_700_000_000_000);

pub(crate) fn check(config: &str, payload: &str, expected: Expect) {
    check_on_port(config, payload.as_bytes(), None, expected);
}

pub(crate) fn check_on_port(config: &str, payload: &[u8], f_port: Option<u8>, expected: Expect) {
    expected.assert_eq(&shown(config, payload, f_port));
}

pub(crate) fn check_text(config: &str, payload: &str, expected: &str) {
    assert_eq!(shown(config, payload.as_bytes(), None), expected, "{payload}");
}

pub(crate) fn check_config(config: &str, expected: Expect) {
    let shown = match toml::from_str::<Codec>(config) {
        Ok(codec) => codec.validate().map_or_else(|error| error.to_string(), |()| "valid".to_owned()),
        Err(error) => error.message().to_owned(),
    };
    expected.assert_eq(&shown);
}

fn shown(config: &str, payload: &[u8], f_port: Option<u8>) -> String {
    let codec: Codec = toml::from_str(config).unwrap();
    codec.validate().unwrap();
    listed(codec.decode(payload, NOW, f_port))
}

pub(crate) fn listed(decoded: Result<Decoded, DecodeError>) -> String {
    let decoded = match decoded {
        Ok(decoded) => decoded,
        Err(error) => return format!("error: {error}"),
    };
    let mut text = String::new();
    for Reading { quantity, unit, value, quality, at_ms } in &decoded.readings {
        let value = value.map_or("-".to_owned(), |value| value.to_string());
        let at = at_ms.map_or(String::new(), |at| format!(" @{at}"));
        text += &format!("{quantity} {value} {unit} {}{at}\n", quality.as_str());
    }
    for warning in &decoded.warnings {
        text += &format!("warning: {warning}\n");
    }
    text
}

/// What every answer must be, whoever sent the bytes.
fn check_any(codec: &Codec, payload: &[u8]) -> Result<(), TestCaseError> {
    let Ok(decoded) = codec.decode(payload, NOW, None) else { return Ok(()) };
    prop_assert!(!decoded.readings.is_empty() && decoded.readings.len() <= READINGS_MAX);
    for reading in &decoded.readings {
        let without_value = matches!(reading.quality, record::Quality::NotANumber | record::Quality::Missing);
        prop_assert_eq!(reading.value.is_none(), without_value, "{:?}", reading);
    }
    Ok(())
}

fn codecs() -> [Codec; 9] {
    [
        "kind = \"json\"\nfields = [{ path = \"/v\", quantity = \"cod\", unit = \"mg/L\", scale = 1.5, text = true }]",
        "kind = \"senml_json\"",
        "kind = \"cayenne_lpp\"",
        "kind = \"cbor\"\nfields = [{ path = \"/v\", quantity = \"cod\", unit = \"mg/L\", scale = 1.5, text = true }]",
        "kind = \"senml_cbor\"",
        "kind = \"tlv\"\nentries = [{ channel = 1, type = 2, length = 2, fields = [{ quantity = \"cod\", unit = \"mg/L\" }] }]",
        "kind = \"binary\"\nfields = [{ quantity = \"cod\", unit = \"mg/L\", offset = -4, type = \"float32\", scale = 1.5 }]",
        "kind = \"plain\"\nquantity = \"cod\"\nunit = \"mg/L\"",
        "kind = \"csv\"\ncolumns = [{ column = 0, quantity = \"cod\", unit = \"mg/L\" }]",
    ]
    .map(|config| toml::from_str(config).unwrap())
}

/// JSON-like text that gets past the first byte.
fn json_like() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("{\"v\":".to_owned()),
        Just("[{\"n\":\"cod\",\"v\":".to_owned()),
        Just("\"bt\":".to_owned()),
        "[\\[\\]{},:]",
        "-?[0-9]{1,22}(\\.[0-9]{1,22})?(e-?[0-9]{1,3})?",
        "\"[a-z\\\\u0-9_]{0,6}\"",
        Just("NaN".to_owned()),
        Just("true".to_owned()),
        Just("}]".to_owned()),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        for codec in codecs() {
            check_any(&codec, &bytes)?;
        }
    }

    #[test]
    fn any_json_like_text_is_answered(text in json_like()) {
        for codec in codecs() {
            check_any(&codec, text.as_bytes())?;
        }
    }

    #[test]
    fn any_lpp_frame_is_answered(values in proptest::collection::vec((any::<u8>(), 100u8..140, any::<[u8; 4]>()), 0..20)) {
        let bytes: Vec<u8> = values.into_iter().flat_map(|(channel, code, v)| [channel, code, v[0], v[1], v[2], v[3]]).collect();
        check_any(&codecs()[2], &bytes)?;
    }

    /// What a sensor writes is what a platform shows, to the last digit.
    #[test]
    fn digits_survive(mantissa in -999_999_999_999_999_999i64..=999_999_999_999_999_999, places in 0i32..20) {
        let value = record::Decimal::new(mantissa, -places).unwrap();
        let codec: Codec = toml::from_str("kind = \"senml_json\"").unwrap();
        let decoded = codec.decode(format!("[{{\"n\":\"cod\",\"v\":{value}}}]").as_bytes(), NOW, None).unwrap();
        prop_assert_eq!(decoded.readings[0].value, Some(value));
    }
}
