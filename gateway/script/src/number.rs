//! A double as JavaScript writes it (ECMA-262 §6.1.6.1.20, Number::toString).

/// The shortest decimal text that means this double; `None` if it is not finite.
pub(crate) fn text(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    if number == 0.0 {
        return Some("0".to_owned()); // -0 as well
    }
    // Rust writes the same shortest digits, as `d.ddde±x`.
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let digits = mantissa.replace('.', "");
    let sign = if number < 0.0 { "-" } else { "" };
    Some(format!("{sign}{}", laid_out(&digits, exponent)))
}

/// The digits `d₁d₂…` of d₁.d₂… × 10^`exponent`: plain from 1e-6 to below 1e21, else with an exponent.
fn laid_out(digits: &str, exponent: i32) -> String {
    match usize::try_from(exponent) {
        Ok(above @ 0..=20) => match digits.split_at_checked(above + 1) {
            Some((whole, "")) => whole.to_owned(),
            Some((whole, fraction)) => format!("{whole}.{fraction}"),
            None => format!("{digits:0<width$}", width = above + 1),
        },
        Err(_) if exponent >= -6 => {
            format!("0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1))
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            let sign = if exponent < 0 { "-" } else { "+" };
            format!("{first}{point}{rest}e{sign}{}", exponent.unsigned_abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_javascript_writes_it() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (7.11, "7.11"),
            (-27.2, "-27.2"),
            (2116.0, "2116"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "100000000000000000000"),
            (123456789012345680000.0, "123456789012345680000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (0.000001, "0.000001"),
            (0.00000123, "0.00000123"),
            (1e-7, "1e-7"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            assert_eq!(text(number).unwrap(), expected);
        }
        assert_eq!([f64::NAN, f64::INFINITY].map(text), [None, None]);
    }

    proptest! {
        #[test]
        fn every_double_comes_back(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            if let Some(text) = text(number) {
                prop_assert_eq!(text.parse::<f64>().unwrap(), number);
            }
        }
    }
}
