use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::downlink::acknowledgement;
use crate::gwmp::CrcStatus;
use crate::vectors::keys;
use crate::{DataRate, DevAddr};

fn uplink(tmst_us: u32, frequency_hz: u32, rate: &str) -> Rxpk {
    Rxpk {
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
    }
}

fn ack() -> Vec<u8> {
    acknowledgement(DevAddr::from_u32(0x2601_0001), &keys(), 0)
}

fn show(answer: Option<&Answer>) -> String {
    answer.map_or("nothing".to_owned(), |answer| {
        let Txpk { tmst_us, frequency_hz, data_rate, power_dbm, .. } = answer.txpk;
        format!("{:?} at {tmst_us} on {frequency_hz} {data_rate} {power_dbm} dBm", answer.window)
    })
}

/// An uplink that arrived at 5,000 ms, answered after `after_ms`.
fn check(region: Region, uplink: &Rxpk, after_ms: u64, expected: Expect) {
    expected.assert_eq(&show(answer(uplink, 5_000, 5_000 + after_ms, region, &ack()).as_ref()));
}

#[test]
fn rx1_while_it_can_be_met_then_rx2_then_nothing() {
    let up = uplink(1_000_000, 868_100_000, "SF7BW125");
    check(Region::Eu868, &up, 0, expect!["Rx1 at 2000000 on 868100000 SF7BW125 14 dBm"]);
    check(Region::Eu868, &up, 899, expect!["Rx1 at 2000000 on 868100000 SF7BW125 14 dBm"]);
    check(Region::Eu868, &up, 900, expect!["Rx2 at 3000000 on 869525000 SF12BW125 27 dBm"]);
    check(Region::Eu868, &up, 1_899, expect!["Rx2 at 3000000 on 869525000 SF12BW125 27 dBm"]);
    check(Region::Eu868, &up, 1_900, expect!["nothing"]);
    check(Region::Eu868, &up, 2_500, expect!["nothing"]);
}

#[test]
fn the_gateways_counter_wraps() {
    let up = uplink(4_294_900_000, 486_300_000, "SF10BW125");
    check(Region::Cn470, &up, 0, expect!["Rx1 at 932704 on 506700000 SF10BW125 17 dBm"]);
    check(Region::Cn470, &up, 1_200, expect!["Rx2 at 1932704 on 505300000 SF12BW125 17 dBm"]);
}

#[test]
fn without_a_first_window_the_second() {
    check(Region::Eu868, &uplink(0, 868_800_000, "FSK"), 0, expect!["Rx2 at 2000000 on 869525000 SF12BW125 27 dBm"]);
}

#[test]
fn cn470_drops_what_is_too_long_for_the_law() {
    let slow = uplink(0, 470_300_000, "SF12BW125");
    let longer = [0x60; 13];
    assert_eq!(answer(&slow, 0, 0, Region::Cn470, &longer), None);
    let fast = uplink(0, 470_300_000, "SF7BW125");
    let answer = answer(&fast, 0, 0, Region::Cn470, &longer).unwrap();
    expect!["Rx1 at 1000000 on 500300000 SF7BW125 17 dBm"].assert_eq(&show(Some(&answer)));
    expect!["nothing"].assert_eq(&show(answer.retry(TxError::TooLate, 10).as_ref()));
}

#[test]
fn a_refused_rx1_is_tried_once_in_rx2() {
    let up = uplink(1_000_000, 868_100_000, "SF7BW125");
    let rx1 = || answer(&up, 5_000, 5_010, Region::Eu868, &ack()).unwrap();
    for error in TxError::ALL {
        let again = rx1().retry(error, 5_020);
        let timing =
            matches!(error, TxError::TooLate | TxError::TooEarly | TxError::CollisionPacket | TxError::CollisionBeacon);
        assert_eq!(again.is_some(), timing, "{error:?}");
        let Some(again) = again else { continue };
        expect!["Rx2 at 3000000 on 869525000 SF12BW125 27 dBm"].assert_eq(&show(Some(&again)));
        assert_eq!(again.txpk.phy, ack());
        assert_eq!(again.retry(error, 5_030), None, "once only");
    }
    assert_eq!(rx1().retry(TxError::TooLate, 6_900), None, "RX2 is gone too");
}

proptest! {
    #[test]
    fn an_answer_is_never_late_nor_elsewhere(tmst_us: u32, received_ms: u64, after_ms in 0u64..3_000, bytes in 0usize..300) {
        let up = uplink(tmst_us, 868_300_000, "SF9BW125");
        let now_ms = received_ms.saturating_add(after_ms);
        if let Some(answer) = answer(&up, received_ms, now_ms, Region::Eu868, &vec![0; bytes]) {
            let ahead_us = u64::from(answer.txpk.tmst_us.wrapping_sub(tmst_us));
            prop_assert!(ahead_us == 1_000_000 || ahead_us == 2_000_000);
            prop_assert!(ahead_us / 1000 > after_ms + 42, "the forwarder would say TOO_LATE");
            prop_assert!(bytes <= 255);
        }
    }
}
