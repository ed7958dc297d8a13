//! What one end writes, the other reads; and any bytes are answered.

use proptest::prelude::*;

use super::forwarder::FromServer;
use super::*;
use crate::{Eui64, LoraDataRate};

fn rate() -> impl Strategy<Value = LoraDataRate> {
    (0..6usize, 0..3usize).prop_map(|(sf, bw)| LoraDataRate {
        spreading_factor: crate::SpreadingFactor::ALL[sf],
        bandwidth: [crate::Bandwidth::Khz125, crate::Bandwidth::Khz250, crate::Bandwidth::Khz500][bw],
    })
}

fn rxpk() -> impl Strategy<Value = Rxpk> {
    let crc = prop::sample::select(vec![CrcStatus::Ok, CrcStatus::Bad, CrcStatus::None, CrcStatus::Absent]);
    let data_rate = prop_oneof![rate().prop_map(crate::DataRate::Lora), any::<u32>().prop_map(crate::DataRate::Fsk)];
    let text = prop::option::of("[ -~]{0,64}");
    let radio = (prop::option::of(-1000..=1000i16), prop::option::of(-1000..=1000i16));
    let times = (any::<u32>(), text.clone(), any::<Option<u64>>());
    let phy = prop::collection::vec(any::<u8>(), 1..=255);
    let place = (1_000_000..=4_294_000_000u32, any::<Option<u8>>(), any::<Option<u8>>());
    (phy, times, place, crc, data_rate, text, radio).prop_map(|(phy, times, place, crc, data_rate, codr, radio)| Rxpk {
        phy,
        tmst_us: times.0,
        time: times.1,
        gps_ms: times.2,
        frequency_hz: place.0,
        channel: place.1,
        rf_chain: place.2,
        crc,
        data_rate,
        coding_rate: codr,
        rssi_dbm: radio.0,
        snr_ddb: radio.1,
    })
}

proptest! {
    #[test]
    fn push_data_round_trip(token: [u8; 2], eui: [u8; 8], rxpk in prop::collection::vec(rxpk(), 0..5), rxnb: Option<u32>) {
        let stat = Stat { rxnb, ackr: Some(12.5), ..Stat::default() };
        let bytes = forwarder::push_data(Token(token), Eui64(eui), &rxpk, Some(&stat));
        let expected = PushData { token: Token(token), eui: Eui64(eui), rxpk, skipped: vec![], stat: Some(stat) };
        prop_assert_eq!(Packet::parse(&bytes).unwrap(), Packet::PushData(expected));
    }

    #[test]
    fn pull_resp_round_trip(token: [u8; 2], immediate: bool, tmst_us: u32, frequency_hz in 1_000_000..=4_294_000_000u32, power_dbm: i8,
                            data_rate in rate(), phy in prop::collection::vec(any::<u8>(), 1..=255)) {
        let time = if immediate { TxTime::Immediate } else { TxTime::Counter { tmst_us } };
        let txpk = Txpk { time, frequency_hz, power_dbm, data_rate, phy };
        let bytes = pull_resp(Token(token), &txpk);
        let json: serde_json::Value = serde_json::from_slice(&bytes[4..]).unwrap();
        let freq = json["txpk"]["freq"].to_string();
        prop_assert!(freq.split_once('.').is_none_or(|(_, decimals)| decimals.len() <= 6), "{}", freq);
        prop_assert_eq!(forwarder::parse(&bytes), Some(FromServer::PullResp(Token(token), txpk)));
    }

    #[test]
    fn tx_ack_and_pull_data_round_trip(token: [u8; 2], eui: [u8; 8], error in 0..7usize, kind in 0..3u8, power: Option<i8>) {
        let outcome = match kind {
            0 => TxOutcome::Queued,
            1 => TxOutcome::QueuedAtOtherPower { power_dbm: power.map(|dbm| dbm.clamp(-100, 100)) },
            _ => TxOutcome::Refused(TxError::ALL[error]),
        };
        let (token, eui) = (Token(token), Eui64(eui));
        let ack = TxAck { token, eui, outcome };
        prop_assert_eq!(Packet::parse(&forwarder::tx_ack(ack)).unwrap(), Packet::TxAck(ack));
        let pull = forwarder::pull_data(token, eui);
        prop_assert_eq!(Packet::parse(&pull).unwrap(), Packet::PullData { token, eui });
        let ack = Header::parse(&pull).unwrap().acknowledgement().unwrap();
        prop_assert_eq!(forwarder::parse(&ack), Some(FromServer::PullAck(token)));
    }

    #[test]
    fn any_datagram_is_answered(kind in 0..8u8, raw in prop::collection::vec(any::<u8>(), 0..400), body in ".{0,200}") {
        let _ = Packet::parse(&raw);
        let _ = forwarder::parse(&raw);
        let header = [2, 0xab, 0xcd, kind, 0, 0x16, 0xc0, 1, 0xf1, 0x53, 0xa1, 0x4c];
        let _ = Packet::parse(&[&header[..], body.as_bytes()].concat());
        let _ = Packet::parse(&[&header[..], &raw].concat());
    }

    /// A damaged datagram of the right shape: one byte of a good one replaced.
    #[test]
    fn any_damaged_datagram_is_answered(rxpk in rxpk(), at: prop::sample::Index, byte: u8) {
        let mut bytes = forwarder::push_data(Token([0, 1]), Eui64([7; 8]), &[rxpk], Some(&Stat::default()));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(Packet::PushData(push)) = Packet::parse(&bytes) {
            prop_assert!(push.rxpk.iter().all(|rxpk| (1..=255).contains(&rxpk.phy.len())));
        }
    }
}
