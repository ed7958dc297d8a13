//! One number among the bytes: where it stands, when it is there, and what it measures.

use std::ops::Range;

use record::{Decimal, Quantity, Unit};
use serde::Deserialize;

use super::super::measured::{Found, Scaling, Target, quantity, require_known};
use super::super::{CodecError, Decoded};
use super::BinaryError;
use super::number::{Endian, NumberType, whole};

/// One number of the payload (`binary`) or of an entry's value (`tlv`), and the reading it gives:
/// `value = raw × scale + add`, exact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinaryField {
    /// What it measures.
    #[serde(deserialize_with = "quantity")]
    pub quantity: Quantity,
    /// In what, after `scale` and `add`.
    pub unit: Unit,
    /// The first byte, counted from 0; a negative one counts from the end, where -1 is the last byte.
    #[serde(default)]
    pub offset: i16,
    /// How many bytes: 1 to 8. Absent for floats, whose type says it.
    #[serde(default)]
    pub length: Option<u8>,
    /// Which byte comes first; the most significant one if absent.
    #[serde(default)]
    pub endian: Endian,
    /// What the bytes are; an unsigned integer if absent.
    #[serde(default, rename = "type")]
    pub number_type: NumberType,
    /// Only this many bits of the number are the value; all if absent.
    #[serde(default)]
    pub bits: Option<u8>,
    /// The least significant of `bits`, counted from 0 at the number's least significant bit.
    #[serde(default)]
    pub bit_offset: u8,
    /// Factor; 1 if absent.
    #[serde(default)]
    pub scale: Option<Decimal>,
    /// Summand after the factor; 0 if absent.
    #[serde(default)]
    pub add: Option<Decimal>,
    /// Least plausible value, in `unit`.
    #[serde(default)]
    pub min: Option<Decimal>,
    /// Greatest plausible value, in `unit`.
    #[serde(default)]
    pub max: Option<Decimal>,
    /// Raw values (before `scale`) by which the sensor says that it has none; at most 16.
    #[serde(default)]
    pub invalid: Vec<Decimal>,
    /// The field is only there under this condition; it gives no reading otherwise.
    #[serde(default)]
    pub when: Option<Condition>,
    /// Whether a payload that ends before it gives no reading instead of one of [`record::Quality::Missing`].
    #[serde(default)]
    pub optional: bool,
}

/// Bytes that must have a value: `number & mask == equals`, the number being big-endian.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// As a field's.
    #[serde(default)]
    pub offset: i16,
    /// How many bytes, 1 to 8; 1 if absent.
    #[serde(default)]
    pub length: Option<u8>,
    /// The bits that count; all if absent.
    #[serde(default)]
    pub mask: Option<u64>,
    /// What they must be.
    pub equals: u64,
}

/// Most `invalid` values of a field.
const INVALID_MAX: usize = 16;

/// Where bytes stand in a payload of some length.
enum Bytes {
    At(Range<usize>),
    Cut { from: usize, to: usize },
    Behind,
}

/// Bytes `offset..offset + length`, in a payload of `have` bytes.
fn bytes(offset: i16, length: u8, have: usize) -> Bytes {
    let (have, length) = (i64::try_from(have).unwrap_or(i64::MAX), i64::from(length));
    let from = if offset < 0 { have + i64::from(offset) } else { i64::from(offset) };
    let to = from + length;
    if to <= 0 || from >= have {
        return Bytes::Behind;
    }
    match (usize::try_from(from), usize::try_from(to)) {
        (Ok(from), Ok(to)) if to <= usize::try_from(have).unwrap_or(usize::MAX) => Bytes::At(from..to),
        (from, to) => Bytes::Cut { from: from.unwrap_or(0), to: to.unwrap_or(0).saturating_sub(1) },
    }
}

/// Reads each field that is there under its condition, and counts those whose bytes are there.
pub(in super::super) fn read_all(
    fields: &[BinaryField],
    payload: &[u8],
    decoded: &mut Decoded,
) -> Result<usize, BinaryError> {
    let mut present = 0;
    for field in fields.iter().filter(|field| field.when.as_ref().is_none_or(|when| when.holds(payload))) {
        let found = match bytes(field.offset, field.bytes_in(payload.len()), payload.len()) {
            Bytes::At(range) => {
                present += 1;
                field.found(&payload[range])
            }
            Bytes::Cut { from, to } => {
                let quantity = field.quantity.clone();
                return Err(BinaryError::Cut { quantity, from, to, have: payload.len() });
            }
            Bytes::Behind if field.optional => continue,
            Bytes::Behind => Found::Nothing,
        };
        decoded.measure(&field.target(), found, None);
    }
    Ok(present)
}

impl BinaryField {
    /// Its length in a payload, or in an entry's value, of `have` bytes: of an entry it is all if nothing else is said.
    fn bytes_in(&self, have: usize) -> u8 {
        self.length.or(self.number_type.length()).unwrap_or_else(|| u8::try_from(have.min(8)).unwrap_or(8))
    }

