//! The clocks and who sets them.

use syncd::Known;

use super::Fact;

/// What tells the time here.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Clock {
    /// Whether the kernel's clock is disciplined, and the bound of its error. ms.
    pub(in crate::doctor) kernel: Fact<(bool, u64)>,
    /// The chip of the hardware clock.
    pub(in crate::doctor) rtc: Fact<String>,
    /// How long ago a time service set the clock last. ms.
    pub(in crate::doctor) set_ms_ago: Fact<u64>,
    /// Name of the time zone, `Asia/Shanghai`.
    pub(in crate::doctor) zone: Fact<String>,
    /// What time it is as far as the journal tells.
    pub(in crate::doctor) known: Fact<Known>,
}
