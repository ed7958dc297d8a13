//! The secret that an MQTT device proves itself with, in plain text or as an argon2id hash.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Fewest bytes: below this, trying all of them over the network is a matter of days.
const BYTES_MIN: usize = 8;
/// Most bytes. MQTT allows 65,535; nobody types them, and every CONNECT is hashed.
const BYTES_MAX: usize = 128;
/// Most bytes of a PHC string: identifier, parameters, a salt of 64 bytes and a hash of 64.
const HASH_BYTES_MAX: usize = 256;
/// Most memory of one verification in KiB: what RFC 9106 §4 recommends where memory is scarce.
const MEMORY_KIB_MAX: u32 = 64 * 1024;
/// Most passes and lanes: RFC 9106 §4 and one more; a small box takes about a second for them.
const PASSES_MAX: u32 = 4;
const LANES_MAX: u32 = 4;

/// A password of 8 to 128 bytes, or its argon2id hash (RFC 9106) as a PHC string: never printed, never serialised,
/// wiped when dropped. A text that begins with `$` is a hash.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct Password(Secret);

#[derive(Clone, PartialEq, Eq)]
enum Secret {
    Plain(Zeroizing<String>),
    Argon2id(Zeroizing<String>),
}

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
    /// Begins with `$` and is no argon2id hash.
    #[error(
        "the password begins with `$` and is no argon2id hash: make one with `argon2 SALT -id -e`, or choose a password without `$`"
    )]
    NotArgon2id,
    /// A hash that would take too long, or too much memory, at every connection of its device.
    #[error(
        "the password's hash asks for m={memory_kib} KiB, t={passes}, p={lanes}: make one with at most \
         m={MEMORY_KIB_MAX}, t={PASSES_MAX}, p={LANES_MAX}; m=19456, t=2, p=1 is enough"
    )]
    Cost {
        /// `m`, in KiB.
        memory_kib: u32,
        /// `t`
        passes: u32,
        /// `p`
        lanes: u32,
    },
}

impl Password {
    /// Takes a password or a hash.
    ///
    /// # Errors
    /// [`PasswordError::Length`], [`PasswordError::NotArgon2id`], [`PasswordError::Cost`].
    pub fn new(text: String) -> Result<Password, PasswordError> {
        let text = Zeroizing::new(text);
        if text.starts_with('$') {
            check_hash(&text)?;
            return Ok(Password(Secret::Argon2id(text)));
        }
        if !(BYTES_MIN..=BYTES_MAX).contains(&text.len()) {
            return Err(PasswordError::Length { bytes: text.len() });
        }
        Ok(Password(Secret::Plain(text)))
    }

    /// Whether `given` is this password. Plain passwords are compared by their digests, so the time it takes tells
    /// nothing about the bytes. See [`Password::is_costly`].
    pub fn is(&self, given: &[u8]) -> bool {
        if given.len() > BYTES_MAX {
            return false;
        }
        match &self.0 {
            Secret::Plain(text) => Sha256::digest(text.as_bytes()) == Sha256::digest(given),
            Secret::Argon2id(hash) => verifier().verify_password(given, hash.as_str()).is_ok(),
        }
    }

    /// Whether [`Password::is`] takes milliseconds to a second of a core, and up to 64 MiB, instead of microseconds.
    pub fn is_costly(&self) -> bool {
        matches!(self.0, Secret::Argon2id(_))
    }
}

/// The parameters are those of each hash.
fn verifier() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

fn check_hash(text: &str) -> Result<(), PasswordError> {
    if text.len() > HASH_BYTES_MAX {
        return Err(PasswordError::NotArgon2id);
    }
    let hash = PasswordHash::new(text).map_err(|_| PasswordError::NotArgon2id)?;
    let params = Params::try_from(&hash).map_err(|_| PasswordError::NotArgon2id)?;
    if hash.algorithm != argon2::ARGON2ID_IDENT || hash.salt.is_none() || hash.hash.is_none() {
        return Err(PasswordError::NotArgon2id);
    }
    let (memory_kib, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX {
        return Err(PasswordError::Cost { memory_kib, passes, lanes });
    }
    Ok(())
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

    /// Of the reference implementation's own tests (phc-winner-argon2, `src/test.c`), for `password` and `somesalt`.
    const HASHES: [&str; 2] = [
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    ];

    #[test]
    fn only_the_same_bytes_are_the_password() {
        let password = Password::new("river-otter-7".to_owned()).unwrap();
        assert!(password.is(b"river-otter-7"));
        for other in ["", "river-otter-", "river-otter-77", "River-otter-7"] {
            assert!(!password.is(other.as_bytes()), "{other}");
        }
        assert_eq!(format!("{password:?}"), "Password(..)");
        assert!(!password.is_costly());
    }

    #[test]
    fn the_hashes_of_the_reference_implementation() {
        for hash in HASHES {
            let password = Password::new(hash.to_owned()).unwrap();
            assert!(password.is_costly() && password.is(b"password"), "{hash}");
            for other in ["", "Password", "passwords", hash] {
                assert!(!password.is(other.as_bytes()), "{other}");
            }
            assert_eq!(format!("{password:?}"), "Password(..)");
        }
    }

    #[test]
    fn hashes_that_are_refused() {
        let [hash, _] = HASHES;
        let check = |text: &str, expected| assert_eq!(Password::new(text.to_owned()), Err(expected), "{text}");
        for text in [
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJu",
            "$dollar-sign",
            "$",
            &hash.replace("argon2id", "argon2i"),
            &hash[..hash.len() - 44],
            &format!("{hash}{}", "A".repeat(200)),
        ] {
            check(text, PasswordError::NotArgon2id);
        }
        let cost = |memory_kib, passes, lanes| PasswordError::Cost { memory_kib, passes, lanes };
        check(&hash.replace("m=256", "m=65537"), cost(65_537, 2, 1));
        check(&hash.replace("t=2", "t=4000000"), cost(256, 4_000_000, 1));
        check(&hash.replace("p=1", "p=5"), cost(256, 2, 5));
    }
}
