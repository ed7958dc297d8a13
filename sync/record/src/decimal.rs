//! Exact decimal numbers: what a sensor wrote is what a platform shows, to the last digit.

use std::cmp::Ordering;
use std::fmt;

use minicbor::{Decode, Encode};

/// Most significant digits kept. More are rounded half to even; the exact bytes stay in the frame.
const DIGITS_MAX: usize = 18;
/// Exponents outside ±this are refused: no physical quantity at an outfall needs them.
const EXPONENT_MAX: i32 = 40;

/// `mantissa × 10^exponent`, always normalised: no trailing zero in the mantissa, zero is `0 × 10^0`.
///
/// Not a float, because limits are compared with it and evidence is printed from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i64,
    exponent: i8,
}

/// Why a text is not a [`Decimal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not of the form `-12.5e3`; `NaN` and `Infinity` land here.
    #[error("`{0}` is not a decimal number")]
    NotANumber(String),
    /// The exponent is beyond ±40.
    #[error("`{0}` is beyond 10^±40")]
    OutOfRange(String),
}

impl Decimal {
    /// Zero.
    pub const ZERO: Decimal = Decimal { mantissa: 0, exponent: 0 };

    /// `mantissa × 10^exponent`, normalised. An exponent that leaves `i8` after normalising is clamped by
    /// refusing it, so `None`.
    pub fn new(mantissa: i64, exponent: i32) -> Option<Decimal> {
        if mantissa == 0 {
            return Some(Decimal::ZERO);
        }
        let (mut mantissa, mut exponent) = (mantissa, exponent);
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        let exponent = i8::try_from(exponent).ok().filter(|e| i32::from(*e).abs() <= EXPONENT_MAX)?;
        Some(Decimal { mantissa, exponent })
    }

    /// Reads `-12.50`, `1e-3`, `+7`. JSON numbers are a subset.
    ///
    /// # Errors
    /// [`DecimalError::NotANumber`] for anything else, [`DecimalError::OutOfRange`] beyond 10^±40.
    pub fn parse(text: &str) -> Result<Decimal, DecimalError> {
        let not_a_number = || DecimalError::NotANumber(text.chars().take(40).collect());
        let out_of_range = || DecimalError::OutOfRange(text.chars().take(40).collect());
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (number, power) = match unsigned.split_once(['e', 'E']) {
            None => (unsigned, 0),
            Some((number, power)) => {
                let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(not_a_number());
                }
                (number, power.parse::<i32>().map_err(|_| out_of_range())?)
            }
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(not_a_number());
        }
        if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(not_a_number());
        }
        let digits: Vec<u8> =
            whole.bytes().chain(fraction.bytes()).skip_while(|b| *b == b'0').map(|b| b - b'0').collect();
        let fraction_len = i32::try_from(fraction.len()).map_err(|_| out_of_range())?;
        let (magnitude, dropped) = round_half_even(&digits);
        let exponent = power.checked_sub(fraction_len).and_then(|e| e.checked_add(dropped));
        let mantissa = if negative { -magnitude } else { magnitude };
        exponent.and_then(|e| Decimal::new(mantissa, e)).ok_or_else(out_of_range)
    }

    /// The integer part of the representation.
    pub fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// The power of ten of the representation.
    pub fn exponent(self) -> i8 {
        self.exponent
    }

    /// The mantissa this value has at another, smaller or equal exponent; `None` if it does not fit.
    pub fn mantissa_at(self, exponent: i8) -> Option<i64> {
        if self.mantissa == 0 {
            return Some(0);
        }
        let steps = u32::try_from(i16::from(self.exponent) - i16::from(exponent)).ok()?;
        10i64.checked_pow(steps)?.checked_mul(self.mantissa)
    }

    /// `self + other`, exact; `None` if it does not fit.
    pub fn checked_add(self, other: Decimal) -> Option<Decimal> {
        let exponent = self.exponent.min(other.exponent);
        let sum = self.mantissa_at(exponent)?.checked_add(other.mantissa_at(exponent)?)?;
        Decimal::new(sum, i32::from(exponent))
    }

    /// `-self`.
    pub fn negated(self) -> Option<Decimal> {
        Decimal::new(self.mantissa.checked_neg()?, i32::from(self.exponent))
    }

    /// `self × other`, exact; `None` if it does not fit.
    pub fn checked_mul(self, other: Decimal) -> Option<Decimal> {
        let product = self.mantissa.checked_mul(other.mantissa)?;
        Decimal::new(product, i32::from(self.exponent) + i32::from(other.exponent))
    }

    /// The order of magnitude: position of the first digit, as a power of ten.
    fn magnitude(self) -> i32 {
        i32::try_from(self.mantissa.unsigned_abs().ilog10()).unwrap_or(0) + i32::from(self.exponent)
    }
}

