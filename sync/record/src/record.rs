//! A record: one entry of the journal, and its canonical bytes.

use minicbor::{CborLen, Decode, Encode};
use serde::Serialize;

use crate::merkle::{Hash, leaf_hash};
use crate::{
    Aggregate, AlarmTransition, Audit, ClockSet, CodecText, Frame, Gap, Manual, Outfall, Redecoded, Rejected, SourceId,
    Stamp,
};

/// The number of a record and the index of its Merkle leaf: 0, 1, 2, … without gap or repeat (J2).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Encode,
    Decode,
    CborLen,
    Serialize,
    serde::Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Seq(#[n(0)] pub u64);

impl Seq {
    /// The one after it. Saturates after 2^64 - 1 records, which no disk holds.
    #[must_use]
    pub fn next(self) -> Seq {
        Seq(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for Seq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The first record of a boot, of a new program version, and after the program was away for a minute or more.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Boot {
    /// The kernel's boot id (`/proc/sys/kernel/random/boot_id`).
    #[n(0)]
    pub boot_id: String,
    /// The version of the program that wrote what follows.
    #[n(1)]
    pub version: String,
}

/// What a record tells.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Body {
    /// A boot began.
    #[n(0)]
    Boot(#[n(0)] Boot),
    /// A frame was accepted.
    #[n(1)]
    Frame(#[n(0)] Frame),
    /// A frame was refused.
    #[n(2)]
    Rejected(#[n(0)] Rejected),
    /// An alarm changed its state.
    #[n(3)]
    Alarm(#[n(0)] AlarmTransition),
    /// A codec came into use.
    #[n(4)]
    Codec(#[n(0)] CodecText),
    /// A stored frame was decoded anew.
    #[n(5)]
    Redecoded(#[n(0)] Redecoded),
    /// The wall clock became trustworthy, or was set.
    #[n(6)]
    Clock(#[n(0)] ClockSet),
    /// Records can no longer be read.
    #[n(7)]
    Gap(#[n(0)] Gap),
    /// Somebody ordered something.
    #[n(8)]
    Audit(#[n(0)] Audit),
    /// Something about an outfall changed.
    #[n(9)]
    Outfall(#[n(0)] Outfall),
    /// What the readings of a device came to over a time of the clock.
    #[n(10)]
    Aggregate(#[n(0)] Aggregate),
    /// Somebody entered a sample or a patrol.
    #[n(11)]
    Manual(#[n(0)] Manual),
}

/// The kind of a record, as the journal indexes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// [`Body::Boot`].
    Boot = 0,
    /// [`Body::Frame`].
    Frame = 1,
    /// [`Body::Rejected`].
    Rejected = 2,
    /// [`Body::Alarm`].
    Alarm = 3,
    /// [`Body::Codec`].
    Codec = 4,
    /// [`Body::Redecoded`].
    Redecoded = 5,
    /// [`Body::Clock`].
    Clock = 6,
    /// [`Body::Gap`].
    Gap = 7,
    /// [`Body::Audit`].
    Audit = 8,
    /// [`Body::Outfall`].
    Outfall = 9,
    /// [`Body::Aggregate`].
    Aggregate = 10,
    /// [`Body::Manual`].
    Manual = 11,
}

impl Body {
    /// The kind.
    pub fn kind(&self) -> Kind {
        match self {
            Body::Boot(_) => Kind::Boot,
            Body::Frame(_) => Kind::Frame,
            Body::Rejected(_) => Kind::Rejected,
            Body::Alarm(_) => Kind::Alarm,
            Body::Codec(_) => Kind::Codec,
            Body::Redecoded(_) => Kind::Redecoded,
            Body::Clock(_) => Kind::Clock,
            Body::Gap(_) => Kind::Gap,
            Body::Audit(_) => Kind::Audit,
            Body::Outfall(_) => Kind::Outfall,
            Body::Aggregate(_) => Kind::Aggregate,
            Body::Manual(_) => Kind::Manual,
        }
    }

    /// The device it is about, if it is about one.
    pub fn source(&self) -> Option<&SourceId> {
        match self {
            Body::Boot(_) | Body::Codec(_) | Body::Clock(_) | Body::Gap(_) | Body::Audit(_) => None,
            Body::Outfall(_) | Body::Manual(_) => None,
            Body::Frame(frame) => Some(&frame.source),
            Body::Rejected(rejected) => rejected.source.as_ref(),
            Body::Alarm(alarm) => Some(&alarm.source),
            Body::Redecoded(redecoded) => Some(&redecoded.source),
            Body::Aggregate(aggregate) => Some(&aggregate.source),
        }
    }
}

/// What is stored, hashed and, in the end, shown to a court.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Record {
    /// When it was made.
    #[n(0)]
    pub stamp: Stamp,
    /// What it tells.
    #[n(1)]
    #[serde(flatten)]
    pub body: Body,
}

/// A record with its place in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordAt {
    /// Its number.
    pub seq: Seq,
    /// The record.
    #[serde(flatten)]
    pub record: Record,
}

/// Bytes that are not the canonical form of a record.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Not a record at all.
    #[error("failed to decode a record")]
    Decode(#[source] minicbor::decode::Error),
    /// A record, but not in its one canonical form.
    #[error("a record of {len} bytes is not in canonical form")]
    NotCanonical {
        /// Length of what was given.
        len: usize,
    },
}

impl Record {
    /// The one byte form of this record: deterministic CBOR (RFC 8949 §4.2), definite lengths, shortest integers,
    /// arrays only, so that no map order exists to argue about. This is the Merkle leaf's input.
    pub fn to_canonical(&self) -> Vec<u8> {
        debug_assert!(self.is_bounded(), "B1: it could not be read back");
        let mut bytes = Vec::with_capacity(256);
        // Writing to a Vec cannot fail, and no field's encoder refuses a value of its type.
        match minicbor::encode(self, &mut bytes) {
            Ok(()) => bytes,
            Err(never) => unreachable!("encoding into memory failed: {never}"),
        }
    }

    /// Whether its lists and texts keep the bounds that readers ask for.
    fn is_bounded(&self) -> bool {
        match &self.body {
            Body::Gap(gap) => gap.is_bounded(),
            Body::Audit(audit) => audit.is_bounded(),
            Body::Outfall(outfall) => outfall.is_bounded(),
            Body::Aggregate(aggregate) => aggregate.is_bounded(),
            Body::Manual(manual) => manual.is_bounded(),
            _ => true,
        }
    }

    /// Reads the canonical form back.
    ///
    /// # Errors
    /// [`CanonicalError`] if the bytes are no record, or another encoding of one.
    pub fn from_canonical(bytes: &[u8]) -> Result<Record, CanonicalError> {
        let record: Record = minicbor::decode(bytes).map_err(CanonicalError::Decode)?;
        if record.to_canonical() != bytes {
            return Err(CanonicalError::NotCanonical { len: bytes.len() });
        }
        Ok(record)
    }

    /// The Merkle leaf hash of this record.
    pub fn leaf(&self) -> Hash {
        leaf_hash(&self.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BootNo, ClockQuality, Decimal, Link, MonoMs, Quality, Quantity, Reading, Unit, UnixMs};
    use proptest::prelude::*;

    fn frame(value: Option<Decimal>) -> Record {
        let reading = Reading {
            quantity: Quantity::new("cod").unwrap(),
            unit: Unit::new("mg/L").unwrap(),
            value,
            quality: if value.is_some() { Quality::Good } else { Quality::Missing },
            at_ms: None,
        };
        let link = Link::Mqtt { topic: "d/cod-1/up".into(), qos: 1, packet_id: Some(7), level: 4, seal: None };
        Record {
            stamp: Stamp {
                boot: BootNo(0),
                mono_ms: MonoMs(1000),
                wall_ms: UnixMs(1_700_000_000_000),
                clock: ClockQuality::Synchronised,
            },
            body: Body::Frame(Frame {
                source: SourceId::new("cod-1").unwrap(),
                link,
                raw: b"{\"cod\":40.1}".to_vec(),
                readings: vec![reading],
                codec: None,
                texts: Vec::new(),
            }),
        }
    }

    #[test]
    fn canonical_bytes_are_pinned() {
        // A change here breaks every checkpoint in the field: it needs a new record version, not a new string.
        expect_test::expect![[
            "8284001903e81b0000018bcfe568008200808201818465636f642d318200846a642f636f642d312f757001\
             07044c7b22636f64223a34302e317d818463636f64646d672f4c821901912000"
        ]]
        .assert_eq(&hex::encode(frame(Decimal::parse("40.1").ok()).to_canonical()));
    }

    #[test]
    fn other_encodings_of_a_record_are_refused() {
        let mut bytes = frame(None).to_canonical();
        bytes.push(0);
        assert!(Record::from_canonical(&bytes).is_err(), "a trailing byte");
        bytes.pop();
        // mono_ms 1000 is 19 03e8; 1a 000003e8 says the same in more bytes.
        let at = bytes.windows(3).position(|w| w == [0x19, 0x03, 0xe8]).unwrap();
        bytes.splice(at..at + 3, [0x1a, 0, 0, 0x03, 0xe8]);
        assert!(matches!(Record::from_canonical(&bytes), Err(CanonicalError::NotCanonical { .. })));
    }

    proptest! {
        #[test]
        fn round_trips(mantissa in any::<i64>(), exponent in -40i32..=40) {
            let record = frame(Decimal::new(mantissa, exponent));
            let bytes = record.to_canonical();
            prop_assert_eq!(Record::from_canonical(&bytes).unwrap(), record);
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::from_canonical(&bytes);
        }

        #[test]
        fn a_flipped_bit_is_another_leaf_or_no_record(at in 0usize..80, bit in 0u8..8) {
            let record = frame(Decimal::parse("40.1").ok());
            let mut bytes = record.to_canonical();
            let place = at % bytes.len();
            bytes[place] ^= 1 << bit;
            if let Ok(other) = Record::from_canonical(&bytes) {
                prop_assert_ne!(other.leaf(), record.leaf());
            }
        }
    }
}
