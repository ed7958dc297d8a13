//! What is sent, through whom, and what becomes of it.

use std::collections::BTreeSet;

use expect_test::expect;

use super::*;
use crate::RxSettings;
use crate::gwmp::{TxAck, TxError, TxOutcome, TxTime};
use crate::region::Window;

fn ack(eui: Eui64, token: Token, outcome: TxOutcome) -> TxAck {
    TxAck { token, eui, outcome }
}

/// Two gateways that can be sent to, and one uplink that both heard at 1,000 ms: at 10 s and at 20 s of their counters.
fn two() -> (Gateways<&'static str>, Heard) {
    let mut gateways = table();
    pull(&mut gateways, 0, "10.0.0.1:5000").unwrap();
    pull_of(&mut gateways, 0, OTHER, "10.0.0.2:5000").unwrap();
    let mut heard = uplink(&mut gateways, 1_000, EUI, 10_000_000);
    heard.others.push(uplink(&mut gateways, 1_000, OTHER, 20_000_000).best);
    (gateways, heard)
}

/// Where it goes, and when by the gateway's counter.
fn show(sent: &Outgoing) -> String {
    match forwarder::parse(&sent.datagram) {
        Some(FromServer::PullResp(_, txpk)) => match txpk.time {
            TxTime::Counter { tmst_us } => format!("{} at {tmst_us}", sent.to),
            TxTime::Immediate => format!("{} at once", sent.to),
        },
        other => panic!("{other:?}"),
    }
}

fn send(gateways: &mut Gateways<&'static str>, now_ms: u64, plan: Plan) -> String {
    match gateways.send(now_ms, plan, "x") {
        Ok(sent) => show(&sent),
        Err(not_sent) => not_sent.why.to_string(),
    }
}

#[test]
fn downlinks_go_where_the_last_pull_data_came_from() {
    let mut gateways = table();
    push(&mut gateways, 0, "10.0.0.1:4000", None).unwrap();
    let heard = uplink(&mut gateways, 0, EUI, 0);
    let no_path = NotSent { value: "a", why: SendError::NoPath { eui: EUI } };
    assert_eq!(gateways.send(0, plan(&heard), "a"), Err(no_path));
    assert_eq!(pull(&mut gateways, 1, "10.0.0.1:5000"), Ok(Admitted::Known));
    push(&mut gateways, 2, "10.0.0.1:4000", None).unwrap();
    assert_eq!(gateways.send(3, plan(&heard), "a").unwrap().to, address("10.0.0.1:5000"));
    pull(&mut gateways, 4, "10.0.0.1:5001").unwrap();
    assert_eq!(gateways.send(5, plan(&heard), "b").unwrap().to, address("10.0.0.1:5001"), "in RX2, RX1 is taken");
}

#[test]
fn the_first_window_while_it_can_be_met_then_the_second_then_nothing() {
    let (mut gateways, heard) = two();
    assert_eq!(send(&mut gateways, 1_899, plan(&heard)), "10.0.0.1:5000 at 11000000");
    let (mut gateways, heard) = two();
    assert_eq!(send(&mut gateways, 1_900, plan(&heard)), "10.0.0.1:5000 at 12000000");
    let (mut gateways, heard) = two();
    assert_eq!(send(&mut gateways, 2_900, plan(&heard)), "no receive window is left: the device repeats its frame");
}

#[test]
fn the_next_gateway_if_the_best_has_no_path() {
    let (mut gateways, mut heard) = two();
    let best = uplink(&mut gateways, 1_000, EUI, 10_000_000).best;
    let unknown = Reception { gateway: Eui64([9; 8]), ..best.clone() };
    heard.others.insert(0, best);
    heard.best = unknown;
    assert_eq!(send(&mut gateways, 1_000, plan(&heard)), "10.0.0.1:5000 at 11000000");
}

