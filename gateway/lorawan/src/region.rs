//! Channel plans: where, how and how much may be sent to a device, and when it listens.
//!
//! A table each in a file named after the plan: [`Region::Eu868`], [`Region::Cn470`].

mod cn470;
mod eu868;
mod rx_settings;
mod sub_band;

use crate::airtime::airtime_us;
use crate::data_rate::{DataRate, LoraDataRate};
pub use rx_settings::{RxSettings, RxSettingsError};
pub use sub_band::{DutyCycle, SubBand};

/// A channel plan of RP002-1.0.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Region {
    /// EU863-870.
    #[serde(rename = "EU868")]
    Eu868,
    /// CN470-510, the plan with 96 uplink and 48 downlink channels. RP002's other CN470 plans (20 and 26 MHz
    /// antennas) are not served.
    #[serde(rename = "CN470")]
    Cn470,
}

/// One of the two times at which a class A device listens (LoRaWAN 1.0.4 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// The first, on a channel derived from the uplink.
    Rx1,
    /// One second after the first, on a fixed channel. A class C device listens there whenever it does nothing else.
    Rx2,
}

/// How to send a downlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Downlink {
    /// Centre frequency, Hz.
    pub frequency_hz: u32,
    /// Spreading factor and bandwidth.
    pub data_rate: LoraDataRate,
    /// Power, dBm ERP.
    pub power_dbm: i8,
}

impl Region {
    /// How to send in `window` after an uplink; none if the plan has no such uplink channel or data rate, or forbids
    /// sending there.
    pub fn downlink(
        self,
        window: Window,
        uplink_hz: u32,
        uplink_rate: DataRate,
        settings: &RxSettings,
    ) -> Option<Downlink> {
        match window {
            Window::Rx1 => self.rx1(uplink_hz, uplink_rate, settings.rx1_dr_offset()),
            Window::Rx2 => self.rx2(settings),
        }
    }

    /// RX1: the uplink's data rate less the offset, never below DR0 (RP002-1.0.4, the RX1DROffset table of both plans).
    fn rx1(self, uplink_hz: u32, uplink_rate: DataRate, dr_offset: u8) -> Option<Downlink> {
        let DataRate::Lora(uplink_rate) = uplink_rate else { return None };
        let data_rate = self.data_rate(self.dr(uplink_rate)?.saturating_sub(dr_offset))?;
        let frequency_hz = match self {
            Region::Eu868 => uplink_hz,
            Region::Cn470 => cn470::rx1_hz(uplink_hz)?,
        };
        Some(Downlink { frequency_hz, data_rate, power_dbm: self.power_dbm(frequency_hz)? })
    }

    /// RX2, and what a class C device listens on all the time.
    pub fn rx2(self, settings: &RxSettings) -> Option<Downlink> {
        let (frequency_hz, data_rate) = (settings.rx2_frequency_hz(), self.data_rate(settings.rx2_dr())?);
        Some(Downlink { frequency_hz, data_rate, power_dbm: self.power_dbm(frequency_hz)? })
    }

    /// The plan's data rate DR`dr`; none for what it reserves, and for FSK.
    pub fn data_rate(self, dr: u8) -> Option<LoraDataRate> {
        self.data_rates().get(usize::from(dr)).copied()
    }

    /// The index of a data rate in the plan; none if the plan has no such data rate.
    pub fn dr(self, data_rate: LoraDataRate) -> Option<u8> {
        let at = self.data_rates().iter().position(|rate| *rate == data_rate)?;
        u8::try_from(at).ok()
    }

    fn data_rates(self) -> &'static [LoraDataRate] {
        match self {
            Region::Eu868 => &eu868::DATA_RATES,
            Region::Cn470 => &cn470::DATA_RATES,
        }
    }

    /// Highest power on this frequency, dBm ERP; none where nothing may be sent.
    fn power_dbm(self, frequency_hz: u32) -> Option<i8> {
        match self {
            Region::Eu868 => self.sub_band(frequency_hz).map(|sub_band| sub_band.power_dbm),
            Region::Cn470 => cn470::is_downlink(frequency_hz).then_some(cn470::POWER_DBM),
        }
    }

    /// The parts of the band whose time on air the law limits; empty if it limits none.
    pub fn sub_bands(self) -> &'static [SubBand] {
        match self {
            Region::Eu868 => &eu868::SUB_BANDS,
            Region::Cn470 => &[],
        }
    }

    /// The sub-band in which this frequency lies; none if the law has none there. In EU868 nothing may be sent then.
    pub fn sub_band(self, frequency_hz: u32) -> Option<&'static SubBand> {
        self.sub_bands().iter().find(|sub_band| sub_band.contains(frequency_hz))
    }

    /// Longest single transmission the plan's law allows, µs; none if it sets no such limit.
    pub fn airtime_us_max(self) -> Option<u32> {
        match self {
            Region::Eu868 => None,
            Region::Cn470 => Some(cn470::AIRTIME_US_MAX),
        }
    }

    /// Whether a downlink of `phy_bytes` at `data_rate` may be sent at all.
    pub fn allows(self, data_rate: LoraDataRate, phy_bytes: u8) -> bool {
        self.airtime_us_max().is_none_or(|max| airtime_us(data_rate, phy_bytes, false) <= max)
    }
}

#[cfg(test)]
mod tests;
