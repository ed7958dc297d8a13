//! The name of a relay.

use std::sync::Arc;

/// Longest name, in bytes.
const BYTES_MAX: usize = 64;

/// The name of a relay in `gateway.toml`: 1 to 64 of `A-Z a-z 0-9 _ . -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId(Arc<str>);

/// Why a text is not a [`RelayId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a relay: use 1 to 64 of A-Z a-z 0-9 _ . -")]
pub struct RelayIdError(String);

impl RelayId {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`RelayIdError`] if it is empty, longer than 64 bytes or has another character.
    pub fn new(name: &str) -> Result<RelayId, RelayIdError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if name.is_empty() || name.len() > BYTES_MAX || !name.bytes().all(legal) {
            return Err(RelayIdError(name.chars().take(BYTES_MAX).collect()));
        }
        Ok(RelayId(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

crate::text_type!(RelayId, RelayIdError);
