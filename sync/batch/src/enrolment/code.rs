//! The code itself: 20 bytes, written as 32 characters that are hard to confuse.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::PublicKey;

/// Crockford's base 32: no I, L, O, U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PLATFORM_BYTES: usize = 9;
const BYTES: usize = EnrolmentCode::SECRET_BYTES + PLATFORM_BYTES + 1;
const CHARACTERS: usize = BYTES * 8 / 5;
/// Characters between two dashes.
const GROUP: usize = 4;

/// What a platform's operator hands to whoever installs a box. Its secret does not show itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    pub(super) secret: [u8; EnrolmentCode::SECRET_BYTES],
    platform: [u8; PLATFORM_BYTES],
}

/// Why a text is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Too long or too short.
    #[error("a code has {CHARACTERS} characters, this has {found} · try: copy it again, dashes do not count")]
    Length {
        /// How many it has without dashes and spaces.
        found: usize,
    },
    /// A character that none has.
    #[error("`{0}` stands in no code · try: copy it again")]
    Character(char),
    /// It was typed wrongly.
    #[error("this code has a slip in it: its check does not fit · try: copy it again")]
    Check,
}

impl EnrolmentCode {
    /// Length of the secret.
    pub const SECRET_BYTES: usize = 10;

    /// A code of the platform with this key; the secret must come from the system's random source.
    pub fn new(secret: [u8; EnrolmentCode::SECRET_BYTES], platform: &PublicKey) -> EnrolmentCode {
        EnrolmentCode { secret, platform: beginning(platform) }
    }

    /// The secret, for the platform to keep until it is used.
    pub fn secret(&self) -> [u8; EnrolmentCode::SECRET_BYTES] {
        self.secret
    }

    /// Whether it is a code of the platform with this key.
    pub fn is_of(&self, platform: &PublicKey) -> bool {
        self.platform == beginning(platform)
    }
}

fn beginning(platform: &PublicKey) -> [u8; PLATFORM_BYTES] {
    let digest: [u8; 32] = Sha256::digest(platform.to_bytes()).into();
    std::array::from_fn(|at| digest[at])
}

fn check(bytes: &[u8]) -> u8 {
    Sha256::digest(bytes)[0]
}

impl FromStr for EnrolmentCode {
    type Err = CodeError;

    /// Either case; dashes and spaces anywhere; O is read as 0, I and L as 1.
    fn from_str(text: &str) -> Result<EnrolmentCode, CodeError> {
        let written = text.chars().filter(|c| !matches!(c, '-' | ' '));
        let found = written.clone().count();
        if found != CHARACTERS {
            return Err(CodeError::Length { found });
        }
        let (mut bytes, mut bits, mut pending) = (Vec::with_capacity(BYTES), 0, 0u16);
        for c in written {
            let digit = match c.to_ascii_uppercase() {
                'O' => 0,
                'I' | 'L' => 1,
                c => DIGITS.iter().position(|digit| char::from(*digit) == c).ok_or(CodeError::Character(c))?,
            };
            pending = pending << 5 | u16::try_from(digit).unwrap_or_default();
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes.push(u8::try_from(pending >> bits & 0xff).unwrap_or_default());
            }
        }
        let (secret, rest) = bytes.split_at(EnrolmentCode::SECRET_BYTES);
        let (platform, sum) = rest.split_at(PLATFORM_BYTES);
        if sum != [check(&bytes[..BYTES - 1])] {
            return Err(CodeError::Check);
        }
        let part = |part: &[u8], at: usize| part.get(at).copied().unwrap_or_default();
        Ok(EnrolmentCode {
            secret: std::array::from_fn(|at| part(secret, at)),
            platform: std::array::from_fn(|at| part(platform, at)),
        })
    }
}

impl fmt::Display for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [self.secret.as_slice(), &self.platform].concat();
        bytes.push(check(&bytes));
        for at in 0..CHARACTERS {
            if at > 0 && at % GROUP == 0 {
                f.write_str("-")?;
            }
            let (byte, shift) = (at * 5 / 8, at * 5 % 8);
            let pair = u16::from(bytes[byte]) << 8 | bytes.get(byte + 1).copied().map_or(0, u16::from);
            let digit = usize::from(pair >> (11 - shift) & 31);
            write!(f, "{}", char::from(DIGITS[digit]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    #[test]
    fn a_code_is_typed_as_people_type() {
        let city = SigningKey::from_seed(&[1; 32]).public();
        let code = EnrolmentCode::new([0xab, 0, 1, 2, 3, 4, 5, 6, 7, 255], &city);
        let text = code.to_string();
        assert_eq!(text.len(), 39);
        assert!(text.starts_with("NC00-2"), "{text}");
        for typed in
            [text.clone(), text.to_lowercase(), text.replace('-', ""), text.replace('0', "o").replace('1', "l")]
        {
            assert_eq!(typed.parse::<EnrolmentCode>().unwrap(), code, "{typed}");
        }
        assert!(code.is_of(&city) && !code.is_of(&SigningKey::from_seed(&[2; 32]).public()));
        assert_eq!(format!("{code:?}"), "EnrolmentCode(secret)");
        assert_eq!("AB".parse::<EnrolmentCode>(), Err(CodeError::Length { found: 2 }));
        assert_eq!(text.replace('N', "U").parse::<EnrolmentCode>(), Err(CodeError::Character('U')));
        let swapped = text.replacen("NC", "CN", 1);
        assert_eq!(swapped.parse::<EnrolmentCode>(), Err(CodeError::Check));
    }
}