    fn found(&self, bytes: &[u8]) -> Found {
        let all = u32::try_from(bytes.len() * 8).unwrap_or(64);
        let raw = whole(bytes, self.endian) >> self.bit_offset;
        match self.number_type.read(raw, self.bits.map_or(all - u32::from(self.bit_offset), u32::from)) {
            Found::Number(raw) if self.invalid.contains(&raw) => Found::NotANumber(raw.to_string()),
            found => found,
        }
    }

    fn target(&self) -> Target<'_> {
        let scaling = Scaling { scale: self.scale, offset: self.add, min: self.min, max: self.max };
        Target { quantity: &self.quantity, unit: &self.unit, scaling }
    }

    /// Checks a field by itself; `entry` is the length of the value that it stands in, `None` for a whole payload.
    pub(in super::super) fn validate(&self, key: &str, entry: Option<u8>) -> Result<(), CodecError> {
        require_known(&self.unit, key)?;
        self.target().scaling.validate(key)?;
        let length = self.checked_length(key, entry)?;
        let (all, bits) = (u32::from(length) * 8, self.bits.map(u32::from));
        let float = self.number_type.length().is_some();
        let whole_digits = self.number_type != NumberType::Bcd
            || (bits.unwrap_or(0).is_multiple_of(4) && self.bit_offset.is_multiple_of(4));
        let used = bits.unwrap_or(1).saturating_add(u32::from(self.bit_offset));
        let partial = bits.is_some() || self.bit_offset > 0;
        if bits == Some(0) || used > all || !whole_digits || (float && partial) {
            let bits = bits.unwrap_or(all.saturating_sub(u32::from(self.bit_offset)));
            let number_type = self.number_type.as_str();
            return Err(CodecError::Bits {
                key: key.to_owned(),
                bits,
                bit_offset: self.bit_offset,
                length,
                number_type,
            });
        }
        require_inside(key, self.offset, length, entry)?;
        if self.invalid.len() > INVALID_MAX {
            return Err(CodecError::TooManyInvalid { key: key.to_owned(), count: self.invalid.len() });
        }
        self.when.as_ref().map_or(Ok(()), |when| when.validate(&format!("{key}.when"), entry))
    }

    /// Whether one frame could have both as readings of one quantity: two layouts of one sensor have two conditions.
    pub(in super::super) fn is_given_with(&self, other: &BinaryField) -> bool {
        self.quantity == other.quantity && (self.when.is_none() || other.when.is_none() || self.when == other.when)
    }

    fn checked_length(&self, key: &str, entry: Option<u8>) -> Result<u8, CodecError> {
        let number_type = self.number_type;
        let wrong = |length| CodecError::Length { key: key.to_owned(), length, number_type: number_type.as_str() };
        match (self.length, number_type.length(), entry) {
            (None, Some(only), _) => Ok(only),
            (Some(length), Some(only), _) if length != only => Err(wrong(length)),
            (Some(length), _, _) | (None, None, Some(length)) if (1..=8).contains(&length) => Ok(length),
            (Some(length), _, _) | (None, None, Some(length)) => Err(wrong(length)),
            (None, None, None) => Err(CodecError::NoLength { key: key.to_owned() }),
        }
    }
}

impl Condition {
    fn holds(&self, payload: &[u8]) -> bool {
        let mask = self.mask.unwrap_or(u64::MAX);
        match bytes(self.offset, self.length.unwrap_or(1), payload.len()) {
            Bytes::At(range) => whole(&payload[range], Endian::Big) & mask == self.equals,
            Bytes::Cut { .. } | Bytes::Behind => false,
        }
    }

    fn validate(&self, key: &str, entry: Option<u8>) -> Result<(), CodecError> {
        let length = self.length.unwrap_or(1);
        if !(1..=8).contains(&length) {
            return Err(CodecError::Length { key: key.to_owned(), length, number_type: NumberType::Uint.as_str() });
        }
        require_inside(key, self.offset, length, entry)?;
        let possible = self.mask.unwrap_or(u64::MAX) & (u64::MAX >> (64 - 8 * u32::from(length)));
        if self.equals & !possible != 0 {
            return Err(CodecError::NeverEqual { key: key.to_owned(), equals: self.equals, possible });
        }
        Ok(())
    }
}

/// Refuses bytes that end behind the payload's last one, or behind the value that they stand in.
fn require_inside(key: &str, offset: i16, length: u8, entry: Option<u8>) -> Result<(), CodecError> {
    let fits = match entry {
        Some(have) => matches!(bytes(offset, length, usize::from(have)), Bytes::At(_)),
        None => offset >= 0 || i32::from(offset) + i32::from(length) <= 0,
    };
    if fits { Ok(()) } else { Err(CodecError::Beyond { key: key.to_owned(), offset, length }) }
}
