use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::DataRate;
use crate::gwmp::{CrcStatus, Rxpk};

/// An uplink that arrived at 5,000 ms.
fn uplink(tmst_us: u32, frequency_hz: u32, rate: &str) -> Heard {
    Heard::alone(reception(1, tmst_us, frequency_hz, rate))
}

fn reception(gateway: u8, tmst_us: u32, frequency_hz: u32, rate: &str) -> Reception {
    let rxpk = Rxpk {
        phy: vec![0x80; 12],
        tmst_us,
        time: None,
        gps_ms: None,
        frequency_hz,
        channel: None,
        rf_chain: None,
        crc: CrcStatus::Ok,
        data_rate: rate.parse().map_or(DataRate::Fsk(50_000), DataRate::Lora),
        coding_rate: None,
        rssi_dbm: None,
        snr_ddb: None,
    };
    Reception { gateway: Eui64([gateway; 8]), run: CounterRun(0), received_ms: 5_000, rxpk }
}

fn show(plan: &Plan) -> String {
    let way = |way: &Way| {
        let Downlink { frequency_hz, data_rate, power_dbm } = way.channel;
        let when = match (way.window, way.time) {
            (Some(window), TxTime::Counter { tmst_us }) => format!("{window:?} at {tmst_us}"),
            other => format!("{other:?}"),
        };
        format!("{} {when} ({} ms) on {frequency_hz} {data_rate} {power_dbm} dBm", way.gateway.0[0], way.starts_ms)
    };
    plan.ways().map(way).collect::<Vec<_>>().join("\n")
}

fn check(region: Region, heard: &Heard, windows: Windows, phy_bytes: usize, expected: Expect) {
    expected.assert_eq(&show(&answer(heard, windows, region, vec![0x60; phy_bytes])));
}

