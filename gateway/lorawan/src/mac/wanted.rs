//! How a device ought to be set, by the box's and the device's description.

use super::Request;
use super::request::CH_MASK_STEPS;
use crate::{CfList, ChannelBlock, Region, RxSettings};

/// How often a device is asked for its battery, ms: once a day.
pub const DEV_STATUS_INTERVAL_MS: u64 = 24 * 60 * 60 * 1000;

/// The settings that a device is brought to, by requests in the downlinks that it gets anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The plan.
    pub region: Region,
    /// The receive windows.
    pub rx: RxSettings,
    /// CN470: the eight channels that the gateway hears; else 11 of 12 frames are lost.
    pub channel_block: Option<ChannelBlock>,
    /// EU868: ask for the five usual extra channels by NewChannelReq where no join-accept gave them. Set it for a
    /// personalised device with ADR: a LinkADRReq switches off the channels that are not known here.
    pub extra_channels: bool,
    /// MaxDutyCycle, 0 to 15: at most 1/2^n of the time.
    pub duty_cycle_max: Option<u8>,
    /// Ask for battery and margin every [`DEV_STATUS_INTERVAL_MS`].
    pub dev_status: bool,
    /// The device's data rate is controlled, if its frames say that it may be (FCtrl.ADR).
    pub adr: bool,
}

/// First of EU868's extra channels in a device's list, after the three default ones.
const EXTRA_CHANNEL_FIRST: u8 = 3;

impl Wanted {
    /// Nothing beyond the plan's own settings, and the daily status.
    pub fn standard(region: Region) -> Wanted {
        Wanted {
            region,
            rx: RxSettings::standard(region),
            channel_block: None,
            extra_channels: false,
            duty_cycle_max: None,
            dev_status: true,
            adr: false,
        }
    }

    /// The channels of `region`'s own list that every device has, as a mask.
    pub(super) fn default_channels(region: Region) -> u16 {
        match region {
            Region::Eu868 => 0b111,
            Region::Cn470 => 0,
        }
    }

    /// NewChannelReq for each extra channel that is not in `known`.
    pub(super) fn new_channels(&self, known: u16) -> impl Iterator<Item = Request> {
        let wanted = self.extra_channels && self.region == Region::Eu868;
        (EXTRA_CHANNEL_FIRST..)
            .zip(CfList::EU868.frequencies_hz().to_vec())
            .filter(move |(index, _)| wanted && known & 1 << index == 0)
            .map(|(index, frequency_hz)| Request::NewChannel { index, frequency_hz })
    }

    /// The restriction to the eight channels, step by step.
    pub(super) fn ch_masks(&self, dr: u8, tx_power: u8) -> impl Iterator<Item = Request> {
        let block = self.channel_block.filter(|_| self.region == Region::Cn470);
        block.into_iter().flat_map(move |block| {
            let first_channel = block.first();
            (0..CH_MASK_STEPS).map(move |step| Request::ChMask { step, first_channel, dr, tx_power })
        })
    }

    /// ChMaskCntl and ChMask of a LinkADRReq that leaves the channels as they are: `known` to the device in EU868, the
    /// block in CN470. None for CN470 without a block: 96 channels fit no single mask.
    pub(super) fn ch_mask(&self, known: u16) -> Option<(u8, u16)> {
        match (self.region, self.channel_block) {
            (Region::Eu868, _) => Some((0, known)),
            (Region::Cn470, None) => None,
            (Region::Cn470, Some(block)) => Some((block.first() / 16, 0xff << (block.first() % 16))),
        }
    }
}
