//! `[journal]`: how much is kept, and for how long.

use serde::Deserialize;

/// Smallest budget: two full tables, their log, and some days of a station.
pub(super) const BYTES_MIN: u64 = 64 * 1024 * 1024;
/// Largest budget: beyond any card.
pub(super) const BYTES_CEILING: u64 = 1024 * 1024 * 1024 * 1024;

/// Where the budget is reached the oldest frames are thinned, then dropped; alarms go last, and each loss is a record.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// Bytes of database and files together, 64 MiB to 1 TiB.
    pub bytes_max: u64,
    /// Days for which frames are kept once every platform has them, 1 to 36,500; alarms are kept longer.
    pub days_max: u32,
    /// Bytes of the disk that are left to others, 0 to 1 TiB: where they are short, the oldest frames go as well.
    pub disk_reserve_bytes: u64,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal { bytes_max: 4 * 1024 * 1024 * 1024, days_max: 400, disk_reserve_bytes: 64 * 1024 * 1024 }
    }
}
