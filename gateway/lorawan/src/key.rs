//! AES-128 keys, kept out of logs.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::HexTextError;

/// A 128-bit key: read from 32 hex digits, never printed and never serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Key128([u8; 16]);

impl Key128 {
    /// Takes the 16 bytes of a key.
    pub fn new(bytes: [u8; 16]) -> Key128 {
        Key128(bytes)
    }

    pub(crate) fn to_lrwn(&self) -> lrwn::AES128Key {
        lrwn::AES128Key::from_bytes(self.0)
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

/// The session of a LoRaWAN 1.0.x device: what personalisation (ABP) writes into it, or a join derives.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionKeys {
    /// NwkSKey: the MIC of every frame, and the payload on FPort 0.
    pub nwk_s_key: Key128,
    /// AppSKey: the payload on FPorts 1 to 255.
    pub app_s_key: Key128,
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_key_is_read_but_never_shown() {
        let text = "44024241ed4ce9a68c6a8bc055233fd3";
        let keys: SessionKeys =
            serde_json::from_str(&format!(r#"{{"nwk_s_key":"{text}","app_s_key":"{text}"}}"#)).unwrap();
        expect!["SessionKeys { nwk_s_key: Key128(..), app_s_key: Key128(..) }"].assert_eq(&format!("{keys:?}"));
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
