//! The code of an outfall.

use std::sync::Arc;

/// Longest code, in bytes.
const BYTES_MAX: usize = 32;

/// What the authorities call an outfall: 1 to 32 of `A-Z 0-9 -`. What the parts mean is theirs to know (HJ 1235-2021 is not
/// published openly), so it is opaque here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutfallCode(Arc<str>);

/// Why a text is not an [`OutfallCode`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the code of an outfall: use 1 to 32 of A-Z 0-9 -")]
pub struct OutfallCodeError(String);

impl OutfallCode {
    /// Checks and takes a code.
    ///
    /// # Errors
    /// [`OutfallCodeError`] if it is empty, longer than 32 bytes or has another character.
    pub fn new(code: &str) -> Result<OutfallCode, OutfallCodeError> {
        let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        if code.is_empty() || code.len() > BYTES_MAX || !code.bytes().all(legal) {
            return Err(OutfallCodeError(code.chars().take(BYTES_MAX).collect()));
        }
        Ok(OutfallCode(code.into()))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

crate::text_type!(OutfallCode, OutfallCodeError);
