//! What judging a frame came to.

use chirpstack::News;
use lorawan::mac::Learned;
use lorawan::schedule::Windows;
use record::{Frame, Reason, Rejected, SourceId};

use crate::{CommandStep, Undecoded, Warning};

/// What a frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Authentic and new: store it, then acknowledge it.
    Accepted {
        /// What to store. A join-request or a frame of MAC commands alone has no readings and no codec.
        frame: Frame,
        /// What a technician should know of it, to be counted.
        remarks: Vec<Remark>,
    },
    /// Stored before: acknowledge it again, store nothing.
    Duplicate,
    /// News of a device, told by its network server: no measurement, so nothing but its count is stored.
    Told {
        /// The device, if it is in the table.
        device: Option<SourceId>,
        /// What is new.
        news: News,
    },
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

/// Something beside the readings of a good frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// Part of the payload could not be used.
    Decoding(Warning),
    /// The frame counter began anew, as `counter_reset` allows, or as a ChirpStack says.
    CounterReset,
    /// What the device answered to a MAC command of ours.
    Mac(Learned),
    /// A confirmed command was sent as often as commands are, and never acknowledged.
    CommandGivenUp,
}

/// A LoRaWAN frame to send, once the transaction of its verdict is durable (A1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downlink {
    /// PHYPayload.
    pub phy: Vec<u8>,
    /// When the device listens: after a join-request, or as it was told.
    pub windows: Windows,
}

/// What judging a frame came to.
#[derive(Debug)]
pub enum Judgement {
    /// It is judged.
    Verdict(Verdict),
    /// It must be decoded first. Nothing has changed, so that it may be judged again, or never.
    Undecoded(Undecoded),
}

impl From<Verdict> for Judgement {
    fn from(verdict: Verdict) -> Judgement {
        Judgement::Verdict(verdict)
    }
}

impl From<Undecoded> for Judgement {
    fn from(undecoded: Undecoded) -> Judgement {
        Judgement::Undecoded(undecoded)
    }
}

/// The verdict on one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The device, where it could be told; of news, the client that told them.
    pub source: Option<SourceId>,
    /// What the frame is.
    pub ruling: Ruling,
    /// Of a LoRaWAN data frame that is authentic and new: FRMPayload in plain text.
    pub plain: Option<Vec<u8>>,
    /// What to send back in RX1 or RX2.
    pub downlink: Option<Downlink>,
    /// The envelope that tells a serial device that its frame is stored, if it asked for one.
    pub acknowledgement: Option<Vec<u8>>,
    /// The device's session changed and must be stored in the same transaction.
    pub session_changed: bool,
    /// Commands that went further; stored in the same transaction.
    pub commands: Vec<CommandStep>,
}

impl Verdict {
    /// With nothing to send and nothing to remember.
    pub(crate) fn plain(source: Option<SourceId>, ruling: Ruling) -> Verdict {
        Verdict {
            source,
            ruling,
            plain: None,
            downlink: None,
            acknowledgement: None,
            session_changed: false,
            commands: Vec::new(),
        }
    }
}
