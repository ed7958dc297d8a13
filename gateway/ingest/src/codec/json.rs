//! A JSON document, and a mapping that says what stands where in it.

use record::{Decimal, Quality, Quantity, Reading, Unit};
use serde::Deserialize;

use super::device_time::DeviceTime;
use super::json_text::{JsonText, Node, Value};
use super::measured::{Scaling, quantity, require_known};
use super::pointer::Pointer;
use super::{CodecError, DecodeError, Decoded, READINGS_MAX};

/// `kind = "json"`: the declarative mapping.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonMapping {
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
    /// Where the number stands (RFC 6901).
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
    /// Whether an absent field gives no reading at all instead of one of [`Quality::Missing`].
    #[serde(default)]
    pub optional: bool,
    /// Whether the sensor writes this number as a JSON string (`"40.1"`).
    #[serde(default)]
    pub text: bool,
}

/// Why a sound JSON document gives no readings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Nothing of the mapping is there: the wrong device, or another firmware.
    #[error("none of the mapping's fields is in the payload ({paths}): compare `[device.codec]` with what it sends")]
    NothingMapped {
        /// The first places that were looked for.
        paths: String,
    },
}

impl JsonMapping {
    pub(super) fn decode(&self, payload: &[u8]) -> Result<Decoded, DecodeError> {
        let text = JsonText::new(payload)?;
        let root = text.parse()?;
        if !self.fields.iter().any(|field| field.path.find(&root).is_some()) {
            return Err(MappingError::NothingMapped { paths: self.first_paths() }.into());
        }
        let (at_ms, warnings) = match self.time.as_ref().map(|time| time.read(&root)) {
            None => (None, Vec::new()),
            Some(Ok(time)) => (Some(time), Vec::new()),
            Some(Err(warning)) => (None, vec![warning]),
        };
        let readings = self.fields.iter().filter_map(|field| field.reading(&root));
        Ok(Decoded { readings: readings.map(|reading| Reading { at_ms, ..reading }).collect(), warnings })
    }

    pub(super) fn validate(&self) -> Result<(), CodecError> {
        if self.fields.is_empty() {
            return Err(CodecError::NoFields);
        }
        if self.fields.len() > READINGS_MAX {
            return Err(CodecError::TooMany { key: "fields", count: self.fields.len() });
        }
        for (place, field) in self.fields.iter().enumerate() {
            let key = format!("fields[{place}]");
            require_known(&field.unit, &key)?;
            field.scaling().validate(&key)?;
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
    fn reading(&self, root: &Node<'_>) -> Option<Reading> {
        let (value, quality) = match self.path.find(root) {
            None if self.optional => return None,
            None => (None, Quality::Missing),
            Some(node) => self.scaling().apply(self.number(&node.value)),
        };
        Some(Reading { quantity: self.quantity.clone(), unit: self.unit.clone(), value, quality, at_ms: None })
    }

    fn number(&self, value: &Value<'_>) -> Option<Decimal> {
        match value {
            Value::Number(number) => Decimal::parse(number).ok(),
            Value::Text(text) if self.text => Decimal::parse(text).ok(),
            _ => None,
        }
    }

    fn scaling(&self) -> Scaling {
        Scaling { scale: self.scale, offset: self.offset, min: self.min, max: self.max }
    }
}

#[cfg(test)]
mod tests {
    use crate::codec::tests::{check, check_config};
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
        for value in ["NaN", "-Infinity", "null", "true", "{}", "[40.1]", "\"40.1\"", "1e99"] {
            check(
                PROBE,
                &format!(r#"{{"t":0,"values":[{{"cod":{value}}}],"ph":"abc"}}"#),
                expect![[r#"
                    cod - mg/L not_a_number @0
                    ph - [pH] not_a_number @0
                "#]],
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
            expect!["unknown variant `jsn`, expected one of `json`, `senml_json`, `cayenne_lpp`"],
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
