//! The short name of a key in an envelope.

use std::fmt;
use std::str::FromStr;

/// A COSE `kid`: 1 to 8 bytes, shown as hex digits. On a serial link it tells which device speaks; it only finds the
/// key and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid {
    length: u8,
    /// Zero beyond `length`.
    bytes: [u8; Kid::BYTES_MAX],
}

/// Why this is no [`Kid`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KidError {
    /// Empty or too long.
    #[error("a kid has 1 to {max} bytes, this one has {bytes}", max = Kid::BYTES_MAX)]
    Length {
        /// Its length.
        bytes: usize,
    },
    /// Not pairs of hex digits.
    #[error("`{0}` is no kid: write its bytes as hex digits, such as 07 or 0a1b")]
    NotHex(String),
}

impl Kid {
    /// Longest, in bytes.
    pub const BYTES_MAX: usize = 8;

    /// Takes the bytes.
    ///
    /// # Errors
    /// [`KidError::Length`] outside 1 to 8 bytes.
    pub fn new(kid: &[u8]) -> Result<Kid, KidError> {
        let mut bytes = [0; Kid::BYTES_MAX];
        match (u8::try_from(kid.len()), bytes.get_mut(..kid.len())) {
            (Ok(length @ 1..), Some(place)) => {
                place.copy_from_slice(kid);
                Ok(Kid { length, bytes })
            }
            _ => Err(KidError::Length { bytes: kid.len() }),
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl FromStr for Kid {
    type Err = KidError;
    fn from_str(text: &str) -> Result<Kid, KidError> {
        let shown = || text.chars().take(4 * Kid::BYTES_MAX).collect();
        Kid::new(&hex::decode(text).map_err(|_| KidError::NotHex(shown()))?)
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
