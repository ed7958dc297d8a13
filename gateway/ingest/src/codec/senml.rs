//! A SenML pack, in JSON (RFC 8428 §5) or CBOR (§6), resolved (§4.6) into readings.

mod cbor_label;
mod record_fields;

use std::collections::BTreeMap;

use record::{Decimal, Quality, Quantity, Reading, Unit, UnixMs};
use serde::Deserialize;

use super::cbor::CborDocument;
use super::device_time::from_unix_s;
use super::document::{Node, Value, shorten};
use super::json_text::JsonText;
use super::measured::require_known;
use super::senml_unit::to_ucum;
use super::{CodecError, DecodeError, Decoded, READINGS_MAX, Warning};
use record_fields::{Fields, Measured};

/// The version of RFC 8428 itself (§4.4); a higher one may change the meaning of every field.
const VERSION: i64 = 10;

/// Times below 2^28 seconds are relative to now (§4.5.3).
const RELATIVE_BELOW_S: i64 = 1 << 28;

/// `kind = "senml_json"` and `kind = "senml_cbor"`. Most packs need no key at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Senml {
    /// Whole resolved names and the quantities they mean. For others the last part of the name counts, behind the
    /// last `:` or `/`, in lower case with `_` for `-` and `.`: `urn:dev:ow:10e2:NH3-N` is `nh3_n`.
    #[serde(default)]
    pub names: BTreeMap<String, Quantity>,
    /// The unit of a quantity whose records name none, which RFC 8428 §4.3 leaves to the application.
    #[serde(default)]
    pub units: BTreeMap<Quantity, Unit>,
}

/// Why a document is no SenML pack to rely on. Records count from 0, as a JSON pointer does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SenmlError {
    /// §5, §6: a pack is an array.
    #[error("payload is no SenML pack: a pack is an array of records, `[{{..}}, ..]`")]
    NotAPack,
    /// A pack without records says nothing.
    #[error("SenML pack is empty: check the sensor's configuration")]
    Empty,
    /// §5, §6: a record is an object (a map in CBOR).
    #[error("record /{record} (byte {at}) is no object: a record is `{{\"n\": .., \"v\": ..}}`")]
    NotARecord {
        /// Its place.
        record: usize,
        /// Where it begins.
        at: usize,
    },
    /// §5, table 4: each label has one type.
    #[error("record /{record} (byte {at}): `{label}` is not {expected}")]
    WrongType {
        /// Its place.
        record: usize,
        /// Where the value begins.
        at: usize,
        /// The label.
        label: &'static str,
        /// The type it must have.
        expected: &'static str,
    },
    /// §4.4: labels ending in `_` must be understood.
    #[error("record /{record}: label `{label}` must be understood and is not: the sensor uses an extension of SenML")]
    MustUnderstand {
        /// Its place.
        record: usize,
        /// The label.
        label: String,
    },
    /// §4.4.
    #[error("record /{record}: version {version} is not 1 to {VERSION}: set the sensor to plain RFC 8428")]
    Version {
        /// Its place.
        record: usize,
        /// As written.
        version: String,
    },
    /// §4.5.1: letters, digits and `-:./_`, beginning with a letter or digit.
    #[error("record /{record}: `{name}` is not a SenML name: use letters, digits and - : . / _")]
    Name {
        /// Its place.
        record: usize,
        /// Base name and name.
        name: String,
    },
    /// The name does not tell the quantity.
    #[error("record /{record}: no quantity is known for name `{name}`: add it to `names` in `[device.codec]`")]
    NoQuantity {
        /// Its place.
        record: usize,
        /// Base name and name.
        name: String,
    },
    /// A unit that cannot even be carried.
    #[error("record /{record}: `{unit}` is not a unit: use the SenML registry's spelling")]
    Unit {
        /// Its place.
        record: usize,
        /// As written.
        unit: String,
    },
    /// §4.2: a value, or a sum.
    #[error("record /{record} has no value: one of `v`, `vb`, `vs`, `vd` belongs there")]
    NoValue {
        /// Its place.
        record: usize,
    },
    /// §4.2: exactly one.
    #[error("record /{record} has more than one of `v`, `vb`, `vs`, `vd`: send a record for each")]
    SeveralValues {
        /// Its place.
        record: usize,
    },
    /// A sum is an integral over time, not a measured value.
    #[error("record /{record} has only a sum (`s`), which is no measured value: let the sensor send `v`")]
    OnlySum {
        /// Its place.
        record: usize,
    },
    /// The resolved time is before 1970, after 9999, or has too many digits.
    #[error("record /{record}: its time cannot be resolved from `bt` and `t`: check the sensor's clock")]
    Time {
        /// Its place.
        record: usize,
    },
}

/// The base fields that hold from their record on (§4.1).
#[derive(Default)]
struct Base {
    name: String,
    time: Option<Decimal>,
    unit: Option<String>,
    value: Option<Decimal>,
}

impl Senml {
    pub(super) fn decode_json(&self, payload: &[u8], now: UnixMs) -> Result<Decoded, DecodeError> {
        let text = JsonText::new(payload)?;
        self.read(&text.parse()?, now)
    }

    pub(super) fn decode_cbor(&self, payload: &[u8], now: UnixMs) -> Result<Decoded, DecodeError> {
        self.read(&CborDocument::new(cbor_label::label).parse(payload)?, now)
    }

