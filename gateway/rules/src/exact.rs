//! Sums, products and quotients of decimals without a lost digit, until one is rounded where it is said.

use record::Decimal;

/// Most powers of ten that a number is scaled by at one time: 10^38 is the last that 128 bits hold.
const POWER_MAX: i32 = 38;
/// Most digits of a [`Decimal`].
const DIGITS: u32 = 18;

/// `mantissa × 10^exponent` in 128 bits. What does not fit is `None`, and then nothing is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Exact {
    mantissa: i128,
    exponent: i32,
}

impl From<Decimal> for Exact {
    fn from(decimal: Decimal) -> Exact {
        Exact { mantissa: i128::from(decimal.mantissa()), exponent: i32::from(decimal.exponent()) }
    }
}

impl From<u32> for Exact {
    fn from(whole: u32) -> Exact {
        Exact { mantissa: i128::from(whole), exponent: 0 }
    }
}

impl Exact {
    /// 10^`exponent`.
    pub(crate) fn power(exponent: i32) -> Exact {
        Exact { mantissa: 1, exponent }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    pub(crate) fn plus(self, other: Exact) -> Option<Exact> {
        if self.is_zero() {
            return Some(other);
        }
        if other.is_zero() {
            return Some(self);
        }
        let exponent = self.exponent.min(other.exponent);
        let mantissa = self.mantissa_at(exponent)?.checked_add(other.mantissa_at(exponent)?)?;
        Some(Exact { mantissa, exponent })
    }

    pub(crate) fn minus(self, other: Exact) -> Option<Exact> {
        self.plus(Exact { mantissa: other.mantissa.checked_neg()?, ..other })
    }

    pub(crate) fn times(self, other: Exact) -> Option<Exact> {
        let (one, two) = (self.normal(), other.normal());
        let mantissa = one.mantissa.checked_mul(two.mantissa)?;
        Some(Exact { mantissa, exponent: one.exponent.checked_add(two.exponent)? })
    }

    /// `self / by` as a multiple of 10^`exponent`, rounded half to even; `None` by zero.
    pub(crate) fn over(self, by: Exact, exponent: i32) -> Option<Exact> {
        let (over, under) = (self.normal(), by.normal());
        let steps = over.exponent.checked_sub(under.exponent)?.checked_sub(exponent)?;
        let (mut over, mut under) = (over.mantissa, under.mantissa);
        match u32::try_from(steps) {
            Ok(up) => over = over.checked_mul(power(up)?)?,
            Err(_) => under = under.checked_mul(power(steps.unsigned_abs())?)?,
        }
        if under.is_negative() {
            (over, under) = (over.checked_neg()?, under.checked_neg()?);
        }
        let quotient = over.checked_div_euclid(under)?;
        let twice = over.checked_rem_euclid(under)?.checked_mul(2)?;
        let up = twice > under || (twice == under && quotient % 2 != 0);
        Some(Exact { mantissa: quotient + i128::from(up), exponent })
    }

    /// The nearest of at most 18 digits.
    pub(crate) fn to_decimal(self) -> Option<Decimal> {
        let number = self.normal();
        let digits = number.mantissa.checked_abs()?.checked_ilog10().map_or(1, |log| log + 1);
        let number = match i32::try_from(digits.saturating_sub(DIGITS)) {
            Ok(0) | Err(_) => number,
            Ok(over) => number.over(Exact::from(1), number.exponent + over)?,
        };
        Decimal::new(i64::try_from(number.mantissa).ok()?, number.exponent)
    }

    fn mantissa_at(self, exponent: i32) -> Option<i128> {
        self.mantissa.checked_mul(power(u32::try_from(self.exponent.checked_sub(exponent)?).ok()?)?)
    }

    /// Without zeros at the end.
    fn normal(mut self) -> Exact {
        if self.mantissa == 0 {
            return Exact::default();
        }
        while self.mantissa % 10 == 0 {
            (self.mantissa, self.exponent) = (self.mantissa / 10, self.exponent.saturating_add(1));
        }
        self
    }
}

fn power(of_ten: u32) -> Option<i128> {
    (of_ten <= POWER_MAX.unsigned_abs()).then(|| 10i128.pow(of_ten))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::from(Decimal::parse(text).unwrap())
    }

    fn quotient(over: &str, under: &str, exponent: i32) -> Option<String> {
        Some(exact(over).over(exact(under), exponent)?.to_decimal()?.to_string())
    }

