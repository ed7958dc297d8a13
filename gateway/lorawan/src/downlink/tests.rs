use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::end_device::{Received, acknowledged, receive};
use crate::session_keys::SessionKeys11;
use crate::vectors::{keys, keys_1_1, keys_of};
use crate::{DownCounters, Key128};

fn addr() -> DevAddr {
    DevAddr::from_u32(0x49be_7df1)
}

fn acknowledgement(f_cnt_down: u32) -> Vec<u8> {
    DataDown { ack: Some(3), ..DataDown::new(addr(), f_cnt_down) }.seal(&keys()).unwrap()
}

/// Both made with npm lora-packet 0.9.3.
#[test]
fn acknowledgements_of_another_implementation() {
    expect!["60f17dbe49200500696b33be"].assert_eq(&hex::encode(acknowledgement(5)));
    expect!["60f17dbe492001009395b376"].assert_eq(&hex::encode(acknowledgement(65_537)));
    assert_eq!(acknowledgement(5).len(), DOWNLINK_BYTES_MIN);
}

#[test]
fn a_device_takes_it_once_and_unchanged() {
    let phy = acknowledgement(65_537);
    assert_eq!(acknowledged(&phy, addr(), &keys(), 65_530), Some(65_537));
    assert_eq!(acknowledged(&phy, addr(), &keys(), 65_538), None, "seen before");
    assert_eq!(acknowledged(&phy, DevAddr::from_u32(1), &keys(), 65_530), None, "another device's");
    for bit in 0..phy.len() * 8 {
        let mut flipped = phy.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(acknowledged(&flipped, addr(), &keys(), 65_530), None, "bit {bit}");
    }
}

/// The example of lrwn's documentation: 1.1, LinkCheckAns in encrypted FOpts, payload 01020304 on FPort 1.
#[test]
fn lrwns_frame_of_1_1() {
    let key = |text: &str| -> Key128 { text.parse().unwrap() };
    let keys = SessionKeys::v1_1(SessionKeys11 {
        f_nwk_s_int_key: key(&"00".repeat(16)),
        s_nwk_s_int_key: key("01010101010101010101010101010100"),
        nwk_s_enc_key: key("01010101010101010101010101010200"),
        app_s_key: key("100f0e0d0c0b0a090807060504030201"),
    });
    let down = DataDown {
        f_opts: &[2, 7, 1],
        payload: Some((1, &[1, 2, 3, 4])),
        ..DataDown::new(DevAddr::from_u32(0x0102_0304), 0)
    };
    let phy = down.seal(&keys).unwrap();
    expect!["600403020103000022ac0a01f0b468ddaa5ed13a"].assert_eq(&hex::encode(&phy));
    assert_eq!(phy.len(), down.phy_bytes());
}

/// Made with another implementation of AES and CMAC (Python's cryptography 48): NFCntDown 70,001, the acknowledgement of
/// FCntUp 70,009, FOpts 02140106.
#[test]
fn a_1_1_acknowledgement_of_another_implementation() {
    let down = DataDown { ack: Some(70_009), f_opts: &[0x02, 0x14, 0x01, 0x06], ..DataDown::new(addr(), 70_001) };
    expect!["60f17dbe492471115c428bed7d7243d7"].assert_eq(&hex::encode(down.seal(&keys_1_1()).unwrap()));
}

#[test]
fn an_acknowledgement_of_1_1_is_for_one_uplink() {
    let phy = DataDown { ack: Some(70_009), ..DataDown::new(addr(), 4) }.seal(&keys_1_1()).unwrap();
    let taken = |f_cnt_up| receive(&phy, addr(), &keys_1_1(), &mut DownCounters::default(), f_cnt_up);
    assert!(taken(70_009).is_some_and(|received| received.ack && received.f_cnt_down == 4));
    assert_eq!(taken(70_008), None);
}

