//! The monotonic clock; this daemon has no use for the other one.

use record::MonoMs;
use rustix::time::{ClockId, clock_gettime};

/// Time since boot, sleep included.
pub(crate) fn mono_ms() -> MonoMs {
    let now = clock_gettime(ClockId::Boottime);
    let ms = now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000);
    MonoMs(u64::try_from(ms).unwrap_or(0))
}
