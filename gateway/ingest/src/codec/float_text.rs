//! Binary floating point (IEEE 754) as decimal text.
//!
//! A binary fraction is read as the shortest decimal number that no other one of its width is nearer to: what a sensor
//! computed as 0.1 is 0.1, not 0.100000001490116. Half precision is the exception: encoders choose it only for numbers
//! that lose nothing by it (RFC 8949 §4.2.1), so it is read exactly, as a double of the same value.
//!
//! These are the only floats of the decoders; no arithmetic is done with them.

/// The text of a float; `Err` holds `NaN`, `inf` or `-inf`.
pub(super) fn float32(bits: u32) -> Result<String, String> {
    let float = f32::from_bits(bits);
    if float.is_finite() { Ok(format!("{float:e}")) } else { Err(float.to_string()) }
}

/// As [`float32`], for double precision.
pub(super) fn float64(bits: u64) -> Result<String, String> {
    let float = f64::from_bits(bits);
    if float.is_finite() { Ok(format!("{float:e}")) } else { Err(float.to_string()) }
}

/// As [`float32`], for half precision: each is a double with the same sign, a longer exponent and a longer fraction.
pub(super) fn float16(bits: u16) -> Result<String, String> {
    let sign = u64::from(bits >> 15) << 63;
    let (exponent, fraction) = (u64::from(bits >> 10 & 0x1f), u64::from(bits & 0x3ff));
    // From the bias 15 and 10 bits of fraction to the bias 1023 and 52 bits.
    let wide = match (exponent, fraction) {
        (0, 0) => 0,
        (0, _) => {
            // Subnormal: fraction × 2^-24, normalised by moving its first one out of the fraction.
            let first_one = u64::from(fraction.ilog2());
            (first_one + 1023 - 24) << 52 | (fraction << (52 - first_one)) & ((1 << 52) - 1)
        }
        (0x1f, _) => 0x7ff << 52 | fraction << 42,
        _ => (exponent + 1023 - 15) << 52 | fraction << 42,
    };
    float64(sign | wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: Result<String, String>, expected: Result<&str, &str>) {
        assert_eq!(text, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn the_shortest_text_of_its_width() {
        check(float32(0x3dcc_cccd), Ok("1e-1"));
        check(float64(0x3fb9_9999_9999_999a), Ok("1e-1"));
        check(float32(0x4148_0000), Ok("1.25e1"));
        check(float32(0x0000_0001), Ok("1e-45"));
        check(float32(0x7f80_0000), Err("inf"));
        check(float32(0xffc0_0000), Err("NaN"));
        check(float64(0xfff0_0000_0000_0000), Err("-inf"));
    }

    #[test]
    fn a_half_is_exact() {
        check(float16(0x3c00), Ok("1e0"));
        check(float16(0x3e00), Ok("1.5e0"));
        check(float16(0x7bff), Ok("6.5504e4"));
        check(float16(0x0001), Ok("5.960464477539063e-8"));
        check(float16(0x0400), Ok("6.103515625e-5"));
        check(float16(0x03ff), Ok("6.097555160522461e-5"));
        check(float16(0xc400), Ok("-4e0"));
        check(float16(0x8000), Ok("-0e0"));
        check(float16(0x7c00), Err("inf"));
        check(float16(0x7e00), Err("NaN"));
    }
}
