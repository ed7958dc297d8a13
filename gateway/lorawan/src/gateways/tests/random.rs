//! Whatever comes, in whatever order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::gwmp::{TxAck, TxError, TxOutcome};

/// When and how long each gateway is on air, as the forwarders were told.
#[derive(Default)]
struct OnAir(Vec<(SocketAddr, u64, u64)>);

impl OnAir {
    /// Counters of these gateways are our clock in µs.
    fn note(&mut self, sent: &Outgoing) {
        let Some(FromServer::PullResp(_, txpk)) = forwarder::parse(&sent.datagram) else { panic!("a PULL_RESP") };
        let starts_us = u64::from(txpk.tmst_us().unwrap());
        let airtime_us = u64::from(crate::airtime_us(txpk.data_rate, u8::try_from(txpk.phy.len()).unwrap(), false));
        self.0.push((sent.to, starts_us, starts_us + airtime_us));
    }

    fn overlap(&self) -> bool {
        let pairs =
            self.0.iter().enumerate().flat_map(|(n, one)| self.0[n + 1..].iter().map(move |other| (one, other)));
        pairs.into_iter().any(|(one, other)| one.0 == other.0 && one.1 < other.2 && other.1 < one.2)
    }
}

proptest! {
    /// Each downlink comes back exactly once, and no gateway ever sends two at a time.
    #[test]
    fn nothing_pending_is_lost_or_doubled_or_overlaps(
        steps in prop::collection::vec((0..5u8, 0..3u8, 0..40u16, 0..1_500u64), 0..150),
    ) {
        let mut gateways: Gateways<usize> = Gateways::new(Region::Eu868, Admission::default(), 0);
        let (mut now_ms, mut asked, mut back, mut on_air) = (0u64, 0, BTreeSet::new(), OnAir::default());
        let mut last: Vec<Reception> = Vec::new();
        for (action, who, number, wait_ms) in steps {
            let eui = Eui64([who; 8]);
            match action {
                0 => {
                    let from = SocketAddr::from(([10, 0, 0, who], 1700));
                    let _ = gateways.admit(now_ms, from, &Header { kind: Kind::PullData, token: Token([0, 0]), eui });
                }
                1 => {
                    let rxpk = Rxpk { tmst_us: u32::try_from(now_ms * 1_000).unwrap(), ..uplink(&mut table_with(eui), 0, eui, 0).best.rxpk };
                    let push = PushData { token: Token([0, 0]), eui, rxpk: vec![rxpk], skipped: vec![], stat: None };
                    last.extend(gateways.heard(now_ms, push));
                }
                2 => {
                    let Some(heard) = last.pop().map(Heard::alone) else { continue };
                    asked += 1;
                    match gateways.send(now_ms, plan(&heard), asked) {
                        Ok(sent) => on_air.note(&sent),
                        Err(not_sent) => prop_assert!(back.insert(not_sent.value)),
                    }
                }
                3 => {
                    // Only what is not refused is on air, so refusals are by a gateway whose transmissions are not noted.
                    let outcome = if who == 2 { TxOutcome::Refused(TxError::TooLate) } else { TxOutcome::Queued };
                    match gateways.acknowledged(now_ms, &TxAck { token: Token(number.to_be_bytes()), eui, outcome }) {
                        Acknowledged::Unmatched => {}
                        Acknowledged::Queued { value, .. } => prop_assert!(back.insert(value)),
                        Acknowledged::Again(_) => on_air.0.retain(|(to, ..)| to.ip() != std::net::IpAddr::from([10, 0, 0, 2])),
                        Acknowledged::NotSent(not_sent) => {
                            prop_assert!(back.insert(not_sent.value));
                            on_air.0.retain(|(to, ..)| to.ip() != std::net::IpAddr::from([10, 0, 0, 2]));
                        }
                    }
                }
                _ => now_ms += wait_ms,
            }
            for not_sent in gateways.expire(now_ms) {
                prop_assert!(back.insert(not_sent.value));
            }
            prop_assert!(gateways.next_timeout_ms().is_none_or(|at| at > now_ms));
            prop_assert!(!on_air.overlap(), "{:?}", on_air.0);
        }
        for not_sent in gateways.expire(u64::MAX) {
            prop_assert!(back.insert(not_sent.value));
        }
        prop_assert_eq!(back.len(), asked);
    }
}

fn table_with(eui: Eui64) -> Gateways<&'static str> {
    let mut gateways = table();
    pull_of(&mut gateways, 0, eui, "10.0.0.1:1").unwrap();
    gateways
}
