//! Random and damaged datagrams by a fixed seed, at everything that reads what a stranger may send.

mod rng;

use lorawan::gateways::{Acknowledged, Admission, GATEWAYS_MAX};
use lorawan::gwmp::forwarder::{pull_data, push_data, tx_ack};
use lorawan::gwmp::{CrcStatus, Header, Packet, RXPK_MAX, Rxpk, Stat, Token, TxAck, TxError, TxOutcome};
use lorawan::schedule::{self, Windows};
use lorawan::{DataRate, Dedupe, Eui64, Gateways, Heard, Region, Uplink};

use rng::Rng;

/// What came of a flood.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) datagrams: u64,
    /// Heard as GWMP of a gateway that may speak.
    pub(crate) admitted: u64,
    /// Frames that reached the MAC layer.
    pub(crate) uplinks: u64,
    /// Of these, frames of the right shape; nobody has their keys.
    pub(crate) data_frames: u64,
    pub(crate) downlinks: u64,
}

/// Sends `datagrams` of them through one table, one a millisecond, and checks its bounds all the while.
pub(crate) fn flood(seed: u64, datagrams: u64) -> Tally {
    let mut rng = Rng(seed);
    let mut gateways: Gateways<u64> = Gateways::new(Region::Eu868, Admission::default(), 0);
    let mut dedupe = Dedupe::new(200);
    let mut tally = Tally::default();
    let mut last: Option<Heard> = None;
    for now_ms in 0..datagrams {
        let datagram = datagram(&mut rng);
        tally.datagrams += 1;
        let Ok(header) = Header::parse(&datagram) else { continue };
        // Sometimes a stranger speaks in its name.
        let host = header.eui.0[0].wrapping_add(u8::from(rng.below(8) == 0));
        let from = ([10, 0, 0, host], 1700).into();
        if gateways.admit(now_ms, from, &header).is_err() {
            continue;
        }
        tally.admitted += 1;
        match Packet::parse(&datagram) {
            Ok(Packet::PushData(push)) => {
                assert!(push.rxpk.len() + push.skipped.len() <= RXPK_MAX);
                let online = gateways.online(now_ms);
                for reception in gateways.heard(now_ms, push) {
                    assert!((1..=255).contains(&reception.rxpk.phy.len()));
                    tally.uplinks += 1;
                    tally.data_frames += u64::from(Uplink::parse(&reception.rxpk.phy).is_ok());
                    last = dedupe.take(now_ms, reception, online).or(last);
                }
            }
            Ok(Packet::TxAck(ack)) => drop(gateways.acknowledged(now_ms, &ack)),
            Ok(Packet::PullData { .. }) => {}
            Err(_) => gateways.unreadable(header.eui),
        }
        last = std::iter::from_fn(|| dedupe.due(now_ms)).last().or(last);
        if let Some(heard) = last.take_if(|_| now_ms % 16 == 0) {
            tally.downlinks += u64::from(answer(&mut gateways, now_ms, &heard, now_ms));
        }
        if now_ms % 1_024 == 0 {
            drop(gateways.expire(now_ms));
            assert!(gateways.status(now_ms).count() <= GATEWAYS_MAX);
        }
    }
    tally
}

fn answer(gateways: &mut Gateways<u64>, now_ms: u64, heard: &Heard, value: u64) -> bool {
    let plan = schedule::answer(heard, Windows::Standard, Region::Eu868, vec![0x60; 12]);
    let Ok(sent) = gateways.send(now_ms, plan, value) else { return false };
    let token = Token([sent.datagram[1], sent.datagram[2]]);
    let ack = TxAck { token, eui: heard.best.gateway, outcome: TxOutcome::Refused(TxError::TooLate) };
    // Refused in one way, it is told to the next or comes back; never lost.
    !matches!(gateways.acknowledged(now_ms, &ack), Acknowledged::Queued { .. })
}

