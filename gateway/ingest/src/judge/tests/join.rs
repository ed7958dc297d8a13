//! Devices that join, and frames on serial ports.

use envelope::{Header, HmacKey, Kid, Purpose, Sealer, seal};
use lorawan::end_device::{DataUp, Joined, Joining, data_up, receive};
use lorawan::{DownCounters, Region, RootKeys};
use record::{Link, Reason, SourceId};

use super::bench::{Bench, WARM, heard, show, uplink};
use crate::{Arrival, Command, CommandStep, Ruling, StrangerId, Verdict};

fn root_keys() -> RootKeys {
    RootKeys::V1_0 { app_key: "2b7e151628aed2a6abf7158809cf4f3c".parse().unwrap() }
}

fn joining(keys: &RootKeys, dev_nonce: u16) -> Joining<'_> {
    let (join_eui, dev_eui) = ("24e124c0002a0001".parse().unwrap(), "24e124538c458373".parse().unwrap());
    Joining { keys, join_eui, dev_eui, dev_nonce, region: Region::Eu868 }
}

/// Sends a join-request; the device reads the accept.
fn join(bench: &mut Bench, dev_nonce: u16) -> Option<Joined> {
    let keys = root_keys();
    let joining = joining(&keys, dev_nonce);
    let verdict = bench.judge(heard(joining.request()));
    verdict.downlink.and_then(|downlink| joining.take_accept(&downlink.phy))
}

fn says(joined: &Joined, f_cnt: u32, up: DataUp<'_>) -> Vec<u8> {
    data_up(DataUp { dev_addr: joined.accept.dev_addr, f_cnt, f_port: 2, payload: WARM, ..up }, &joined.keys)
}

fn accepted(verdict: &Verdict) -> bool {
    matches!(verdict.ruling, Ruling::Accepted { .. })
}

fn why(verdict: &Verdict) -> Option<Reason> {
    match verdict.ruling {
        Ruling::Rejected { why, .. } => Some(why),
        _ => None,
    }
}

#[test]
fn a_device_joins_speaks_and_is_answered() {
    let mut bench = Bench::new();
    let joined = join(&mut bench, 7).unwrap();
    bench.restart();
    let verdict = bench.judge(heard(says(&joined, 0, DataUp { confirmed: true, ..DataUp::default() })));
    assert!(accepted(&verdict));
    let phy = verdict.downlink.unwrap().phy;
    let down = receive(&phy, joined.accept.dev_addr, &joined.keys, &mut DownCounters::default(), 0).unwrap();
    assert!(down.ack);
}

#[test]
fn a_lost_accept_leaves_the_old_session_working() {
    let mut bench = Bench::new();
    let first = join(&mut bench, 1).unwrap();
    assert!(accepted(&bench.judge(heard(says(&first, 0, DataUp::default())))));
    let second = join(&mut bench, 2).unwrap();
    assert_ne!(first.accept.dev_addr, second.accept.dev_addr);
    bench.restart();
    assert!(accepted(&bench.judge(heard(says(&first, 1, DataUp::default())))), "the accept was lost");
    assert!(accepted(&bench.judge(heard(says(&second, 0, DataUp::default())))), "it was not");
    let late = bench.judge(heard(says(&first, 2, DataUp::default())));
    assert_eq!(why(&late), Some(Reason::Replayed), "the old session is over");
}

#[test]
fn a_nonce_is_used_once_also_over_a_restart() {
    let mut bench = Bench::new();
    let keys = root_keys();
    let request = joining(&keys, 9).request();
    assert!(accepted(&bench.judge(heard(request.clone()))));
    let again = bench.judge(heard(request.clone()));
    assert_eq!(again.ruling, Ruling::Duplicate);
    assert!(again.downlink.is_some(), "the same accept again");
    bench.wait(60_000);
    bench.restart();
    let replayed = bench.judge(heard(request.clone()));
    assert_eq!((why(&replayed), replayed.downlink.is_some()), (Some(Reason::NonceReused), false));
    let level = SourceId::new("level-1").unwrap();
    bench.ingest.flush_nonces(&level).unwrap();
    assert!(accepted(&bench.judge(heard(request))), "the technician said so");
}

