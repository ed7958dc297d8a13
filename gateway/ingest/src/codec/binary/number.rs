//! What up to eight bytes say, without a rounding.

use record::Decimal;
use serde::Deserialize;

use super::super::float_text::{float32, float64};
use super::super::measured::Found;

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endian {
    /// The most significant one.
    #[default]
    Big,
    /// The least significant one.
    Little,
}

/// How bytes mean a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberType {
    /// An unsigned integer.
    #[default]
    Uint,
    /// A signed integer, in two's complement of its bytes or `bits`.
    Int,
    /// Packed binary-coded decimal: four bits a digit.
    Bcd,
    /// IEEE 754 single precision, read as its shortest decimal text: 0.1 is 0.1.
    Float32,
    /// IEEE 754 double precision, the same.
    Float64,
}

impl NumberType {
    /// The length of a type that has only one.
    pub(super) fn length(self) -> Option<u8> {
        match self {
            NumberType::Float32 => Some(4),
            NumberType::Float64 => Some(8),
            NumberType::Uint | NumberType::Int | NumberType::Bcd => None,
        }
    }

    /// As written in the configuration.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            NumberType::Uint => "uint",
            NumberType::Int => "int",
            NumberType::Bcd => "bcd",
            NumberType::Float32 => "float32",
            NumberType::Float64 => "float64",
        }
    }

    /// The number that the lowest `width` bits of `raw` are (1 to 64; 32 and 64 for floats).
    pub(super) fn read(self, raw: u64, width: u32) -> Found {
        let unused = 64 - width;
        let raw = raw << unused >> unused;
        let float = |text: Result<String, String>| match text {
            Ok(number) => Found::text(&number),
            Err(word) => Found::NotANumber(word),
        };
        match self {
            // Beyond 2^63 a decimal keeps 18 digits (see `record::Decimal`).
            NumberType::Uint => i64::try_from(raw)
                .map_or_else(|_| Found::text(&raw.to_string()), |whole| Found::Number(Decimal::from(whole))),
            NumberType::Int => Found::Number(Decimal::from((raw << unused).cast_signed() >> unused)),
            NumberType::Bcd => {
                let digits = format!("{raw:x}");
                if digits.bytes().all(|digit| digit.is_ascii_digit()) {
                    Found::text(&digits)
                } else {
                    Found::NotANumber(format!("0x{digits}"))
                }
            }
            NumberType::Float32 => u32::try_from(raw).map_or(Found::Nothing, |bits| float(float32(bits))),
            NumberType::Float64 => float(float64(raw)),
        }
    }
}

/// Up to eight bytes as one number.
pub(super) fn whole(bytes: &[u8], endian: Endian) -> u64 {
    let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    match endian {
        Endian::Big => bytes.iter().fold(0, join),
        Endian::Little => bytes.iter().rev().fold(0, join),
    }
}
