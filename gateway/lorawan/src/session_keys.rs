//! The keys of one session.

use minicbor::{Decode, Encode};

use crate::Key128;

/// The session keys of an activated device: what personalisation (ABP) writes into it, or a join derives.
///
/// They also say which frame format the session speaks, 1.0.x or 1.1 (LoRaWAN 1.1 §6.1.2, §6.1.3): a 1.1 device in a
/// session without OptNeg has 1.0 keys and sends 1.0 frames.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SessionKeys {
    #[n(0)]
    network: NetworkKeys,
    /// AppSKey: the payload on FPorts 1 to 255.
    #[n(1)]
    app_s_key: Key128,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
enum NetworkKeys {
    /// One key for every purpose.
    #[n(0)]
    V1_0 {
        #[n(0)]
        nwk_s_key: Key128,
    },
    #[n(1)]
    V1_1 {
        #[n(0)]
        f_nwk_s_int_key: Key128,
        #[n(1)]
        s_nwk_s_int_key: Key128,
        #[n(2)]
        nwk_s_enc_key: Key128,
    },
}

/// The four session keys of LoRaWAN 1.1, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKeys11 {
    /// FNwkSIntKey: the second half of an uplink's MIC.
    pub f_nwk_s_int_key: Key128,
    /// SNwkSIntKey: the first half of an uplink's MIC, and the MIC of downlinks.
    pub s_nwk_s_int_key: Key128,
    /// NwkSEncKey: MAC commands, in FOpts and on FPort 0.
    pub nwk_s_enc_key: Key128,
    /// AppSKey: the payload on FPorts 1 to 255.
    pub app_s_key: Key128,
}

impl SessionKeys {
    /// A session of LoRaWAN 1.0.x: NwkSKey for every MIC and for FPort 0, AppSKey for the other payloads.
    pub fn v1_0(nwk_s_key: Key128, app_s_key: Key128) -> SessionKeys {
        SessionKeys { network: NetworkKeys::V1_0 { nwk_s_key }, app_s_key }
    }

    /// A session of LoRaWAN 1.1.
    pub fn v1_1(keys: SessionKeys11) -> SessionKeys {
        let SessionKeys11 { f_nwk_s_int_key, s_nwk_s_int_key, nwk_s_enc_key, app_s_key } = keys;
        SessionKeys { network: NetworkKeys::V1_1 { f_nwk_s_int_key, s_nwk_s_int_key, nwk_s_enc_key }, app_s_key }
    }

    /// The session speaks the frame format of 1.1: a MIC over TxDr and TxCh, encrypted FOpts, two downlink counters.
    pub fn is_v1_1(&self) -> bool {
        matches!(self.network, NetworkKeys::V1_1 { .. })
    }

    /// FNwkSIntKey; NwkSKey in 1.0.
    pub(crate) fn f_nwk_s_int_key(&self) -> &Key128 {
        match &self.network {
            NetworkKeys::V1_0 { nwk_s_key } => nwk_s_key,
            NetworkKeys::V1_1 { f_nwk_s_int_key, .. } => f_nwk_s_int_key,
        }
    }

    /// SNwkSIntKey; NwkSKey in 1.0.
    pub(crate) fn s_nwk_s_int_key(&self) -> &Key128 {
        match &self.network {
            NetworkKeys::V1_0 { nwk_s_key } => nwk_s_key,
            NetworkKeys::V1_1 { s_nwk_s_int_key, .. } => s_nwk_s_int_key,
        }
    }

    /// NwkSEncKey; NwkSKey in 1.0.
    pub(crate) fn nwk_s_enc_key(&self) -> &Key128 {
        match &self.network {
            NetworkKeys::V1_0 { nwk_s_key } => nwk_s_key,
            NetworkKeys::V1_1 { nwk_s_enc_key, .. } => nwk_s_enc_key,
        }
    }

    /// The key of a payload on `f_port`.
    pub(crate) fn payload_key(&self, f_port: u8) -> &Key128 {
        if f_port == 0 { self.nwk_s_enc_key() } else { &self.app_s_key }
    }

    pub(crate) fn mac_version(&self) -> lrwn::MACVersion {
        if self.is_v1_1() { lrwn::MACVersion::LoRaWAN1_1 } else { lrwn::MACVersion::LoRaWAN1_0 }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn both() -> [SessionKeys; 2] {
        let key = |byte| Key128::new([byte; 16]);
        let v1_1 = SessionKeys11 {
            f_nwk_s_int_key: key(1),
            s_nwk_s_int_key: key(2),
            nwk_s_enc_key: key(3),
            app_s_key: key(4),
        };
        [SessionKeys::v1_0(key(1), key(4)), SessionKeys::v1_1(v1_1)]
    }

    #[test]
    fn are_stored_and_never_shown() {
        for keys in both() {
            let bytes = minicbor::to_vec(&keys).unwrap();
            assert_eq!(minicbor::decode::<SessionKeys>(&bytes).unwrap(), keys);
            assert!(minicbor::decode::<SessionKeys>(&bytes[..bytes.len() - 1]).is_err());
        }
        expect!["SessionKeys { network: V1_0 { nwk_s_key: Key128(..) }, app_s_key: Key128(..) }"]
            .assert_eq(&format!("{:?}", both()[0]));
    }
}
