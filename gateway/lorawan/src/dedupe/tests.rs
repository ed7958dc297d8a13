use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::gwmp::CrcStatus;

fn reception(phy: u8, gateway: u8, snr_ddb: i16) -> Reception {
    let rxpk = Rxpk {
        phy: vec![phy; 12],
        tmst_us: 0,
        time: None,
        gps_ms: None,
        frequency_hz: 868_100_000,
        channel: None,
        rf_chain: None,
        crc: CrcStatus::Ok,
        data_rate: crate::DataRate::Lora("SF7BW125".parse().unwrap()),
        coding_rate: None,
        rssi_dbm: Some(-80),
        snr_ddb: Some(snr_ddb),
    };
    Reception { gateway: Eui64([gateway; 8]), run: CounterRun(0), received_ms: 0, rxpk }
}

fn show(heard: &Heard) -> String {
    let all: Vec<String> =
        heard.receptions().map(|one| format!("{}@{}", one.rxpk.snr_ddb.unwrap_or(0), one.gateway.0[0])).collect();
    format!("{}:{}", heard.best.rxpk.phy[0], all.join(","))
}

/// Steps are `ms phy@gateway:snr`; what goes on is shown beside the ms at which it does.
fn check(online: usize, steps: &str, expected: Expect) {
    let mut dedupe = Dedupe::new(200);
    let mut told = Vec::new();
    for step in steps.split(" | ") {
        let (ms, frame) = step.split_once(' ').unwrap();
        let now_ms: u64 = ms.parse().unwrap();
        while let Some(at_ms) = dedupe.next_timeout_ms().filter(|at_ms| *at_ms <= now_ms) {
            told.push(format!("{at_ms} {}", show(&dedupe.due(at_ms).unwrap())));
        }
        if let Some((phy, rest)) = frame.split_once('@') {
            let (gateway, snr) = rest.split_once(':').unwrap();
            let reception = reception(phy.parse().unwrap(), gateway.parse().unwrap(), snr.parse().unwrap());
            told.extend(dedupe.take(now_ms, reception, online).map(|heard| format!("{now_ms} {}", show(&heard))));
        }
    }
    let DedupeCounters { merged, late, ghosts, hurried } = dedupe.counters();
    expected
        .assert_eq(&format!("{} ({merged} merged, {late} late, {ghosts} ghosts, {hurried} hurried)", told.join(" | ")));
}

#[test]
fn one_gateway_never_waits() {
    check(1, "0 1@1:50 | 1 1@1:40 | 900 end", expect!["0 1:50@1 | 1 1:40@1 (0 merged, 0 late, 0 ghosts, 0 hurried)"]);
}

#[test]
fn copies_become_one_uplink_with_the_best_first() {
    check(
        3,
        "0 1@1:-20 | 5 2@1:0 | 50 1@2:70 | 205 end",
        expect!["200 1:70@2,-20@1 | 205 2:0@1 (1 merged, 0 late, 0 ghosts, 0 hurried)"],
    );
}

#[test]
fn when_everybody_has_heard_it_nobody_waits() {
    check(2, "0 1@1:10 | 30 1@2:20 | 500 end", expect!["30 1:20@2,10@1 (1 merged, 0 late, 0 ghosts, 0 hurried)"]);
}

#[test]
fn a_copy_that_comes_late_is_let_go_once() {
    check(
        3,
        "0 1@1:10 | 250 1@2:90 | 260 1@2:90 | 460 end",
        expect!["200 1:10@1 | 460 1:90@2 (0 merged, 1 late, 0 ghosts, 0 hurried)"],
    );
}

#[test]
fn a_device_that_repeats_itself_is_heard_again() {
    check(
        2,
        "0 1@1:10 | 210 1@1:10 | 410 end",
        expect!["200 1:10@1 | 410 1:10@1 (0 merged, 0 late, 0 ghosts, 0 hurried)"],
    );
    check(
        2,
        "0 1@1:10 | 2500 1@2:10 | 2700 end",
        expect!["200 1:10@1 | 2700 1:10@2 (0 merged, 0 late, 0 ghosts, 0 hurried)"],
    );
}

#[test]
fn a_ghost_on_the_next_channel_keeps_the_better_half() {
    check(2, "0 1@1:-90 | 1 1@1:60 | 200 end", expect!["200 1:60@1 (0 merged, 0 late, 1 ghosts, 0 hurried)"]);
}

#[test]
fn missing_radio_figures_are_worst() {
    let mut silent = reception(1, 1, 0);
    silent.rxpk.snr_ddb = None;
    let mut dedupe = Dedupe::new(200);
    assert_eq!(dedupe.take(0, silent, 2), None);
    assert_eq!(show(&dedupe.take(1, reception(1, 2, -200), 2).unwrap()), "1:-200@2,0@1");
}

proptest! {
    /// Nothing vanishes and nothing waits longer than configured, whatever comes in whatever order (B1).
    #[test]
    fn every_reception_is_accounted_for(
        steps in prop::collection::vec((0..6u8, 0..4u8, 0..4usize, 0..400u64), 0..1_500), merge_ms in 0..600u64,
    ) {
        let mut dedupe = Dedupe::new(merge_ms);
        let (mut now_ms, mut taken, mut given) = (0, 0u64, 0u64);
        for (phy, gateway, online, wait_ms) in steps {
            now_ms += if wait_ms > 390 { wait_ms } else { 0 };
            let went = dedupe.take(now_ms, reception(phy, gateway, 0), online);
            let due = std::iter::from_fn(|| dedupe.due(now_ms));
            given += went.into_iter().chain(due).map(|heard| heard.receptions().count() as u64).sum::<u64>();
            taken += 1;
            prop_assert!(dedupe.next_timeout_ms().is_none_or(|at_ms| at_ms > now_ms && at_ms <= now_ms + MERGE_MS_MAX));
            prop_assert!(dedupe.waiting.len() <= WAITING_MAX && dedupe.gone.len() <= REMEMBERED_MAX);
        }
        let rest = std::iter::from_fn(|| dedupe.due(u64::MAX));
        given += rest.map(|heard| heard.receptions().count() as u64).sum::<u64>();
        let DedupeCounters { late, ghosts, .. } = dedupe.counters();
        prop_assert_eq!(given + late + ghosts, taken);
    }
}

#[test]
fn a_flood_hurries_the_oldest() {
    let mut dedupe = Dedupe::new(200);
    let phy = |n: usize| Reception {
        rxpk: Rxpk { phy: n.to_be_bytes().to_vec(), ..reception(0, 1, 0).rxpk },
        ..reception(0, 1, 0)
    };
    for n in 0..WAITING_MAX {
        assert_eq!(dedupe.take(0, phy(n), 2), None);
    }
    assert_eq!(dedupe.take(0, phy(WAITING_MAX), 2), Some(Heard::alone(phy(0))));
    assert_eq!(dedupe.counters().hurried, 1);
}