    #[test]
    fn quotients_are_rounded_half_to_even() {
        assert_eq!(quotient("1", "3", -4).unwrap(), "0.3333");
        assert_eq!(quotient("2", "3", -4).unwrap(), "0.6667");
        assert_eq!(quotient("5", "2", 0).unwrap(), "2");
        assert_eq!(quotient("7", "2", 0).unwrap(), "4");
        assert_eq!(quotient("-5", "2", 0).unwrap(), "-2");
        assert_eq!(quotient("-7", "2", 0).unwrap(), "-4");
        assert_eq!(quotient("7", "-2", 0).unwrap(), "-4");
        assert_eq!(quotient("1200", "0.04", 2).unwrap(), "30000");
        assert_eq!(quotient("1", "0", 0), None);
    }

    #[test]
    fn what_does_not_fit_is_nothing() {
        let large = exact("123456789012345678e20");
        assert!(large.times(large).unwrap().times(large).is_none());
        assert!(large.plus(exact("1e-40")).is_none());
        let many = exact("999999999999999999").times(exact("999999999999999999")).unwrap();
        assert_eq!(many.to_decimal().unwrap().to_string(), format!("999999999999999998{}", "0".repeat(18)));
    }

    #[test]
    fn nothing_changes_what_it_is_added_to_however_far_apart_they_are() {
        let (none, tiny, huge) = (Exact::default(), Exact::power(-60), Exact::power(60));
        for one in [tiny, huge] {
            assert_eq!([none.plus(one), one.plus(none), one.minus(none)], [Some(one); 3]);
        }
        assert_eq!(tiny.plus(huge), None);
        assert!(
            exact("5").minus(exact("5.0")).unwrap().is_zero() && !exact("5").minus(exact("5.01")).unwrap().is_zero()
        );
    }

    #[test]
    fn the_scale_is_bounded_by_what_128_bits_hold() {
        let (one, ten) = (Exact::from(1), Exact::from(10));
        assert_eq!(one.over(one, -38), Some(Exact { mantissa: 10i128.pow(38), exponent: -38 }));
        assert_eq!(one.over(one, -39), None);
        assert_eq!(one.over(one, 38), Some(Exact { mantissa: 0, exponent: 38 }));
        assert_eq!(one.over(one, 39), None);
        assert_eq!(one.plus(Exact::power(38)), Some(Exact { mantissa: 10i128.pow(38) + 1, exponent: 0 }));
        assert_eq!(one.plus(Exact::power(39)), None);
        // Zeros at the end are no digits.
        assert_eq!(ten.times(exact("0.1")), Some(one));
        assert_eq!(
            Exact { mantissa: 1_200, exponent: -3 }.times(exact("0.5")).unwrap().to_decimal(),
            Decimal::parse("0.6").ok()
        );
    }

    #[test]
    fn a_decimal_keeps_eighteen_digits_and_rounds_the_nineteenth_half_to_even() {
        let decimal = |mantissa: i128, exponent: i32| {
            Exact { mantissa, exponent }.to_decimal().map(|decimal| decimal.to_string())
        };
        assert_eq!(decimal(0, 5).unwrap(), "0");
        assert_eq!(decimal(123_456_789_012_345_678, -6).unwrap(), "123456789012.345678");
        assert_eq!(decimal(1_234_567_890_123_456_785, -6).unwrap(), "1234567890123.45678");
        assert_eq!(decimal(1_234_567_890_123_456_775, -6).unwrap(), "1234567890123.45678");
        assert_eq!(decimal(-9_999_999_999_999_999_996, 0).unwrap(), "-10000000000000000000");
        assert_eq!(decimal(i128::MIN, 0), None);
    }

    proptest! {
        #[test]
        fn sums_and_products_are_those_of_integers(a in -1_000_000_000i64..1_000_000_000, b in -1_000_000_000i64..1_000_000_000) {
            let (one, two) = (Exact::from(Decimal::new(a, -3).unwrap()), Exact::from(Decimal::new(b, -3).unwrap()));
            let is = |exact: Exact, mantissa: i128, exponent: i32| {
                let other = Exact { mantissa, exponent };
                exact.minus(other).is_some_and(Exact::is_zero)
            };
            prop_assert!(is(one.plus(two).unwrap(), i128::from(a) + i128::from(b), -3));
            prop_assert!(is(one.times(two).unwrap(), i128::from(a) * i128::from(b), -6));
        }

        #[test]
        fn a_quotient_is_off_by_half_a_step_at_most(a in -1_000_000_000i64..1_000_000_000, b in 1i64..1_000_000, e in -6i32..3) {
            let (over, under) = (Exact::from(Decimal::new(a, 0).unwrap()), Exact::from(Decimal::new(b, 0).unwrap()));
            let back = over.over(under, e).unwrap().times(under).unwrap();
            let off = back.minus(over).unwrap();
            let twice = off.plus(off).unwrap().mantissa_at(-6).unwrap().abs();
            prop_assert!(twice <= under.times(Exact::power(e)).unwrap().mantissa_at(-6).unwrap());
        }
    }
}
