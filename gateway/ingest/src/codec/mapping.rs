//! A document (JSON, CBOR), and a mapping that says what stands where in it.

use std::borrow::Cow;

use record::{Decimal, Quantity, Unit};
use serde::Deserialize;

use super::cbor::CborDocument;
use super::device_time::DeviceTime;
use super::document::{Node, Value};
use super::json_text::JsonText;
use super::measured::{Found, Scaling, Target, quantity, require_known};
use super::pointer::Pointer;
use super::{CodecError, DecodeError, Decoded, READINGS_MAX};

/// `kind = "json"` and `kind = "cbor"`: the declarative mapping.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// One for each reading.
    pub fields: Vec<Field>,
    /// The device's own time, if it sends one.
    #[serde(default)]
    pub time: Option<DeviceTime>,
}

/// One place of the document and the reading it gives: `value = number × scale + offset`, exact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Where the number stands (RFC 6901). An integer key of CBOR is its decimal text: `/-1/0`.
    pub path: Pointer,
    /// What it measures.
    #[serde(deserialize_with = "quantity")]
    pub quantity: Quantity,
    /// In what, after scale and offset.
    pub unit: Unit,
    /// Factor; 1 if absent.
    #[serde(default)]
    pub scale: Option<Decimal>,
    /// Summand after the factor; 0 if absent.
    #[serde(default)]
    pub offset: Option<Decimal>,
    /// Least plausible value, in `unit`.
    #[serde(default)]
    pub min: Option<Decimal>,
    /// Greatest plausible value, in `unit`.
    #[serde(default)]
    pub max: Option<Decimal>,
    /// Whether an absent field gives no reading at all instead of one of [`record::Quality::Missing`].
    #[serde(default)]
    pub optional: bool,
    /// Whether the sensor writes this number as a string (`"40.1"`).
    #[serde(default)]
    pub text: bool,
}

/// Why a sound payload gives no readings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Nothing of the mapping is there: the wrong device, or another firmware.
    #[error("none of the mapping's fields is in the payload ({paths}): compare `[device.codec]` with what it sends")]
    NothingMapped {
        /// The first places that were looked for.
        paths: String,
    },
}

impl Mapping {
    pub(super) fn decode_json(&self, payload: &[u8]) -> Result<Decoded, DecodeError> {
        let text = JsonText::new(payload)?;
        Ok(self.read(&text.parse()?)?)
    }

    pub(super) fn decode_cbor(&self, payload: &[u8]) -> Result<Decoded, DecodeError> {
        let document = CborDocument::new(|integer| Cow::Owned(integer.to_string()));
        Ok(self.read(&document.parse(payload)?)?)
    }

    /// What the document says.
    ///
    /// # Errors
    /// [`MappingError::NothingMapped`].
    pub(super) fn read(&self, root: &Node<'_>) -> Result<Decoded, MappingError> {
        if !self.fields.iter().any(|field| field.path.find(root).is_some()) {
            return Err(MappingError::NothingMapped { paths: self.first_paths() });
        }
        let mut decoded = Decoded::default();
        let at_ms = self.time.as_ref().and_then(|time| {
            let read = time.read(root);
            read.map_err(|warning| decoded.warnings.push(warning)).ok()
        });
        for field in &self.fields {
            let found = match field.path.find(root) {
                None if field.optional => continue,
                None => Found::Nothing,
                Some(node) => field.found(&node.value),
            };
            decoded.measure(&field.target(), found, at_ms);
        }
        Ok(decoded)
    }

    pub(super) fn validate(&self) -> Result<(), CodecError> {
        if self.fields.is_empty() {
            return Err(CodecError::Empty { key: "fields", entry: "{ path, quantity, unit }" });
        }
        if self.fields.len() > READINGS_MAX {
            return Err(CodecError::TooMany { key: "fields", count: self.fields.len() });
        }
        for (place, field) in self.fields.iter().enumerate() {
            let key = format!("fields[{place}]");
            require_known(&field.unit, &key)?;
            field.target().scaling.validate(&key)?;
            if self.fields[..place].iter().any(|earlier| earlier.quantity == field.quantity) {
                return Err(CodecError::DuplicateQuantity { key, quantity: field.quantity.to_string() });
            }
        }
        Ok(())
    }

    /// Three places are enough to recognise the mapping by.
    fn first_paths(&self) -> String {
        let paths: Vec<&str> = self.fields.iter().take(3).map(|field| field.path.as_str()).collect();
        paths.join(", ")
    }
}

impl Field {
    fn found(&self, value: &Value<'_>) -> Found {
        match value {
            Value::Number(number) => Found::text(number),
            Value::Text(text) if self.text => Found::text(text),
            other => Found::NotANumber(other.shown()),
        }
    }

    fn target(&self) -> Target<'_> {
        let scaling = Scaling { scale: self.scale, offset: self.offset, min: self.min, max: self.max };
        Target { quantity: &self.quantity, unit: &self.unit, scaling }
    }
}

#[cfg(test)]
mod tests {
    use crate::codec::tests::{check, check_config, check_text};
    use expect_test::expect;

    const PROBE: &str = r#"
        kind = "json"
        time = { path = "/t", format = "unix_s" }
        [[fields]]
        path = "/values/0/cod"
        quantity = "cod"
        unit = "mg/L"
        min = 0
        max = 500
        [[fields]]
        path = "/temp"
        quantity = "water_temperature"
        unit = "Cel"
        scale = 0.1
        offset = -40
        optional = true
        [[fields]]
        path = "/ph"
        quantity = "ph"
        unit = "[pH]"
        text = true
    "#;