/// At most [`DIGITS_MAX`] leading digits as a number, and how many digits were dropped behind them.
fn round_half_even(digits: &[u8]) -> (i64, i32) {
    let kept = digits.len().min(DIGITS_MAX);
    let mut number = digits[..kept].iter().fold(0i64, |n, d| n * 10 + i64::from(*d));
    let rest = &digits[kept..];
    if let Some((first, tail)) = rest.split_first() {
        let above_half = *first > 5 || (*first == 5 && tail.iter().any(|d| *d != 0));
        let half = *first == 5 && !above_half;
        if above_half || (half && number % 2 == 1) {
            number += 1;
        }
    }
    (number, i32::try_from(rest.len()).unwrap_or(i32::MAX))
}

impl<C> Encode<C> for Decimal {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?.i64(self.mantissa)?.i8(self.exponent)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Decimal {
    /// Only the normalised form is one: else a number had two spellings, and two leaf hashes.
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.array()? != Some(2) {
            return Err(minicbor::decode::Error::message("a decimal is an array of two"));
        }
        let read = Decimal { mantissa: d.i64()?, exponent: d.i8()? };
        let normal = Decimal::new(read.mantissa, i32::from(read.exponent)).filter(|normal| *normal == read);
        normal.ok_or_else(|| minicbor::decode::Error::message("a decimal is not normalised"))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        if by_sign != Ordering::Equal || self.mantissa == 0 {
            return by_sign;
        }
        let by_size = self.magnitude().cmp(&other.magnitude()).then_with(|| {
            // Same order of magnitude: the exponents differ by at most 18, so this fits i128.
            let exponent = self.exponent.min(other.exponent);
            let scaled = |d: &Decimal| {
                let steps = u32::try_from(i16::from(d.exponent) - i16::from(exponent)).unwrap_or(0);
                i128::from(d.mantissa.unsigned_abs()) * 10i128.pow(steps)
            };
            scaled(self).cmp(&scaled(other))
        });
        if self.mantissa < 0 { by_size.reverse() } else { by_size }
    }
}

impl From<i64> for Decimal {
    fn from(whole: i64) -> Decimal {
        // i64 has at most 19 digits and exponent 0, so this is never refused.
        Decimal::new(whole, 0).unwrap_or(Decimal::ZERO)
    }
}

impl fmt::Display for Decimal {
    /// Plain digits (`0.00125`, `1200`), never an exponent: what a person and a CSV reader expect.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        if self.mantissa < 0 {
            f.write_str("-")?;
        }
        match usize::try_from(self.exponent) {
            Ok(zeros) => write!(f, "{digits}{}", "0".repeat(zeros)),
            Err(_) => {
                let places = usize::from(self.exponent.unsigned_abs());
                match digits.len().checked_sub(places).filter(|point| *point > 0) {
                    Some(point) => write!(f, "{}.{}", &digits[..point], &digits[point..]),
                    None => write!(f, "0.{}{digits}", "0".repeat(places - digits.len())),
                }
            }
        }
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Decimal {
    type Err = DecimalError;
    fn from_str(text: &str) -> Result<Decimal, DecimalError> {
        Decimal::parse(text)
    }
}

