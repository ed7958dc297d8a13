//! Who discharges, who is responsible, and who watches the river.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::terms::terms;
use super::words::{Validity, Words};

/// A unit that discharges (排污单位) through the outfall.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct Discharger {
    /// Its name.
    #[n(0)]
    pub unit: Words<200>,
    /// Unified social credit code.
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_code: Option<CreditCode>,
    /// Number of its discharge permit or registration.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permit: Option<Words<100>>,
    /// Which part it answers for, where units share the outfall.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responsibility: Option<Words<300>>,
    /// Whom to ask there.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Words<100>>,
    /// That one's number.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Since when and until when it discharges here.
    #[n(6)]
    #[serde(skip_serializing_if = "Validity::is_open", default)]
    pub valid: Validity,
}

/// Who answers for the outfall (责任主体).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct Responsible {
    /// A unit, an authority or a person.
    #[n(0)]
    pub name: Words<200>,
    /// Whether it is the main one (主要责任主体).
    #[n(1)]
    #[serde(default)]
    pub main: bool,
    /// Whom to ask there.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Words<100>>,
    /// That one's number.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Since when and until when.
    #[n(4)]
    #[serde(skip_serializing_if = "Validity::is_open", default)]
    pub valid: Validity,
}

terms! {
    /// Of which level a river chief is.
    ChiefLevel {
        0 Province "province" "province" "省级",
        1 City "city" "city" "市级",
        2 County "county" "county" "县级",
        3 Town "town" "town" "镇级" alias "乡级",
        4 Village "village" "village" "村级",
    }
}

/// A river chief (河长), reached at any hour.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct RiverChief {
    /// Of which level.
    #[n(0)]
    pub level: ChiefLevel,
    /// Who.
    #[n(1)]
    pub name: Words<100>,
    /// The 24-hour number.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Whether the number stands on the sign at the outfall: only then does a public export show it.
    #[n(3)]
    #[serde(default)]
    pub on_sign: bool,
    /// Since when and until when.
    #[n(4)]
    #[serde(skip_serializing_if = "Validity::is_open", default)]
    pub valid: Validity,
}

/// A telephone number: 3 to 32 of `0-9 + - * # ( )` and spaces, with three digits at least.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

/// Not a telephone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no telephone number: use 3 to 32 of 0-9 + - * # ( ) and spaces")]
pub struct PhoneError(String);

impl Phone {
    /// Checks and takes a number.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub fn new(text: &str) -> Result<Phone, PhoneError> {
        let legal = |b: u8| b.is_ascii_digit() || b"+-*#() ".contains(&b);
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        if text.len() > 32 || digits < 3 || !text.bytes().all(legal) {
            return Err(PhoneError(text.chars().take(32).collect()));
        }
        Ok(Phone(text.to_owned()))
    }

    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

crate::text_type!(Phone, PhoneError);

/// Unified social credit code (统一社会信用代码), GB 32100-2015: 18 characters, the last of which checks the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreditCode([u8; 18]);

/// Not such a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreditCodeError {
    /// Another length, or other characters.
    #[error("`{0}` is no unified social credit code: 18 of 0-9 A-Z without I O S V Z")]
    Form(String),
    /// Mistyped.
    #[error("credit code `{code}` is mistyped: its last character would be `{expected}` (GB 32100-2015)")]
    Check {
        /// What was given.
        code: String,
        /// What the others ask for.
        expected: char,
    },
}

impl CreditCode {
    /// The standard's characters by their values.
    const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

    /// Checks and takes a code.
    ///
    /// # Errors
    /// [`CreditCodeError`].
    pub fn new(code: &str) -> Result<CreditCode, CreditCodeError> {
        let form = || CreditCodeError::Form(code.chars().take(18).collect());
        let bytes: [u8; 18] = code.as_bytes().try_into().map_err(|_| form())?;
        let (mut sum, mut weight) = (0, 1);
        for (place, byte) in bytes.iter().enumerate() {
            let value = CreditCode::ALPHABET.iter().position(|known| known == byte).ok_or_else(form)?;
            if place < 17 {
                sum += value * weight;
                weight = weight * 3 % 31;
            }
        }
        let expected = CreditCode::ALPHABET[(31 - sum % 31) % 31];
        if bytes[17] != expected {
            return Err(CreditCodeError::Check { code: code.to_owned(), expected: char::from(expected) });
        }
        Ok(CreditCode(bytes))
    }
}

impl fmt::Display for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

impl fmt::Debug for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<C> Encode<C> for CreditCode {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for CreditCode {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        CreditCode::new(d.str()?).map_err(decode::Error::custom)
    }
}

impl Serialize for CreditCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CreditCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        CreditCode::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
