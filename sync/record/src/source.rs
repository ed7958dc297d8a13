//! Who sent it.

use std::sync::Arc;

/// Longest device name, in bytes: it stands in MQTT client ids, topics and every batch.
const BYTES_MAX: usize = 64;

/// The name of a device in the device table: 1 to 64 of `A-Z a-z 0-9 _ . -`.
///
/// The set has no `@`, `+`, `#`, `/` or `$`, so that a name can be an MQTT client id and a topic level, and no
/// device can take the name of an internal router link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(Arc<str>);

/// Why a text is not a [`SourceId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a device name: use 1 to 64 of A-Z a-z 0-9 _ . -")]
pub struct SourceIdError(String);

impl SourceId {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`SourceIdError`] if it is empty, longer than 64 bytes or has another character.
    pub fn new(name: &str) -> Result<SourceId, SourceIdError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if name.is_empty() || name.len() > BYTES_MAX || !name.bytes().all(legal) {
            return Err(SourceIdError(name.chars().take(BYTES_MAX).collect()));
        }
        Ok(SourceId(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

crate::text_type!(SourceId, SourceIdError);
