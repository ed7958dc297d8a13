//! Which codec said what a frame means, so that nobody can exchange it afterwards.

use minicbor::{CborLen, Decode, Encode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Reading, Seq, SourceId, TextValue};

/// The name of a codec: the first eight bytes of SHA-256 over its text. Shown as 16 hex digits.
///
/// Eight bytes are enough where they are used: the whole text stands in the same journal, so a forger would have to
/// find a second text of one given name (2^64 tries) that also decodes to what he wants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct CodecId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 8],
);

impl CodecId {
    /// The name of the codec with this text.
    pub fn of(text: &str) -> CodecId {
        let mut id = [0; 8];
        id.copy_from_slice(&Sha256::digest(text.as_bytes())[..8]);
        CodecId(id)
    }
}

impl std::fmt::Display for CodecId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for CodecId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for CodecId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A codec came into use. It is journaled before the first frame that it decodes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct CodecText {
    /// Its name, [`CodecId::of`] the text.
    #[n(0)]
    pub id: CodecId,
    /// All that decides what it makes of a payload: the device table's section as canonical JSON, behind it the script
    /// where there is one.
    #[n(1)]
    pub text: String,
}

/// What another codec makes of a frame that is journaled already. The frame itself stays as it was (J1).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Redecoded {
    /// The device.
    #[n(0)]
    pub source: SourceId,
    /// The record of the frame.
    #[n(1)]
    pub of: Seq,
    /// The codec that was applied now.
    #[n(2)]
    pub codec: CodecId,
    /// What it says.
    #[n(3)]
    pub readings: Vec<Reading>,
    /// What stood where a number belongs.
    #[n(4)]
    #[cbor(skip_if = "Vec::is_empty")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<TextValue>,
}
