//! The far end over the air: what an end-device of LoRaWAN 1.0.x does, for a simulated one.
//!
//! Weir never sends these frames. They exist so that a demonstration and tests have a device to talk to.

use lrwn::{FCtrl, FHDR, FRMPayload, FType, MACPayload, MACVersion, MHDR, Major, Payload, PhyPayload};

use crate::crypt::frm_payload_up;
use crate::{DevAddr, SessionKeys};

/// Longest application payload of any plan's fastest data rate, in bytes (RP002-1.0.4, N without repeater).
pub const PAYLOAD_BYTES_MAX: usize = 242;

/// What a device wants to say.
#[derive(Debug, Clone, Copy)]
pub struct DataUp<'a> {
    /// Who sends.
    pub dev_addr: DevAddr,
    /// Ask for an acknowledgement.
    pub confirmed: bool,
    /// The full counter; its low 16 bits travel.
    pub f_cnt: u32,
    /// 1 to 223 for application data.
    pub f_port: u8,
    /// In plain text; cut at [`PAYLOAD_BYTES_MAX`].
    pub payload: &'a [u8],
}

/// Encrypts and signs a data uplink; the result is a PHYPayload.
#[expect(clippy::expect_used, reason = "lrwn returns Result for payloads that this function never builds")]
pub fn data_up(up: DataUp<'_>, keys: &SessionKeys) -> Vec<u8> {
    let key = if up.f_port == 0 { &keys.nwk_s_key } else { &keys.app_s_key };
    let plain = &up.payload[..up.payload.len().min(PAYLOAD_BYTES_MAX)];
    let payload = frm_payload_up(key, up.dev_addr, up.f_cnt, plain);
    let fhdr = FHDR { devaddr: up.dev_addr.into(), f_ctrl: FCtrl::default(), f_cnt: up.f_cnt, ..FHDR::default() };
    let f_type = if up.confirmed { FType::ConfirmedDataUp } else { FType::UnconfirmedDataUp };
    let mac_payload = MACPayload { fhdr, f_port: Some(up.f_port), frm_payload: Some(FRMPayload::Raw(payload)) };
    let mhdr = MHDR { f_type, major: Major::LoRaWANR1 };
    let mut frame = PhyPayload { mhdr, payload: Payload::MACPayload(mac_payload), mic: None };
    let nwk_s_key = keys.nwk_s_key.to_lrwn();
    frame
        .set_uplink_data_mic(MACVersion::LoRaWAN1_0, 0, 0, 0, &nwk_s_key, &nwk_s_key)
        .expect("a data frame within its length limits has a MIC");
    frame.to_vec().expect("a data frame within its length limits serialises")
}

/// Whether `phy` acknowledges: a data downlink for `dev_addr` with FCtrl.ACK whose MIC verifies, with a counter
/// of at least `f_cnt_down_next`. Gives that counter, of which the device expects one more next time.
pub fn acknowledged(phy: &[u8], dev_addr: DevAddr, keys: &SessionKeys, f_cnt_down_next: u32) -> Option<u32> {
    let mut frame = PhyPayload::from_slice(phy).ok().filter(|frame| frame.to_vec().is_ok_and(|bytes| bytes == phy))?;
    if !matches!(frame.mhdr.f_type, FType::UnconfirmedDataDown | FType::ConfirmedDataDown) {
        return None;
    }
    let Payload::MACPayload(mac) = &mut frame.payload else { return None };
    if DevAddr::from(mac.fhdr.devaddr) != dev_addr || !mac.fhdr.f_ctrl.ack {
        return None;
    }
    let gap = mac.fhdr.f_cnt.wrapping_sub(f_cnt_down_next) & 0xffff;
    let f_cnt = f_cnt_down_next.checked_add(gap)?;
    mac.fhdr.f_cnt = f_cnt;
    let verifies = frame.validate_downlink_data_mic(MACVersion::LoRaWAN1_0, 0, &keys.nwk_s_key.to_lrwn());
    verifies.is_ok_and(|verifies| verifies).then_some(f_cnt)
}
