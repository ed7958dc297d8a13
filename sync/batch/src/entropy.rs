//! Value columns: numbers that follow one another, as differences from a smoothed expectation, by an adaptive range coder.
//!
//! Rice codes ([`crate::bits`]) spend a tenth more than the entropy of noise, and a bit on a value that did not change at all.
//! And a measured value is a slow one plus noise: the mean of the last few says more of the next one than the last alone.
//! (Measured with `cargo bench -p batch`: batches of 10,000 readings are 8 % smaller than with Rice codes under the same zstd,
//! those of analysers that hold an hourly value 12 %; what it costs in time was less than that machine's noise.)
//!
//! ```text
//! first of its series:  d = v - the first of the series before (of the first series: - 0)
//! any other:            d = v - (m + 8 >> 4)              all of v and d modulo 2^64; m is exact, >> rounds down
//! then, of a first:     m = 16 v,  of any other: m += 16 v - m >> s          s: the column's smoothing, 0 to 3
//! ```
//! `d` is coded as zigzag `z` (see [`crate::column`]), bit by bit. `e` is the number of bits of `z`, 0 to 64:
//!
//! ```text
//! e ones and, if e < 64, a zero       each bit by the model (context, ones before it)
//! the e - 1 bits below the highest    most significant first: three by the model (first or not, e, bits above it), others
//!                                     without a model
//! ```
//! The context is 2 for firsts; for others 0 if the one before in its series had z = 0 and was no first, else 1. Models
//! and coder: [`crate::range_coder`].

use minicbor::bytes::ByteVec;

use crate::Inconsistency;
use crate::column::{unzigzag, zigzag};
use crate::range_coder::{Decoder, Encoder, Model};

/// The largest smoothing.
pub(crate) const SMOOTHING_MAX: u8 = 3;
/// Bits below the highest that have a model.
const MODELLED: u32 = 3;
/// Contexts of the ones that tell a length.
const CONTEXTS: usize = 3;
const LENGTHS: usize = 65;

/// The shortest column of these values, each with whether it is the first of its series, and its smoothing.
pub(crate) fn encode(values: &[(bool, i64)]) -> (u8, ByteVec) {
    let cost = |smoothing: &u8| {
        let mut series = Series::new(*smoothing);
        let lengths = values.iter().map(|(is_first, value)| u64::from(length(series.residual(*is_first, *value))));
        lengths.sum::<u64>()
    };
    let smoothing = (0..=SMOOTHING_MAX).min_by_key(cost).unwrap_or(0);
    (smoothing, encode_with(smoothing, values))
}

fn encode_with(smoothing: u8, values: &[(bool, i64)]) -> ByteVec {
    let (mut series, mut models, mut coder) = (Series::new(smoothing), Models::new(), Encoder::new());
    for (is_first, value) in values {
        let z = series.residual(*is_first, *value);
        let e = length(z);
        for ones in 0..e {
            coder.put(models.length(*is_first, ones), true);
        }
        if e < u64::BITS {
            coder.put(models.length(*is_first, e), false);
        }
        let mut above = 1;
        for place in (0..e.saturating_sub(1)).rev() {
            let bit = z >> place & 1 == 1;
            if e - 1 - place > MODELLED {
                coder.put_raw(bit);
            } else {
                coder.put(models.below(*is_first, e, above), bit);
                above = 2 * above + usize::from(bit);
            }
        }
        models.advance(*is_first, z);
    }
    coder.finish()
}

/// The values of a column, one for each of `firsts`, whose number is bounded by the caller.
pub(crate) fn decode(
    name: &'static str,
    smoothing: u8,
    bytes: &[u8],
    firsts: &[bool],
) -> Result<Vec<i64>, Inconsistency> {
    if smoothing > SMOOTHING_MAX {
        return Err(Inconsistency::Column { column: name, why: "its smoothing is above 3" });
    }
    let (mut series, mut models, mut coder) = (Series::new(smoothing), Models::new(), Decoder::new(bytes));
    let mut values = Vec::with_capacity(firsts.len());
    for is_first in firsts.iter().copied() {
        let mut e = 0;
        while e < u64::BITS && coder.take(models.length(is_first, e)) {
            e += 1;
        }
        let (mut z, mut above) = (u64::from(e > 0), 1);
        for place in (0..e.saturating_sub(1)).rev() {
            let bit = if e - 1 - place > MODELLED {
                coder.take_raw()
            } else {
                let bit = coder.take(models.below(is_first, e, above));
                above = 2 * above + usize::from(bit);
                bit
            };
            z = z << 1 | u64::from(bit);
        }
        models.advance(is_first, z);
        values.push((is_first, series.value(is_first, z)));
    }
    // Another number of the range, more bytes than values: other spellings of the same.
    if *encode_with(smoothing, &values) != *bytes {
        return Err(Inconsistency::Column { column: name, why: "not the one spelling of its values" });
    }
    Ok(values.into_iter().map(|(_, value)| value).collect())
}

