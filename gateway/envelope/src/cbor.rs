//! Writes the few kinds of CBOR items that an envelope has, in their shortest form (RFC 8949 §4.2.1).

/// Major types (RFC 8949 §3.1).
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// An item's head: its major type with the argument in as few bytes as hold it.
fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    let big_endian = argument.to_be_bytes();
    match argument {
        0..=23 => out.push(major | big_endian[7]),
        24..=0xff => out.extend([major | 24, big_endian[7]]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend(&big_endian[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend(&big_endian[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend(big_endian);
        }
    }
}

pub(crate) fn unsigned(out: &mut Vec<u8>, value: u64) {
    head(out, UNSIGNED, value);
}

pub(crate) fn integer(out: &mut Vec<u8>, value: i64) {
    match u64::try_from(value) {
        Ok(value) => head(out, UNSIGNED, value),
        // -1 - n is written as n, which is what the absolute value of the successor is.
        Err(_) => head(out, NEGATIVE, (value + 1).unsigned_abs()),
    }
}

pub(crate) fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    head(out, BYTES, value.len() as u64);
    out.extend(value);
}

pub(crate) fn text(out: &mut Vec<u8>, value: &str) {
    head(out, TEXT, value.len() as u64);
    out.extend(value.as_bytes());
}

pub(crate) fn array(out: &mut Vec<u8>, items: u64) {
    head(out, ARRAY, items);
}

pub(crate) fn map(out: &mut Vec<u8>, pairs: u64) {
    head(out, MAP, pairs);
}

pub(crate) fn tag(out: &mut Vec<u8>, number: u64) {
    head(out, TAG, number);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        /// minicbor writes integers in their shortest form too.
        #[test]
        fn integers_are_as_another_encoder_writes_them(value in any::<i64>(), shift in 0u32..64) {
            let value = value >> shift;
            let mut ours = Vec::new();
            super::integer(&mut ours, value);
            prop_assert_eq!(ours, minicbor::to_vec(value).unwrap());
        }
    }
}
