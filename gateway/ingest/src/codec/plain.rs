//! A payload that is one number as text: `7.30`.

use record::{Decimal, Quantity, Unit};
use serde::Deserialize;

use super::measured::{Scaling, Target, quantity, require_known};
use super::written::Written;
use super::{CodecError, DecodeError, Decoded};

/// `kind = "plain"`: `value = number × scale + offset`, exact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain {
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
    /// What the sensor writes behind the number, such as its unit; without it, such a text is no number.
    #[serde(default)]
    pub suffix: Option<String>,
    /// Whether the sensor writes `7,30`.
    #[serde(default)]
    pub decimal_comma: bool,
}

/// The payload is not text, so not even a text that is no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("payload is not UTF-8 text at byte {at}: set the sensor to text, or choose another codec")]
pub struct NotTextError {
    /// The first byte that is not.
    pub at: usize,
}

impl NotTextError {
    /// The payload as text.
    pub(super) fn text(payload: &[u8]) -> Result<&str, NotTextError> {
        std::str::from_utf8(payload).map_err(|error| NotTextError { at: error.valid_up_to() })
    }
}

impl Plain {
    pub(super) fn decode(&self, payload: &[u8]) -> Result<Decoded, DecodeError> {
        let text = NotTextError::text(payload)?;
        let written = Written { decimal_comma: self.decimal_comma, suffix: self.suffix.as_deref() };
        let mut decoded = Decoded::default();
        decoded.measure(&self.target(), written.read(text), None);
        Ok(decoded)
    }

    pub(super) fn validate(&self) -> Result<(), CodecError> {
        require_known(&self.unit, "unit")?;
        self.target().scaling.validate("scale, min, max")
    }

    fn target(&self) -> Target<'_> {
        let scaling = Scaling { scale: self.scale, offset: self.offset, min: self.min, max: self.max };
        Target { quantity: &self.quantity, unit: &self.unit, scaling }
    }
}
