//! Columns: how a list of numbers becomes bytes.
//!
//! ```text
//! values   5  7  7  4           numbers of 64 bits, two's complement
//! deltas   5  2  0 -3           each minus the one before it, the first minus 0; modulo 2^64
//! zigzag  10  4  0  5           d ≥ 0: 2d; d < 0: -2d - 1
//! LEB128  0a 04 00 05           7 bits a byte, least significant first, high bit set on all but the last byte
//! ```
//! Zeros at the end are left out, so a column that keeps its first value is that value alone, and one of zeros is empty.
//! How many values a column has is known from elsewhere.

use minicbor::bytes::ByteVec;

use crate::Inconsistency;

/// Encodes the deltas of these values.
pub(crate) fn encode(values: impl IntoIterator<Item = i64>) -> ByteVec {
    let mut bytes = Vec::new();
    let mut last = 0i64;
    let mut end = 0;
    for value in values {
        let delta = value.wrapping_sub(last);
        last = value;
        put(&mut bytes, zigzag(delta));
        if delta != 0 {
            end = bytes.len();
        }
    }
    bytes.truncate(end);
    bytes.into()
}

/// The `count` values of a column. `count` is bounded by the caller.
pub(crate) fn decode(name: &'static str, bytes: &[u8], count: usize) -> Result<Vec<i64>, Inconsistency> {
    let wrong = |why| Inconsistency::Column { column: name, why };
    if bytes.last() == Some(&0) {
        return Err(wrong("it ends with a zero, which is to be left out"));
    }
    let mut values = Vec::with_capacity(count);
    let mut rest = bytes;
    let mut last = 0i64;
    while !rest.is_empty() {
        if values.len() == count {
            return Err(wrong("it has more values than rows"));
        }
        let delta = take(&mut rest).ok_or_else(|| wrong("a number is cut or not in its shortest form"))?;
        last = last.wrapping_add(unzigzag(delta));
        values.push(last);
    }
    values.resize(count, last);
    Ok(values)
}

pub(crate) fn zigzag(number: i64) -> u64 {
    number.cast_unsigned() << 1 ^ (number >> 63).cast_unsigned()
}

pub(crate) fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Takes one number; `None` if it is cut, beyond 64 bits or longer than needed.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let digit = u64::from(byte & 0x7f);
        // The tenth byte holds the 64th bit only.
        if shift == 63 && digit > 1 {
            return None;
        }
        number |= digit << shift;
        if byte & 0x80 == 0 {
            return (*byte != 0 || shift == 0).then_some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(values: &[i64], expected: &str) {
        let bytes = encode(values.iter().copied());
        assert_eq!(hex::encode(&*bytes), expected);
        assert_eq!(decode("test", &bytes, values.len()).unwrap(), values);
    }

    #[test]
    fn the_head_of_this_file_is_true() {
        check(&[5, 7, 7, 4], "0a040005");
        check(&[7, 7, 7], "0e");
        check(&[0, 0], "");
        check(&[300, 300, -1], "d80400d904");
        check(&[i64::MIN, i64::MAX, i64::MIN], "ffffffffffffffffff010102");
    }

    #[test]
    fn other_spellings_are_refused() {
        for (bytes, count) in [("00", 1), ("8000", 1), ("80", 1), ("0202", 1), ("ffffffffffffffffff02", 1), ("0200", 9)]
        {
            assert!(decode("test", &hex::decode(bytes).unwrap(), count).is_err(), "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(values in proptest::collection::vec(any::<i64>(), 0..40)) {
            let bytes = encode(values.iter().copied());
            prop_assert_eq!(decode("test", &bytes, values.len()).unwrap(), values);
        }

        #[test]
        fn what_is_taken_is_the_only_spelling(bytes in proptest::collection::vec(any::<u8>(), 0..40), count in 0usize..40) {
            if let Ok(values) = decode("test", &bytes, count) {
                prop_assert_eq!(&*encode(values), &bytes);
            }
        }
    }
}
