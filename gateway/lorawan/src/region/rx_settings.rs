//! When and where one device listens.

use super::{Region, cn470, eu868};

/// The receive windows of a device, as it knows them: the plan's own, or what a join-accept or a MAC command told it.
/// A value of this type is one the plan allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RxSettings {
    rx1_delay_s: u8,
    rx1_dr_offset: u8,
    rx2_frequency_hz: u32,
    rx2_dr: u8,
}

/// Why a device cannot be given these windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RxSettingsError {
    /// RX1 delay.
    #[error("RX1 delay {delay_s} s is not from 1 to 15 s: RX2 follows a second later")]
    Delay {
        /// What was asked for.
        delay_s: u8,
    },
    /// RX1DROffset.
    #[error("RX1 data rate offset {dr_offset} is not from 0 to 5")]
    DrOffset {
        /// What was asked for.
        dr_offset: u8,
    },
    /// RX2 data rate.
    #[error("the plan has no LoRa data rate DR{dr} for RX2: take DR0 to DR5")]
    Rx2DataRate {
        /// What was asked for.
        dr: u8,
    },
    /// RX2 frequency.
    #[error("nothing may be sent on {frequency_hz} Hz in this plan: take its own RX2 frequency")]
    Rx2Frequency {
        /// What was asked for.
        frequency_hz: u32,
    },
}

impl RxSettings {
    /// RECEIVE_DELAY1 unless the network says otherwise (RP002-1.0.4 §3), s.
    pub const RX1_DELAY_S: u8 = 1;

    /// What every device of the plan starts with (RP002-1.0.4): RX1 after 1 s, offset 0, RX2 at the plan's default.
    pub const fn standard(region: Region) -> RxSettings {
        let (rx2_frequency_hz, rx2_dr) = match region {
            Region::Eu868 => (eu868::RX2_HZ, eu868::RX2_DR),
            Region::Cn470 => (cn470::RX2_HZ, cn470::RX2_DR),
        };
        RxSettings { rx1_delay_s: RxSettings::RX1_DELAY_S, rx1_dr_offset: 0, rx2_frequency_hz, rx2_dr }
    }

    /// What we tell a device that joins: the standard's, but in CN470 an RX2 in which more than a bare acknowledgement
    /// fits into the second that a transmission may last.
    pub const fn offered(region: Region) -> RxSettings {
        let standard = RxSettings::standard(region);
        match region {
            Region::Eu868 => standard,
            Region::Cn470 => RxSettings { rx2_dr: cn470::RX2_DR_OFFERED, ..standard },
        }
    }

    /// Other windows: RX1 `rx1_delay_s` seconds (1 to 15) after the uplink at its data rate less `rx1_dr_offset` (0 to
    /// 5), RX2 a second later on `rx2_frequency_hz` at DR`rx2_dr`.
    ///
    /// # Errors
    /// [`RxSettingsError`] names the first that the plan does not allow.
    pub fn new(
        region: Region,
        rx1_delay_s: u8,
        rx1_dr_offset: u8,
        rx2_frequency_hz: u32,
        rx2_dr: u8,
    ) -> Result<RxSettings, RxSettingsError> {
        if !(1..=15).contains(&rx1_delay_s) {
            return Err(RxSettingsError::Delay { delay_s: rx1_delay_s });
        }
        if rx1_dr_offset > 5 {
            return Err(RxSettingsError::DrOffset { dr_offset: rx1_dr_offset });
        }
        if region.data_rate(rx2_dr).is_none() {
            return Err(RxSettingsError::Rx2DataRate { dr: rx2_dr });
        }
        if region.power_dbm(rx2_frequency_hz).is_none() {
            return Err(RxSettingsError::Rx2Frequency { frequency_hz: rx2_frequency_hz });
        }
        Ok(RxSettings { rx1_delay_s, rx1_dr_offset, rx2_frequency_hz, rx2_dr })
    }

    /// The same with RX1 after `rx1_delay_s`, 1 to 15 s: more time for a slow disk before the answer must leave.
    ///
    /// # Errors
    /// [`RxSettingsError::Delay`].
    pub fn with_rx1_delay_s(self, rx1_delay_s: u8) -> Result<RxSettings, RxSettingsError> {
        match rx1_delay_s {
            1..=15 => Ok(RxSettings { rx1_delay_s, ..self }),
            _ => Err(RxSettingsError::Delay { delay_s: rx1_delay_s }),
        }
    }

    /// From the end of the uplink to RX1, 1 to 15 s: RxDelay of a join-accept and of RXTimingSetupReq.
    pub fn rx1_delay_s(&self) -> u8 {
        self.rx1_delay_s
    }

    /// RX1DROffset, 0 to 5.
    pub fn rx1_dr_offset(&self) -> u8 {
        self.rx1_dr_offset
    }

    /// RX2's frequency, Hz.
    pub fn rx2_frequency_hz(&self) -> u32 {
        self.rx2_frequency_hz
    }

    /// RX2's data rate as an index into the plan.
    pub fn rx2_dr(&self) -> u8 {
        self.rx2_dr
    }
}
