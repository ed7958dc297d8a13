//! The keys with which a device is made, and what a join derives from them.

use lrwn::keys;
use minicbor::{Decode, Encode};

use crate::{DevEui, JoinEui, JoinNonce, Key128, NetId, SessionKeys, session_keys::SessionKeys11};

/// The root keys of an OTAA device (LoRaWAN 1.0.4 §6.1.1.3, 1.1 §6.1.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum RootKeys {
    /// LoRaWAN 1.0.x: one key. A 1.1 device that is to join as 1.0 gives its NwkKey here (1.1 §6.1.1.3: the network
    /// then answers without OptNeg).
    #[n(0)]
    V1_0 {
        /// AppKey.
        #[n(0)]
        app_key: Key128,
    },
    /// LoRaWAN 1.1: two keys.
    #[n(1)]
    V1_1 {
        /// NwkKey: every MIC of a join, and the network session keys.
        #[n(0)]
        nwk_key: Key128,
        /// AppKey: AppSKey.
        #[n(1)]
        app_key: Key128,
    },
}

/// What a join has agreed on: everything that goes into the session keys beside the root keys.
#[derive(Clone, Copy)]
pub(crate) struct Nonces {
    pub(crate) opt_neg: bool,
    pub(crate) join_nonce: JoinNonce,
    pub(crate) net_id: NetId,
    pub(crate) join_eui: JoinEui,
    pub(crate) dev_nonce: u16,
}

impl RootKeys {
    /// The device is of LoRaWAN 1.1.
    pub fn is_v1_1(&self) -> bool {
        matches!(self, RootKeys::V1_1 { .. })
    }

    /// The key of the MIC of a join-request, and of the encryption of its answer.
    pub(crate) fn join_key(&self) -> &Key128 {
        match self {
            RootKeys::V1_0 { app_key } => app_key,
            RootKeys::V1_1 { nwk_key, .. } => nwk_key,
        }
    }

    /// The key of the MIC of a join-accept: JSIntKey where OptNeg is set (1.1 §6.2.3).
    pub(crate) fn accept_mic_key(&self, opt_neg: bool, dev_eui: DevEui) -> Key128 {
        if !opt_neg {
            return self.join_key().clone();
        }
        let dev_eui = lrwn::EUI64::from_be_bytes(dev_eui.0);
        derived(keys::get_js_int_key(&dev_eui, &self.join_key().to_lrwn()))
    }

    /// The session keys (1.0.4 §6.2.5; 1.1 §6.2.5, without OptNeg as in 1.0).
    pub(crate) fn session(&self, nonces: Nonces) -> SessionKeys {
        let Nonces { opt_neg, dev_nonce, .. } = nonces;
        let (net_id, join_eui) = (nonces.net_id.to_lrwn(), lrwn::EUI64::from_be_bytes(nonces.join_eui.0));
        let (root, join_nonce) = (self.join_key().to_lrwn(), nonces.join_nonce.to_u32());
        let f_nwk_s_int_key =
            derived(keys::get_f_nwk_s_int_key(opt_neg, &root, &net_id, &join_eui, join_nonce, dev_nonce));
        let app_s_key = |root: &Key128| {
            derived(keys::get_app_s_key(opt_neg, &root.to_lrwn(), &net_id, &join_eui, join_nonce, dev_nonce))
        };
        match self {
            RootKeys::V1_1 { app_key, .. } if opt_neg => SessionKeys::v1_1(SessionKeys11 {
                f_nwk_s_int_key,
                s_nwk_s_int_key: derived(keys::get_s_nwk_s_int_key(
                    opt_neg, &root, &net_id, &join_eui, join_nonce, dev_nonce,
                )),
                nwk_s_enc_key: derived(keys::get_nwk_s_enc_key(
                    opt_neg, &root, &net_id, &join_eui, join_nonce, dev_nonce,
                )),
                app_s_key: app_s_key(app_key),
            }),
            _ => SessionKeys::v1_0(f_nwk_s_int_key, app_s_key(self.join_key())),
        }
    }
}

/// What one of `lrwn::keys`' derivations gave.
#[expect(clippy::expect_used, reason = "lrwn's functions return Result but have no failing path")]
fn derived<E: std::fmt::Debug>(key: Result<lrwn::AES128Key, E>) -> Key128 {
    Key128::from_lrwn(key.expect("a key exists for all nonces"))
}
