//! A part of the band with its own limits.

use std::ops::Range;

/// Largest share of an hour that a transmitter may be on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DutyCycle {
    /// In thousandths: 10 is 1 %.
    pub permille: u16,
}

impl DutyCycle {
    /// Time on air that an hour allows, µs.
    pub fn us_per_hour(self) -> u64 {
        u64::from(self.permille) * 3_600_000
    }
}

/// A sub-band.
#[derive(Debug, PartialEq, Eq)]
pub struct SubBand {
    /// As people call it: `868.0-868.6`, MHz.
    pub name: &'static str,
    /// Where it lies, Hz. A centre frequency of the plan is at least half a channel away from its edges.
    pub hz: Range<u32>,
    /// How much of an hour may be used.
    pub duty_cycle: DutyCycle,
    /// Highest power, dBm ERP.
    pub power_dbm: i8,
}

impl SubBand {
    /// Whether a centre frequency lies in it.
    pub fn contains(&self, frequency_hz: u32) -> bool {
        self.hz.contains(&frequency_hz)
    }
}
