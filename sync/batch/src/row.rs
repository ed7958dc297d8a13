//! What travels of a record.

use record::{AlarmTransition, Body, Boot, Reading, Reason, RecordAt, Seq, SourceId, Stamp};
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
        /// What was decoded, in the frame's order.
        readings: Vec<Reading>,
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
}

fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

impl From<&RecordAt> for Row {
    fn from(at: &RecordAt) -> Row {
        let content = match &at.record.body {
            Body::Boot(boot) => Content::Boot(boot.clone()),
            Body::Frame(frame) => Content::Readings { source: frame.source.clone(), readings: frame.readings.clone() },
            Body::Rejected(rejected) => Content::Rejected {
                source: rejected.source.clone(),
                why: rejected.why,
                detail: rejected.detail.clone(),
                raw_len: rejected.raw.len() as u64,
                raw_sha256: Sha256::digest(&rejected.raw).into(),
            },
            Body::Alarm(alarm) => Content::Alarm(alarm.clone()),
        };
        Row { seq: at.seq, stamp: at.record.stamp, content }
    }
}