/// Half-duplex: what overlaps goes to the other gateway, then to RX2, then nowhere.
#[test]
fn two_downlinks_never_overlap_on_one_gateway() {
    let (mut gateways, heard) = two();
    let mut lines = Vec::new();
    for _ in 0..5 {
        lines.push(send(&mut gateways, 1_000, plan(&heard)));
    }
    expect![[r#"
        10.0.0.1:5000 at 11000000
        10.0.0.2:5000 at 21000000
        10.0.0.1:5000 at 12000000
        10.0.0.2:5000 at 22000000
        gateway 0016c001f153a14c sends another downlink at that time: drop this one, the device repeats its frame"#]]
    .assert_eq(&lines.join("\n"));
    assert_eq!(status(&gateways, 1_000).counters.on_air, 6, "each way that was passed over");
    // RX1 is taken from 2,000 to 2,042 ms and 10 ms around it; RX2 for a second at SF12.
    let inside = uplink(&mut gateways, 1_051, EUI, 10_051_000);
    assert!(send(&mut gateways, 1_051, plan(&inside)).contains("sends another downlink"));
    let behind = uplink(&mut gateways, 1_052, EUI, 10_052_000);
    assert_eq!(send(&mut gateways, 1_052, plan(&behind)), "10.0.0.1:5000 at 11052000");
}

#[test]
fn what_was_refused_for_its_time_is_tried_in_the_next_way() {
    for error in TxError::ALL {
        let (mut gateways, heard) = two();
        let first = gateways.send(1_000, plan(&heard), "a").unwrap();
        let refused = TxOutcome::Refused(error);
        let again = gateways.acknowledged(1_050, &ack(EUI, token(&first), refused));
        let timing =
            matches!(error, TxError::TooLate | TxError::TooEarly | TxError::CollisionPacket | TxError::CollisionBeacon);
        let why = SendError::Refused { eui: EUI, error };
        let Acknowledged::Again(second) = again else {
            assert!(!timing, "{error:?}");
            assert_eq!(again, Acknowledged::NotSent(NotSent { value: "a", why }));
            continue;
        };
        assert!(timing, "{error:?}");
        assert_eq!(show(&second), "10.0.0.2:5000 at 21000000", "the other gateway, RX1");
        let Acknowledged::Again(third) = gateways.acknowledged(1_100, &ack(OTHER, token(&second), refused)) else {
            panic!("RX2")
        };
        assert_eq!(show(&third), "10.0.0.1:5000 at 12000000");
        // RX2 of the other gateway is over by then.
        let end = gateways.acknowledged(2_950, &ack(EUI, token(&third), refused));
        assert_eq!(end, Acknowledged::NotSent(NotSent { value: "a", why }));
        assert_eq!(status(&gateways, 2_950).counters.tx_refused[error.index()], 2);
    }
}

#[test]
fn what_was_refused_leaves_air_and_allowance_free() {
    let (mut gateways, heard) = two();
    let used =
        |gateways: &Gateways<&'static str>| status(gateways, 1_000).duty.iter().map(|duty| duty.used_us).sum::<u64>();
    let before = used(&gateways);
    let first = gateways.send(1_000, plan(&heard), "a").unwrap();
    assert_eq!(used(&gateways), before + 41_216, "an acknowledgement at SF7");
    gateways.acknowledged(1_000, &ack(EUI, token(&first), TxOutcome::Refused(TxError::TxFreq)));
    assert_eq!(used(&gateways), before);
    assert_eq!(send(&mut gateways, 1_000, plan(&heard)), "10.0.0.1:5000 at 11000000");
}

#[test]
fn another_power_is_a_success() {
    let (mut gateways, heard) = two();
    let first = gateways.send(1_000, plan(&heard), "a").unwrap();
    let outcome = TxOutcome::QueuedAtOtherPower { power_dbm: Some(12) };
    match gateways.acknowledged(1_000, &ack(EUI, token(&first), outcome)) {
        Acknowledged::Queued { value: "a", way, power_dbm: Some(12) } => assert_eq!(way.window, Some(Window::Rx1)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_allowance_that_is_used_up_leaves_the_other_sub_band() {
    let mut gateways = table();
    pull(&mut gateways, 0, "10.0.0.1:5000").unwrap();
    let (mut by_window, mut now_ms) = ([0, 0], 0);
    // An acknowledgement every second for half an hour: half the allowance counts as used before the start.
    for n in 0..1_800u32 {
        now_ms = u64::from(n) * 1_000;
        pull(&mut gateways, now_ms, "10.0.0.1:5000").unwrap();
        let heard = uplink(&mut gateways, now_ms, EUI, n * 1_000_000);
        let Ok(sent) = gateways.send(now_ms, plan(&heard), "x") else { continue };
        match gateways.acknowledged(now_ms, &ack(EUI, token(&sent), TxOutcome::Queued)) {
            Acknowledged::Queued { way, .. } => by_window[usize::from(way.window == Some(Window::Rx2))] += 1,
            other => panic!("{other:?}"),
        }
    }
    // 18 s at 41.216 ms in 868.0-868.6, 180 s at 991.232 ms in 869.4-869.65; a second's RX2 leaves no room for the next
    // second's.
    assert_eq!(by_window, [436, 181]);
    let duty: Vec<String> = status(&gateways, now_ms)
        .duty
        .iter()
        .map(|duty| format!("{} {:.1}", duty.sub_band.name, duty.percent()))
        .collect();
    expect![
        "863.0-865.0 50.0, 865.0-868.0 50.0, 868.0-868.6 99.9, 868.7-869.2 50.0, 869.4-869.65 99.8, 869.7-870.0 50.0"
    ]
    .assert_eq(&duty.join(", "));
    let heard = uplink(&mut gateways, now_ms + 10_000, EUI, 1_809_000_000);
    expect!["gateway 0016c001f153a14c has used up its time on air in 868.0-868.6 MHz: ask for fewer confirmed uplinks"]
        .assert_eq(&send(&mut gateways, now_ms + 10_000, plan(&heard)));
    assert!(status(&gateways, now_ms).counters.duty_cycle > 0);
}

/// The forwarder restarts: its counter begins near 0, and what it had queued is gone.
#[test]
fn a_restarted_gateway_is_not_sent_to_by_its_old_counter() {
    let (mut gateways, heard) = two();
    let pending = gateways.send(1_000, plan(&heard), "pending").unwrap();
    let anew = uplink(&mut gateways, 1_300, EUI, 250_000);
    assert_eq!(anew.best.run, CounterRun(1));
    assert_eq!(gateways.next_timeout_ms(), Some(0));
    assert_eq!(gateways.expire(1_300), [NotSent { value: "pending", why: SendError::Restarted { eui: EUI } }]);
    let late = gateways.acknowledged(1_301, &ack(EUI, token(&pending), TxOutcome::Queued));
    assert_eq!(late, Acknowledged::Unmatched);
    assert_eq!(send(&mut gateways, 1_301, plan(&heard)), "10.0.0.2:5000 at 21000000", "who did not restart");
    assert_eq!(send(&mut gateways, 1_302, plan(&anew)), "10.0.0.1:5000 at 1250000");
    let GatewayCounters { restarts, tx_dropped, .. } = status(&gateways, 1_302).counters;
    assert_eq!((restarts, tx_dropped), (1, 1));
}

#[test]
fn a_counter_that_wraps_or_comes_late_has_not_restarted() {
    let mut gateways = table();
    pull(&mut gateways, 0, "10.0.0.1:5000").unwrap();
    let mut run = |now_ms, tmst_us| uplink(&mut gateways, now_ms, EUI, tmst_us).best.run;
    assert_eq!(run(1_000, 4_294_900_000), CounterRun(0));
    assert_eq!(run(2_000, 932_704), CounterRun(0), "wrapped");
    assert_eq!(run(6_000, 932_704), CounterRun(0), "4 s in the kernel's queue");
    // An hour and a half later, with 20 ppm between the clocks: more than a whole turn.
    let turn_us = u32::try_from((5_400_000_000u64 + 108_000) & 0xffff_ffff).unwrap();
    assert_eq!(run(5_406_000, 932_704u32.wrapping_add(turn_us)), CounterRun(0));
    assert_eq!(run(5_407_000, 3_000_000), CounterRun(1), "near 0");
}

#[test]
fn class_c_at_once_through_who_is_free() {
    let (mut gateways, _) = two();
    let at_once = |now_ms| {
        let settings = RxSettings::standard(Region::Eu868);
        schedule::immediate(now_ms, &[EUI, OTHER], &settings, Region::Eu868, vec![0x60; 20])
    };
    assert_eq!(send(&mut gateways, 5_000, at_once(5_000)), "10.0.0.1:5000 at once");
    assert_eq!(send(&mut gateways, 5_100, at_once(5_100)), "10.0.0.2:5000 at once");
    assert!(send(&mut gateways, 5_200, at_once(5_200)).contains("sends another downlink"));
    assert_eq!(send(&mut gateways, 6_400, at_once(6_400)), "10.0.0.1:5000 at once", "1,319 ms at SF12");
    assert_eq!(status(&gateways, 6_400).counters.tx_immediate, 2);
}

#[test]
fn nothing_to_send_is_said() {
    let mut gateways = table();
    let nothing = schedule::immediate(0, &[], &RxSettings::standard(Region::Eu868), Region::Eu868, vec![0x60; 20]);
    assert_eq!(gateways.send(0, nothing, "x").unwrap_err().why, SendError::Forbidden);
}

#[test]
fn tx_ack_is_matched_by_gateway_and_token() {
    let (mut gateways, heard) = two();
    let tokens = ["a", "b", "c"].map(|name| token(&gateways.send(1_000, plan(&heard), name).unwrap()));
    assert_eq!(tokens, [Token([0xff, 0xfe]), Token([0xff, 0xff]), Token([0, 0])], "distinct, wrapping");
    let mut says = |eui, token| gateways.acknowledged(1_000, &ack(eui, token, TxOutcome::Queued));
    assert!(matches!(says(OTHER, tokens[1]), Acknowledged::Queued { value: "b", .. }));
    assert_eq!(says(OTHER, tokens[1]), Acknowledged::Unmatched, "twice");
    assert_eq!(says(OTHER, tokens[0]), Acknowledged::Unmatched, "another gateway's");
    assert_eq!(says(Eui64([9; 8]), tokens[0]), Acknowledged::Unmatched, "a stranger's");
    assert!(matches!(says(EUI, tokens[0]), Acknowledged::Queued { value: "a", .. }));
    assert_eq!(gateways.next_timeout_ms(), Some(6_000));
    assert_eq!(gateways.expire(5_999), []);
    assert_eq!(gateways.expire(6_000), [NotSent { value: "c", why: SendError::Silent { eui: EUI } }]);
    assert_eq!(gateways.next_timeout_ms(), None);
    let late = gateways.acknowledged(6_000, &ack(EUI, tokens[2], TxOutcome::Queued));
    assert_eq!(late, Acknowledged::Unmatched, "too late");
    let GatewayCounters { tx_sent, tx_rx1, tx_rx2, tx_queued, tx_timed_out, tx_ack_unmatched, .. } =
        status(&gateways, 6_000).counters;
    assert_eq!([tx_sent, tx_rx1, tx_rx2, tx_queued, tx_timed_out, tx_ack_unmatched], [2, 1, 1, 1, 1, 1]);
}

#[test]
fn pending_downlinks_are_bounded_and_tokens_distinct() {
    let mut gateways: Gateways<&'static str> = Gateways::new(Region::Cn470, Admission::default(), 0xfffe);
    pull(&mut gateways, 0, "10.0.0.1:5000").unwrap();
    let next = |gateways: &mut Gateways<&'static str>, n: u32| {
        let mut heard = uplink(gateways, u64::from(n) * 100, EUI, n * 100_000);
        heard.best.rxpk.frequency_hz = 470_300_000;
        let plan = schedule::answer(&heard, Windows::Standard, Region::Cn470, vec![0x60; 12]);
        gateways.send(u64::from(n) * 100, plan, "x")
    };
    let count = u32::try_from(PENDING_MAX).unwrap();
    let tokens: BTreeSet<Token> = (0..count).map(|n| token(&next(&mut gateways, n).unwrap())).collect();
    assert_eq!(tokens.len(), PENDING_MAX);
    assert_eq!(next(&mut gateways, count).unwrap_err().why, SendError::QueueFull { eui: EUI });
    gateways.token_next = 0xfffe;
    gateways.acknowledged(3_200, &ack(EUI, Token([0, 3]), TxOutcome::Queued));
    assert_eq!(token(&next(&mut gateways, count + 1).unwrap()), Token([0, 3]), "the only free one nearby");
}
