//! With what an envelope is sealed.

use std::fmt;

/// A COSE algorithm (RFC 9053) that a frame may be sealed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alg {
    /// -8: EdDSA, here always Ed25519; 64 bytes (RFC 9053 §2.2).
    EdDsa,
    /// 5: HMAC with SHA-256, 32 bytes (RFC 9053 §3.1).
    Hmac256,
    /// 4: HMAC with SHA-256 cut to its first 8 bytes, for links where each byte is airtime (RFC 9053 §3.1).
    Hmac256Short,
}

impl Alg {
    /// The number in the header.
    pub fn number(self) -> i32 {
        match self {
            Alg::EdDsa => -8,
            Alg::Hmac256 => 5,
            Alg::Hmac256Short => 4,
        }
    }

    pub(crate) fn from_number(number: i32) -> Option<Alg> {
        [Alg::EdDsa, Alg::Hmac256, Alg::Hmac256Short].into_iter().find(|alg| alg.number() == number)
    }

    /// COSE_Sign1 or COSE_Mac0.
    pub(crate) fn tag(self) -> u64 {
        match self {
            Alg::EdDsa => 18,
            Alg::Hmac256 | Alg::Hmac256Short => 17,
        }
    }

    /// How many bytes the signature or tag has.
    pub(crate) fn proof_bytes(self) -> usize {
        match self {
            Alg::EdDsa => 64,
            Alg::Hmac256 => 32,
            Alg::Hmac256Short => 8,
        }
    }

    /// The context string of what is signed or authenticated (RFC 9052 §4.4 and §6.3).
    pub(crate) fn context(self) -> &'static str {
        match self {
            Alg::EdDsa => "Signature1",
            Alg::Hmac256 | Alg::Hmac256Short => "MAC0",
        }
    }
}

impl fmt::Display for Alg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Alg::EdDsa => "EdDSA",
            Alg::Hmac256 => "HMAC 256/256",
            Alg::Hmac256Short => "HMAC 256/64",
        })
    }
}
