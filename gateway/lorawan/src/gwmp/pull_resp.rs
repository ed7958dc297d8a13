//! PULL_RESP: a downlink for the gateway to send.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Token;
use super::header::{PULL_RESP, VERSION};
use super::rxpk::{frequency_hz, phy};
use crate::LoraDataRate;

/// When a gateway is to start sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxTime {
    /// At this time of the gateway's counter (`tmst`).
    Counter {
        /// µs, wrapping.
        tmst_us: u32,
    },
    /// As soon as it can (`imme`): for a class C device.
    Immediate,
}

/// A LoRaWAN downlink (`txpk`).
///
/// Inverted polarity and no payload CRC are not fields: every LoRaWAN downlink has both (LoRaWAN 1.0.4 §3.2). A gateway
/// drops a `txpk` that it cannot read **without** a TX_ACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Txpk {
    /// When to start sending.
    pub time: TxTime,
    /// Centre frequency, Hz.
    pub frequency_hz: u32,
    /// Power at the antenna, dBm.
    pub power_dbm: i8,
    /// Spreading factor and bandwidth; the coding rate is 4/5.
    pub data_rate: LoraDataRate,
    /// The PHYPayload, 1 to 255 bytes.
    pub phy: Vec<u8>,
}

#[derive(Deserialize, Serialize)]
struct Body {
    txpk: Object,
}

/// The object as it travels, in the order of the protocol's example.
#[derive(Deserialize, Serialize)]
struct Object {
    imme: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tmst: Option<u32>,
    freq: f64,
    rfch: u8,
    powe: i8,
    modu: String,
    datr: String,
    codr: String,
    ipol: bool,
    ncrc: bool,
    size: u32,
    data: String,
}

/// The PULL_RESP datagram. Send it to the address of the gateway's last PULL_DATA, nowhere else.
#[expect(clippy::expect_used, reason = "numbers, booleans and texts always serialise")]
pub fn pull_resp(token: Token, txpk: &Txpk) -> Vec<u8> {
    let object = Object {
        imme: txpk.time == TxTime::Immediate,
        tmst: txpk.tmst_us(),
        // Dividing rounds to the nearest double, whose shortest decimal form has at most the six decimals of the Hz.
        freq: f64::from(txpk.frequency_hz) / 1e6,
        rfch: 0,
        powe: txpk.power_dbm,
        modu: "LORA".to_owned(),
        datr: txpk.data_rate.to_string(),
        codr: "4/5".to_owned(),
        ipol: true,
        ncrc: true,
        size: u32::try_from(txpk.phy.len()).unwrap_or(u32::MAX),
        data: STANDARD.encode(&txpk.phy),
    };
    let Token([t0, t1]) = token;
    let mut datagram = vec![VERSION, t0, t1, PULL_RESP];
    serde_json::to_writer(&mut datagram, &Body { txpk: object }).expect("writing to memory does not fail");
    datagram
}

impl Txpk {
    /// The time by the gateway's counter, µs; none if it is to be sent at once.
    pub fn tmst_us(&self) -> Option<u32> {
        match self.time {
            TxTime::Counter { tmst_us } => Some(tmst_us),
            TxTime::Immediate => None,
        }
    }

    /// Reads the body of a PULL_RESP as a forwarder does: none if it would drop it.
    pub(super) fn parse(body: &[u8]) -> Option<Txpk> {
        let Body { txpk: object } = serde_json::from_slice(body).ok()?;
        let lorawan = object.modu == "LORA" && object.codr == "4/5" && object.ipol && object.ncrc;
        if !lorawan {
            return None;
        }
        Some(Txpk {
            time: match (object.imme, object.tmst) {
                (true, _) => TxTime::Immediate,
                (false, Some(tmst_us)) => TxTime::Counter { tmst_us },
                (false, None) => return None,
            },
            frequency_hz: frequency_hz(object.freq).ok()?,
            power_dbm: object.powe,
            data_rate: object.datr.parse().ok()?,
            phy: phy(object.size, &object.data).ok()?,
        })
    }
}
