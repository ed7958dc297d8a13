//! What a relay may be for.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// What a relay may be for. Whatever moves water in an outfall is missing here on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It starts an automatic sampler.
    Sampler,
    /// A light, an LED or a siren.
    Signal,
}

/// A purpose that a relay of this box cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "use = \"{0}\": a relay of this box is a \"sampler\" or a \"signal\" (light, siren) and never moves a gate, valve or pump, \
     so that nothing and nobody can have it close a storm-water outlet; that would be a flood · try: leave this relay out"
)]
pub struct PurposeError(String);

/// Longest part of a text that an error repeats.
const SHOWN_CHARS_MAX: usize = 32;

impl FromStr for Purpose {
    type Err = PurposeError;

    fn from_str(text: &str) -> Result<Purpose, PurposeError> {
        match text {
            "sampler" => Ok(Purpose::Sampler),
            "signal" => Ok(Purpose::Signal),
            other => Err(PurposeError(other.chars().take(SHOWN_CHARS_MAX).collect())),
        }
    }
}

impl<'de> Deserialize<'de> for Purpose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Purpose, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_water_is_a_purpose() {
        assert_eq!("sampler".parse(), Ok(Purpose::Sampler));
        assert_eq!("signal".parse(), Ok(Purpose::Signal));
        for other in ["gate", "valve", "pump", "sluice", "闸门", "Sampler", ""] {
            let error = other.parse::<Purpose>().unwrap_err().to_string();
            assert!(error.contains("storm-water outlet") && error.contains(other), "{error}");
        }
    }
}
