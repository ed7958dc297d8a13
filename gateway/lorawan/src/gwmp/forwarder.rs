//! The far end of the wire: what a packet forwarder sends and understands, for a simulated one.
//!
//! Weir itself never sends these datagrams. They exist so that a demonstration and tests have a gateway to hear from.

use serde::Serialize;

use super::header::{PULL_ACK, PULL_DATA, PULL_RESP, PUSH_ACK, PUSH_DATA, TX_ACK, VERSION};
use super::{Rxpk, Stat, Token, TxAck, Txpk};
use crate::Eui64;

/// What a server sends to a forwarder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromServer {
    /// The PUSH_DATA with this token was seen.
    PushAck(Token),
    /// The PULL_DATA with this token was seen.
    PullAck(Token),
    /// Send this, and say so with a TX_ACK of the same token.
    PullResp(Token, Txpk),
}

/// Reads a server's datagram; none for what a forwarder drops in silence.
pub fn parse(datagram: &[u8]) -> Option<FromServer> {
    let (&[version, t0, t1, kind], body) = datagram.split_first_chunk()?;
    let token = Token([t0, t1]);
    match (version, kind) {
        (VERSION, PUSH_ACK) if body.is_empty() => Some(FromServer::PushAck(token)),
        (VERSION, PULL_ACK) if body.is_empty() => Some(FromServer::PullAck(token)),
        (VERSION, PULL_RESP) => Txpk::parse(body).map(|txpk| FromServer::PullResp(token, txpk)),
        _ => None,
    }
}

/// A PUSH_DATA. The caller keeps to at most 255 `rxpk`.
pub fn push_data(token: Token, eui: Eui64, rxpk: &[Rxpk], stat: Option<&Stat>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a, R> {
        #[serde(skip_serializing_if = "Option::is_none")]
        rxpk: Option<Vec<R>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        stat: Option<&'a Stat>,
    }
    let objects = rxpk.iter().map(Rxpk::to_json).collect();
    let rxpk = if rxpk.is_empty() { None } else { Some(objects) };
    with_json(header(token, PUSH_DATA, eui), &Body { rxpk, stat })
}

/// A PULL_DATA: 12 bytes, to be sent every 5 to 10 s from the other socket than PUSH_DATA.
pub fn pull_data(token: Token, eui: Eui64) -> Vec<u8> {
    header(token, PULL_DATA, eui)
}

/// A TX_ACK.
pub fn tx_ack(ack: TxAck) -> Vec<u8> {
    let header = header(ack.token, TX_ACK, ack.eui);
    match ack.to_json() {
        Some(body) => with_json(header, &body),
        None => header,
    }
}

fn header(token: Token, kind: u8, eui: Eui64) -> Vec<u8> {
    let mut datagram = vec![VERSION, token.0[0], token.0[1], kind];
    datagram.extend_from_slice(&eui.0);
    datagram
}

#[expect(clippy::expect_used, reason = "numbers and texts always serialise")]
fn with_json(mut datagram: Vec<u8>, body: &impl Serialize) -> Vec<u8> {
    serde_json::to_writer(&mut datagram, body).expect("writing to memory does not fail");
    datagram
}
