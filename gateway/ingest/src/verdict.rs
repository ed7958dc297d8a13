//! What judging a frame came to.

use record::{Frame, Reason, Rejected, SourceId};

use crate::Warning;

/// What a frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Authentic, new and decoded: store it, then acknowledge it.
    Accepted {
        /// What to store.
        frame: Frame,
        /// What was left aside, to be counted.
        warnings: Vec<Warning>,
    },
    /// Stored before: acknowledge it again, store nothing.
    Duplicate,
    /// Refused.
    Rejected {
        /// Why.
        why: Reason,
        /// In words, for a person.
        detail: String,
        /// What to store as evidence; `None` once the budget for unauthenticated frames is used up.
        evidence: Option<Rejected>,
    },
}

/// The verdict on one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The device, where it could be told.
    pub source: Option<SourceId>,
    /// What the frame is.
    pub ruling: Ruling,
    /// The PHYPayload to send back in RX1 or RX2, once the transaction of this verdict is durable (A1).
    pub downlink: Option<Vec<u8>>,
    /// The device's session changed and must be stored in the same transaction.
    pub session_changed: bool,
}