    /// One parsed pack, whatever it was written in.
    fn read(&self, root: &Node<'_>, now: UnixMs) -> Result<Decoded, DecodeError> {
        let Value::Array(records) = &root.value else {
            return Err(SenmlError::NotAPack.into());
        };
        if records.is_empty() {
            return Err(SenmlError::Empty.into());
        }
        if records.len() > READINGS_MAX {
            return Err(DecodeError::TooManyReadings);
        }
        let mut base = Base::default();
        let mut decoded = Decoded::default();
        for (record, node) in records.iter().enumerate() {
            let fields = Fields::read(record, node)?;
            base.update(&fields);
            if fields.sum && fields.measured.is_some() {
                decoded.warnings.push(Warning::SenmlSum { record });
            }
            let reading = self.resolve(record, &base, &fields, now)?;
            if let Some(found) = fields.not_a_number(&reading) {
                decoded.warnings.push(Warning::NotANumber { quantity: reading.quantity.clone(), found });
            }
            decoded.readings.push(reading);
        }
        Ok(decoded)
    }

    /// One resolved record (§4.6) as a reading.
    fn resolve(&self, record: usize, base: &Base, fields: &Fields, now: UnixMs) -> Result<Reading, SenmlError> {
        let name = format!("{}{}", base.name, fields.name.as_deref().unwrap_or_default());
        let quantity = self.quantity(record, &name)?;
        let at_ms = at_ms(base.time, fields.time, now).map_err(|()| SenmlError::Time { record })?;
        let (value, quality) = match &fields.measured {
            None if fields.sum => return Err(SenmlError::OnlySum { record }),
            None => return Err(SenmlError::NoValue { record }),
            Some(Measured::Bool(value)) => {
                let unit = Unit::new("1").map_err(|_| SenmlError::Unit { record, unit: "1".to_owned() })?;
                let value = Some(Decimal::from(i64::from(*value)));
                return Ok(Reading { quantity, unit, value, quality: Quality::Good, at_ms });
            }
            Some(Measured::Number(number)) => {
                let based = base.value.map_or(Some(*number), |base| number.checked_add(base));
                (based, if based.is_some() { Quality::Good } else { Quality::NotANumber })
            }
            Some(Measured::NotANumber(_)) => (None, Quality::NotANumber),
        };
        let written = fields.unit.as_ref().or(base.unit.as_ref());
        let (unit, known) = self.unit(record, written, &quantity)?;
        let quality = if known || value.is_none() { quality } else { Quality::UnknownUnit };
        Ok(Reading { quantity, unit, value, quality, at_ms })
    }

    fn quantity(&self, record: usize, name: &str) -> Result<Quantity, SenmlError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'.' | b'/' | b'_');
        let starts_well = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if !starts_well || !name.bytes().all(legal) {
            return Err(SenmlError::Name { record, name: shorten(name) });
        }
        if let Some(quantity) = self.names.get(name) {
            return Ok(quantity.clone());
        }
        let last = name.rsplit([':', '/']).next().unwrap_or(name);
        Quantity::new(&last.to_ascii_lowercase().replace(['-', '.'], "_"))
            .map_err(|_| SenmlError::NoQuantity { record, name: shorten(name) })
    }

    /// The unit as UCUM spells it, and whether anybody knows it. A record without one, for a quantity without one in
    /// the configuration, gets `1` and counts as unknown: nobody said that it is dimensionless.
    fn unit(&self, record: usize, written: Option<&String>, quantity: &Quantity) -> Result<(Unit, bool), SenmlError> {
        let (unit, said) = match (written, self.units.get(quantity)) {
            (Some(written), _) => (Unit::new(written), true),
            (None, Some(configured)) => (Ok(configured.clone()), true),
            (None, None) => (Unit::new("1"), false),
        };
        let shown = || written.map(|unit| shorten(unit)).unwrap_or_default();
        let unit = to_ucum(unit.map_err(|_| SenmlError::Unit { record, unit: shown() })?);
        let known = said && unit.is_known();
        Ok((unit, known))
    }

    pub(super) fn validate(&self) -> Result<(), CodecError> {
        for (key, count) in [("names", self.names.len()), ("units", self.units.len())] {
            if count > READINGS_MAX {
                return Err(CodecError::TooMany { key, count });
            }
        }
        self.units.iter().try_for_each(|(quantity, unit)| require_known(unit, &format!("units.{quantity}")))
    }
}

impl Base {
    fn update(&mut self, fields: &Fields) {
        if let Some(name) = &fields.base_name {
            self.name.clone_from(name);
        }
        if let Some(unit) = &fields.base_unit {
            self.unit = Some(unit.clone());
        }
        self.time = fields.base_time.or(self.time);
        self.value = fields.base_value.or(self.value);
    }
}

/// When it was measured (§4.5.3): base time and time added; below 2^28 s it is an age relative to now. A record that
/// names neither says nothing about its time, and the box's own stamp has to do.
fn at_ms(base: Option<Decimal>, time: Option<Decimal>, now: UnixMs) -> Result<Option<UnixMs>, ()> {
    if base.is_none() && time.is_none() {
        return Ok(None);
    }
    let sum = base.unwrap_or(Decimal::ZERO).checked_add(time.unwrap_or(Decimal::ZERO)).ok_or(())?;
    let seconds = if sum < Decimal::from(RELATIVE_BELOW_S) {
        Decimal::new(now.0, -3).and_then(|now| now.checked_add(sum)).ok_or(())?
    } else {
        sum
    };
    from_unix_s(seconds).map(Some).ok_or(())
}

#[cfg(test)]
mod tests;