    #[test]
    fn digits_survive_and_scale_is_exact() {
        check(
            PROBE,
            r#"{"t":1700000000.5,"values":[{"cod":40.10}],"temp":601,"ph":"7.30","ignored":{}}"#,
            expect![[r#"
                cod 40.1 mg/L good @1700000000500
                water_temperature 20.1 Cel good @1700000000500
                ph 7.3 [pH] good @1700000000500
            "#]],
        );
        check(
            PROBE,
            r#"{"values":[{"cod":0.30000000000000004}],"ph":7}"#,
            expect![[r#"
                cod 0.30000000000000004 mg/L good
                ph 7 [pH] good
                warning: device time is absent
            "#]],
        );
    }

    #[test]
    fn what_is_no_number_is_never_a_zero() {
        let values = [
            ("NaN", "NaN"),
            ("-Infinity", "-Infinity"),
            ("null", "null"),
            ("true", "true"),
            ("{}", "{…}"),
            ("[40.1]", "[…]"),
            ("\"40.1\"", "40.1"),
            ("\"No Sensor\"", "No Sensor"),
            ("\"\"", ""),
            ("1e99", "1e99"),
        ];
        for (value, told) in values {
            check_text(
                PROBE,
                &format!(r#"{{"t":0,"values":[{{"cod":{value}}}],"ph":"abc"}}"#),
                &format!(
                    "cod - mg/L not_a_number @0\nph - [pH] not_a_number @0\n\
                     warning: cod has no value: the sensor sent `{told}`\n\
                     warning: ph has no value: the sensor sent `abc`\n"
                ),
            );
        }
    }

    #[test]
    fn absent_and_implausible_are_told_apart() {
        check(
            PROBE,
            r#"{"t":"late","values":[],"ph":"7"}"#,
            expect![[r#"
                cod - mg/L missing
                ph 7 [pH] good
                warning: device time `late` cannot be read
            "#]],
        );
        check(
            PROBE,
            r#"{"t":0,"values":[{"cod":500.01}],"ph":"-1"}"#,
            expect![[r#"
                cod 500.01 mg/L out_of_range @0
                ph -1 [pH] good @0
            "#]],
        );
    }

    #[test]
    fn a_frame_without_meaning_is_refused() {
        check(
            PROBE,
            r#"{"t":1,"cod":40.1}"#,
            expect![
                "error: none of the mapping's fields is in the payload (/values/0/cod, /temp, /ph): compare `[device.codec]` with what it sends"
            ],
        );
        check(PROBE, "cod=40.1", expect!["error: payload is not JSON at byte 0: expected value"]);
        check(
            PROBE,
            r#"{"ph":"7","ph":"8"}"#,
            expect![
                "error: key `ph` stands twice in the object at byte 0, so the frame has two meanings: send each key once"
            ],
        );
        check(
            PROBE,
            &" ".repeat(16_385),
            expect!["error: payload of 16385 bytes is longer than 16384: split it into several frames"],
        );
    }

    #[test]
    fn the_whole_document_may_be_the_number() {
        check(
            "kind = \"json\"\nfields = [{ path = \"\", quantity = \"level\", unit = \"m\" }]",
            " 1.20\n",
            expect![[r#"
            level 1.2 m good
        "#]],
        );
    }

    #[test]
    fn a_mapping_that_cannot_work_is_refused() {
        let field = |rest: &str| format!("kind = \"json\"\nfields = [{{ path = \"/a\", quantity = \"cod\", {rest} }}]");
        check_config(
            &field("unit = \"mg/l\""),
            expect!["`fields[0]`: unit `mg/l` is not known: did you mean `mg/L`, `ug/L`, `ng/L`?"],
        );
        check_config(
            &field("unit = \"mg/L\", min = 5, max = 1"),
            expect!["`fields[0]`: min 5 is above max 1: exchange them"],
        );
        check_config(
            &field("unit = \"mg/L\", scale = 0.0"),
            expect!["`fields[0]`: scale is 0, so every value would be 0: leave it out or write the factor"],
        );
        check_config(
            &field("unit = \"mg/L\", units = 1"),
            expect![
                "unknown field `units`, expected one of `path`, `quantity`, `unit`, `scale`, `offset`, `min`, `max`, `optional`, `text`"
            ],
        );
        check_config(
            "kind = \"json\"\nfields = []",
            expect!["`fields` is empty: add at least one { path, quantity, unit }"],
        );
        check_config(
            "kind = \"jsn\"\nfields = []",
            expect![
                "unknown variant `jsn`, expected one of `json`, `cbor`, `senml_json`, `senml_cbor`, `cayenne_lpp`, `tlv`, `binary`, `plain`, `csv`, `javascript`"
            ],
        );
        check_config(
            "kind = \"json\"\nfields = [{ path = \"a\", quantity = \"cod\", unit = \"mg/L\" }]",
            expect!["JSON pointer `a` does not begin with `/`: write `/a`"],
        );
        check_config(
            "kind = \"json\"\nfields = [{ path = \"/a\", quantity = \"NH3-N\", unit = \"mg/L\" }]",
            expect![
                "`NH3-N` is not a quantity name: use a lower-case letter, then up to 39 of a-z 0-9 _; usual names near it: `nh3_n`, `tn`, `ph`"
            ],
        );
        check_config(
            "kind = \"json\"\nfields = [{ path = \"/a\", quantity = \"cod\", unit = \"mg/L\" }, { path = \"/b\", quantity = \"cod\", unit = \"mg/L\" }]",
            expect!["`fields[1]`: `cod` is already the quantity of another entry: give each its own name"],
        );
    }
}
