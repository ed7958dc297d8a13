//! What was measured.

use std::sync::Arc;

/// Longest name, in bytes.
const BYTES_MAX: usize = 40;

/// A physical quantity by name: `cod`, `nh3_n`, `flow`. Free within `[a-z][a-z0-9_]{0,39}`; those of
/// [`Quantity::registry`] have a short number on the wire.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(Arc<str>);

/// Why a text is not a [`Quantity`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a quantity name: use a lower-case letter, then up to 39 of a-z 0-9 _")]
pub struct QuantityError(String);

/// Names with a number on the wire (their place here, from 0) and the unit that is not repeated there.
/// Append only: the place is part of the format (`sync/batch/batch.cddl`).
const REGISTRY: [(&str, &str); 28] = [
    ("flow", "m3/h"),
    ("cod", "mg/L"),
    ("nh3_n", "mg/L"),
    ("tp", "mg/L"),
    ("tn", "mg/L"),
    ("ph", "[pH]"),
    ("water_temperature", "Cel"),
    ("conductivity", "uS/cm"),
    ("turbidity", "{NTU}"),
    ("dissolved_oxygen", "mg/L"),
    ("suspended_solids", "mg/L"),
    ("level", "m"),
    ("velocity", "m/s"),
    ("volume", "m3"),
    ("rain", "mm"),
    ("air_temperature", "Cel"),
    ("battery_voltage", "V"),
    ("battery", "%"),
    ("bod5", "mg/L"),
    ("orp", "mV"),
    ("humidity", "%"),
    ("pressure", "hPa"),
    ("cod_mn", "mg/L"),
    ("distance", "mm"),
    ("uv254", "1/m"),
    ("chlorophyll", "ug/L"),
    ("oil", "mg/L"),
    ("chromium6", "mg/L"),
];

impl Quantity {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`QuantityError`] if it is not `[a-z][a-z0-9_]{0,39}`.
    pub fn new(name: &str) -> Result<Quantity, QuantityError> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let starts_well = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if !starts_well || name.len() > BYTES_MAX || !name.bytes().all(legal) {
            return Err(QuantityError(name.chars().take(BYTES_MAX).collect()));
        }
        Ok(Quantity(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The registered names with their usual units, in the order of their wire numbers.
    pub fn registry() -> &'static [(&'static str, &'static str)] {
        &REGISTRY
    }

    /// The number on the wire, if the name is registered.
    pub fn code(&self) -> Option<u64> {
        REGISTRY.iter().position(|(name, _)| *name == self.as_str()).and_then(|place| u64::try_from(place).ok())
    }

    /// The registered quantity with this number, and its usual unit.
    pub fn from_code(code: u64) -> Option<(Quantity, &'static str)> {
        let (name, unit) = REGISTRY.get(usize::try_from(code).ok()?)?;
        Some((Quantity((*name).into()), unit))
    }
}

crate::text_type!(Quantity, QuantityError);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unit;

    #[test]
    fn the_registry_is_sound() {
        for (code, (name, unit)) in (0..).zip(REGISTRY) {
            let quantity = Quantity::new(name).unwrap();
            assert_eq!(quantity.code(), Some(code));
            assert_eq!(Quantity::from_code(code).unwrap().0, quantity);
            assert!(Unit::new(unit).unwrap().is_known(), "{unit}");
        }
    }
}
