//! Noise columns: numbers whose low bits nobody can predict, as adaptive Golomb-Rice codes.
//!
//! A byte is too coarse for them: a step of three bits would cost eight, and a general compressor wins back only a part,
//! with one code table for columns of different noise. (Measured: bits make batches of 1,000 and
//! 10,000 readings 16 % smaller than LEB128 bytes under the same zstd.)
//!
//! The values stand series after series (source after source). What is coded of a value `v`, modulo 2^64:
//!
//! ```text
//! first of its series:  v - the first of the series before (of the first series: - 0)
//! any other:            v - the value before it                                   (Predict::Last)
//!                       that difference - the difference coded before it, or 0    (Predict::Slope)
//! ```
//! as zigzag `z` (see [`crate::column`]), with a parameter `k` that follows the mean of the `z` before. Firsts and
//! others have a mean each; they begin with sum = 256, n = 1 and sum = 16, n = 1:
//!
//! ```text
//! k = least k with n * 2^k >= sum
//! q = z >> k
//! q < 12:   q ones, a zero, the k low bits of z
//! q >= 12:  12 ones, bit length of z less one in 6 bits, z in that many bits
//! then, unless it was the very first value of the column:
//!           sum += min(z, 2^32 - 1), n += 1; when n = 32: sum and n are halved, rounded down
//! ```
//! Bits fill bytes from the most significant on, and numbers stand with their most significant bit first. Behind the
//! last byte stand zeros without end, so zero bytes at the end are left out.

use minicbor::bytes::ByteVec;

use crate::Inconsistency;
use crate::column::{unzigzag, zigzag};

/// As many ones announce the long form.
const ONES_MAX: u32 = 12;

/// What a value is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Predict {
    /// The one before it.
    Last,
    /// As far from the one before it as that was from its own.
    Slope,
}

/// What coder and decoder remember.
struct State {
    predict: Predict,
    has_begun: bool,
    /// The first value of the series before.
    first: i64,
    last: i64,
    slope: i64,
    /// Of others, of firsts.
    means: [Mean; 2],
}

impl State {
    fn new(predict: Predict) -> State {
        let means = [Mean { sum: 16, n: 1 }, Mean { sum: 256, n: 1 }];
        State { predict, has_begun: false, first: 0, last: 0, slope: 0, means }
    }

    fn expected(&self, is_first: bool) -> i64 {
        if is_first { self.first } else { self.last.wrapping_add(self.slope) }
    }

    fn k(&self, is_first: bool) -> u32 {
        self.means[usize::from(is_first)].k()
    }

    fn advance(&mut self, is_first: bool, value: i64, z: u64) {
        // The very first value is known against 0 only: its size says nothing about the steps to come.
        if std::mem::replace(&mut self.has_begun, true) {
            self.means[usize::from(is_first)].add(z);
        }
        if is_first {
            self.first = value;
        } else if self.predict == Predict::Slope {
            self.slope = value.wrapping_sub(self.last);
        }
        self.last = value;
    }
}

/// Encodes values, each with whether it is the first of its series.
pub(crate) fn encode(predict: Predict, values: impl IntoIterator<Item = (bool, i64)>) -> ByteVec {
    let mut bits = Writer::default();
    let mut state = State::new(predict);
    for (is_first, value) in values {
        let z = zigzag(value.wrapping_sub(state.expected(is_first)));
        let k = state.k(is_first);
        match u32::try_from(z >> k) {
            Ok(q) if q < ONES_MAX => {
                bits.put((1 << (q + 1)) - 2, q + 1);
                bits.put(z & ((1 << k) - 1), k);
            }
            _ => {
                let len = u64::BITS - z.leading_zeros();
                bits.put((1 << ONES_MAX) - 1, ONES_MAX);
                bits.put(u64::from(len - 1), 6);
                bits.put(z >> 32, len.saturating_sub(32));
                bits.put(z & 0xffff_ffff, len.min(32));
            }
        }
        state.advance(is_first, value, z);
    }
    bits.finish()
}

