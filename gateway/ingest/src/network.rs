//! What all LoRaWAN devices of a box share.

use lorawan::mac::Wanted;
use lorawan::{CfList, ChannelBlock, NetId, Region, RxSettings};

/// The box as a LoRaWAN network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The channel plan.
    pub region: Region,
    /// 000000 or 000001: a private network.
    pub net_id: NetId,
    /// The receive windows that a device is told when it joins.
    pub rx: RxSettings,
    /// CN470: the eight channels that the gateways hear.
    pub channel_block: Option<ChannelBlock>,
    /// Spreads the DevAddrs of several boxes that hear each other: any number, the same at each start.
    pub dev_addr_seed: u32,
}

impl Network {
    /// The plan's own settings.
    pub fn standard(region: Region) -> Network {
        Network {
            region,
            net_id: NetId::PRIVATE_0,
            rx: RxSettings::offered(region),
            channel_block: None,
            dev_addr_seed: 0,
        }
    }

    /// The channels beside the default ones that a joining device is told.
    pub(crate) fn cf_list(&self) -> Option<CfList> {
        CfList::of(self.region, self.channel_block)
    }

    /// How a device ought to be set. One that joined was told windows and channels then; one that is personalised is
    /// brought to the channels by MAC commands.
    pub(crate) fn wanted(&self, joined: bool, adr: bool) -> Wanted {
        let standard = Wanted::standard(self.region);
        Wanted {
            rx: if joined { self.rx } else { standard.rx },
            channel_block: self.channel_block,
            extra_channels: !joined,
            adr,
            ..standard
        }
    }
}
