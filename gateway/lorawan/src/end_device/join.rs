//! A device that joins.

use lrwn::{FType, JoinRequestPayload, JoinType, MHDR, Major, Payload, PhyPayload};

use crate::region::RxSettings;
use crate::root_keys::Nonces;
use crate::{CfList, DevAddr, DevEui, JoinAccept, JoinEui, JoinNonce, NetId, Region, RootKeys, SessionKeys};

/// One attempt of a device to join.
#[derive(Debug, Clone, Copy)]
pub struct Joining<'a> {
    /// The device's root keys.
    pub keys: &'a RootKeys,
    /// The join server it was made for.
    pub join_eui: JoinEui,
    /// Its identity.
    pub dev_eui: DevEui,
    /// Never used before.
    pub dev_nonce: u16,
    /// The plan it was made for.
    pub region: Region,
}

/// What a join-accept gave a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// What it hands out.
    pub accept: JoinAccept,
    /// The session's keys; of 1.0 for a 1.1 device in a network that does not set OptNeg.
    pub keys: SessionKeys,
}

impl Joining<'_> {
    /// The join-request, signed; a PHYPayload of 23 bytes.
    #[expect(clippy::expect_used, reason = "lrwn returns Result for payloads that this function never builds")]
    pub fn request(&self) -> Vec<u8> {
        let payload = Payload::JoinRequest(JoinRequestPayload {
            join_eui: lrwn::EUI64::from_be_bytes(self.join_eui.0),
            dev_eui: lrwn::EUI64::from_be_bytes(self.dev_eui.0),
            dev_nonce: self.dev_nonce,
        });
        let mhdr = MHDR { f_type: FType::JoinRequest, major: Major::LoRaWANR1 };
        let mut frame = PhyPayload { mhdr, payload, mic: None };
        frame.set_join_request_mic(&self.keys.join_key().to_lrwn()).expect("a join-request has a MIC");
        frame.to_vec().expect("a join-request serialises")
    }

    /// Reads the answer to the request. None if it is not for this device, or not whole: a device hears the join-accepts
    /// of others too.
    pub fn take_accept(&self, phy: &[u8]) -> Option<Joined> {
        let mut frame =
            PhyPayload::from_slice(phy).ok().filter(|frame| frame.to_vec().is_ok_and(|bytes| bytes == phy))?;
        if frame.mhdr.f_type != FType::JoinAccept {
            return None;
        }
        frame.decrypt_join_accept_payload(&self.keys.join_key().to_lrwn()).ok()?;
        let Payload::JoinAccept(payload) = frame.payload.clone() else { return None };
        let opt_neg = payload.dl_settings.opt_neg;
        let mic_key = self.keys.accept_mic_key(opt_neg, self.dev_eui).to_lrwn();
        let join_eui = lrwn::EUI64::from_be_bytes(self.join_eui.0);
        if !frame.validate_join_accept_mic(JoinType::Join, &join_eui, self.dev_nonce, &mic_key).ok()? {
            return None;
        }
        let mut net_id = payload.home_netid.to_le_bytes();
        net_id.reverse();
        let accept = JoinAccept {
            join_nonce: JoinNonce::new(payload.join_nonce)?,
            net_id: NetId(net_id),
            dev_addr: DevAddr::from(payload.devaddr),
            rx: self.rx_settings(&payload)?,
            cf_list: match &payload.cflist {
                Some(list) => Some(CfList::from_lrwn(list)?),
                None => None,
            },
        };
        let keys = self.keys.session(Nonces {
            opt_neg,
            join_nonce: accept.join_nonce,
            net_id: accept.net_id,
            join_eui: self.join_eui,
            dev_nonce: self.dev_nonce,
        });
        Some(Joined { accept, keys })
    }

    /// RxDelay 0 means 1 s.
    fn rx_settings(&self, payload: &lrwn::JoinAcceptPayload) -> Option<RxSettings> {
        let rx2_hz = RxSettings::standard(self.region).rx2_frequency_hz();
        let settings = &payload.dl_settings;
        RxSettings::new(self.region, payload.rx_delay.max(1), settings.rx1_dr_offset, rx2_hz, settings.rx2_dr).ok()
    }
}
