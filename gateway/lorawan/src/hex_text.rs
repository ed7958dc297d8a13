//! Hex digits as the text form of an identifier or key, the same rule for all of them.

/// Why a text is not the hex form of an identifier or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HexTextError {
    /// Wrong number of characters.
    #[error("expected {expected} hex digits, got {got} characters: write every byte as two digits, without separators")]
    Length {
        /// Digits this kind of text has.
        expected: usize,
        /// Characters that were given.
        got: usize,
    },
    /// A character outside `0-9 a-f A-F`. It is not repeated here: the text may be a key.
    #[error("character {at} is not a hex digit: use 0-9 and a-f only")]
    Digit {
        /// Position, from 1.
        at: usize,
    },
}

/// Reads exactly `N` bytes, in the order in which they are written; both letter cases are read.
pub(crate) fn parse<const N: usize>(text: &str) -> Result<[u8; N], HexTextError> {
    let got = text.chars().count();
    if got != 2 * N {
        return Err(HexTextError::Length { expected: 2 * N, got });
    }
    if let Some(at) = text.chars().position(|c| !c.is_ascii_hexdigit()) {
        return Err(HexTextError::Digit { at: at + 1 });
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| HexTextError::Length { expected: 2 * N, got })?;
    Ok(bytes)
}

/// Text, serde and debug forms of a byte-array newtype that is no secret: lower-case hex, big-endian.
macro_rules! hex_text {
    ($name:ident, $bytes:literal) => {
        impl std::str::FromStr for $name {
            type Err = $crate::HexTextError;
            fn from_str(text: &str) -> Result<$name, $crate::HexTextError> {
                $crate::hex_text::parse::<$bytes>(text).map($name)
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&hex::encode(self.0))
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use hex_text;

/// The stored form of a byte-array newtype: a CBOR byte string of exactly its length.
macro_rules! cbor_bytes {
    ($name:ident, $bytes:literal) => {
        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }
        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<$name, minicbor::decode::Error> {
                let bytes: [u8; $bytes] = d
                    .bytes()?
                    .try_into()
                    .map_err(|_| minicbor::decode::Error::message(concat!("expected ", $bytes, " bytes")))?;
                Ok($name(bytes))
            }
        }
    };
}
pub(crate) use cbor_bytes;
