//! Who is listened to.

use std::collections::BTreeSet;

use expect_test::expect;

use super::*;

#[test]
fn a_stranger_cannot_draw_the_downlinks_to_itself() {
    let mut gateways = table();
    assert_eq!(pull(&mut gateways, 0, "10.0.0.1:5000"), Ok(Admitted::New));
    let refusal = pull(&mut gateways, 60_000, "10.6.6.6:5000").unwrap_err();
    expect!["gateway 0016c001f153a14c is at 10.0.0.1 but 10.6.6.6 speaks for it: find out who that is"]
        .assert_eq(&refusal.to_string());
    assert!(push(&mut gateways, 60_000, "10.6.6.6:4000", None).is_err());
    let heard = uplink(&mut gateways, 60_000, EUI, 0);
    assert_eq!(gateways.send(60_000, plan(&heard), "a").unwrap().to, address("10.0.0.1:5000"));
    assert_eq!(status(&gateways, 60_000).counters.address_refused, 2);
    assert_eq!(gateways.refused().address_changed, 2);
    let conflict = Conflict { from: "10.6.6.6".parse().unwrap(), at_ms: 60_000 };
    assert_eq!(status(&gateways, 60_001).conflict, Some(conflict));
    // Refused datagrams do not keep the address alive, so a gateway that really moved is heard again.
    let moved = Admitted::Moved { before: "10.0.0.1".parse().unwrap() };
    assert_eq!(push(&mut gateways, 60_001, "10.0.0.2:4000", None), Ok(moved));
    let not_sent = gateways.send(60_001, plan(&heard), "b").unwrap_err();
    assert_eq!(not_sent, NotSent { value: "b", why: SendError::NoPath { eui: EUI } }, "not to the old place");
}

#[test]
fn online_by_pull_data_or_stat_only() {
    let mut gateways = table();
    push(&mut gateways, 0, "10.0.0.1:4000", None).unwrap();
    assert!(!status(&gateways, 0).online);
    push(&mut gateways, 1_000, "10.0.0.1:4000", Some(&Stat::default())).unwrap();
    assert!(status(&gateways, 31_000).online);
    assert!(!status(&gateways, 31_001).online);
    assert_eq!((gateways.online(31_000), gateways.reachable(31_000)), (1, vec![]), "no PULL_DATA, no path");
    assert_eq!(status(&gateways, 31_000).pull_ms_ago, None);
    pull(&mut gateways, 40_000, "10.0.0.1:5000").unwrap();
    assert_eq!((gateways.online(70_000), gateways.reachable(70_000)), (1, vec![EUI]));
    assert_eq!(status(&gateways, 70_000).pull_ms_ago, Some(30_000));
    assert_eq!((gateways.online(70_001), gateways.reachable(70_001)), (0, vec![]));
}

#[test]
fn only_allowed_gateways_are_heard() {
    let admission = Admission { gateways: Some(BTreeSet::from([Eui64([1; 8])])), ..Admission::default() };
    let mut gateways = Gateways::new(Region::Eu868, admission, 0);
    assert_eq!(pull(&mut gateways, 0, "10.0.0.1:5000"), Err(Refusal::NotAllowed { eui: EUI }));
    assert_eq!(gateways.refused().not_allowed, 1);
    assert_eq!(gateways.status(0).count(), 0);
}

#[test]
fn only_allowed_networks_are_heard() {
    let networks = ["192.168.7.0/24", "fd00:7::/32"].map(|network| network.parse().unwrap()).to_vec();
    let admission = Admission { networks: Some(networks), ..Admission::default() };
    let mut gateways = Gateways::new(Region::Eu868, admission, 0);
    let refusal = pull(&mut gateways, 0, "192.168.8.1:5000").unwrap_err();
    expect!["192.168.8.1 is in none of the allowed networks: add its network to `gwmp.networks` if it is yours"]
        .assert_eq(&refusal.to_string());
    assert_eq!(gateways.refused().of(&refusal), 1);
    assert_eq!(gateways.status(0).count(), 0, "a stranger takes no place");
    assert_eq!(pull(&mut gateways, 0, "192.168.7.9:5000"), Ok(Admitted::New));
    assert_eq!(pull_of(&mut gateways, 0, OTHER, "[::ffff:192.168.7.10]:5000"), Ok(Admitted::New), "the same in IPv6");
    assert!(pull_of(&mut gateways, 0, Eui64([3; 8]), "[fd00:7::9]:5000").is_ok());
    assert!(pull_of(&mut gateways, 0, Eui64([4; 8]), "[fd00:8::9]:5000").is_err());
}

#[test]
fn a_gateway_that_sends_too_much_is_heard_at_its_rate() {
    let admission = Admission { datagrams_per_s_max: 10, ..Admission::default() };
    let mut gateways = Gateways::new(Region::Eu868, admission, 0);
    let heard = |gateways: &mut Gateways<&'static str>, now_ms, count| {
        (0..count).filter(|_| push(gateways, now_ms, "10.0.0.1:4000", None).is_ok()).count()
    };
    assert_eq!(heard(&mut gateways, 0, 100), 20, "two seconds' worth at once");
    assert_eq!(heard(&mut gateways, 99, 100), 0);
    assert_eq!(heard(&mut gateways, 100, 100), 1);
    assert_eq!(heard(&mut gateways, 1_100, 100), 10);
    assert_eq!(status(&gateways, 1_100).counters.too_fast, 400 - 31);
    assert_eq!(pull_of(&mut gateways, 1_100, OTHER, "10.0.0.2:5000"), Ok(Admitted::New), "another one has its own");
    // A stranger who speaks in its name does not use its share up.
    assert!((0..100).all(|_| push(&mut gateways, 10_000, "10.6.6.6:4000", None).is_err()));
    assert_eq!(heard(&mut gateways, 10_000, 100), 20);
}

#[test]
fn the_table_is_bounded_and_forgets_only_the_silent() {
    let mut gateways = table();
    let admit = |gateways: &mut Gateways<&'static str>, now_ms, n: u64| {
        pull_of(gateways, now_ms, Eui64(n.to_be_bytes()), "10.0.0.1:5000")
    };
    for n in 0..GATEWAYS_MAX as u64 {
        admit(&mut gateways, n, n).unwrap();
    }
    assert!(matches!(admit(&mut gateways, 60_000, 99), Err(Refusal::TableFull { .. })));
    assert_eq!(admit(&mut gateways, 60_001, 99), Ok(Admitted::New));
    assert_eq!(gateways.status(0).count(), GATEWAYS_MAX);
    assert_eq!(admit(&mut gateways, 60_001, 1), Ok(Admitted::Known), "gateway 0 was the oldest");
    assert_eq!(gateways.refused(), RefusedCounters { table_full: 1, forgotten: 1, ..RefusedCounters::default() });
}
