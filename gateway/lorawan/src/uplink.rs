//! A data uplink: parsed, but not yet believed.

use lrwn::{FType, PhyPayload};

use crate::crypt::{self, Direction, FOptsCounter};
use crate::{DevAddr, MicContext, SessionKeys};

/// Longest PHYPayload a LoRa radio can carry, in bytes; the MIC's block B0 has one byte for the length.
pub const PHY_BYTES_MAX: usize = 255;

/// Shortest data frame: MHDR, FHDR without options, MIC, in bytes.
const DATA_BYTES_MIN: usize = 12;

/// A data uplink of LoRaWAN 1.0.x or 1.1 in canonical form.
///
/// ```text
/// offset  bytes   field
/// 0       1       MHDR: 40 unconfirmed, 80 confirmed; the RFU bits 2..4 are zero
/// 1       4       DevAddr, least significant byte first
/// 5       1       FCtrl: ADR, ADRACKReq, ACK, ClassB, FOptsLen (4 bits)
/// 6       2       FCnt, the low 16 bits, little-endian
/// 8       0..15   FOpts; encrypted in 1.1
/// ..      0..1    FPort
/// ..      0..     FRMPayload, encrypted
/// end-4   4       MIC
/// ```
///
/// **Canonical bytes.** The MIC below is computed by `lrwn` over the frame as it *re-serialises* it. A bit that
/// re-serialising drops would not be covered by the MIC, so a frame is taken only if re-serialising gives back
/// exactly the bytes received; this comes before anything is decoded.
///
/// Nothing here is authenticated until [`judge`](crate::fcnt::judge) has said so.
#[derive(Clone, PartialEq, Eq)]
pub struct Uplink {
    bytes: Vec<u8>,
    frame: PhyPayload,
}

/// Why received bytes are no data uplink. None of these is worth an answer over the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UplinkError {
    /// Shorter than the shortest data frame, and no join-request either.
    #[error("frame of {bytes} bytes is shorter than the 12 bytes of a data frame: refuse it")]
    TooShort {
        /// Bytes received.
        bytes: usize,
    },
    /// Longer than a radio can send.
    #[error("frame of {bytes} bytes is longer than the 255 bytes a radio can send: refuse it")]
    TooLong {
        /// Bytes received.
        bytes: usize,
    },
    /// A join-request or rejoin-request, of our devices or a stranger's.
    #[error("frame is a join: read it as a JoinRequest")]
    Join,
    /// A downlink or join-accept of another gateway nearby.
    #[error("frame is a downlink of another network: ignore it")]
    Downlink,
    /// MHDR says proprietary.
    #[error("frame has a proprietary format: ignore it")]
    Proprietary,
    /// An unknown major version, or FOptsLen points past the end.
    #[error("frame is no LoRaWAN R1 data frame: unknown major version or FOpts past its end; refuse it")]
    Malformed,
    /// MAC commands in two places at once, which no device may send (LoRaWAN 1.0.4 §4.3.1.6).
    #[error("frame has MAC commands in FOpts and on FPort 0: refuse it")]
    FOptsAndFPort0,
    /// It parses, but has bits which the MIC would not cover (reserved ones that are not zero).
    #[error("frame is not in canonical form: a reserved bit is set; refuse it, the MIC would not cover it")]
    NotCanonical,
}

impl Uplink {
    /// Takes a PHYPayload as the radio received it.
    ///
    /// # Errors
    /// [`UplinkError`], by what the bytes are instead.
    pub fn parse(phy: &[u8]) -> Result<Uplink, UplinkError> {
        let bytes = phy.len();
        let Some(mhdr) = phy.first() else { return Err(UplinkError::TooShort { bytes }) };
        if bytes > PHY_BYTES_MAX {
            return Err(UplinkError::TooLong { bytes });
        }
        // MType, LoRaWAN 1.0.4 §4.2.1.
        match mhdr >> 5 {
            0 | 6 => return Err(UplinkError::Join),
            1 | 3 | 5 => return Err(UplinkError::Downlink),
            7 => return Err(UplinkError::Proprietary),
            _ => {}
        }
        if bytes < DATA_BYTES_MIN {
            return Err(UplinkError::TooShort { bytes });
        }
        let frame = PhyPayload::from_slice(phy).map_err(|_| UplinkError::Malformed)?;
        let canonical = frame.to_vec().map_err(|_| UplinkError::Malformed)?;
        if canonical != phy {
            return Err(UplinkError::NotCanonical);
        }
        match &frame.payload {
            lrwn::Payload::MACPayload(mac) if mac.fhdr.f_ctrl.f_opts_len > 0 && mac.f_port == Some(0) => {
                Err(UplinkError::FOptsAndFPort0)
            }
            lrwn::Payload::MACPayload(_) => Ok(Uplink { bytes: canonical, frame }),
            _ => Err(UplinkError::Malformed),
        }
    }