fn datagram(rng: &mut Rng) -> Vec<u8> {
    let mut datagram = match rng.below(8) {
        0 => {
            let length = rng.below(64);
            rng.bytes(length)
        }
        1 => pull_data(token(rng), eui(rng)),
        2 => {
            let outcome = TxOutcome::Refused(TxError::ALL[rng.below(TxError::ALL.len())]);
            tx_ack(TxAck { token: token(rng), eui: eui(rng), outcome })
        }
        3 => hostile(rng),
        _ => {
            let frames: Vec<Rxpk> = (0..rng.below(4)).map(|_| rxpk(rng)).collect();
            let stat = Stat { rxnb: Some(4), rxok: Some(3), rxfw: Some(3), ackr: Some(100.0), ..Stat::default() };
            push_data(token(rng), eui(rng), &frames, (rng.below(4) == 0).then_some(&stat))
        }
    };
    // Half of them arrive as they are.
    for _ in 0..[0, 0, 0, 1, 2, 8][rng.below(6)] {
        damage(rng, &mut datagram);
    }
    datagram
}

/// Of the right kind, with a body that nobody's forwarder writes.
fn hostile(rng: &mut Rng) -> Vec<u8> {
    const BODIES: [&str; 6] = [
        "{\"rxpk\":[",
        "{\"rxpk\":[{\"tmst\":1e999,\"freq\":-1e308,\"datr\":{},\"size\":-1,\"data\":[]}]}",
        "{\"stat\":{\"rxnb\":4294967296,\"ackr\":\"NaN\",\"time\":null}}",
        "{\"txpk_ack\":{\"error\":7,\"value\":1e400}}",
        "{\"rxpk\":{\"rxpk\":[]},\"rxpk\":[{}]}",
        "[[[[",
    ];
    let mut datagram = pull_data(token(rng), eui(rng));
    datagram[3] = [0, 0, 0, 5][rng.below(4)];
    let repeats = if rng.below(64) == 0 { 2_000 } else { 1 + rng.below(4) };
    let body = BODIES[rng.below(BODIES.len())];
    datagram.extend(body.bytes().cycle().take(body.len() * repeats));
    datagram
}

fn damage(rng: &mut Rng, datagram: &mut Vec<u8>) {
    if datagram.is_empty() {
        return;
    }
    let at = rng.below(datagram.len());
    match rng.below(5) {
        0 => datagram[at] ^= 1 << rng.below(8),
        1 => datagram[at] = rng.byte(),
        2 => datagram.truncate(at),
        3 => {
            let more = rng.below(16);
            let more = rng.bytes(more);
            drop(datagram.splice(at..at, more));
        }
        _ => {
            let again = datagram[at..datagram.len().min(at + 40)].to_vec();
            drop(datagram.splice(at..at, again));
        }
    }
}

fn rxpk(rng: &mut Rng) -> Rxpk {
    let mut phy = hex::decode("8001000126800100024f1b8afcdc98bb39b9ca74").unwrap_or_default();
    if rng.below(2) == 0 {
        let length = 1 + rng.below(255);
        phy = rng.bytes(length);
    }
    Rxpk {
        phy,
        tmst_us: [0, u32::MAX, 4_294_900_000, 1_000_000][rng.below(4)],
        time: None,
        gps_ms: None,
        frequency_hz: [868_100_000, 470_300_000, 869_525_000][rng.below(3)],
        channel: Some(rng.byte()),
        rf_chain: Some(0),
        crc: [CrcStatus::Ok, CrcStatus::Bad, CrcStatus::None, CrcStatus::Absent][rng.below(4)],
        data_rate: if rng.below(9) == 0 {
            DataRate::Fsk(50_000)
        } else {
            DataRate::Lora(lorawan::LoraDataRate::bw125(lorawan::SpreadingFactor::ALL[rng.below(6)]))
        },
        coding_rate: Some("4/5".to_owned()),
        rssi_dbm: Some(-80),
        snr_ddb: Some(i16::from(rng.byte())),
    }
}

fn token(rng: &mut Rng) -> Token {
    Token([rng.byte(), rng.byte()])
}

/// Mostly one of three, sometimes one of a hundred: more than the table holds.
fn eui(rng: &mut Rng) -> Eui64 {
    let one = if rng.below(16) == 0 { 100 } else { 3 };
    Eui64([u8::try_from(rng.below(one)).unwrap_or(0); 8])
}
