//! The far end over the air: what an end-device does, for a simulated one.
//!
//! Weir never sends these frames. They exist so that a demonstration and tests have a device to talk to.

mod downlink;
mod join;

use lrwn::{FCtrl, FHDR, FRMPayload, FType, MACCommand, MACCommandSet, MACPayload, MHDR, Major, Payload, PhyPayload};

use crate::crypt::{self, Direction, FOptsCounter};
use crate::{DevAddr, F_OPTS_BYTES_MAX, MicContext, SessionKeys};

pub use downlink::{Received, acknowledged, receive};
pub use join::{Joined, Joining};

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
    /// 1 to 223 for application data, 0 for MAC commands.
    pub f_port: u8,
    /// In plain text; cut at [`PAYLOAD_BYTES_MAX`].
    pub payload: &'a [u8],
    /// The network may choose the data rate.
    pub adr: bool,
    /// The device wants to hear anything at all.
    pub adr_ack_req: bool,
    /// The last confirmed downlink is acknowledged.
    pub ack: bool,
    /// MAC commands in plain text; cut at [`F_OPTS_BYTES_MAX`].
    pub f_opts: &'a [u8],
    /// How it is sent; of no matter in a 1.0.x session.
    pub context: MicContext,
}

impl Default for DataUp<'_> {
    fn default() -> Self {
        DataUp {
            dev_addr: DevAddr::from_u32(0),
            confirmed: false,
            f_cnt: 0,
            f_port: 1,
            payload: &[],
            adr: false,
            adr_ack_req: false,
            ack: false,
            f_opts: &[],
            context: MicContext::default(),
        }
    }
}

/// Encrypts and signs a data uplink; the result is a PHYPayload.
#[expect(clippy::expect_used, reason = "lrwn returns Result for payloads that this function never builds")]
pub fn data_up(up: DataUp<'_>, keys: &SessionKeys) -> Vec<u8> {
    let plain = &up.payload[..up.payload.len().min(PAYLOAD_BYTES_MAX)];
    let payload = crypt::frm_payload(keys.payload_key(up.f_port), Direction::Up, up.dev_addr, up.f_cnt, plain);
    let mut f_opts = up.f_opts[..up.f_opts.len().min(F_OPTS_BYTES_MAX)].to_vec();
    if keys.is_v1_1() {
        f_opts = crypt::f_opts(keys.nwk_s_enc_key(), FOptsCounter::Up, up.dev_addr, up.f_cnt, &f_opts);
    }
    let fhdr = FHDR {
        devaddr: up.dev_addr.into(),
        f_ctrl: FCtrl { adr: up.adr, adr_ack_req: up.adr_ack_req, ack: up.ack, ..FCtrl::default() },
        f_cnt: up.f_cnt,
        f_opts: MACCommandSet::new(vec![MACCommand::Raw(f_opts)]),
    };
    let f_type = if up.confirmed { FType::ConfirmedDataUp } else { FType::UnconfirmedDataUp };
    let mac_payload = MACPayload { fhdr, f_port: Some(up.f_port), frm_payload: Some(FRMPayload::Raw(payload)) };
    let mhdr = MHDR { f_type, major: Major::LoRaWANR1 };
    let mut frame = PhyPayload { mhdr, payload: Payload::MACPayload(mac_payload), mic: None };
    let MicContext { conf_f_cnt, tx_dr, tx_ch } = up.context;
    let (f_key, s_key) = (keys.f_nwk_s_int_key().to_lrwn(), keys.s_nwk_s_int_key().to_lrwn());
    frame
        .set_uplink_data_mic(keys.mac_version(), conf_f_cnt, tx_dr, tx_ch, &f_key, &s_key)
        .expect("a data frame within its length limits has a MIC");
    frame.to_vec().expect("a data frame within its length limits serialises")
}

#[cfg(test)]
mod tests;
