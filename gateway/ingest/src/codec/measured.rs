//! From a bare number to a value with its quality: what the mapping codecs share.

use record::{Decimal, Quality, Unit};

use super::CodecError;
use crate::nearest::nearest;

/// What the configuration says about one value: `raw × scale + offset`, plausible within `min..=max`.
pub(super) struct Scaling {
    pub(super) scale: Option<Decimal>,
    pub(super) offset: Option<Decimal>,
    pub(super) min: Option<Decimal>,
    pub(super) max: Option<Decimal>,
}

impl Scaling {
    /// The exact value and its quality. A result of more digits than a [`Decimal`] holds is no number to rely on.
    pub(super) fn apply(&self, raw: Option<Decimal>) -> (Option<Decimal>, Quality) {
        let scaled = raw.and_then(|raw| self.scale.map_or(Some(raw), |scale| raw.checked_mul(scale)));
        let moved = scaled.and_then(|value| self.offset.map_or(Some(value), |offset| value.checked_add(offset)));
        match moved {
            None => (None, Quality::NotANumber),
            Some(value) if self.min.is_some_and(|min| value < min) => (Some(value), Quality::OutOfRange),
            Some(value) if self.max.is_some_and(|max| value > max) => (Some(value), Quality::OutOfRange),
            Some(value) => (Some(value), Quality::Good),
        }
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
