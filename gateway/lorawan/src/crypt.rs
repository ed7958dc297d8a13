//! Encryption of FRMPayload (LoRaWAN 1.0.4 §4.3.3) and of 1.1's FOpts (1.1 §4.3.1.6): AES in counter mode, so encrypting
//! and decrypting are one.

use crate::{DevAddr, Key128};

/// Which way a frame goes; part of the key stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

/// Encrypts or decrypts a payload; the result has its length.
#[expect(clippy::expect_used, reason = "lrwn's function returns Result but has no failing path")]
pub(crate) fn frm_payload(key: &Key128, direction: Direction, addr: DevAddr, f_cnt: u32, payload: &[u8]) -> Vec<u8> {
    lrwn::encrypt_frm_payload(&key.to_lrwn(), direction == Direction::Up, &addr.into(), f_cnt, payload)
        .expect("the key stream exists for every key, address and counter")
}

/// Which counter numbers a frame, as 1.1's FOpts encryption tells them apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FOptsCounter {
    Up,
    NDown,
    ADown,
}

/// Encrypts or decrypts 1.1's FOpts with NwkSEncKey; at most 15 bytes.
#[expect(clippy::expect_used, reason = "FOpts have at most 15 bytes, for which lrwn's function cannot fail")]
pub(crate) fn f_opts(key: &Key128, counter: FOptsCounter, addr: DevAddr, f_cnt: u32, f_opts: &[u8]) -> Vec<u8> {
    let (a_f_cnt_down, up) = (counter == FOptsCounter::ADown, counter == FOptsCounter::Up);
    lrwn::encrypt_f_opts(&key.to_lrwn(), a_f_cnt_down, up, &addr.into(), f_cnt, f_opts)
        .expect("FOpts have at most 15 bytes")
}
