//! The moment from which a boot knows the time: what corrects the stamps before it.

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::ClockQuality;

/// The wall clock became trustworthy, or was set while it was. The record's own [`Stamp`](crate::Stamp) is the truth:
/// its wall time belongs to its monotonic time, and with that every earlier stamp of the same boot can be corrected.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct ClockSet {
    /// Who says what time it is.
    #[n(0)]
    pub source: ClockSource,
    /// What the clock was worth just before.
    #[n(1)]
    pub before: ClockQuality,
    /// By how many milliseconds the box's stamps go forward here: the wall time now, minus what a stamp would have said
    /// at the same moment. Negative where the clock was ahead.
    #[n(2)]
    pub step_ms: i64,
    /// Bound of the error of the stamp's wall time, ± milliseconds.
    #[n(3)]
    pub error_ms: u32,
}

/// Who told the box the time; a person who sets the clock is no such source (T1). The numbers are the journal's and the wire's; they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum ClockSource {
    /// A daemon disciplines the kernel's clock from the network, as NTP daemons do.
    #[n(0)]
    Ntp,
    /// The real-time clock, which ran on its battery while the box was off.
    #[n(1)]
    Rtc,
    /// The pulse of a GNSS receiver disciplines the kernel's clock.
    #[n(2)]
    Gps,
}

impl ClockSource {
    /// Every source, in the order of the wire's numbers.
    pub const ALL: [ClockSource; 3] = [ClockSource::Ntp, ClockSource::Rtc, ClockSource::Gps];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            ClockSource::Ntp => "ntp",
            ClockSource::Rtc => "rtc",
            ClockSource::Gps => "gps",
        }
    }
}