#[test]
fn both_windows_of_the_plan() {
    check(
        Region::Eu868,
        &uplink(1_000_000, 868_100_000, "SF7BW125"),
        Windows::Standard,
        12,
        expect![[r#"
            1 Rx1 at 2000000 (6000 ms) on 868100000 SF7BW125 14 dBm
            1 Rx2 at 3000000 (7000 ms) on 869525000 SF12BW125 27 dBm"#]],
    );
}

#[test]
fn the_gateways_counter_wraps() {
    check(
        Region::Cn470,
        &uplink(4_294_900_000, 486_300_000, "SF10BW125"),
        Windows::Standard,
        12,
        expect![[r#"
            1 Rx1 at 932704 (6000 ms) on 506700000 SF10BW125 17 dBm
            1 Rx2 at 1932704 (7000 ms) on 505300000 SF12BW125 17 dBm"#]],
    );
}

#[test]
fn a_device_is_answered_where_it_was_told_to_listen() {
    let settings = RxSettings::new(Region::Eu868, 15, 2, 869_525_000, 3).unwrap();
    check(
        Region::Eu868,
        &uplink(4_290_000_000, 868_100_000, "SF9BW125"),
        Windows::Data(settings),
        12,
        expect![[r#"
            1 Rx1 at 10032704 (20000 ms) on 868100000 SF11BW125 14 dBm
            1 Rx2 at 11032704 (21000 ms) on 869525000 SF9BW125 27 dBm"#]],
    );
}

#[test]
fn a_join_is_accepted_after_five_or_six_seconds() {
    check(
        Region::Cn470,
        &uplink(0, 470_300_000, "SF9BW125"),
        Windows::Join,
        33,
        expect!["1 Rx1 at 5000000 (10000 ms) on 500300000 SF9BW125 17 dBm"],
    );
    check(
        Region::Eu868,
        &uplink(0, 868_300_000, "SF12BW125"),
        Windows::Join,
        33,
        expect![[r#"
            1 Rx1 at 5000000 (10000 ms) on 868300000 SF12BW125 14 dBm
            1 Rx2 at 6000000 (11000 ms) on 869525000 SF12BW125 27 dBm"#]],
    );
}

#[test]
fn each_gateway_by_its_own_counter_best_first() {
    let mut heard = uplink(1_000_000, 868_100_000, "SF7BW125");
    heard.others.push(reception(2, 4_294_000_000, 868_100_000, "SF7BW125"));
    check(
        Region::Eu868,
        &heard,
        Windows::Standard,
        12,
        expect![[r#"
            1 Rx1 at 2000000 (6000 ms) on 868100000 SF7BW125 14 dBm
            2 Rx1 at 32704 (6000 ms) on 868100000 SF7BW125 14 dBm
            1 Rx2 at 3000000 (7000 ms) on 869525000 SF12BW125 27 dBm
            2 Rx2 at 1032704 (7000 ms) on 869525000 SF12BW125 27 dBm"#]],
    );
}

#[test]
fn without_a_first_window_the_second() {
    check(
        Region::Eu868,
        &uplink(0, 868_800_000, "FSK"),
        Windows::Standard,
        12,
        expect!["1 Rx2 at 2000000 (7000 ms) on 869525000 SF12BW125 27 dBm"],
    );
}

#[test]
fn cn470_plans_nothing_longer_than_a_second() {
    let slow = uplink(0, 470_300_000, "SF12BW125");
    check(Region::Cn470, &slow, Windows::Standard, 13, expect![""]);
    let offered = Windows::Data(RxSettings::offered(Region::Cn470));
    check(Region::Cn470, &slow, offered, 18, expect!["1 Rx2 at 2000000 (7000 ms) on 505300000 SF11BW125 17 dBm"]);
}

#[test]
fn class_c_at_once_on_the_second_channel() {
    let settings = RxSettings::standard(Region::Eu868);
    let gateways = [Eui64([2; 8]), Eui64([1; 8])];
    let plan = immediate(70_000, &gateways, &settings, Region::Eu868, vec![0x60; 20]);
    expect![[r#"
        2 (None, Immediate) (70010 ms) on 869525000 SF12BW125 27 dBm
        1 (None, Immediate) (70010 ms) on 869525000 SF12BW125 27 dBm"#]]
    .assert_eq(&show(&plan));
    assert!(plan.ways().all(|way| way.is_open(u64::MAX)), "at once is never too late");
    let nothing = immediate(0, &gateways, &RxSettings::standard(Region::Cn470), Region::Cn470, vec![0x60; 20]);
    assert_eq!(nothing.ways().count(), 0, "longer than a second at SF12");
}

#[test]
fn a_window_is_open_until_100_ms_before_it() {
    let plan = answer(&uplink(0, 868_100_000, "SF7BW125"), Windows::Standard, Region::Eu868, vec![0x60; 12]);
    let open = |now_ms| plan.ways().map(|way| way.is_open(now_ms)).collect::<Vec<_>>();
    assert_eq!(open(5_899), [true, true]);
    assert_eq!(open(5_900), [false, true]);
    assert_eq!(open(6_899), [false, true]);
    assert_eq!(open(6_900), [false, false]);
}

proptest! {
    #[test]
    fn a_plan_is_never_late_nor_elsewhere(tmst_us: u32, delay_s in 1..=15u8, bytes in 0usize..300) {
        let up = uplink(tmst_us, 868_300_000, "SF9BW125");
        let settings = RxSettings::standard(Region::Eu868).with_rx1_delay_s(delay_s).unwrap();
        let plan = answer(&up, Windows::Data(settings), Region::Eu868, vec![0; bytes]);
        prop_assert_eq!(plan.ways().count(), if (1..=255).contains(&bytes) { 2 } else { 0 });
        for way in plan.ways() {
            let TxTime::Counter { tmst_us: at_us } = way.time else { panic!("a window has a time") };
            let ahead_ms = u64::from(at_us.wrapping_sub(tmst_us)) / 1_000;
            prop_assert_eq!(way.starts_ms, 5_000 + ahead_ms, "both clocks mean the same moment");
            let delay_ms = u64::from(delay_s) * 1_000;
            prop_assert!(ahead_ms == delay_ms || ahead_ms == delay_ms + 1_000);
        }
    }
}
