use expect_test::{Expect, expect};

use super::*;

fn check(region: Region, uplink_hz: u32, rate: &str, expected: Expect) {
    let rate = rate.parse().map_or(DataRate::Fsk(50_000), DataRate::Lora);
    let show = |window| match region.downlink(window, uplink_hz, rate) {
        Some(Downlink { frequency_hz, data_rate, power_dbm }) => {
            format!("{frequency_hz} {data_rate} {power_dbm} dBm")
        }
        None => "none".to_owned(),
    };
    expected.assert_eq(&format!("{}, {}", show(Window::Rx1), show(Window::Rx2)));
}

#[test]
fn eu868_answers_on_the_same_frequency() {
    check(Region::Eu868, 868_100_000, "SF7BW125", expect!["868100000 SF7BW125 14 dBm, 869525000 SF12BW125 27 dBm"]);
    check(
        Region::Eu868,
        867_900_000,
        "SF12BW125",
        expect!["867900000 SF12BW125 14 dBm, 869525000 SF12BW125 27 dBm"],
    );
    check(Region::Eu868, 868_800_000, "FSK", expect!["none, 869525000 SF12BW125 27 dBm"]);
    check(Region::Eu868, 915_000_000, "SF7BW125", expect!["none, 869525000 SF12BW125 27 dBm"]);
}

#[test]
fn cn470_folds_96_uplink_channels_onto_48() {
    check(Region::Cn470, 470_300_000, "SF7BW125", expect!["500300000 SF7BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
    check(Region::Cn470, 479_700_000, "SF9BW125", expect!["509700000 SF9BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
    check(Region::Cn470, 479_900_000, "SF9BW125", expect!["500300000 SF9BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
    check(
        Region::Cn470,
        486_300_000,
        "SF10BW125",
        expect!["506700000 SF10BW125 17 dBm, 505300000 SF12BW125 17 dBm"],
    );
    check(Region::Cn470, 489_299_988, "SF7BW125", expect!["509700000 SF7BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
    check(Region::Cn470, 489_500_000, "SF7BW125", expect!["none, 505300000 SF12BW125 17 dBm"]);
    check(Region::Cn470, 470_200_000, "SF7BW125", expect!["none, 505300000 SF12BW125 17 dBm"]);
}

#[test]
fn rx1_is_what_lrwn_says() {
    use lrwn::region::{CommonName, get};
    let lrwn = get(CommonName::CN470, false, false);
    for n in 0..96 {
        let uplink_hz = 470_300_000 + 200_000 * n;
        let rate = DataRate::Lora("SF7BW125".parse().unwrap());
        let ours = Region::Cn470.downlink(Window::Rx1, uplink_hz, rate).map(|downlink| downlink.frequency_hz);
        assert_eq!(ours, Some(lrwn.get_rx1_frequency_for_uplink_frequency(uplink_hz).unwrap()));
    }
}

#[test]
fn cn470_sends_no_longer_than_a_second() {
    let sf12 = "SF12BW125".parse().unwrap();
    assert!(Region::Cn470.allows(sf12, 12), "a bare acknowledgement, 991 ms");
    assert!(!Region::Cn470.allows(sf12, 13), "one byte more, 1155 ms");
    assert!(Region::Cn470.allows("SF11BW125".parse().unwrap(), 18), "659 ms");
    assert!(Region::Eu868.allows(sf12, 255));
}