    /// The PHYPayload, exactly as received.
    pub fn phy(&self) -> &[u8] {
        &self.bytes
    }

    /// Who says to have sent it.
    pub fn dev_addr(&self) -> DevAddr {
        DevAddr([self.bytes[4], self.bytes[3], self.bytes[2], self.bytes[1]])
    }

    /// The low 16 bits of the frame counter: all that travels.
    pub fn f_cnt_low(&self) -> u16 {
        u16::from_le_bytes([self.bytes[6], self.bytes[7]])
    }

    /// The device asks for an acknowledgement.
    pub fn confirmed(&self) -> bool {
        self.frame.mhdr.f_type == FType::ConfirmedDataUp
    }

    /// ADR bit: the device lets the network choose its data rate.
    pub fn adr(&self) -> bool {
        self.bytes[5] & 0x80 != 0
    }

    /// ADRACKReq bit: the device wants to hear anything at all.
    pub fn adr_ack_req(&self) -> bool {
        self.bytes[5] & 0x40 != 0
    }

    /// ACK bit: the device acknowledges our last confirmed downlink.
    pub fn ack(&self) -> bool {
        self.bytes[5] & 0x20 != 0
    }

    /// MAC commands in the header as they travel, encrypted in 1.1; at most 15 bytes.
    pub fn f_opts(&self) -> &[u8] {
        &self.bytes[8..self.f_opts_end()]
    }

    /// MAC commands in plain text, from FOpts or from FPort 0, given the full counter that verified. A frame never has
    /// both.
    pub fn mac_commands(&self, keys: &SessionKeys, f_cnt: u32) -> Vec<u8> {
        match self.f_port() {
            Some(0) => self.decrypt(keys, f_cnt),
            _ if keys.is_v1_1() => {
                crypt::f_opts(keys.nwk_s_enc_key(), FOptsCounter::Up, self.dev_addr(), f_cnt, self.f_opts())
            }
            _ => self.f_opts().to_vec(),
        }
    }

    /// Whether the frame says the same as `phy`, a frame that verified: equal up to the MIC. A 1.1 device that repeats a
    /// frame on another channel signs it anew.
    pub(crate) fn repeats(&self, phy: &[u8]) -> bool {
        let message = |phy: &[u8]| phy.len().checked_sub(4).map(|end| phy[..end].to_vec());
        message(&self.bytes) == message(phy)
    }

    /// FPort: 0 is MAC commands, 1 to 223 the application's; none if the frame carries no payload.
    pub fn f_port(&self) -> Option<u8> {
        self.after_header().first().copied()
    }

    /// FRMPayload in plain text, given the full counter that verified: NwkSKey (1.1: NwkSEncKey) on FPort 0, else
    /// AppSKey (LoRaWAN 1.0.4 §4.3.3). Empty if there is none.
    pub fn decrypt(&self, keys: &SessionKeys, f_cnt: u32) -> Vec<u8> {
        let Some((f_port, payload)) = self.after_header().split_first() else { return Vec::new() };
        crypt::frm_payload(keys.payload_key(*f_port), Direction::Up, self.dev_addr(), f_cnt, payload)
    }

    /// Whether the MIC is that of this frame with the full counter `f_cnt`, sent as `context` says. A counter with other
    /// low bits than the frame's never verifies.
    pub(crate) fn mic_verifies(&self, keys: &SessionKeys, f_cnt: u32, context: MicContext) -> bool {
        if f_cnt & 0xffff != u32::from(self.f_cnt_low()) {
            return false;
        }
        let mut frame = self.frame.clone();
        let lrwn::Payload::MACPayload(mac) = &mut frame.payload else { return false };
        mac.fhdr.f_cnt = f_cnt;
        let MicContext { conf_f_cnt, tx_dr, tx_ch } = context;
        let (f_key, s_key) = (keys.f_nwk_s_int_key().to_lrwn(), keys.s_nwk_s_int_key().to_lrwn());
        frame.validate_uplink_data_mic(keys.mac_version(), conf_f_cnt, tx_dr, tx_ch, &f_key, &s_key).unwrap_or(false)
    }

    fn f_opts_end(&self) -> usize {
        8 + usize::from(self.bytes[5] & 0x0f)
    }

    /// FPort and FRMPayload.
    fn after_header(&self) -> &[u8] {
        &self.bytes[self.f_opts_end()..self.bytes.len() - 4]
    }
}

impl std::fmt::Debug for Uplink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Uplink({})", hex::encode(&self.bytes))
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod v1_1;
