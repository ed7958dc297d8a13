//! A box rebuilt from what is stored judges as if it had never stopped (R2 of this crate).

use std::fmt::Write;

use expect_test::expect;
use proptest::prelude::*;

use super::bench::{Bench, WARM, heard, publish, show, uplink};
use crate::Arrival;

#[test]
fn old_frames_stay_old_and_counters_go_on() {
    let mut bench = Bench::new();
    let mut shown = String::new();
    for f_cnt in [70_000, 70_000, 69_999, 70_001] {
        bench.restart();
        writeln!(shown, "{}", show(&bench.judge(heard(uplink(f_cnt, true, WARM))))).unwrap();
    }
    expect![[r#"
        accepted flow-1 #70000 temperature_1 27.2 Cel · ack 0
        duplicate flow-1 · ack 1
        replayed flow-1 kept: 26010001: FCnt 69999 was used before
        accepted flow-1 #70001 temperature_1 27.2 Cel · ack 2
    "#]]
    .assert_eq(&shown);
}

#[test]
fn a_frame_stored_before_a_restart_is_known_after_it() {
    let mut bench = Bench::new();
    bench.judge(publish(Some(7), false, r#"{"cod":40.1}"#));
    bench.judge(publish(Some(8), false, "{"));
    bench.restart();
    assert_eq!(show(&bench.judge(publish(Some(7), true, r#"{"cod":40.1}"#))), "duplicate cod-1");
    assert_eq!(show(&bench.judge(publish(Some(8), true, "{"))), "duplicate cod-1");
}

#[test]
fn a_damaged_session_is_named() {
    expect!["the stored session of device `flow-1` cannot be read · try: weir verify"]
        .assert_eq(&Bench::new().start_with(&[0x85, 0x01]));
    assert_eq!(Bench::new().start_with(&[]), "started", "a device that has none yet");
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a few dozen exist at a time")]
enum Step {
    Arrive(Arrival),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let payload = prop_oneof![Just(r#"{"cod":1}"#), Just(r#"{"cod":2}"#), Just("{")];
    let packet_id = proptest::option::of(1u16..4);
    let mqtt = (packet_id, any::<bool>(), payload).prop_map(|(id, dup, payload)| publish(id, dup, payload));
    let sent = (0u32..24, any::<bool>(), prop_oneof![Just(WARM), Just(&[1, 103, 1, 17][..]), Just(&[9][..])])
        .prop_map(|(f_cnt, confirmed, payload)| uplink(f_cnt, confirmed, payload));
    let damaged = (sent.clone(), any::<prop::sample::Index>(), 0u8..8).prop_map(|(mut phy, at, bit)| {
        let at = at.index(phy.len());
        phy[at] ^= 1 << bit;
        phy
    });
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        4 => mqtt.prop_map(Step::Arrive),
        4 => sent.prop_map(|phy| Step::Arrive(heard(phy))),
        2 => damaged.prop_map(|phy| Step::Arrive(heard(phy))),
        2 => noise.prop_map(|phy| Step::Arrive(heard(phy))),
        1 => (0u64..2_000_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn a_restart_changes_no_verdict(steps in prop::collection::vec((step(), any::<bool>()), 1..60)) {
        let (mut steady, mut restarting) = (Bench::new(), Bench::new());
        let (mut accepted, mut duplicate, mut rejected, mut arrived) = (0, 0, 0, 0);
        for (step, restart) in steps {
            if restart {
                restarting.restart();
            }
            match step {
                Step::Wait(ms) => {
                    steady.wait(ms);
                    restarting.wait(ms);
                }
                Step::Arrive(arrival) => {
                    let verdict = steady.judge(arrival.clone());
                    prop_assert_eq!(&restarting.judge(arrival), &verdict);
                    arrived += 1;
                    let shown = show(&verdict);
                    let counter = match shown.split(' ').next() {
                        Some("accepted") => &mut accepted,
                        Some("duplicate") => &mut duplicate,
                        _ => &mut rejected,
                    };
                    *counter += 1;
                }
            }
        }
        prop_assert_eq!(accepted + duplicate + rejected, arrived, "A3");
    }
}
