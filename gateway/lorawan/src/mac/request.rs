//! What we ask of a device.

use minicbor::{Decode, Encode};

/// Bytes of the longest request.
pub const REQUEST_BYTES_MAX: usize = 6;

/// Groups of 16 channels in CN470: a LinkADRReq sets one of them.
pub(super) const CH_MASK_STEPS: u8 = 6;

/// A MAC command to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// LinkADRReq `03`: restrict CN470's channels, keep the data rate. Six of them do not fit FOpts, so they go in steps;
    /// several in one frame are a block that the device takes or refuses as a whole (1.0.4 §5.2).
    #[n(0)]
    ChMask {
        /// 0: the 16 channels with those to use, after which the device is already heard; 1 to 5: the next ones, off.
        #[n(0)]
        step: u8,
        /// First channel of the eight to use: a multiple of 8 to 88.
        #[n(1)]
        first_channel: u8,
        /// The data rate to keep.
        #[n(2)]
        dr: u8,
        /// The power step to keep.
        #[n(3)]
        tx_power: u8,
    },
    /// LinkADRReq `03`: another data rate or power.
    #[n(1)]
    Adr {
        /// Data rate.
        #[n(0)]
        dr: u8,
        /// Power, in steps of 2 dB below the maximum.
        #[n(1)]
        tx_power: u8,
        /// ChMaskCntl: which 16 channels the mask is about.
        #[n(2)]
        ch_mask_cntl: u8,
        /// The channels to use, the lowest in bit 0.
        #[n(3)]
        ch_mask: u16,
    },
    /// DutyCycleReq `04`: send at most 1/2^`max` of the time.
    #[n(2)]
    DutyCycle {
        /// 0 to 15; 0 is no limit but the law's.
        #[n(0)]
        max: u8,
    },
    /// RXParamSetupReq `05`.
    #[n(3)]
    RxParamSetup {
        /// RX1DROffset.
        #[n(0)]
        rx1_dr_offset: u8,
        /// RX2's data rate.
        #[n(1)]
        rx2_dr: u8,
        /// RX2's frequency, Hz.
        #[n(2)]
        rx2_frequency_hz: u32,
    },
    /// DevStatusReq `06`.
    #[n(4)]
    DevStatus,
    /// NewChannelReq `07`: DR0 to DR5 on another channel.
    #[n(5)]
    NewChannel {
        /// The channel's number in the device's list.
        #[n(0)]
        index: u8,
        /// Hz, a multiple of 100.
        #[n(1)]
        frequency_hz: u32,
    },
    /// RXTimingSetupReq `08`.
    #[n(6)]
    RxTimingSetup {
        /// 1 to 15 s.
        #[n(0)]
        delay_s: u8,
    },
}

impl Request {
    /// Of the command.
    pub fn cid(&self) -> u8 {
        match self {
            Request::ChMask { .. } | Request::Adr { .. } => 0x03,
            Request::DutyCycle { .. } => 0x04,
            Request::RxParamSetup { .. } => 0x05,
            Request::DevStatus => 0x06,
            Request::NewChannel { .. } => 0x07,
            Request::RxTimingSetup { .. } => 0x08,
        }
    }

    /// Both are about the same setting of the device: the later one replaces the earlier one.
    pub(super) fn same_setting(&self, other: &Request) -> bool {
        match (self, other) {
            (Request::ChMask { step: a, .. }, Request::ChMask { step: b, .. }) => a == b,
            (Request::NewChannel { index: a, .. }, Request::NewChannel { index: b, .. }) => a == b,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// Both ask for the same; the data rate that a ChMask keeps is the device's own affair.
    pub(super) fn same_wish(&self, other: &Request) -> bool {
        match (self, other) {
            (Request::ChMask { step: a, first_channel: x, .. }, Request::ChMask { step: b, first_channel: y, .. }) => {
                a == b && x == y
            }
            (a, b) => a == b,
        }
    }

    /// The command as it travels; at most [`REQUEST_BYTES_MAX`].
    pub(super) fn to_bytes(self) -> Vec<u8> {
        match self {
            Request::ChMask { step, first_channel, dr, tx_power } => {
                let mask = if step == 0 { 0xff << (first_channel % 16) } else { 0 };
                let group = (first_channel / 16 + step % CH_MASK_STEPS) % CH_MASK_STEPS;
                link_adr(dr, tx_power, group, mask).into()
            }
            Request::Adr { dr, tx_power, ch_mask_cntl, ch_mask } => {
                link_adr(dr, tx_power, ch_mask_cntl, ch_mask).into()
            }
            Request::DutyCycle { max } => vec![0x04, max & 0x0f],
            Request::RxParamSetup { rx1_dr_offset, rx2_dr, rx2_frequency_hz } => {
                let [a, b, c] = frequency(rx2_frequency_hz);
                vec![0x05, (rx1_dr_offset & 0x07) << 4 | rx2_dr & 0x0f, a, b, c]
            }
            Request::DevStatus => vec![0x06],
            Request::NewChannel { index, frequency_hz } => {
                let [a, b, c] = frequency(frequency_hz);
                vec![0x07, index, a, b, c, 0x50]
            }
            Request::RxTimingSetup { delay_s } => vec![0x08, delay_s & 0x0f],
        }
    }
}

/// LinkADRReq (1.0.4 §5.2): data rate and power, mask, ChMaskCntl and NbTrans 1.
fn link_adr(dr: u8, tx_power: u8, ch_mask_cntl: u8, ch_mask: u16) -> [u8; 5] {
    let [low, high] = ch_mask.to_le_bytes();
    [0x03, dr << 4 | tx_power & 0x0f, low, high, (ch_mask_cntl & 0x07) << 4 | 1]
}

/// In steps of 100 Hz, little-endian.
fn frequency(hz: u32) -> [u8; 3] {
    let [a, b, c, _] = (hz / 100).to_le_bytes();
    [a, b, c]
}