impl serde::Serialize for Decimal {
    /// As text, because JSON readers turn numbers into doubles.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Decimal {
    /// From text, or from a whole number (`80` in TOML).
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Decimal;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number, as 80, 80.5 or \"80.5\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Decimal, E> {
                Decimal::parse(text).map_err(E::custom)
            }
            fn visit_i64<E: serde::de::Error>(self, whole: i64) -> Result<Decimal, E> {
                Ok(Decimal::from(whole))
            }
            fn visit_u64<E: serde::de::Error>(self, whole: u64) -> Result<Decimal, E> {
                Decimal::parse(&whole.to_string()).map_err(E::custom)
            }
            /// `{}` prints the shortest text that reads back as the same double: what stood in the file.
            fn visit_f64<E: serde::de::Error>(self, float: f64) -> Result<Decimal, E> {
                Decimal::parse(&format!("{float}")).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        let shown = match Decimal::parse(text) {
            Ok(decimal) => decimal.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn reads_what_sensors_write() {
        check("0", "0");
        check("-0.0", "0");
        check("12.50", "12.5");
        check("1200", "1200");
        check("1e-3", "0.001");
        check("-1.5E+2", "-150");
        check(".5", "0.5");
        check("7.", "7");
        check("0.1000000000000000055511151231257827", "0.100000000000000006");
        check("123456789012345678999", "123456789012345679000");
        check("0.30000000000000004", "0.30000000000000004");
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in ["", "-", ".", "NaN", "Infinity", "1e", "1e+", "1,5", "0x10", "1 ", "十", "--1", "1e1.5"] {
            assert!(matches!(Decimal::parse(text), Err(DecimalError::NotANumber(_))), "{text}");
        }
        for text in ["1e41", "1e-41", "1e99999999999", "10e2147483647", "0.1e-2147483648"] {
            assert!(matches!(Decimal::parse(text), Err(DecimalError::OutOfRange(_))), "{text}");
        }
    }

    #[test]
    fn orders_across_exponents() {
        let sorted = ["-1e40", "-80.01", "-80", "-1e-40", "0", "1e-40", "0.5", "79.999", "80", "1e40"];
        for pair in sorted.windows(2) {
            assert!(Decimal::parse(pair[0]).unwrap() < Decimal::parse(pair[1]).unwrap(), "{pair:?}");
        }
    }

    #[test]
    fn a_second_spelling_of_a_number_is_refused() {
        let decode = |m: i64, e: i8| minicbor::decode::<Decimal>(&minicbor::to_vec((m, e)).unwrap());
        assert_eq!(decode(1, 1).unwrap().to_string(), "10");
        assert!(decode(10, 0).is_err() && decode(0, 1).is_err() && decode(1, 41).is_err());
    }

    proptest! {
        #[test]
        fn a_double_survives_to_the_last_digit(value in -1e15f64..1e15) {
            let decimal = Decimal::parse(&format!("{value}")).unwrap();
            prop_assert_eq!(decimal.to_string().parse::<f64>().unwrap(), value);
        }

        #[test]
        fn text_round_trips(mantissa in -999_999_999_999_999_999i64..=999_999_999_999_999_999, exponent in -30i32..=20) {
            let decimal = Decimal::new(mantissa, exponent).unwrap();
            prop_assert_eq!(Decimal::parse(&decimal.to_string()).unwrap(), decimal);
        }

        #[test]
        fn order_agrees_with_addition(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000, e in -6i32..0, f in -6i32..0) {
            let (x, y) = (Decimal::new(a, e).unwrap(), Decimal::new(b, f).unwrap());
            let difference = x.checked_add(y.negated().unwrap()).unwrap();
            prop_assert_eq!(x.cmp(&y), difference.cmp(&Decimal::ZERO));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,60}") {
            let _ = Decimal::parse(&text);
        }
    }
}