fn length(z: u64) -> u32 {
    u64::BITS - z.leading_zeros()
}

/// What is expected next.
struct Series {
    smoothing: u8,
    first: i64,
    /// Sixteen times the smoothed value.
    smoothed: i128,
}

impl Series {
    fn new(smoothing: u8) -> Series {
        Series { smoothing, first: 0, smoothed: 0 }
    }

    fn expected(&self, is_first: bool) -> i64 {
        // It lies between values, so it fits.
        if is_first { self.first } else { i64::try_from((self.smoothed + 8) >> 4).unwrap_or(i64::MAX) }
    }

    fn advance(&mut self, is_first: bool, value: i64) {
        let sixteenfold = i128::from(value) << 4;
        if is_first {
            (self.first, self.smoothed) = (value, sixteenfold);
        } else {
            self.smoothed += (sixteenfold - self.smoothed) >> self.smoothing;
        }
    }

    fn residual(&mut self, is_first: bool, value: i64) -> u64 {
        let z = zigzag(value.wrapping_sub(self.expected(is_first)));
        self.advance(is_first, value);
        z
    }

    fn value(&mut self, is_first: bool, z: u64) -> i64 {
        let value = self.expected(is_first).wrapping_add(unzigzag(z));
        self.advance(is_first, value);
        value
    }
}

struct Models {
    lengths: [[Model; LENGTHS]; CONTEXTS],
    below: Vec<Model>,
    /// Of others: whether the one before was as expected.
    was_expected: bool,
}

impl Models {
    fn new() -> Models {
        let below = vec![Model::NEW; (2 * LENGTHS) << MODELLED];
        Models { lengths: [[Model::NEW; LENGTHS]; CONTEXTS], below, was_expected: false }
    }

    fn length(&mut self, is_first: bool, ones: u32) -> &mut Model {
        let context = if is_first { 2 } else { usize::from(!self.was_expected) };
        &mut self.lengths[context][ones as usize]
    }

    /// `above`: the bits from the highest on.
    fn below(&mut self, is_first: bool, e: u32, above: usize) -> &mut Model {
        &mut self.below[((usize::from(is_first) * LENGTHS + e as usize) << MODELLED) | above]
    }

    fn advance(&mut self, is_first: bool, z: u64) {
        self.was_expected = z == 0 && !is_first;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(smoothing: u8, values: &[(bool, i64)], expected: &str) {
        let bytes = encode_with(smoothing, values);
        assert_eq!(hex::encode(&*bytes), expected);
        let (firsts, values): (Vec<bool>, Vec<i64>) = values.iter().copied().unzip();
        assert_eq!(decode("test", smoothing, &bytes, &firsts).unwrap(), values);
    }

    #[test]
    fn worked_examples() {
        // By tests/peers/weir_values.py.
        check(0, &[], "");
        check(0, &[(true, 0), (false, 0), (false, 0)], "");
        check(0, &[(true, -1)], "80");
        check(0, &[(true, 5), (false, 7), (false, 7)], "f2e0");
        check(2, &[(true, 100), (false, 104), (false, 101), (false, 102)], "ff487030");
        let extremes = [(true, i64::MIN), (false, i64::MAX), (false, i64::MIN)];
        check(3, &extremes, "fffffffeffffffffffffffffffffffff7effffffffffffff3e7ffffffffffffc");
    }

    #[test]
    fn other_spellings_are_refused() {
        for (bytes, count) in [("00", 1), ("8000", 1), ("01", 0), ("ffffffffffffffffff", 1)] {
            let firsts = vec![true; count];
            assert!(decode("test", 0, &hex::decode(bytes).unwrap(), &firsts).is_err(), "{bytes}");
        }
        assert!(decode("test", SMOOTHING_MAX + 1, &[], &[]).is_err());
    }

    #[test]
    fn a_value_that_stays_costs_next_to_nothing() {
        let values: Vec<(bool, i64)> = (0..5_000).map(|at| (at == 0, 4_200)).collect();
        assert!(encode(&values).1.len() < 40);
    }

    proptest! {
        #[test]
        fn round_trips(
            values in proptest::collection::vec((any::<bool>(), prop_oneof![any::<i64>(), -300i64..300, Just(7)]), 0..200),
            smoothing in 0..=SMOOTHING_MAX,
        ) {
            let (firsts, plain): (Vec<bool>, Vec<i64>) = values.iter().copied().unzip();
            let bytes = encode_with(smoothing, &values);
            prop_assert_eq!(decode("test", smoothing, &bytes, &firsts).unwrap(), plain.clone());
            let (smoothing, bytes) = encode(&values);
            prop_assert_eq!(decode("test", smoothing, &bytes, &firsts).unwrap(), plain);
        }

        #[test]
        fn any_bytes_are_answered(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            firsts in proptest::collection::vec(any::<bool>(), 0..60),
            smoothing: u8,
        ) {
            let _ = decode("test", smoothing, &bytes, &firsts);
        }
    }
}
