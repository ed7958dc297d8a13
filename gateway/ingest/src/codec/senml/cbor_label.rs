//! The integer labels of SenML in CBOR (RFC 8428 §6, table 4).

use std::borrow::Cow;

/// The JSON label of an integer label; others as their decimal text, which no label is, so they are ignored (§4.4).
///
/// §6 calls the table final: extensions have text labels. A record with both spellings of one label has two meanings,
/// and is refused as a repeated key.
pub(super) fn label(integer: i128) -> Cow<'static, str> {
    Cow::Borrowed(match integer {
        -1 => "bver",
        -2 => "bn",
        -3 => "bt",
        -4 => "bu",
        -5 => "bv",
        -6 => "bs",
        0 => "n",
        1 => "u",
        2 => "v",
        3 => "vs",
        4 => "vb",
        5 => "s",
        6 => "t",
        7 => "ut",
        8 => "vd",
        other => return Cow::Owned(other.to_string()),
    })
}
