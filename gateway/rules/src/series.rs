//! Which values a rule looks at beside those that it judges.

use std::fmt;
use std::str::FromStr;

use record::{Quantity, SourceId, Unit};
use serde::{Deserialize, Deserializer};

/// A quantity of one device, or of the device that is judged: `rain-1/rain`, `water_temperature`, `flow-1/flow L/s`. Without
/// a unit it is the usual one of the quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Of which device; none: of the one that is judged.
    pub device: Option<SourceId>,
    /// Which quantity.
    pub quantity: Quantity,
    /// In what. Readings in another unit are not looked at.
    pub unit: Unit,
}

/// Why a text is no [`Series`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// Not of that form.
    #[error(
        "`{0}` names no series: write QUANTITY for the device that is judged, or DEVICE/QUANTITY, and a unit behind it"
    )]
    Form(String),
    /// No usual unit.
    #[error(
        "the quantity of `{0}` has no usual unit, or this unit is not known: write it behind, as in `flow-1/flow L/s`"
    )]
    Unit(String),
}

impl Series {
    /// The device whose values count while this one is judged.
    pub(crate) fn device_beside<'s>(&'s self, judged: &'s SourceId) -> &'s SourceId {
        self.device.as_ref().unwrap_or(judged)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(device) = &self.device {
            write!(f, "{device}/")?;
        }
        write!(f, "{}", self.quantity)
    }
}

impl FromStr for Series {
    type Err = SeriesError;

    fn from_str(text: &str) -> Result<Series, SeriesError> {
        let shown = || text.chars().take(110).collect::<String>();
        let (name, unit) = text.split_once(' ').map_or((text, None), |(name, unit)| (name, Some(unit.trim())));
        let (device, quantity) = match name.split_once('/') {
            Some((device, quantity)) => {
                (Some(SourceId::new(device).map_err(|_| SeriesError::Form(shown()))?), quantity)
            }
            None => (None, name),
        };
        let quantity = Quantity::new(quantity).map_err(|_| SeriesError::Form(shown()))?;
        let usual = || Some(Quantity::from_code(quantity.code()?)?.1);
        let unit = unit.or_else(usual).and_then(|unit| Unit::new(unit).ok()).filter(Unit::is_known);
        let unit = unit.ok_or_else(|| SeriesError::Unit(shown()))?;
        Ok(Series { device, quantity, unit })
    }
}

impl<'de> Deserialize<'de> for Series {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Series, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_read() {
        let read = |text: &str| match text.parse::<Series>() {
            Ok(series) => format!("{series} in {}", series.unit),
            Err(error) => error.to_string().split(':').next().unwrap_or_default().to_owned(),
        };
        assert_eq!(read("rain-1/rain"), "rain-1/rain in mm");
        assert_eq!(read("water_temperature"), "water_temperature in Cel");
        assert_eq!(read("flow-1/flow L/s"), "flow-1/flow in L/s");
        assert_eq!(read("a b/flow"), "the quantity of `a b/flow` has no usual unit, or this unit is not known");
        assert_eq!(read("odour"), "the quantity of `odour` has no usual unit, or this unit is not known");
        assert_eq!(read("/flow"), "`/flow` names no series");
        assert_eq!(read(""), "`` names no series");
    }
}