/// The values of a column, one for each of `firsts`, whose number is bounded by the caller.
pub(crate) fn decode(
    name: &'static str,
    predict: Predict,
    bytes: &[u8],
    firsts: &[bool],
) -> Result<Vec<i64>, Inconsistency> {
    let mut bits = Reader { bytes, at: 0 };
    let mut state = State::new(predict);
    let mut values = Vec::with_capacity(firsts.len());
    for &is_first in firsts {
        let k = state.k(is_first);
        let q = (0..ONES_MAX).take_while(|_| bits.take(1) == 1).fold(0, |q, _| q + 1);
        let z = match q {
            ONES_MAX => {
                let len = bits.take(6) + 1;
                (0..len).fold(0, |z, _| z << 1 | bits.take(1))
            }
            q => u64::from(q) << k | bits.take(k),
        };
        let value = state.expected(is_first).wrapping_add(unzigzag(z));
        state.advance(is_first, value, z);
        values.push(value);
    }
    // A long form that was not needed, zeros at the end, more bits than values: other spellings of the same.
    if *encode(predict, firsts.iter().copied().zip(values.iter().copied())) != *bytes {
        return Err(Inconsistency::Column { column: name, why: "not the one spelling of its values" });
    }
    Ok(values)
}

/// The running mean of the numbers, most weight on the last 16 to 32.
struct Mean {
    sum: u64,
    n: u64,
}

impl Mean {
    fn k(&self) -> u32 {
        self.sum.div_ceil(self.n).next_power_of_two().ilog2()
    }

    fn add(&mut self, z: u64) {
        self.sum += z.min(u64::from(u32::MAX));
        self.n += 1;
        if self.n == 32 {
            self.sum /= 2;
            self.n /= 2;
        }
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    /// Bits that fill no byte yet, fewer than eight, in the low end.
    open: u64,
    len: u32,
}

impl Writer {
    /// Adds the low `len` bits, at most 56 with those that are open.
    fn put(&mut self, number: u64, len: u32) {
        self.open = self.open << len | number;
        self.len += len;
        while self.len >= 8 {
            self.len -= 8;
            self.bytes.push((self.open >> self.len).to_le_bytes()[0]);
            self.open &= (1 << self.len) - 1;
        }
    }

    fn finish(mut self) -> ByteVec {
        self.put(0, 7);
        let end = self.bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.bytes.truncate(end);
        self.bytes.into()
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl Reader<'_> {
    /// The next `len` bits, at most 32.
    fn take(&mut self, len: u32) -> u64 {
        let mut number = 0;
        for _ in 0..len {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
            number = number << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(predict: Predict, values: &[(bool, i64)], expected: &str) {
        let bytes = encode(predict, values.iter().copied());
        assert_eq!(hex::encode(&*bytes), expected);
        let firsts: Vec<bool> = values.iter().map(|(is_first, _)| *is_first).collect();
        let plain: Vec<i64> = values.iter().map(|(_, value)| *value).collect();
        assert_eq!(decode("test", predict, &bytes, &firsts).unwrap(), plain);
    }

    #[test]
    fn worked_examples() {
        // z = 10, 4, 0 with k = 8, 4, 4 (of others: sum 16, n 1, then 20, 2): 0 00001010, 0 0100, 0 0000.
        check(Predict::Last, &[(true, 5), (false, 7), (false, 7)], "0510");
        check(Predict::Last, &[(true, 0), (false, 0)], "");
        // z = 2^64 - 1 in the long form: 12 ones, 63 in 6 bits, 64 ones.
        check(Predict::Last, &[(true, i64::MIN)], "ffffffffffffffffffffc0");
        // A steady step costs its first time only: z = 2, 6, 0, 0.
        check(Predict::Slope, &[(true, 1), (false, 4), (false, 7), (false, 10)], "0118");
    }

    #[test]
    fn other_spellings_are_refused() {
        for (bytes, count) in [("00", 1), ("0500", 1), ("0510", 1), ("fff0", 1)] {
            let firsts = vec![true; count];
            assert!(decode("test", Predict::Last, &hex::decode(bytes).unwrap(), &firsts).is_err(), "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(values in proptest::collection::vec((any::<bool>(), prop_oneof![any::<i64>(), -300i64..300]), 0..90), slope: bool) {
            let predict = if slope { Predict::Slope } else { Predict::Last };
            let bytes = encode(predict, values.iter().copied());
            let (firsts, values): (Vec<bool>, Vec<i64>) = values.into_iter().unzip();
            prop_assert_eq!(decode("test", predict, &bytes, &firsts).unwrap(), values);
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..60), firsts in proptest::collection::vec(any::<bool>(), 0..60)) {
            let _ = decode("test", Predict::Slope, &bytes, &firsts);
        }
    }
}
