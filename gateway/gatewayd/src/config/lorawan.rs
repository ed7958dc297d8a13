//! `[lorawan]`: what devices that join are told.

use lorawan::{Region, RxSettings};
use serde::Deserialize;

/// The receive windows of devices that join.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lorawan {
    /// From the end of an uplink to RX1, s, 1 to 15: what the disk may take before an acknowledgement is late.
    pub rx1_delay_s: u8,
}

impl Default for Lorawan {
    fn default() -> Lorawan {
        Lorawan { rx1_delay_s: RxSettings::RX1_DELAY_S }
    }
}

impl Lorawan {
    /// What a device that joins is told; the plan's own where the delay is out of range, which a check refuses before.
    pub fn rx_settings(self, region: Region) -> RxSettings {
        let offered = RxSettings::offered(region);
        offered.with_rx1_delay_s(self.rx1_delay_s).unwrap_or(offered)
    }
}
