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

    /// A number as its big-endian bytes without leading zeros, so that each number has one kid; 0 is one zero byte.
    pub fn of_number(number: u32) -> Kid {
        let big_endian = number.to_be_bytes();
        let zeros = big_endian[..3].iter().take_while(|byte| **byte == 0).count();
        let mut kid = Kid { length: 0, bytes: [0; Kid::BYTES_MAX] };
        for (place, byte) in kid.bytes.iter_mut().zip(&big_endian[zeros..]) {
            *place = *byte;
            kid.length += 1;
        }
        kid
    }

    /// The number that [`Kid::of_number`] makes this kid of.
    pub fn number(&self) -> Option<u32> {
        let number = self
            .as_bytes()
            .iter()
            .try_fold(0_u32, |number, byte| number.checked_mul(256)?.checked_add(u32::from(*byte)))?;
        (Kid::of_number(number) == *self).then_some(number)
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
