//! A device that listens.

use lrwn::{FRMPayload, FType, Payload, PhyPayload};

use crate::crypt::{self, Direction, FOptsCounter};
use crate::down_counters::is_application;
use crate::{DevAddr, DownCounters, SessionKeys};

/// A downlink, verified and decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its full counter.
    pub f_cnt_down: u32,
    /// It acknowledges the last confirmed uplink.
    pub ack: bool,
    /// It asks for an acknowledgement.
    pub confirmed: bool,
    /// More frames wait.
    pub f_pending: bool,
    /// MAC commands of the header, in plain text.
    pub f_opts: Vec<u8>,
    /// FPort and payload, in plain text.
    pub payload: Option<(u8, Vec<u8>)>,
}

/// Reads a data downlink for `dev_addr` whose counter is at least the `expected` one, and moves that on. None if it is
/// for somebody else, was seen before, or does not verify. `f_cnt_up` is the counter of the device's last confirmed
/// uplink; it is part of the MIC of an acknowledgement in 1.1.
pub fn receive(
    phy: &[u8],
    dev_addr: DevAddr,
    keys: &SessionKeys,
    expected: &mut DownCounters,
    f_cnt_up: u32,
) -> Option<Received> {
    let mut frame = PhyPayload::from_slice(phy).ok().filter(|frame| frame.to_vec().is_ok_and(|bytes| bytes == phy))?;
    if !matches!(frame.mhdr.f_type, FType::UnconfirmedDataDown | FType::ConfirmedDataDown) {
        return None;
    }
    let Payload::MACPayload(mac) = &mut frame.payload else { return None };
    if DevAddr::from(mac.fhdr.devaddr) != dev_addr {
        return None;
    }
    let f_port = mac.f_port;
    let next = expected.of(keys, f_port);
    let gap = mac.fhdr.f_cnt.wrapping_sub(*next) & 0xffff;
    let f_cnt_down = next.checked_add(gap)?;
    mac.fhdr.f_cnt = f_cnt_down;
    let mac = mac.clone();
    let verifies =
        frame.validate_downlink_data_mic(keys.mac_version(), f_cnt_up, &keys.s_nwk_s_int_key().to_lrwn()).ok()?;
    if !verifies {
        return None;
    }
    *next = f_cnt_down.saturating_add(1);
    let mut f_opts = mac.fhdr.f_opts.to_vec().ok()?;
    if keys.is_v1_1() {
        let counter = if is_application(keys, f_port) { FOptsCounter::ADown } else { FOptsCounter::NDown };
        f_opts = crypt::f_opts(keys.nwk_s_enc_key(), counter, dev_addr, f_cnt_down, &f_opts);
    }
    let payload = f_port.map(|f_port| {
        let bytes = mac.frm_payload.as_ref().and_then(|payload: &FRMPayload| payload.to_vec().ok()).unwrap_or_default();
        (f_port, crypt::frm_payload(keys.payload_key(f_port), Direction::Down, dev_addr, f_cnt_down, &bytes))
    });
    let confirmed = frame.mhdr.f_type == FType::ConfirmedDataDown;
    Some(Received {
        f_cnt_down,
        ack: mac.fhdr.f_ctrl.ack,
        confirmed,
        f_pending: mac.fhdr.f_ctrl.f_pending,
        f_opts,
        payload,
    })
}

/// Whether `phy` acknowledges, for a device of LoRaWAN 1.0.x: a data downlink for `dev_addr` with FCtrl.ACK whose MIC
/// verifies, with a counter of at least `f_cnt_down_next`. Gives that counter, of which the device expects one more next
/// time.
pub fn acknowledged(phy: &[u8], dev_addr: DevAddr, keys: &SessionKeys, f_cnt_down_next: u32) -> Option<u32> {
    let mut expected = DownCounters { n_f_cnt_down: f_cnt_down_next, a_f_cnt_down: f_cnt_down_next };
    receive(phy, dev_addr, keys, &mut expected, 0).filter(|received| received.ack).map(|received| received.f_cnt_down)
}
