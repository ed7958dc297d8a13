//! Who made a batch, and who receipted it.

use std::sync::Arc;

/// Longest name, in bytes.
const BYTES_MAX: usize = 64;

/// Why a text is not a [`BoxId`] or [`PlatformId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {of} name: use 1 to 64 of A-Z a-z 0-9 _ . -")]
pub struct IdError {
    /// `box` or `platform`.
    of: &'static str,
    /// The beginning of what was given.
    text: String,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $of:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// [`IdError`] if it is empty, longer than 64 bytes or has another character than `A-Z a-z 0-9 _ . -`.
            pub fn new(name: &str) -> Result<$name, IdError> {
                let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
                if name.is_empty() || name.len() > BYTES_MAX || !name.bytes().all(legal) {
                    return Err(IdError { of: $of, text: name.chars().take(BYTES_MAX).collect() });
                }
                Ok($name(name.into()))
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        record::text_type!($name, IdError);
    };
}

name_type!(
    /// The name of a box in its fleet: 1 to 64 of `A-Z a-z 0-9 _ . -`.
    BoxId,
    "box"
);
name_type!(
    /// The name of a platform: 1 to 64 of `A-Z a-z 0-9 _ . -`.
    PlatformId,
    "platform"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_also_when_decoded() {
        assert_eq!(BoxId::new("outfall-7.east").unwrap().as_str(), "outfall-7.east");
        for text in ["", "a b", "a/b", "ü", &"x".repeat(65)] {
            assert!(PlatformId::new(text).is_err(), "{text}");
            assert!(minicbor::decode::<BoxId>(&minicbor::to_vec(text).unwrap()).is_err(), "{text}");
        }
    }
}
