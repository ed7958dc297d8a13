use expect_test::{Expect, expect};

use super::*;

fn check(region: Region, uplink_hz: u32, rate: &str, expected: Expect) {
    let rate = rate.parse().map_or(DataRate::Fsk(50_000), DataRate::Lora);
    let show = |window| match region.downlink(window, uplink_hz, rate, &RxSettings::standard(region)) {
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
    check(Region::Eu868, 867_900_000, "SF12BW125", expect!["867900000 SF12BW125 14 dBm, 869525000 SF12BW125 27 dBm"]);
    check(Region::Eu868, 868_800_000, "FSK", expect!["none, 869525000 SF12BW125 27 dBm"]);
    check(Region::Eu868, 915_000_000, "SF7BW125", expect!["none, 869525000 SF12BW125 27 dBm"]);
}

#[test]
fn cn470_folds_96_uplink_channels_onto_48() {
    check(Region::Cn470, 470_300_000, "SF7BW125", expect!["500300000 SF7BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
    check(Region::Cn470, 479_700_000, "SF9BW125", expect!["509700000 SF9BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
    check(Region::Cn470, 479_900_000, "SF9BW125", expect!["500300000 SF9BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
    check(Region::Cn470, 486_300_000, "SF10BW125", expect!["506700000 SF10BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
    check(Region::Cn470, 489_299_988, "SF7BW125", expect!["509700000 SF7BW125 17 dBm, 505300000 SF12BW125 17 dBm"]);
    check(Region::Cn470, 489_500_000, "SF7BW125", expect!["none, 505300000 SF12BW125 17 dBm"]);
    check(Region::Cn470, 470_200_000, "SF7BW125", expect!["none, 505300000 SF12BW125 17 dBm"]);
}

#[test]
fn rx1_is_what_lrwn_says() {
    use lrwn::region::{CommonName, get};
    let lrwn = get(CommonName::CN470, false, false);
    let settings = RxSettings::standard(Region::Cn470);
    for n in 0..96 {
        let uplink_hz = 470_300_000 + 200_000 * n;
        let rate = DataRate::Lora("SF7BW125".parse().unwrap());
        let ours =
            Region::Cn470.downlink(Window::Rx1, uplink_hz, rate, &settings).map(|downlink| downlink.frequency_hz);
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

/// Every uplink data rate with every offset, against lrwn's table.
#[test]
fn the_offset_lowers_the_first_window() {
    use lrwn::region::{CommonName, get};
    for (region, name, uplink_hz) in
        [(Region::Eu868, CommonName::EU868, 868_100_000), (Region::Cn470, CommonName::CN470, 470_300_000)]
    {
        let lrwn = get(name, false, false);
        let standard = RxSettings::standard(region);
        for (dr, offset) in (0..6).flat_map(|dr| (0..6).map(move |offset| (dr, offset))) {
            let settings = RxSettings::new(region, 1, offset, standard.rx2_frequency_hz(), standard.rx2_dr()).unwrap();
            let rate = DataRate::Lora(region.data_rate(dr).unwrap());
            let ours = region.downlink(Window::Rx1, uplink_hz, rate, &settings).unwrap().data_rate;
            let theirs = lrwn.get_rx1_data_rate_index(dr, usize::from(offset)).unwrap();
            assert_eq!(region.dr(ours), Some(theirs), "{region:?} DR{dr} offset {offset}");
        }
    }
}

#[test]
fn what_joins_are_offered_fits_the_law() {
    let settings = RxSettings::offered(Region::Cn470);
    let rx2 = Region::Cn470.rx2(&settings).unwrap();
    expect!["505300000 SF11BW125"].assert_eq(&format!("{} {}", rx2.frequency_hz, rx2.data_rate));
    assert!(Region::Cn470.allows(rx2.data_rate, 33), "a join-accept with its CFList");
    assert!(!Region::Cn470.allows(rx2.data_rate, 40));
    assert_eq!(RxSettings::offered(Region::Eu868), RxSettings::standard(Region::Eu868));
}

#[test]
fn settings_that_the_plan_does_not_allow() {
    let new = |delay_s, offset, hz, dr| match RxSettings::new(Region::Eu868, delay_s, offset, hz, dr) {
        Ok(settings) => format!("{settings:?}"),
        Err(error) => error.to_string(),
    };
    expect!["RxSettings { rx1_delay_s: 15, rx1_dr_offset: 5, rx2_frequency_hz: 869525000, rx2_dr: 3 }"]
        .assert_eq(&new(15, 5, 869_525_000, 3));
    expect!["RX1 delay 0 s is not from 1 to 15 s: RX2 follows a second later"].assert_eq(&new(0, 0, 869_525_000, 0));
    expect!["RX1 delay 16 s is not from 1 to 15 s: RX2 follows a second later"].assert_eq(&new(16, 0, 869_525_000, 0));
    expect!["RX1 data rate offset 6 is not from 0 to 5"].assert_eq(&new(1, 6, 869_525_000, 0));
    expect!["the plan has no LoRa data rate DR7 for RX2: take DR0 to DR5"].assert_eq(&new(1, 0, 869_525_000, 7));
    expect!["nothing may be sent on 869300000 Hz in this plan: take its own RX2 frequency"].assert_eq(&new(
        1,
        0,
        869_300_000,
        0,
    ));
    let standard = RxSettings::standard(Region::Eu868);
    assert_eq!(standard.with_rx1_delay_s(5).unwrap().rx1_delay_s(), 5);
    assert_eq!(standard.with_rx1_delay_s(16), Err(RxSettingsError::Delay { delay_s: 16 }));
}

/// ETSI EN 300 220-2 annex B, and RP002's default channels in it.
#[test]
fn eu868_sub_bands_hold_every_channel_of_the_plan() {
    let show = |hz| match Region::Eu868.sub_band(hz) {
        Some(SubBand { name, duty_cycle, power_dbm, .. }) => {
            format!("{name} {} permille {power_dbm} dBm", duty_cycle.permille)
        }
        None => "none".to_owned(),
    };
    expect!["868.0-868.6 10 permille 14 dBm"].assert_eq(&show(868_100_000));
    expect!["868.0-868.6 10 permille 14 dBm"].assert_eq(&show(868_500_000));
    expect!["865.0-868.0 10 permille 14 dBm"].assert_eq(&show(867_900_000));
    expect!["869.4-869.65 100 permille 27 dBm"].assert_eq(&show(869_525_000));
    expect!["868.7-869.2 1 permille 14 dBm"].assert_eq(&show(868_800_000));
    expect!["none"].assert_eq(&show(868_650_000));
    expect!["none"].assert_eq(&show(869_300_000));
    assert_eq!(Region::Eu868.sub_band(868_100_000).unwrap().duty_cycle.us_per_hour(), 36_000_000);
    assert_eq!(Region::Cn470.sub_band(505_300_000), None);
}
