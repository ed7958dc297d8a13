//! In what it was measured.

use std::sync::Arc;

/// Longest unit, in bytes.
const BYTES_MAX: usize = 24;

/// UCUM (case-sensitive) units that occur at an outfall. SI prefixes are listed, not computed: a wrong prefix
/// is then an unknown unit and not a silent factor of a thousand.
const UCUM: &[&str] = &[
    "1",
    "%",
    "[ppth]",
    "[ppm]",
    "[ppb]",
    "Cel",
    "K",
    "[degF]",
    "mg/L",
    "ug/L",
    "ng/L",
    "g/L",
    "g/m3",
    "mg/m3",
    "m",
    "cm",
    "mm",
    "km",
    "m2",
    "m3",
    "L",
    "mL",
    "dam3",
    "m/s",
    "cm/s",
    "m/s2",
    "m3/s",
    "m3/h",
    "m3/min",
    "m3/d",
    "L/s",
    "L/min",
    "L/h",
    "uS/cm",
    "mS/cm",
    "S/m",
    "mS/m",
    "uS/m",
    "[pH]",
    "{NTU}",
    "{FNU}",
    "{FTU}",
    "{count}",
    "V",
    "mV",
    "A",
    "mA",
    "uA",
    "W",
    "kW",
    "W.h",
    "kW.h",
    "A.h",
    "mA.h",
    "Ohm",
    "kOhm",
    "Pa",
    "hPa",
    "kPa",
    "MPa",
    "bar",
    "mbar",
    "m[H2O]",
    "mm[H2O]",
    "lx",
    "Hz",
    "kHz",
    "us",
    "ms",
    "s",
    "min",
    "h",
    "d",
    "kg",
    "g",
    "mg",
    "t",
    "kg/h",
    "kg/d",
    "g/s",
    "t/d",
    "dB",
    "deg",
    "rad",
    "deg/s",
    "1/m",
    "1/cm",
    "1/s",
    "1/min",
    "1/h",
    "mm/h",
    "mm/d",
    "{pcu}",
    "[CFU]/L",
    "mol/L",
    "mmol/L",
    "mval/L",
    "W/m2",
    "J",
    "kJ",
    "umol/m2/s",
];

/// Units of the SenML registry: RFC 8428 §12.1 and the secondary units of RFC 8798 §3.
const SENML: &[&str] = &[
    "cd", "mol", "sr", "N", "C", "F", "S", "Wb", "T", "H", "lm", "Bq", "Gy", "Sv", "kat", "l", "l/s", "cd/m2", "bit",
    "bit/s", "lat", "lon", "pH", "dBW", "Bspl", "count", "/", "%RH", "%EL", "EL", "beat/min", "beats", "B", "VA",
    "VAs", "var", "vars", "J/m", "kg/m3", "NTU", "MHz", "kVA", "kvar", "Ah", "Wh", "kWh", "varh", "kvarh", "kVAh",
    "Wh/km", "KiB", "GB", "Mbit/s", "B/s", "MB/s", "dBm", "ug/m3", "m/h", "ppm", "/100", "/1000", "km/h",
];

/// A unit as UCUM or the SenML registry spells it. A sensor may also name one that nobody knows: such a unit
/// can be carried (≤ 24 printable ASCII characters) but [`Unit::is_known`] is false and the reading's quality says so.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(Arc<str>);

/// Why a text cannot even be carried as a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a unit: use 1 to 24 printable ASCII characters, as UCUM spells it (mg/L, m3/h, uS/cm)")]
pub struct UnitError(String);

impl Unit {
    /// Checks the form and takes the unit.
    ///
    /// # Errors
    /// [`UnitError`] if it is empty, longer than 24 bytes or not printable ASCII.
    pub fn new(text: &str) -> Result<Unit, UnitError> {
        if text.is_empty() || text.len() > BYTES_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(UnitError(text.chars().take(BYTES_MAX).collect()));
        }
        Ok(Unit(text.into()))
    }

    /// The unit as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether UCUM (as listed here) or the SenML registry has it.
    pub fn is_known(&self) -> bool {
        UCUM.contains(&self.as_str()) || SENML.contains(&self.as_str())
    }

    /// Every unit that is known, for an error message that helps.
    pub fn known() -> impl Iterator<Item = &'static str> {
        UCUM.iter().chain(SENML).copied()
    }
}

crate::text_type!(Unit, UnitError);
