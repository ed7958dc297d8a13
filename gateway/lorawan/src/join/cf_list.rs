//! The channels that a join-accept hands out.

use crate::Region;

/// CFList (RP002-1.0.4 §2.2.3): 16 bytes at the end of a join-accept. A value of this type fits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CfList(Type);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    /// 0: five channels beside the plan's default ones, Hz; 0 is none.
    Frequencies([u32; 5]),
    /// 1: which of the plan's fixed channels to use, 16 in each mask, the lowest channel in bit 0.
    ChMasks([u16; 6]),
}

/// Eight neighbouring channels of CN470: what one gateway hears of the plan's 96.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "u8")]
pub struct ChannelBlock(u8);

/// No such block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("channel block begins at {0}: give a multiple of 8 from 0 to 88, such as 80 for 486.3 to 487.7 MHz")]
pub struct ChannelBlockError(u8);

impl TryFrom<u8> for ChannelBlock {
    type Error = ChannelBlockError;
    /// From the number of its first channel.
    fn try_from(first: u8) -> Result<ChannelBlock, ChannelBlockError> {
        if first <= 88 && first.is_multiple_of(8) { Ok(ChannelBlock(first)) } else { Err(ChannelBlockError(first)) }
    }
}

impl ChannelBlock {
    /// The number of its first channel: a multiple of 8 from 0 to 88.
    pub fn first(self) -> u8 {
        self.0
    }

    /// The plan's 96 channels as six masks, only this block's bits set.
    pub fn ch_masks(self) -> [u16; 6] {
        let mut masks = [0; 6];
        masks[usize::from(self.0 / 16) % masks.len()] = 0xff << (self.0 % 16);
        masks
    }
}

impl CfList {
    /// The five channels that every EU868 network adds to the three default ones.
    pub const EU868: CfList =
        CfList(Type::Frequencies([867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000]));

    /// What to hand out in `region`: [`CfList::EU868`], or the block of channels that the gateway hears; none where
    /// CN470 has no block. It makes the join-accept 33 bytes long: in CN470 too long for SF12.
    pub fn of(region: Region, block: Option<ChannelBlock>) -> Option<CfList> {
        match region {
            Region::Eu868 => Some(CfList::EU868),
            Region::Cn470 => block.map(|block| CfList(Type::ChMasks(block.ch_masks()))),
        }
    }

    /// The frequencies handed out, Hz, 0 for none; empty if it hands out masks.
    pub fn frequencies_hz(&self) -> &[u32] {
        match &self.0 {
            Type::Frequencies(hz) => hz,
            Type::ChMasks(_) => &[],
        }
    }

    /// The masks handed out, channels 0 to 15 first; empty if it hands out frequencies.
    pub fn ch_masks(&self) -> &[u16] {
        match &self.0 {
            Type::Frequencies(_) => &[],
            Type::ChMasks(masks) => masks,
        }
    }

    pub(crate) fn to_lrwn(self) -> lrwn::CFList {
        match self.0 {
            Type::Frequencies(hz) => lrwn::CFList::Channels(lrwn::CFListChannels::new(hz)),
            Type::ChMasks(masks) => lrwn::CFList::ChannelMask(lrwn::CFListChannelMasks::new(
                masks.iter().map(|mask| lrwn::ChMask::from_bytes(mask.to_le_bytes())).collect(),
            )),
        }
    }

    /// None for more masks than the six that a plan here can have.
    pub(crate) fn from_lrwn(list: &lrwn::CFList) -> Option<CfList> {
        Some(CfList(match list {
            lrwn::CFList::Channels(channels) => {
                let mut hz = [0; 5];
                hz.iter_mut().zip(channels.iter()).for_each(|(to, from)| *to = *from);
                Type::Frequencies(hz)
            }
            lrwn::CFList::ChannelMask(list) => {
                let mut masks = [0; 6];
                if list.iter().count() > masks.len() {
                    return None;
                }
                masks.iter_mut().zip(list.iter()).for_each(|(to, from)| *to = u16::from_le_bytes(from.to_bytes()));
                Type::ChMasks(masks)
            }
        }))
    }
}