/// A 1.1 device numbers application frames and network frames apart.
#[test]
fn a_1_1_device_keeps_two_counters() {
    let mut expected = DownCounters { n_f_cnt_down: 10, a_f_cnt_down: 3 };
    let mut take = |f_cnt_down, f_port: u8| {
        let down = DataDown { payload: Some((f_port, b"x")), ..DataDown::new(addr(), f_cnt_down) };
        receive(&down.seal(&keys_1_1()).unwrap(), addr(), &keys_1_1(), &mut expected, 0).map(|got| got.f_cnt_down)
    };
    assert_eq!(take(3, 1), Some(3));
    assert_eq!(take(3, 1), None);
    assert_eq!(take(10, 0), Some(10));
    assert_eq!(take(9, 0), None);
    assert_eq!(expected, DownCounters { n_f_cnt_down: 11, a_f_cnt_down: 4 });
}

#[test]
fn what_does_not_fit_is_refused() {
    let base = DataDown::new(addr(), 1);
    let long = DataDown { f_opts: &[6; 16], ..base };
    assert_eq!(long.seal(&keys()), Err(DataDownError::FOptsTooLong { bytes: 16 }));
    let both = DataDown { f_opts: &[6], payload: Some((0, &[6])), ..base };
    assert_eq!(both.seal(&keys()), Err(DataDownError::FOptsAndFPort0));
    let fits = [0; 242];
    assert_eq!(DataDown { payload: Some((1, &fits)), ..base }.seal(&keys()).map(|phy| phy.len()), Ok(255));
    let longer = [0; 243];
    let long = DataDown { payload: Some((1, &longer)), ..base };
    assert_eq!(long.seal(&keys()), Err(DataDownError::TooLong { bytes: 256 }));
}

#[test]
fn no_flipped_bit_of_a_1_1_frame_is_taken() {
    let down = DataDown { ack: Some(9), f_opts: &[6], payload: Some((2, b"open")), ..DataDown::new(addr(), 8) };
    let good = down.seal(&keys_1_1()).unwrap();
    let taken = |phy: &[u8]| receive(phy, addr(), &keys_1_1(), &mut DownCounters::default(), 9);
    assert!(taken(&good).is_some());
    for bit in 0..good.len() * 8 {
        let mut phy = good.clone();
        phy[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(taken(&phy), None, "bit {bit}");
    }
    assert_eq!(
        receive(&good, addr(), &keys_of(&"02".repeat(16), &"04".repeat(16)), &mut DownCounters::default(), 9),
        None
    );
}

proptest! {
    #[test]
    fn a_device_reads_what_was_said(
        f_cnt_down: u32, v1_1: bool, ack: Option<u16>, confirmed: bool, adr: bool, f_pending: bool,
        f_opts in prop::collection::vec(any::<u8>(), 0..=15),
        payload in prop::option::of((1u8..=223, prop::collection::vec(any::<u8>(), 0..222))),
    ) {
        let keys = if v1_1 { keys_1_1() } else { keys() };
        let payload_ref = payload.as_ref().map(|(f_port, payload)| (*f_port, payload.as_slice()));
        let ack = ack.map(u32::from);
        let down =
            DataDown { ack, confirmed, adr, f_pending, f_opts: &f_opts, payload: payload_ref, ..DataDown::new(addr(), f_cnt_down) };
        let phy = down.seal(&keys).unwrap();
        prop_assert_eq!(phy.len(), down.phy_bytes());
        let mut expected = DownCounters { n_f_cnt_down: f_cnt_down, a_f_cnt_down: f_cnt_down };
        let received = receive(&phy, addr(), &keys, &mut expected, ack.unwrap_or(0)).unwrap();
        let sent = Received { f_cnt_down, ack: ack.is_some(), confirmed, f_pending, f_opts: f_opts.clone(), payload };
        prop_assert_eq!(received, sent);
    }

    #[test]
    fn any_bytes_are_answered(mut phy in prop::collection::vec(any::<u8>(), 1..260)) {
        phy[0] = 0x60;
        prop_assert_eq!(receive(&phy, addr(), &keys(), &mut DownCounters::default(), 0), None);
    }
}
