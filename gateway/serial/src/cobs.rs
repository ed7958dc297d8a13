//! Consistent Overhead Byte Stuffing (S. Cheshire, M. Baker: IEEE/ACM Transactions on Networking 7(2), 1999).
//!
//! Each code byte tells how far ahead the next zero byte would stand. A run of 254 bytes without zero, which needs a code of
//! its own, is longer than any frame here, so that a frame costs one byte more and has one spelling.

/// Longest content, in bytes: what one code byte can span.
const CONTENT_BYTES_MAX: usize = 253;

/// Appends `content` without zero bytes: one byte longer than it is.
pub(crate) fn stuff(content: &[u8], out: &mut Vec<u8>) {
    debug_assert!(content.len() <= CONTENT_BYTES_MAX, "a frame is shorter: FRAME_BYTES_MAX");
    for run in content.split(|byte| *byte == 0) {
        // The run with its code byte: 1 to 254.
        out.push(u8::try_from(run.len() + 1).unwrap_or(u8::MAX));
        out.extend(run);
    }
}

/// Restores the content of bytes without zero; `None` if a code byte points beyond the end or is none of ours.
pub(crate) fn unstuff(stuffed: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::with_capacity(stuffed.len());
    let mut rest = stuffed;
    while let Some((code, after)) = rest.split_first() {
        let run = usize::from(*code).checked_sub(1).filter(|run| *run <= CONTENT_BYTES_MAX)?;
        let (run, after) = after.split_at_checked(run)?;
        content.extend(run);
        if !after.is_empty() {
            content.push(0);
        }
        rest = after;
    }
    Some(content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples of the paper and of its later descriptions.
    #[test]
    fn published_examples() {
        for (content, stuffed) in [
            (&[0x00][..], &[0x01, 0x01][..]),
            (&[0x00, 0x00], &[0x01, 0x01, 0x01]),
            (&[0x00, 0x11, 0x00], &[0x01, 0x02, 0x11, 0x01]),
            (&[0x11, 0x22, 0x00, 0x33], &[0x03, 0x11, 0x22, 0x02, 0x33]),
            (&[0x11, 0x22, 0x33, 0x44], &[0x05, 0x11, 0x22, 0x33, 0x44]),
            (&[0x11, 0x00, 0x00, 0x00], &[0x02, 0x11, 0x01, 0x01, 0x01]),
        ] {
            let mut out = Vec::new();
            stuff(content, &mut out);
            assert_eq!(out, stuffed);
            assert_eq!(unstuff(stuffed).as_deref(), Some(content));
        }
    }

    proptest! {
        #[test]
        fn one_byte_more_no_zero_and_back(content in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..=CONTENT_BYTES_MAX)) {
            let mut stuffed = Vec::new();
            stuff(&content, &mut stuffed);
            prop_assert_eq!(stuffed.len(), content.len() + 1);
            prop_assert!(!stuffed.contains(&0));
            prop_assert_eq!(unstuff(&stuffed), Some(content));
        }
    }
}
