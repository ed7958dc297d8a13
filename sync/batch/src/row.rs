//! What travels of a record.

use record::{
    Aggregate, AlarmTransition, Audit, Body, Boot, ClockSet, CodecId, CodecText, Gap, Manual, Outfall, Reading, Reason,
    RecordAt, Redecoded, Seq, SourceId, Stamp, TextValue,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A record without the bytes and the link it came by: those stay in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its number.
    pub seq: Seq,
    /// When it was made.
    pub stamp: Stamp,
    /// What it tells.
    pub content: Content,
}

/// What a row tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Content {
    /// A frame was accepted.
    Readings {
        /// The device.
        source: SourceId,
        /// Which codec decoded it.
        codec: Option<CodecId>,
        /// What was decoded, in the frame's order.
        readings: Vec<Reading>,
        /// What stood where a number belongs.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        texts: Vec<TextValue>,
    },
    /// A boot began.
    Boot(Boot),
    /// A frame was refused. The box can show its bytes later, and prove by their hash that they are those.
    Rejected {
        /// The device, where it could be told.
        source: Option<SourceId>,
        /// Why.
        why: Reason,
        /// The cause in words.
        detail: String,
        /// Length of the frame in bytes.
        raw_len: u64,
        /// SHA-256 of the frame.
        #[serde(serialize_with = "as_hex")]
        raw_sha256: [u8; 32],
    },
    /// An alarm changed its state.
    Alarm(AlarmTransition),
    /// A codec came into use.
    Codec(CodecText),
    /// What another codec makes of a frame that has a row already: it takes the place of that row's readings.
    Redecoded(Redecoded),
    /// The box's clock became trustworthy, or was set: corrects the stamps of that boot before it.
    Clock(ClockSet),
    /// Records that the box can no longer show.
    Gap(Gap),
    /// Somebody ordered something.
    Audit(Audit),
    /// Something about an outfall changed.
    Outfall(Outfall),
    /// What the readings of a device came to over a time of the clock.
    Aggregate(Aggregate),
    /// Somebody entered a sample or a patrol.
    Manual(Manual),
}

/// What a codec made of a frame, now or anew: what [`Content::Readings`] and [`Content::Redecoded`] have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The device.
    pub source: &'a SourceId,
    /// Which codec.
    pub codec: Option<CodecId>,
    /// The record whose readings these replace; none for the first decoding, which stands in the record itself.
    pub of: Option<Seq>,
    /// What was decoded, in the frame's order.
    pub readings: &'a [Reading],
    /// What stood where a number belongs.
    pub texts: &'a [TextValue],
}

impl Content {
    /// What a codec made of a frame, if this row tells that.
    pub fn decoded(&self) -> Option<Decoded<'_>> {
        match self {
            Content::Readings { source, codec, readings, texts } => {
                Some(Decoded { source, codec: *codec, of: None, readings, texts })
            }
            Content::Redecoded(Redecoded { source, of, codec, readings, texts }) => {
                Some(Decoded { source, codec: Some(*codec), of: Some(*of), readings, texts })
            }
            Content::Boot(_) | Content::Rejected { .. } | Content::Alarm(_) | Content::Codec(_) => None,
            Content::Clock(_) | Content::Gap(_) | Content::Audit(_) | Content::Outfall(_) => None,
            Content::Aggregate(_) | Content::Manual(_) => None,
        }
    }
}

fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

impl From<&RecordAt> for Row {
    fn from(at: &RecordAt) -> Row {
        let content = match &at.record.body {
            Body::Boot(boot) => Content::Boot(boot.clone()),
            Body::Frame(frame) => Content::Readings {
                source: frame.source.clone(),
                codec: frame.codec,
                readings: frame.readings.clone(),
                texts: frame.texts.clone(),
            },
            Body::Rejected(rejected) => Content::Rejected {
                source: rejected.source.clone(),
                why: rejected.why,
                detail: rejected.detail.clone(),
                raw_len: rejected.raw.len() as u64,
                raw_sha256: Sha256::digest(&rejected.raw).into(),
            },
            Body::Alarm(alarm) => Content::Alarm(alarm.clone()),
            Body::Codec(codec) => Content::Codec(codec.clone()),
            Body::Redecoded(redecoded) => Content::Redecoded(redecoded.clone()),
            Body::Clock(set) => Content::Clock(set.clone()),
            Body::Gap(gap) => Content::Gap(gap.clone()),
            Body::Audit(audit) => Content::Audit(audit.clone()),
            Body::Outfall(outfall) => Content::Outfall(outfall.clone()),
            Body::Aggregate(aggregate) => Content::Aggregate(aggregate.clone()),
            Body::Manual(manual) => Content::Manual(manual.clone()),
        };
        Row { seq: at.seq, stamp: at.record.stamp, content }
    }
}
