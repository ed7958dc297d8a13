//! FRMPayload encryption, LoRaWAN 1.0.4 §4.3.3: AES in counter mode, so encrypting and decrypting are one.

use crate::{DevAddr, Key128};

/// Encrypts or decrypts the payload of an uplink; the result has its length.
#[expect(clippy::expect_used, reason = "lrwn's function returns Result but has no failing path")]
pub(crate) fn frm_payload_up(key: &Key128, addr: DevAddr, f_cnt: u32, payload: &[u8]) -> Vec<u8> {
    lrwn::encrypt_frm_payload(&key.to_lrwn(), true, &addr.into(), f_cnt, payload)
        .expect("the key stream exists for every key, address and counter")
}
