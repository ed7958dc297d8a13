//! Frames to a device.

use lrwn::{FCtrl, FHDR, FRMPayload, FType, MACCommand, MACCommandSet, MACPayload, MHDR, Major, Payload, PhyPayload};

use crate::crypt::{self, Direction, FOptsCounter};
use crate::down_counters::is_application;
use crate::{DevAddr, PHY_BYTES_MAX, SessionKeys};

/// Bytes of a downlink that carries nothing: MHDR, FHDR without options, MIC. Such a frame with [`DataDown::ack`] is a
/// bare acknowledgement.
pub const DOWNLINK_BYTES_MIN: usize = 12;

/// Longest FOpts, in bytes: four bits of length.
pub const F_OPTS_BYTES_MAX: usize = 15;

/// A data frame to a device (LoRaWAN 1.0.4 §4), in plain text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DataDown<'a> {
    /// To whom.
    pub dev_addr: DevAddr,
    /// From [`DownCounters::take`](crate::DownCounters::take): new, and durable before this leaves.
    pub f_cnt_down: u32,
    /// The FCntUp of the confirmed uplink that this acknowledges. That uplink must be durable (A1).
    pub ack: Option<u32>,
    /// The device is asked to acknowledge; it does so with its next uplink, naming this `f_cnt_down` (ConfFCnt) in 1.1.
    pub confirmed: bool,
    /// The network controls the device's data rate.
    pub adr: bool,
    /// More frames wait; a class A device should send soon.
    pub f_pending: bool,
    /// MAC commands, at most [`F_OPTS_BYTES_MAX`]; must be empty if they are the payload (FPort 0).
    pub f_opts: &'a [u8],
    /// FPort and FRMPayload: 0 for MAC commands, 1 to 223 for the application.
    pub payload: Option<(u8, &'a [u8])>,
}

/// What does not fit a downlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DataDownError {
    /// Four bits of length.
    #[error("{bytes} bytes of MAC commands do not fit FOpts: send at most 15, or all of them on FPort 0")]
    FOptsTooLong {
        /// Bytes given.
        bytes: usize,
    },
    /// A frame has its MAC commands in one place only (1.0.4 §4.3.1.6).
    #[error("MAC commands stand in FOpts and on FPort 0: send them in one of them")]
    FOptsAndFPort0,
    /// Longer than a radio can send; a plan's data rates allow less.
    #[error("frame of {bytes} bytes is longer than the 255 bytes a radio can send: shorten its payload")]
    TooLong {
        /// Bytes of the PHYPayload.
        bytes: usize,
    },
}

impl<'a> DataDown<'a> {
    /// An unconfirmed frame that carries nothing.
    pub fn new(dev_addr: DevAddr, f_cnt_down: u32) -> DataDown<'a> {
        DataDown {
            dev_addr,
            f_cnt_down,
            ack: None,
            confirmed: false,
            adr: false,
            f_pending: false,
            f_opts: &[],
            payload: None,
        }
    }

    /// Bytes of the PHYPayload.
    pub fn phy_bytes(&self) -> usize {
        DOWNLINK_BYTES_MIN + self.f_opts.len() + self.payload.map_or(0, |(_, payload)| 1 + payload.len())
    }

    /// Encrypts and signs; the result is a PHYPayload.
    ///
    /// # Errors
    /// [`DataDownError`] if the parts do not fit a frame.
    #[expect(clippy::expect_used, reason = "lrwn returns Result for frames that the checks above have excluded")]
    pub fn seal(&self, keys: &SessionKeys) -> Result<Vec<u8>, DataDownError> {
        self.check()?;
        let f_port = self.payload.map(|(f_port, _)| f_port);
        let frm_payload = self.payload.filter(|(_, payload)| !payload.is_empty()).map(|(f_port, payload)| {
            let key = keys.payload_key(f_port);
            FRMPayload::Raw(crypt::frm_payload(key, Direction::Down, self.dev_addr, self.f_cnt_down, payload))
        });
        let f_ctrl = FCtrl { adr: self.adr, ack: self.ack.is_some(), f_pending: self.f_pending, ..FCtrl::default() };
        let fhdr =
            FHDR { devaddr: self.dev_addr.into(), f_ctrl, f_cnt: self.f_cnt_down, f_opts: self.sealed_f_opts(keys) };
        let f_type = if self.confirmed { FType::ConfirmedDataDown } else { FType::UnconfirmedDataDown };
        let payload = Payload::MACPayload(MACPayload { fhdr, f_port, frm_payload });
        let mut frame = PhyPayload { mhdr: MHDR { f_type, major: Major::LoRaWANR1 }, payload, mic: None };
        frame
            .set_downlink_data_mic(keys.mac_version(), self.ack.unwrap_or(0), &keys.s_nwk_s_int_key().to_lrwn())
            .expect("a data frame within its length limits has a MIC");
        Ok(frame.to_vec().expect("a data frame within its length limits serialises"))
    }

    fn check(&self) -> Result<(), DataDownError> {
        if self.f_opts.len() > F_OPTS_BYTES_MAX {
            return Err(DataDownError::FOptsTooLong { bytes: self.f_opts.len() });
        }
        if !self.f_opts.is_empty() && self.payload.is_some_and(|(f_port, _)| f_port == 0) {
            return Err(DataDownError::FOptsAndFPort0);
        }
        match self.phy_bytes() {
            bytes if bytes > PHY_BYTES_MAX => Err(DataDownError::TooLong { bytes }),
            _ => Ok(()),
        }
    }

    /// 1.1 encrypts FOpts, 1.0 does not.
    fn sealed_f_opts(&self, keys: &SessionKeys) -> MACCommandSet {
        let f_opts = if keys.is_v1_1() {
            let application = is_application(keys, self.payload.map(|(f_port, _)| f_port));
            let counter = if application { FOptsCounter::ADown } else { FOptsCounter::NDown };
            crypt::f_opts(keys.nwk_s_enc_key(), counter, self.dev_addr, self.f_cnt_down, self.f_opts)
        } else {
            self.f_opts.to_vec()
        };
        MACCommandSet::new(vec![MACCommand::Raw(f_opts)])
    }
}

impl std::fmt::Debug for DataDown<'_> {
    /// The payload may be a command that is nobody's business: its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "DataDown({} {}, ack {:?}, FOpts {}, FPort {:?})",
            self.dev_addr,
            self.f_cnt_down,
            self.ack,
            hex::encode(self.f_opts),
            self.payload.map(|(f_port, payload)| (f_port, payload.len()))
        )
    }
}

#[cfg(test)]
mod tests;
