//! A number that is within its range, or the file is refused.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// `MIN..=MAX`, checked when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Within<MIN, MAX> {
    /// The nearest number within the range.
    pub const fn nearest(number: u64) -> Self {
        match number {
            small if small < MIN => Within(MIN),
            large if large > MAX => Within(MAX),
            fitting => Within(fitting),
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match u64::try_from(number) {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Within(number)),
            _ => Err(D::Error::custom(format!("{number} is out of range: use {MIN} to {MAX}"))),
        }
    }
}
