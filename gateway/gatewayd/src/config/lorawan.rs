//! `[lorawan]`: what devices that join are told.

use lorawan::{ChannelBlock, Region, RxSettings};
use serde::Deserialize;

/// The receive windows of devices that join.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lorawan {
    /// From the end of an uplink to RX1, s, 1 to 15: what the disk may take before an acknowledgement is late.
    pub rx1_delay_s: u8,
    /// CN470: the number of the first of the eight channels that the gateways hear.
    pub channel_block: ChannelBlock,
}

/// CN470's usual block: 80 to 87, 486.3 to 487.7 MHz.
const CHANNEL_BLOCK: u8 = 80;

impl Default for Lorawan {
    fn default() -> Lorawan {
        #[expect(clippy::expect_used, reason = "80 is one of the plan's blocks")]
        let channel_block = ChannelBlock::try_from(CHANNEL_BLOCK).expect("a multiple of 8 up to 88");
        Lorawan { rx1_delay_s: RxSettings::RX1_DELAY_S, channel_block }
    }
}

impl Lorawan {
    /// What a device that joins is told; the plan's own where the delay is out of range, which a check refuses before.
    pub fn rx_settings(self, region: Region) -> RxSettings {
        let offered = RxSettings::offered(region);
        offered.with_rx1_delay_s(self.rx1_delay_s).unwrap_or(offered)
    }
}
