//! The machine.

use super::Fact;

/// What the machine says of itself.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Board {
    /// The bits of the Raspberry Pi's `get_throttled`: 0 to 3 now, 16 to 19 since it was switched on.
    pub(in crate::doctor) throttled: Fact<u32>,
    /// The hottest zone. Thousandths of a degree Celsius.
    pub(in crate::doctor) temperature_mc: Fact<i64>,
    pub(in crate::doctor) memory: Fact<Memory>,
    /// Load over fifteen minutes, hundredths.
    pub(in crate::doctor) load_hundredths: Fact<u64>,
    pub(in crate::doctor) processors: u64,
    /// Processes that the kernel killed for want of memory since it booted.
    pub(in crate::doctor) oom_kills: Fact<u64>,
}

/// Memory of the machine. kB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) struct Memory {
    pub(in crate::doctor) total_kb: u64,
    pub(in crate::doctor) available_kb: u64,
}
