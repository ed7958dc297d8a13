//! What a device's answers tell.

use super::Request;

/// How a device is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// From outside.
    External,
    /// By a battery, 1 (nearly empty) to 254 (full).
    Battery(u8),
    /// It cannot tell.
    Unknown,
}

/// What a device's answers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learned {
    /// It did what it was asked.
    Accepted(Request),
    /// It did nothing of it, and is not asked again in this session.
    Refused {
        /// What it was asked.
        request: Request,
        /// The bits of its answer; what is 0 was the matter (see [`UplinkCommand`](super::UplinkCommand)).
        status: u8,
    },
    /// Its state, to record.
    Status {
        /// Its supply.
        power: Power,
        /// SNR of our DevStatusReq at the device, dB.
        margin_db: i8,
    },
    /// It has forgotten what it was told (1.1, ABP): its settings are the plan's again.
    Reset,
    /// It answers what it was not asked: harmless, count it. Some answers are repeated until a downlink comes.
    Unasked {
        /// Command identifier.
        cid: u8,
    },
}
