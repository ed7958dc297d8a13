//! The answer to a join-request.

use lrwn::{DLSettings, FType, JoinAcceptPayload, JoinType, MHDR, Major, Payload, PhyPayload};

use super::{CfList, JoinRequest};
use crate::region::RxSettings;
use crate::root_keys::Nonces;
use crate::{DevAddr, JoinNonce, NetId, RootKeys, SessionKeys};

/// What a join-accept hands out (LoRaWAN 1.0.4 §6.2.6, 1.1 §6.2.3).
///
/// ```text
/// offset  bytes   field
/// 0       1       MHDR: 20
/// 1       3       JoinNonce, little-endian          ┐
/// 4       3       NetID, least significant first    │
/// 7       4       DevAddr, least significant first  │ encrypted: AES-ECB decryption by
/// 11      1       DLSettings: OptNeg, RX1DROffset,  │ AppKey (1.0.x) or NwkKey (1.1)
///                 RX2 data rate                     │
/// 12      1       RxDelay, s                        │
/// 13      0/16    CFList                            │
/// end-4   4       MIC                               ┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinAccept {
    /// Durable before this leaves, and never used for this device before.
    pub join_nonce: JoinNonce,
    /// Whose network this is; it goes into the keys of 1.0.x.
    pub net_id: NetId,
    /// The device's address in the new session.
    pub dev_addr: DevAddr,
    /// When and where the device listens. RX2's frequency does not travel in it: it is the plan's.
    pub rx: RxSettings,
    /// Channels beside the default ones.
    pub cf_list: Option<CfList>,
}

/// A join-accept to send, and the session that it opens. Commit the session before the frame leaves; the session before
/// it stays valid until the first uplink of this one, for the frame may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// PHYPayload of 17 or 33 bytes; RX1 is 5 s after the join-request, RX2 6 s.
    pub phy: Vec<u8>,
    /// The keys of the new session.
    pub keys: SessionKeys,
}

impl JoinRequest {
    /// Builds the answer: 1.1's form with OptNeg (MIC by JSIntKey) for a device with 1.1's root keys, else 1.0's.
    ///
    /// Only for a request that [`verify`](JoinRequest::verify)s and whose DevNonce was
    /// [taken](crate::DevNonces::take).
    #[expect(clippy::expect_used, reason = "lrwn returns Result for payloads that the types of `accept` exclude")]
    pub fn accept(&self, keys: &RootKeys, accept: &JoinAccept) -> Accept {
        let opt_neg = keys.is_v1_1();
        let payload = Payload::JoinAccept(JoinAcceptPayload {
            join_nonce: accept.join_nonce.to_u32(),
            home_netid: accept.net_id.to_lrwn(),
            devaddr: accept.dev_addr.into(),
            dl_settings: DLSettings { opt_neg, rx2_dr: accept.rx.rx2_dr(), rx1_dr_offset: accept.rx.rx1_dr_offset() },
            rx_delay: accept.rx.rx1_delay_s(),
            cflist: accept.cf_list.map(CfList::to_lrwn),
        });
        let mhdr = MHDR { f_type: FType::JoinAccept, major: Major::LoRaWANR1 };
        let mut frame = PhyPayload { mhdr, payload, mic: None };
        let join_eui = lrwn::EUI64::from_be_bytes(self.join_eui.0);
        let mic_key = keys.accept_mic_key(opt_neg, self.dev_eui).to_lrwn();
        frame
            .set_join_accept_mic(JoinType::Join, &join_eui, self.dev_nonce, &mic_key)
            .expect("a join-accept whose fields fit has a MIC");
        // 1.1 §6.2.3: the answer to a join-request is encrypted by NwkKey; JSEncKey is for rejoins.
        frame
            .encrypt_join_accept_payload(&keys.join_key().to_lrwn())
            .expect("a join-accept with its MIC is one or two blocks long");
        let keys = keys.session(Nonces {
            opt_neg,
            join_nonce: accept.join_nonce,
            net_id: accept.net_id,
            join_eui: self.join_eui,
            dev_nonce: self.dev_nonce,
        });
        Accept { phy: frame.to_vec().expect("an encrypted join-accept serialises"), keys }
    }
}
