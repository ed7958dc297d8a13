//! What the journal keeps of a device beside its records.

/// What happened to the frames of a device, for ever (A3): received = the sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Stored as frames.
    pub accepted: u64,
    /// Sent again by the device, already stored.
    pub duplicate: u64,
    /// Refused.
    pub rejected: u64,
    /// Let go unjudged because a queue was full, or judged and not stored because the disk did not take it.
    pub shed: u64,
}

/// What the journal keeps of a device beside its records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceRow {
    /// What the verifier must remember (counters, last frame); opaque here.
    pub session: Vec<u8>,
    /// What the MQTT edge must remember of a client that asked to be remembered; empty for all others; opaque here.
    pub client: Vec<u8>,
    /// The conservation tally.
    pub tally: Tally,
}
