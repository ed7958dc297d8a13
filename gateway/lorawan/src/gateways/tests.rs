//! One table, driven by datagrams as forwarders send them.

mod admission;
mod downlinks;
mod health;
mod random;

use crate::dedupe::{CounterRun, Heard};
use crate::gwmp::forwarder::{self, FromServer};
use crate::gwmp::{CrcStatus, Packet, Rxpk, Stat, Token};
use crate::schedule::{self, Plan, Windows};

use super::*;

const EUI: Eui64 = Eui64([0, 0x16, 0xc0, 1, 0xf1, 0x53, 0xa1, 0x4c]);
const OTHER: Eui64 = Eui64([2; 8]);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn table() -> Gateways<&'static str> {
    Gateways::new(Region::Eu868, Admission::default(), 0xfffe)
}

fn pull(gateways: &mut Gateways<&'static str>, now_ms: u64, from: &str) -> Result<Admitted, Refusal> {
    pull_of(gateways, now_ms, EUI, from)
}

fn pull_of(gateways: &mut Gateways<&'static str>, now_ms: u64, eui: Eui64, from: &str) -> Result<Admitted, Refusal> {
    let datagram = forwarder::pull_data(Token([0, 0]), eui);
    gateways.admit(now_ms, address(from), &Header::parse(&datagram).unwrap())
}

fn push(
    gateways: &mut Gateways<&'static str>,
    now_ms: u64,
    from: &str,
    stat: Option<&Stat>,
) -> Result<Admitted, Refusal> {
    let datagram = forwarder::push_data(Token([0, 0]), EUI, &[], stat);
    let admitted = gateways.admit(now_ms, address(from), &Header::parse(&datagram).unwrap())?;
    gateways.heard(now_ms, parsed(&datagram));
    Ok(admitted)
}

fn parsed(datagram: &[u8]) -> PushData {
    match Packet::parse(datagram) {
        Ok(Packet::PushData(push)) => push,
        other => panic!("{other:?}"),
    }
}

/// An uplink of this gateway, at this time of its counter.
fn uplink(gateways: &mut Gateways<&'static str>, now_ms: u64, eui: Eui64, tmst_us: u32) -> Heard {
    let rxpk = Rxpk {
        phy: vec![0x80; 12],
        tmst_us,
        time: None,
        gps_ms: None,
        frequency_hz: 868_100_000,
        channel: None,
        rf_chain: None,
        crc: CrcStatus::Ok,
        data_rate: crate::DataRate::Lora("SF7BW125".parse().unwrap()),
        coding_rate: None,
        rssi_dbm: None,
        snr_ddb: None,
    };
    let push = parsed(&forwarder::push_data(Token([0, 0]), eui, &[rxpk], None));
    Heard::alone(gateways.heard(now_ms, push).pop().unwrap())
}

/// The acknowledgement of that uplink.
fn plan(heard: &Heard) -> Plan {
    schedule::answer(heard, Windows::Standard, Region::Eu868, vec![0x60; 12])
}

fn token(outgoing: &Outgoing) -> Token {
    match forwarder::parse(&outgoing.datagram) {
        Some(FromServer::PullResp(token, _)) => token,
        other => panic!("{other:?}"),
    }
}

fn status<'a>(gateways: &'a Gateways<&'static str>, now_ms: u64) -> GatewayStatus<'a> {
    gateways.status(now_ms).find(|gateway| gateway.eui == EUI).unwrap()
}
