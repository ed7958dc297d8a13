//! Frames to a device.

use lrwn::{FCtrl, FHDR, FType, MACPayload, MACVersion, MHDR, Major, Payload, PhyPayload};

use crate::{DevAddr, SessionKeys};

/// Bytes of an acknowledgement: MHDR, FHDR without options, MIC.
pub const ACKNOWLEDGEMENT_BYTES: usize = 12;

/// The PHYPayload that acknowledges a confirmed uplink: UnconfirmedDataDown with FCtrl.ACK, no FOpts, no payload
/// (LoRaWAN 1.0.4 §4.3.1.2). Exactly [`ACKNOWLEDGEMENT_BYTES`] long.
///
/// `f_cnt_down` must be new, and durable before this leaves: a device refuses a counter it has seen, and a counter
/// used twice gives its key stream away. The uplink must be durable too (A1).
pub fn acknowledgement(dev_addr: DevAddr, keys: &SessionKeys, f_cnt_down: u32) -> Vec<u8> {
    let f_ctrl = FCtrl { ack: true, ..FCtrl::default() };
    let fhdr = FHDR { devaddr: dev_addr.into(), f_ctrl, f_cnt: f_cnt_down, ..FHDR::default() };
    seal(MACPayload { fhdr, f_port: None, frm_payload: None }, keys)
}

/// Adds header and MIC.
#[expect(clippy::expect_used, reason = "lrwn returns Result for payloads that this module never builds")]
fn seal(mac_payload: MACPayload, keys: &SessionKeys) -> Vec<u8> {
    let mhdr = MHDR { f_type: FType::UnconfirmedDataDown, major: Major::LoRaWANR1 };
    let mut frame = PhyPayload { mhdr, payload: Payload::MACPayload(mac_payload), mic: None };
    frame
        .set_downlink_data_mic(MACVersion::LoRaWAN1_0, 0, &keys.nwk_s_key.to_lrwn())
        .expect("a data frame within its length limits has a MIC");
    frame.to_vec().expect("a data frame within its length limits serialises")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::end_device::acknowledged;
    use crate::vectors::keys;

    /// Both made with npm lora-packet 0.9.3.
    #[test]
    fn acknowledgements_of_another_implementation() {
        let addr = DevAddr::from_u32(0x49be_7df1);
        let of = |f_cnt_down| hex::encode(acknowledgement(addr, &keys(), f_cnt_down));
        expect!["60f17dbe49200500696b33be"].assert_eq(&of(5));
        expect!["60f17dbe492001009395b376"].assert_eq(&of(65_537));
        assert_eq!(acknowledgement(addr, &keys(), 5).len(), ACKNOWLEDGEMENT_BYTES);
    }

    #[test]
    fn a_device_takes_it_once_and_unchanged() {
        let addr = DevAddr::from_u32(0x49be_7df1);
        let phy = acknowledgement(addr, &keys(), 65_537);
        assert_eq!(acknowledged(&phy, addr, &keys(), 65_530), Some(65_537));
        assert_eq!(acknowledged(&phy, addr, &keys(), 65_538), None, "seen before");
        assert_eq!(acknowledged(&phy, DevAddr::from_u32(1), &keys(), 65_530), None, "another device's");
        for bit in 0..phy.len() * 8 {
            let mut flipped = phy.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(acknowledged(&flipped, addr, &keys(), 65_530), None, "bit {bit}");
        }
    }
}