#[test]
fn a_wrong_key_is_silence_and_a_stranger_is_listed() {
    let mut bench = Bench::new();
    let keys = RootKeys::V1_0 { app_key: "00000000000000000000000000000000".parse().unwrap() };
    let verdict = bench.judge(heard(joining(&keys, 1).request()));
    assert_eq!((why(&verdict), verdict.downlink), (Some(Reason::BadMic), None));
    let (dev_eui, join_eui) = (joining(&keys, 1).dev_eui, joining(&keys, 1).join_eui);
    let stranger = Joining { dev_eui: "0102030405060708".parse().unwrap(), ..joining(&keys, 1) };
    let verdict = bench.judge(heard(stranger.request()));
    assert_eq!((why(&verdict), verdict.source), (Some(Reason::UnknownDevEui), None));
    let misconfigured = Joining { join_eui: "0102030405060708".parse().unwrap(), ..joining(&keys, 1) };
    let verdict = bench.judge(heard(misconfigured.request()));
    assert_eq!(why(&verdict), Some(Reason::UnknownDevEui));
    let mut forged = uplink(0, false, WARM);
    forged.iter_mut().last().into_iter().for_each(|mic| *mic ^= 1);
    bench.judge(heard(forged));
    let heard: Vec<_> = bench.ingest.strangers().map(|stranger| (stranger.id, stranger.frames)).collect();
    let expected = [
        StrangerId::Joining { dev_eui: stranger.dev_eui, join_eui },
        StrangerId::Joining { dev_eui, join_eui: misconfigured.join_eui },
        StrangerId::UnprovedJoin { dev_eui, join_eui },
        StrangerId::Unproved(super::bench::dev_addr()),
    ];
    assert_eq!(heard, expected.map(|id| (id, 1)));
}

#[test]
fn no_bit_of_a_join_or_frame_may_change() {
    let mut bench = Bench::new();
    let joined = join(&mut bench, 7).unwrap();
    let keys = root_keys();
    for phy in [joining(&keys, 8).request(), says(&joined, 3, DataUp::default())] {
        for bit in 0..phy.len() * 8 {
            let mut flipped = phy.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let verdict = bench.judge(heard(flipped));
            assert!(matches!(verdict.ruling, Ruling::Rejected { .. }) && verdict.downlink.is_none(), "bit {bit}");
        }
    }
}

#[test]
fn a_confirmed_command_is_sent_until_it_is_acknowledged() {
    let mut bench = Bench::new();
    let joined = join(&mut bench, 7).unwrap();
    let level = SourceId::new("level-1").unwrap();
    bench.ingest.queue(level, Command { id: 4, payload: vec![1, 2], f_port: 5, confirmed: true, sent: 0 });
    let mut expected = DownCounters::default();
    for f_cnt in 0..2 {
        let verdict = bench.judge(heard(says(&joined, f_cnt, DataUp::default())));
        assert_eq!(verdict.commands, [CommandStep::Sent(4)]);
        let phy = verdict.downlink.unwrap().phy;
        let down = receive(&phy, joined.accept.dev_addr, &joined.keys, &mut expected, 0).unwrap();
        assert_eq!((down.confirmed, down.payload), (true, Some((5, vec![1, 2]))));
    }
    let verdict = bench.judge(heard(says(&joined, 2, DataUp { ack: true, ..DataUp::default() })));
    assert_eq!((verdict.commands, verdict.downlink), (vec![CommandStep::Done(4)], None));
}

#[test]
fn mac_commands_are_answered_but_never_with_an_untrusted_time() {
    let mut bench = Bench::new();
    let joined = join(&mut bench, 7).unwrap();
    let verdict = bench.judge(heard(says(&joined, 0, DataUp { f_opts: &[0x02], ..DataUp::default() })));
    let phy = verdict.downlink.unwrap().phy;
    let down = receive(&phy, joined.accept.dev_addr, &joined.keys, &mut DownCounters::default(), 0).unwrap();
    // 5.5 dB at SF7, whose floor is -7.5 dB, at one gateway.
    assert_eq!(down.f_opts[..3], [0x02, 13, 1]);
    let verdict = bench.judge(heard(says(&joined, 1, DataUp { f_opts: &[0x0d], ..DataUp::default() })));
    assert!(accepted(&verdict) && verdict.downlink.is_none(), "the clock is unset");
}

#[test]
fn gaps_are_bridged_and_counted() {
    let mut bench = Bench::new();
    let joined = join(&mut bench, 7).unwrap();
    for f_cnt in [0, 2, 20_003, 120_004] {
        let verdict = bench.judge(heard(says(&joined, f_cnt, DataUp::default())));
        assert!(accepted(&verdict), "{f_cnt}");
    }
    let quality = bench.ingest.link_quality(&SourceId::new("level-1").unwrap()).unwrap();
    assert_eq!((quality.received, quality.missed), (4, 1 + 20_000 + 100_000));
}

/// A frame of `rain-1` that asks for an acknowledgement.
fn rain(kid: Option<Kid>, counter: u64) -> Vec<u8> {
    let key = hex::decode("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4").unwrap();
    let key = HmacKey::from_bytes(key[..].try_into().unwrap());
    let header = Header { kid, counter, device_ms: None };
    seal(Sealer::HmacShort(&key), "rain-1", Purpose::ConfirmedFrame, &header, WARM)
}

