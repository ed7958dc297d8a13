use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::gwmp::forwarder::{self, FromServer};
use crate::gwmp::{Packet, Stat, TxError, TxOutcome};

const EUI: Eui64 = Eui64([0, 0x16, 0xc0, 1, 0xf1, 0x53, 0xa1, 0x4c]);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn table() -> Gateways<&'static str> {
    Gateways::new(None, 0xfffe)
}

fn pull(gateways: &mut Gateways<&'static str>, now_ms: u64, from: &str) -> Result<Admitted, Refusal> {
    let datagram = forwarder::pull_data(Token([0, 0]), EUI);
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
    let Packet::PushData(push) = Packet::parse(&datagram).unwrap() else { panic!("a PUSH_DATA") };
    gateways.heard(now_ms, &push);
    Ok(admitted)
}

fn txpk() -> Txpk {
    Txpk {
        tmst_us: 1,
        frequency_hz: 868_100_000,
        power_dbm: 14,
        data_rate: "SF7BW125".parse().unwrap(),
        phy: vec![0x60; 12],
    }
}

fn token(outgoing: &Outgoing) -> Token {
    match forwarder::parse(&outgoing.datagram) {
        Some(FromServer::PullResp(token, _)) => token,
        other => panic!("{other:?}"),
    }
}

fn status(gateways: &Gateways<&'static str>, now_ms: u64) -> (bool, GatewayCounters) {
    let status = gateways.status(now_ms).next().unwrap();
    (status.online, status.counters)
}

#[test]
fn downlinks_go_where_the_last_pull_data_came_from() {
    let mut gateways = table();
    assert_eq!(gateways.send(0, EUI, &txpk(), "a"), Err(SendError::NoPath { eui: EUI }));
    push(&mut gateways, 0, "10.0.0.1:4000", None).unwrap();
    assert_eq!(gateways.send(0, EUI, &txpk(), "a"), Err(SendError::NoPath { eui: EUI }));
    assert_eq!(pull(&mut gateways, 1, "10.0.0.1:5000"), Ok(Admitted::Known));
    push(&mut gateways, 2, "10.0.0.1:4000", None).unwrap();
    assert_eq!(gateways.send(3, EUI, &txpk(), "a").unwrap().to, address("10.0.0.1:5000"));
    pull(&mut gateways, 4, "10.0.0.1:5001").unwrap();
    assert_eq!(gateways.send(5, EUI, &txpk(), "b").unwrap().to, address("10.0.0.1:5001"));
}

