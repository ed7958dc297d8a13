//! The secret that an MQTT device proves itself with.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Fewest bytes: below this, trying all of them over the network is a matter of days.
const BYTES_MIN: usize = 8;
/// Most bytes. MQTT allows 65,535; nobody types them, and every CONNECT is hashed.
const BYTES_MAX: usize = 128;

/// A password of 8 to 128 bytes: never printed, never serialised, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct Password(Zeroizing<String>);

/// Why a value of the configuration is no [`Password`]. The value is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// A number or table instead of text.
    #[error("the password is not a text: put it in quotes")]
    NotText,
    /// Shorter than 8 or longer than 128 bytes.
    #[error("the password has {bytes} bytes: use {BYTES_MIN} to {BYTES_MAX}")]
    Length {
        /// Its length.
        bytes: usize,
    },
}

impl Password {
    /// Takes a password.
    ///
    /// # Errors
    /// [`PasswordError::Length`].
    pub fn new(text: String) -> Result<Password, PasswordError> {
        let text = Zeroizing::new(text);
        if !(BYTES_MIN..=BYTES_MAX).contains(&text.len()) {
            return Err(PasswordError::Length { bytes: text.len() });
        }
        Ok(Password(text))
    }

    /// Whether `given` is this password. Digests are compared, so the time it takes tells nothing about the bytes.
    pub fn is(&self, given: &[u8]) -> bool {
        given.len() <= BYTES_MAX && Sha256::digest(self.0.as_bytes()) == Sha256::digest(given)
    }
}

impl TryFrom<toml::Value> for Password {
    type Error = PasswordError;
    fn try_from(value: toml::Value) -> Result<Password, PasswordError> {
        match value {
            toml::Value::String(text) => Password::new(text),
            _ => Err(PasswordError::NotText),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_the_password() {
        let password = Password::new("river-otter-7".to_owned()).unwrap();
        assert!(password.is(b"river-otter-7"));
        for other in ["", "river-otter-", "river-otter-77", "River-otter-7"] {
            assert!(!password.is(other.as_bytes()), "{other}");
        }
        assert_eq!(format!("{password:?}"), "Password(..)");
    }
}
