//! An AES-128 key, kept out of logs.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::HexTextError;

/// A 128-bit key: read from 32 hex digits and never printed. Its only written form is the stored one (CBOR), for a
/// database that keeps sessions over a restart, or for an encrypted export.
#[derive(Clone, PartialEq, Eq)]
pub struct Key128([u8; 16]);

crate::hex_text::cbor_bytes!(Key128, 16);

impl Key128 {
    /// Takes the 16 bytes of a key.
    pub fn new(bytes: [u8; 16]) -> Key128 {
        Key128(bytes)
    }

    pub(crate) fn to_lrwn(&self) -> lrwn::AES128Key {
        lrwn::AES128Key::from_bytes(self.0)
    }

    pub(crate) fn from_lrwn(key: lrwn::AES128Key) -> Key128 {
        Key128(key.to_bytes())
    }
}

impl FromStr for Key128 {
    type Err = HexTextError;
    fn from_str(text: &str) -> Result<Key128, HexTextError> {
        crate::hex_text::parse(text).map(Key128)
    }
}

impl fmt::Debug for Key128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key128(..)")
    }
}

impl<'de> serde::Deserialize<'de> for Key128 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Key128, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_key_is_read_but_never_shown() {
        let key: Key128 = serde_json::from_str(r#""44024241ed4ce9a68c6a8bc055233fd3""#).unwrap();
        expect!["Key128(..)"].assert_eq(&format!("{key:?}"));
    }

    #[test]
    fn a_wrong_key_is_refused_without_repeating_it() {
        let of = |text: &str| Key128::from_str(text).unwrap_err().to_string();
        expect!["expected 32 hex digits, got 4 characters: write every byte as two digits, without separators"]
            .assert_eq(&of("beef"));
        expect!["character 32 is not a hex digit: use 0-9 and a-f only"]
            .assert_eq(&of("44024241ed4ce9a68c6a8bc055233fdg"));
        expect!["character 1 is not a hex digit: use 0-9 and a-f only"]
            .assert_eq(&of("é4024241ed4ce9a68c6a8bc055233fd3"));
    }
}
