//! The receive windows of a device, in their stored form.

use minicbor::{Decode, Encode};

use crate::{Region, RxSettings};

/// [`RxSettings`] in its stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Windows {
    #[n(0)]
    pub(super) rx1_delay_s: u8,
    #[n(1)]
    pub(super) rx1_dr_offset: u8,
    #[n(2)]
    pub(super) rx2_frequency_hz: u32,
    #[n(3)]
    pub(super) rx2_dr: u8,
}

impl Windows {
    /// The plan's own, should a stored value not be of this plan.
    pub(super) fn settings(self, region: Region) -> RxSettings {
        RxSettings::new(region, self.rx1_delay_s, self.rx1_dr_offset, self.rx2_frequency_hz, self.rx2_dr)
            .unwrap_or(RxSettings::standard(region))
    }
}

impl From<RxSettings> for Windows {
    fn from(rx: RxSettings) -> Windows {
        Windows {
            rx1_delay_s: rx.rx1_delay_s(),
            rx1_dr_offset: rx.rx1_dr_offset(),
            rx2_frequency_hz: rx.rx2_frequency_hz(),
            rx2_dr: rx.rx2_dr(),
        }
    }
}
