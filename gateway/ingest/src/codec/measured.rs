//! From a bare number to a value with its quality: what the mapping codecs share.

use record::{Decimal, Quality, Quantity, Reading, Unit, UnixMs};

use super::document::shorten;
use super::{CodecError, Decoded, Warning};
use crate::nearest::nearest;

/// What stood where a number belongs.
pub(super) enum Found {
    /// A number.
    Number(Decimal),
    /// Something else, shortened for a message.
    NotANumber(String),
    /// Nothing.
    Nothing,
}

impl Found {
    /// A number as text; one of more digits or a larger exponent than a [`Decimal`] keeps is none.
    pub(super) fn text(text: &str) -> Found {
        Decimal::parse(text).map_or_else(|_| Found::NotANumber(shorten(text)), Found::Number)
    }
}

/// What a value of the payload is.
pub(super) struct Target<'c> {
    pub(super) quantity: &'c Quantity,
    pub(super) unit: &'c Unit,
    pub(super) scaling: Scaling,
}

impl Decoded {
    /// One more reading; what is no number becomes a reading without a value, and a warning with its text.
    pub(super) fn measure(&mut self, target: &Target<'_>, found: Found, at_ms: Option<UnixMs>) {
        let (value, quality, text) = match found {
            Found::Nothing => (None, Quality::Missing, None),
            Found::NotANumber(text) => (None, Quality::NotANumber, Some(text)),
            Found::Number(raw) => match target.scaling.apply(raw) {
                Some((value, quality)) => (Some(value), quality, None),
                None => (None, Quality::NotANumber, Some(raw.to_string())),
            },
        };
        if let Some(found) = text {
            self.warnings.push(Warning::NotANumber { quantity: target.quantity.clone(), found });
        }
        let (quantity, unit) = (target.quantity.clone(), target.unit.clone());
        self.readings.push(Reading { quantity, unit, value, quality, at_ms });
    }
}

/// What the configuration says about one value: `raw × scale + offset`, plausible within `min..=max`.
pub(super) struct Scaling {
    pub(super) scale: Option<Decimal>,
    pub(super) offset: Option<Decimal>,
    pub(super) min: Option<Decimal>,
    pub(super) max: Option<Decimal>,
}

impl Scaling {
    /// The exact value and its quality; `None` if it has more digits than a [`Decimal`] holds and so is no number to
    /// rely on.
    fn apply(&self, raw: Decimal) -> Option<(Decimal, Quality)> {
        let scaled = self.scale.map_or(Some(raw), |scale| raw.checked_mul(scale))?;
        let value = self.offset.map_or(Some(scaled), |offset| scaled.checked_add(offset))?;
        let outside = self.min.is_some_and(|min| value < min) || self.max.is_some_and(|max| value > max);
        Some((value, if outside { Quality::OutOfRange } else { Quality::Good }))
    }

    /// Refuses a scale of 0 and an empty range; `key` names the entry.
    pub(super) fn validate(&self, key: &str) -> Result<(), CodecError> {
        if self.scale == Some(Decimal::ZERO) {
            return Err(CodecError::ZeroScale { key: key.to_owned() });
        }
        match (self.min, self.max) {
            (Some(min), Some(max)) if min > max => Err(CodecError::EmptyRange { key: key.to_owned(), min, max }),
            _ => Ok(()),
        }
    }
}

/// Refuses a unit nobody knows; `key` names the entry.
pub(super) fn require_known(unit: &Unit, key: &str) -> Result<(), CodecError> {
    if unit.is_known() {
        return Ok(());
    }
    Err(CodecError::UnknownUnit {
        key: key.to_owned(),
        unit: unit.to_string(),
        nearest: nearest(unit.as_str(), Unit::known()),
    })
}

/// A [`record::Quantity`] of the configuration; its refusal names the nearest registered ones.
pub(super) fn quantity<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<record::Quantity, D::Error> {
    let name = <String as serde::Deserialize>::deserialize(deserializer)?;
    record::Quantity::new(&name).map_err(|error| {
        let registered = record::Quantity::registry().iter().map(|(name, _)| *name);
        serde::de::Error::custom(format!("{error}; usual names near it: {}", nearest(&name, registered)))
    })
}