#[test]
fn tx_ack_is_matched_by_gateway_and_token() {
    let mut gateways = table();
    pull(&mut gateways, 0, "10.0.0.1:5000").unwrap();
    let tokens = ["a", "b", "c"].map(|name| token(&gateways.send(0, EUI, &txpk(), name).unwrap()));
    assert_eq!(tokens, [Token([0xff, 0xfe]), Token([0xff, 0xff]), Token([0, 0])], "distinct, wrapping");
    let ack = |token, outcome| TxAck { token, eui: EUI, outcome };
    assert_eq!(gateways.acknowledged(&ack(tokens[1], TxOutcome::Refused(TxError::TooLate))), Some("b"));
    assert_eq!(gateways.acknowledged(&ack(tokens[1], TxOutcome::Queued)), None, "twice");
    assert_eq!(gateways.acknowledged(&ack(tokens[0], TxOutcome::QueuedAtOtherPower { power_dbm: None })), Some("a"));
    let stranger = TxAck { token: tokens[2], eui: Eui64([9; 8]), outcome: TxOutcome::Queued };
    assert_eq!(gateways.acknowledged(&stranger), None, "another gateway's");
    assert_eq!(gateways.next_timeout_ms(), Some(5_000));
    assert_eq!(gateways.expire(4_999), []);
    assert_eq!(gateways.expire(5_000), [(EUI, "c")]);
    assert_eq!(gateways.next_timeout_ms(), None);
    assert_eq!(gateways.acknowledged(&ack(tokens[2], TxOutcome::Queued)), None, "too late");
    expect![[r#"{"push":0,"pull":1,"rx":0,"crc_absent":0,"crc_bad":0,"crc_none":0,"malformed":0,"address_refused":0,"tx_sent":3,"tx_queued":1,"tx_refused":[1,0,0,0,0,0,0,0],"tx_timed_out":1,"tx_ack_unmatched":2}"#]].assert_eq(&serde_json::to_string(&status(&gateways, 5_000).1).unwrap());
}

#[test]
fn pending_downlinks_are_bounded_and_tokens_distinct() {
    let mut gateways = table();
    pull(&mut gateways, 0, "10.0.0.1:5000").unwrap();
    let tokens: BTreeSet<Token> =
        (0..PENDING_MAX).map(|_| token(&gateways.send(0, EUI, &txpk(), "x").unwrap())).collect();
    assert_eq!(tokens.len(), PENDING_MAX);
    assert_eq!(gateways.send(0, EUI, &txpk(), "x"), Err(SendError::QueueFull { eui: EUI }));
    gateways.token_next = 0xfffe;
    gateways.acknowledged(&TxAck { token: Token([0, 3]), eui: EUI, outcome: TxOutcome::Queued });
    assert_eq!(token(&gateways.send(0, EUI, &txpk(), "x").unwrap()), Token([0, 3]), "the only free one nearby");
}

#[test]
fn a_stranger_cannot_draw_the_downlinks_to_itself() {
    let mut gateways = table();
    assert_eq!(pull(&mut gateways, 0, "10.0.0.1:5000"), Ok(Admitted::New));
    let refusal = pull(&mut gateways, 60_000, "10.6.6.6:5000").unwrap_err();
    expect!["gateway 0016c001f153a14c is at 10.0.0.1 but 10.6.6.6 speaks for it: find out who that is"]
        .assert_eq(&refusal.to_string());
    assert!(push(&mut gateways, 60_000, "10.6.6.6:4000", None).is_err());
    assert_eq!(gateways.send(60_000, EUI, &txpk(), "a").unwrap().to, address("10.0.0.1:5000"));
    assert_eq!(status(&gateways, 60_000).1.address_refused, 2);
    // Refused datagrams do not keep the address alive, so a gateway that really moved is heard again.
    let moved = Admitted::Moved { before: "10.0.0.1".parse().unwrap() };
    assert_eq!(push(&mut gateways, 60_001, "10.0.0.2:4000", None), Ok(moved));
    assert_eq!(gateways.send(60_001, EUI, &txpk(), "b"), Err(SendError::NoPath { eui: EUI }), "not to the old place");
}

#[test]
fn online_by_pull_data_or_stat_only() {
    let mut gateways = table();
    push(&mut gateways, 0, "10.0.0.1:4000", None).unwrap();
    assert!(!status(&gateways, 0).0);
    push(&mut gateways, 1_000, "10.0.0.1:4000", Some(&Stat::default())).unwrap();
    assert!(status(&gateways, 31_000).0);
    assert!(!status(&gateways, 31_001).0);
    pull(&mut gateways, 40_000, "10.0.0.1:5000").unwrap();
    assert!(status(&gateways, 70_000).0);
    assert!(!status(&gateways, 70_001).0);
}

#[test]
fn only_allowed_gateways_are_heard() {
    let mut gateways: Gateways<&str> = Gateways::new(Some(BTreeSet::from([Eui64([1; 8])])), 0);
    assert_eq!(pull(&mut gateways, 0, "10.0.0.1:5000"), Err(Refusal::NotAllowed { eui: EUI }));
    assert_eq!(gateways.refused().not_allowed, 1);
    assert_eq!(gateways.status(0).count(), 0);
}

#[test]
fn the_table_is_bounded_and_forgets_only_the_silent() {
    let mut gateways = table();
    let admit = |gateways: &mut Gateways<&'static str>, now_ms, n: u64| {
        let header = Header { kind: Kind::PullData, token: Token([0, 0]), eui: Eui64(n.to_be_bytes()) };
        gateways.admit(now_ms, address("10.0.0.1:5000"), &header)
    };
    for n in 0..GATEWAYS_MAX as u64 {
        admit(&mut gateways, n, n).unwrap();
    }
    assert!(matches!(admit(&mut gateways, 60_000, 99), Err(Refusal::TableFull { .. })));
    assert_eq!(admit(&mut gateways, 60_001, 99), Ok(Admitted::New));
    assert_eq!(gateways.status(0).count(), GATEWAYS_MAX);
    assert_eq!(admit(&mut gateways, 60_001, 1), Ok(Admitted::Known), "gateway 0 was the oldest");
    assert_eq!(gateways.refused(), RefusedCounters { not_allowed: 0, table_full: 1, forgotten: 1 });
}

#[test]
fn frames_are_counted_by_crc() {
    let mut gateways = table();
    let object = |stat: &str| format!(r#"{{"tmst":1,"freq":868.1,{stat}"datr":"SF7BW125","size":1,"data":"QA"}}"#);
    let objects = [r#""stat":1,"#, "", r#""stat":-1,"#, r#""stat":-1,"#, r#""stat":0,"#].map(object).join(",");
    let mut datagram = forwarder::pull_data(Token([0, 0]), EUI);
    datagram[3] = 0;
    datagram.extend_from_slice(format!(r#"{{"rxpk":[{objects},{{}}]}}"#).as_bytes());
    gateways.admit(0, address("10.0.0.1:4000"), &Header::parse(&datagram).unwrap()).unwrap();
    let Ok(Packet::PushData(push)) = Packet::parse(&datagram) else { panic!("a PUSH_DATA") };
    gateways.heard(0, &push);
    gateways.unreadable(EUI);
    expect![[r#"{"push":1,"pull":0,"rx":2,"crc_absent":1,"crc_bad":2,"crc_none":1,"malformed":2,"address_refused":0,"tx_sent":0,"tx_queued":0,"tx_refused":[0,0,0,0,0,0,0,0],"tx_timed_out":0,"tx_ack_unmatched":0}"#]].assert_eq(&serde_json::to_string(&status(&gateways, 0).1).unwrap());
}

proptest! {
    /// Whatever comes, in whatever order: bounds hold, and each pending downlink comes back exactly once.
    #[test]
    fn nothing_pending_is_lost_or_doubled(steps in prop::collection::vec((0..5u8, 0..4u8, 0..40u16, 0..9_000u64), 0..200)) {
        let mut gateways: Gateways<usize> = Gateways::new(None, 0);
        let (mut now_ms, mut sent, mut back) = (0, 0, BTreeSet::new());
        for (action, who, number, wait_ms) in steps {
            let eui = Eui64([who; 8]);
            match action {
                0 | 1 => {
                    let kind = if action == 0 { Kind::PullData } else { Kind::PushData };
                    let from = SocketAddr::from(([10, 0, 0, who ^ u8::from(number == 0)], 1700));
                    let _ = gateways.admit(now_ms, from, &Header { kind, token: Token([0, 0]), eui });
                }
                2 => sent += usize::from(gateways.send(now_ms, eui, &txpk(), sent).is_ok()),
                3 => {
                    let ack = TxAck { token: Token(number.to_be_bytes()), eui, outcome: TxOutcome::Queued };
                    if let Some(value) = gateways.acknowledged(&ack) {
                        prop_assert!(back.insert(value));
                    }
                }
                _ => now_ms += wait_ms,
            }
            for (_, value) in gateways.expire(now_ms) {
                prop_assert!(back.insert(value));
            }
            prop_assert!(gateways.next_timeout_ms().is_none_or(|at| at > now_ms));
        }
        for (_, value) in gateways.expire(u64::MAX) {
            prop_assert!(back.insert(value));
        }
        prop_assert_eq!(back.len(), sent);
    }
}
