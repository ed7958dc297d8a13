//! What arrived: accepted with its readings, or rejected with its reason.

use minicbor::{Decode, Encode};
use serde::{Serialize, Serializer};

use crate::{CodecId, Link, Quantity, Reading, SourceId};

/// A frame that was authenticated, new and decodable: the exact bytes, and what they say.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Frame {
    /// The device.
    #[n(0)]
    pub source: SourceId,
    /// How it came in.
    #[n(1)]
    pub link: Link,
    /// The exact bytes received: the MQTT payload, or the whole LoRaWAN PHYPayload with its MIC.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(serialize_with = "as_hex")]
    pub raw: Vec<u8>,
    /// What was decoded from them.
    #[n(3)]
    pub readings: Vec<Reading>,
    /// Which codec decoded them; its text stands in an earlier [`Body::Codec`](crate::Body::Codec) record. None where
    /// nothing is decoded: a join-request, MAC commands alone.
    #[n(4)]
    pub codec: Option<CodecId>,
    /// What stood where a number belongs (`No Sensor`), for readings without a value.
    #[n(5)]
    #[cbor(skip_if = "Vec::is_empty")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<TextValue>,
}

/// Text that a sensor sent where a number belongs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct TextValue {
    /// Of which reading.
    #[n(0)]
    pub quantity: Quantity,
    /// As it stood, cut at [`TextValue::BYTES_MAX`].
    #[n(1)]
    pub text: String,
}

impl TextValue {
    /// Longest text kept, in bytes: a status word, not a letter.
    pub const BYTES_MAX: usize = 64;

    /// Keeps what stood for `quantity`, cut at a character's border.
    pub fn new(quantity: Quantity, text: &str) -> TextValue {
        let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
        let end = ends.take_while(|end| *end <= TextValue::BYTES_MAX).last().unwrap_or(0);
        TextValue { quantity, text: text[..end].to_owned() }
    }
}

/// A frame that was refused, kept as evidence within a budget.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Rejected {
    /// The device, where it could be told.
    #[n(0)]
    pub source: Option<SourceId>,
    /// How it came in.
    #[n(1)]
    pub link: Link,
    /// The exact bytes received.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(serialize_with = "as_hex")]
    pub raw: Vec<u8>,
    /// Why.
    #[n(3)]
    pub why: Reason,
    /// The cause in words, for a technician.
    #[n(4)]
    pub detail: String,
}

fn as_hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

/// Why a frame was refused. The numbers are the journal's and the wire's; they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, Serialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The payload could not be decoded as the device table says.
    #[n(0)]
    Undecodable,
    /// The bytes are not a well-formed or not the canonical form of a LoRaWAN frame.
    #[n(1)]
    Malformed,
    /// No device of the table has this DevAddr.
    #[n(2)]
    UnknownDevAddr,
    /// The message integrity code does not verify.
    #[n(3)]
    BadMic,
    /// The frame counter was used before.
    #[n(4)]
    Replayed,
    /// The frame counter went back to a value that verifies only as a reset; ask for re-provisioning.
    #[n(5)]
    CounterReset,
    /// Same counter and a valid MIC, but other bytes than the stored frame: somebody has the keys.
    #[n(6)]
    Forked,
    /// The message type is none that this box serves.
    #[n(7)]
    UnsupportedType,
    /// A join-request of a DevEUI that is not in the device table.
    #[n(8)]
    UnknownDevEui,
    /// A join-request with a DevNonce that was used before.
    #[n(9)]
    NonceReused,
    /// The frame's envelope is missing, broken, or not by the device's key.
    #[n(10)]
    BadSeal,
    /// The device is disabled in the device table.
    #[n(11)]
    Disabled,
    /// The device stands at an outfall that has no dossier.
    #[n(12)]
    UnknownOutfall,
}

impl Reason {
    /// Every reason, in the order of the wire's numbers.
    pub const ALL: [Reason; 13] = [
        Reason::Undecodable,
        Reason::Malformed,
        Reason::UnknownDevAddr,
        Reason::BadMic,
        Reason::Replayed,
        Reason::CounterReset,
        Reason::Forked,
        Reason::UnsupportedType,
        Reason::UnknownDevEui,
        Reason::NonceReused,
        Reason::BadSeal,
        Reason::Disabled,
        Reason::UnknownOutfall,
    ];

    /// The stable name: `bad_mic`, `replayed`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Undecodable => "undecodable",
            Reason::Malformed => "malformed",
            Reason::UnknownDevAddr => "unknown_dev_addr",
            Reason::BadMic => "bad_mic",
            Reason::Replayed => "replayed",
            Reason::CounterReset => "counter_reset",
            Reason::Forked => "forked",
            Reason::UnsupportedType => "unsupported_type",
            Reason::UnknownDevEui => "unknown_dev_eui",
            Reason::NonceReused => "nonce_reused",
            Reason::BadSeal => "bad_seal",
            Reason::Disabled => "disabled",
            Reason::UnknownOutfall => "unknown_outfall",
        }
    }
}
