//! How far a reading can be believed.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// The verdict on one reading. Anything but [`Quality::Good`] keeps it out of limits and means.
///
/// The numbers are the wire's and the journal's; they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Decoded, unit known, inside the plausible range.
    #[n(0)]
    Good,
    /// Decoded, but outside the range declared for the device. The value is kept.
    #[n(1)]
    OutOfRange,
    /// Text, `NaN`, `null` or an over-long number stood where a number belongs. There is no value.
    #[n(2)]
    NotANumber,
    /// The frame lacks a field that the device's mapping declares. There is no value.
    #[n(3)]
    Missing,
    /// The sensor named a unit that neither UCUM nor the SenML registry has. The value is kept.
    #[n(4)]
    UnknownUnit,
}

impl Quality {
    /// Every quality, in the order of the wire's numbers.
    pub const ALL: [Quality; 5] =
        [Quality::Good, Quality::OutOfRange, Quality::NotANumber, Quality::Missing, Quality::UnknownUnit];

    /// The wire's number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The quality with this number.
    pub fn from_code(code: u8) -> Option<Quality> {
        Quality::ALL.get(usize::from(code)).copied()
    }

    /// The stable name used in exports: `good`, `out_of_range`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            Quality::Good => "good",
            Quality::OutOfRange => "out_of_range",
            Quality::NotANumber => "not_a_number",
            Quality::Missing => "missing",
            Quality::UnknownUnit => "unknown_unit",
        }
    }
}
