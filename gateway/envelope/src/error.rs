//! Why bytes are no envelope, and why an envelope is not believed.

use crate::Alg;

/// Why bytes are no envelope. It tells nothing about who sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Beyond [`crate::ENVELOPE_BYTES_MAX`].
    #[error("envelope of {bytes} bytes is longer than {max}: split the payload into several frames", max = crate::ENVELOPE_BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The outline is another.
    #[error(
        "no envelope: {what} is not as COSE_Sign1 or COSE_Mac0 has it · try: compare with the example in README.md"
    )]
    Outline {
        /// The part that is another.
        what: &'static str,
    },
    /// An algorithm that is none of the three, or not of this tag.
    #[error("envelope with algorithm {number} under tag {tag}: use -8 (EdDSA) under 18, or 5 or 4 (HMAC) under 17")]
    Algorithm {
        /// The COSE algorithm.
        number: i32,
        /// The CBOR tag.
        tag: u64,
    },
    /// The same meaning has another byte string, which is the only one that is accepted.
    #[error(
        "envelope is not in deterministic CBOR: shortest lengths and numbers, headers by rising label (RFC 8949 §4.2.1)"
    )]
    NotCanonical,
}

/// Why an envelope is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The key is of the other kind.
    #[error(
        "envelope is sealed by {alg}, the device has {key} · try: give the device the key that it uses in keys.toml"
    )]
    OtherKey {
        /// What the envelope states.
        alg: Alg,
        /// The kind of key on the box.
        key: &'static str,
    },
    /// Another key, another device's name, another purpose, or altered bytes: a MAC does not tell which.
    #[error(
        "the {alg} of the envelope does not verify · try: compare the device's key and its name with those on the box"
    )]
    BadProof {
        /// With what it is sealed.
        alg: Alg,
    },
}
