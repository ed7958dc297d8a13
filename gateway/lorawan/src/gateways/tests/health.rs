//! What is counted, and what it points at.

use expect_test::{Expect, expect};

use super::*;

fn stat(rxnb: u32, rxok: u32, rxfw: u32, ackr: f64) -> Stat {
    Stat { rxnb: Some(rxnb), rxok: Some(rxok), rxfw: Some(rxfw), ackr: Some(ackr), ..Stat::default() }
}

fn check(reports: impl IntoIterator<Item = Stat>, expected: Expect) {
    let mut gateways = table();
    for report in reports {
        push(&mut gateways, 0, "10.0.0.1:4000", Some(&report)).unwrap();
    }
    let hints: Vec<String> = status(&gateways, 0).hints.iter().map(ToString::to_string).collect();
    expected.assert_eq(&hints.join("\n"));
}

#[test]
fn a_healthy_gateway_gives_no_hint() {
    check([stat(0, 0, 0, 0.0)], expect![""]);
    check((0..500).map(|_| stat(20, 18, 18, 100.0)), expect![""]);
}

#[test]
fn what_it_hears_but_does_not_forward() {
    check(
        [stat(5, 5, 5, 100.0), stat(5, 4, 0, 100.0)],
        expect!["hears frames but forwards none: check forward_crc_valid in its global_conf.json"],
    );
}

#[test]
fn a_fall_of_right_crcs() {
    let usual = (0..200).map(|_| stat(20, 18, 18, 100.0));
    let bad = (0..12).map(|_| stat(20, 4, 4, 100.0));
    check(
        usual.clone().chain(bad),
        expect![["only 22 % of the frames it hears are whole, usually 82 %: check the antenna, look for interference"]],
    );
    check(usual.chain([stat(1, 0, 0, 100.0)]), expect![""]);
    check((0..10).map(|_| stat(1, 0, 0, 100.0)), expect![""]);
}

#[test]
fn answers_that_do_not_arrive() {
    check(
        [stat(0, 0, 0, 54.5)],
        expect!["only 55 % of our answers reach it: check the network between it and this box"],
    );
    check([stat(0, 0, 0, f64::NAN), stat(0, 0, 0, 1e300)], expect![""]);
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
    assert_eq!(gateways.heard(0, parsed(&datagram)).len(), 2, "only these reach the MAC layer");
    gateways.unreadable(EUI);
    let GatewayCounters { push, rx, crc_absent, crc_bad, crc_none, malformed, .. } = status(&gateways, 0).counters;
    assert_eq!([push, rx, crc_absent, crc_bad, crc_none, malformed], [1, 2, 1, 2, 1, 2]);
}