fn on_the_line(envelope: Vec<u8>) -> Arrival {
    Arrival::Serial { port: "lora".into(), confirmed: true, envelope, decoded: None }
}

#[test]
fn a_serial_frame_without_a_kid_is_nobodys() {
    let mut bench = Bench::new();
    let too_large = Kid::new(&[1, 0, 0]).unwrap();
    for (kid, says) in [
        (
            None,
            "malformed ? kept: the frame has no kid, so nobody knows whose it is · try: state the id of [device.serial], big-endian without leading zeros",
        ),
        (
            Some(Kid::new(&[0, 7]).unwrap()),
            "malformed ? kept: kid 0007 is no device's id · try: state the id of [device.serial], big-endian without leading zeros",
        ),
        (
            Some(Kid::of_number(0)),
            "unknown_dev_addr ? kept: no device has [device.serial] id 0 · try: if it is yours, weir device add",
        ),
        (
            Some(too_large),
            "unknown_dev_addr ? counted: no device has [device.serial] id 65536 · try: if it is yours, weir device add",
        ),
    ] {
        let verdict = bench.judge(on_the_line(rain(kid, 1)));
        assert_eq!((show(&verdict).as_str(), &verdict.acknowledgement), (says, &None));
    }
    let strangers: Vec<_> = bench.ingest.strangers().map(|stranger| stranger.id).collect();
    assert_eq!(strangers, [StrangerId::Serial(0), StrangerId::Serial(65_536)], "who states no id is no stranger");
    assert!(accepted(&bench.judge(on_the_line(rain(Some(Kid::of_number(7)), 1)))));
}

#[test]
fn a_counter_at_its_end_begins_anew_by_a_technicians_decision() {
    let mut bench = Bench::new();
    let name = |name: &str| SourceId::new(name).unwrap();
    let kid = Some(Kid::of_number(7));
    assert!(accepted(&bench.judge(on_the_line(rain(kid, u64::MAX)))));
    assert_eq!(why(&bench.judge(on_the_line(rain(kid, 1)))), Some(Reason::Replayed), "locked out");
    assert_eq!(bench.ingest.reset_counter(&name("rain-1")), Ok(Some(u64::MAX)));
    assert!(accepted(&bench.judge(on_the_line(rain(kid, 1)))));
    bench.restart();
    assert_eq!(bench.judge(on_the_line(rain(kid, 1))).ruling, Ruling::Duplicate);
    // Personalised: FCntUp begins anew, FCntDown goes on.
    assert!(show(&bench.judge(heard(uplink(70_000, true, WARM)))).ends_with("ack 0"));
    assert_eq!(why(&bench.judge(heard(uplink(0, true, WARM)))), Some(Reason::CounterReset));
    assert_eq!(bench.ingest.reset_counter(&name("flow-1")), Ok(Some(70_000)));
    assert!(show(&bench.judge(heard(uplink(0, true, WARM)))).ends_with("ack 1"));
    for (device, says) in [
        (
            "level-1",
            "device `level-1` joins, which begins its counter anew · try: restart the device; weir device flush-nonces level-1",
        ),
        ("cod-1", "device `cod-1` does not seal its frames, so it has no counter · try: weir device show cod-1"),
        ("nobody", "there is no device `nobody` · try: weir device list"),
    ] {
        assert_eq!(bench.ingest.reset_counter(&name(device)).unwrap_err().to_string(), says);
    }
}

#[test]
fn a_serial_frame_is_proved_taken_once_and_acknowledged_again() {
    let mut bench = Bench::new();
    let envelope = rain(Some(Kid::of_number(7)), 3);
    let arrival =
        |confirmed, envelope: Vec<u8>| Arrival::Serial { port: "lora".into(), confirmed, envelope, decoded: None };
    let first = bench.judge(arrival(true, envelope.clone()));
    let Ruling::Accepted { frame, .. } = &first.ruling else { panic!("{:?}", first.ruling) };
    assert!(matches!(&frame.link, Link::Serial { seal: Some(seal), .. } if seal.counter == 3));
    bench.restart();
    let again = bench.judge(arrival(true, envelope.clone()));
    assert_eq!((&again.ruling, &again.acknowledgement), (&Ruling::Duplicate, &first.acknowledgement));
    assert!(first.acknowledgement.is_some());
    assert_eq!(why(&bench.judge(arrival(false, envelope.clone()))), Some(Reason::BadSeal), "another kind of frame");
    for bit in 0..envelope.len() * 8 {
        let mut flipped = envelope.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let verdict = bench.judge(arrival(true, flipped));
        assert!(matches!(verdict.ruling, Ruling::Rejected { .. }) && verdict.acknowledgement.is_none(), "bit {bit}");
    }
}
