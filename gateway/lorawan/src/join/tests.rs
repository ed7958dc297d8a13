use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::end_device::Joining;
use crate::region::RxSettings;
use crate::root_keys::Nonces;
use crate::vectors::bytes;
use crate::{DevAddr, JoinNonce, Key128, NetId, Region, SessionKeys, SessionKeys11};

fn key(text: &str) -> Key128 {
    text.parse().unwrap()
}

fn v1_0() -> RootKeys {
    RootKeys::V1_0 { app_key: key("0102030405060708090a0b0c0d0e0f10") }
}

fn v1_1() -> RootKeys {
    RootKeys::V1_1 {
        nwk_key: key("0102030405060708090a0b0c0d0e0f10"),
        app_key: key("100f0e0d0c0b0a090807060504030201"),
    }
}

fn joining(keys: &RootKeys, region: Region) -> Joining<'_> {
    let (join_eui, dev_eui) = (JoinEui([1, 2, 3, 4, 5, 6, 7, 8]), DevEui([8, 7, 6, 5, 4, 3, 2, 1]));
    Joining { keys, join_eui, dev_eui, dev_nonce: 258, region }
}

fn handed_out(region: Region, cf_list: Option<CfList>) -> JoinAccept {
    JoinAccept {
        join_nonce: JoinNonce::new(65_793).unwrap(),
        net_id: NetId::PRIVATE_1,
        dev_addr: DevAddr::from_u32(0x0201_0203),
        rx: RxSettings::offered(region).with_rx1_delay_s(3).unwrap(),
        cf_list,
    }
}

/// The example of lrwn's documentation.
#[test]
fn lrwns_join_request() {
    let phy = bytes("0001010101010101010202020202020202030309b97b32");
    let request = JoinRequest::parse(&phy).unwrap();
    assert_eq!((request.join_eui(), request.dev_eui(), request.dev_nonce()), (JoinEui([1; 8]), DevEui([2; 8]), 771));
    let keys = v1_0();
    assert!(request.verify(&keys));
    let (join_eui, dev_eui) = (JoinEui([1; 8]), DevEui([2; 8]));
    let device = Joining { join_eui, dev_eui, dev_nonce: 771, ..joining(&keys, Region::Eu868) };
    assert_eq!(device.request(), phy);
}

/// The example of lrwn's documentation: 1.0, no CFList, RxDelay 0.
#[test]
fn lrwns_join_accept() {
    let keys = v1_0();
    let device = Joining { join_eui: "0807060504030201".parse().unwrap(), ..joining(&keys, Region::Eu868) };
    let joined = device.take_accept(&bytes("2023cf335489aae3183c0be0baa8dee5f3")).unwrap();
    let accept = joined.accept;
    assert_eq!((accept.join_nonce.to_u32(), accept.net_id.to_string().as_str()), (65_793, "020202"));
    assert_eq!((accept.dev_addr.to_u32(), accept.cf_list), (0x0102_0304, None));
    assert_eq!(accept.rx, RxSettings::standard(Region::Eu868));
    assert!(!joined.keys.is_v1_1());
}

/// The examples of lrwn's tests of its key derivation.
#[test]
fn lrwns_session_keys() {
    let nonces = |opt_neg| Nonces {
        opt_neg,
        join_nonce: JoinNonce::new(65_536).unwrap(),
        net_id: "010203".parse().unwrap(),
        join_eui: "0807060504030201".parse().unwrap(),
        dev_nonce: 258,
    };
    let (nwk_key, app_key) = (key("01020304050607080102030405060708"), key(&"00".repeat(16)));
    let v1_0 = SessionKeys::v1_0(key("df53c35f3034ccced0ff354c70de04df"), key("927b9c911183cffe4cb2ff4b75545f6d"));
    assert_eq!(RootKeys::V1_0 { app_key: nwk_key.clone() }.session(nonces(false)), v1_0);
    let both = RootKeys::V1_1 { nwk_key, app_key };
    assert_eq!(both.session(nonces(false)), v1_0, "a 1.1 device in a 1.0 network");
    let v1_1 = SessionKeys::v1_1(SessionKeys11 {
        app_s_key: key("01621215d1ca08febf0c602cc2ad90fa"),
        f_nwk_s_int_key: key("537f8aae896c79e015d102d06286354e"),
        s_nwk_s_int_key: key("589498993092cfdb5fd2e02ac7510bf1"),
        nwk_s_enc_key: key("9898283c4f66eb6c6fd5165882046c40"),
    });
    assert_eq!(both.session(nonces(true)), v1_1);
}

#[test]
fn a_strangers_join_request() {
    let request = JoinRequest::parse(&bytes("0001002A00C024E1247383458C5324E124D533A10435B7")).unwrap();
    expect!["24e124c0002a0001 24e124538c458373 13269"].assert_eq(&format!(
        "{} {} {}",
        request.join_eui(),
        request.dev_eui(),
        request.dev_nonce()
    ));
    assert!(!request.verify(&v1_0()) && !request.verify(&v1_1()));
}

/// Made with another implementation of AES and CMAC (Python's cryptography 48), from the text of LoRaWAN 1.1 §6.2.3 and
/// §6.2.5: the same request answered with OptNeg and without.
#[test]
fn accepts_of_another_implementation() {
    let rx = RxSettings::standard(Region::Eu868).with_rx1_delay_s(3).unwrap();
    let handed_out = JoinAccept { rx, ..handed_out(Region::Eu868, Some(CfList::EU868)) };
    let accept = |keys: &RootKeys| {
        JoinRequest::parse(&joining(keys, Region::Eu868).request()).unwrap().accept(keys, &handed_out)
    };
    let v1_1 = accept(&v1_1());
    expect!["203ecc7562ed3d7e51ed4cfec6462e2c951c300991eecae16b90145577108b280d"].assert_eq(&hex::encode(v1_1.phy));
    let keys = SessionKeys::v1_1(SessionKeys11 {
        f_nwk_s_int_key: key("4e786bdd7f79b14b03cab5f2c363d3cc"),
        s_nwk_s_int_key: key("be619cba4b60a6a64f6600d9e4ea768e"),
        nwk_s_enc_key: key("0b71209962deb3df718c3f33ee2e4361"),
        app_s_key: key("63149ca222c7be47ebcfe1d99ce540c2"),
    });
    assert_eq!(v1_1.keys, keys);
    let v1_0 = accept(&v1_0());
    expect!["202f4713f574230ab6eac77734e2ce4cf79a4a8c692dd1d0b06cff9f2d97c719b1"].assert_eq(&hex::encode(v1_0.phy));
    let keys = SessionKeys::v1_0(key("fb606672d6eae43e21438b07d6847601"), key("72ca625b6c4bff1bcf747185b9e8ac33"));
    assert_eq!(v1_0.keys, keys);
}

#[test]
fn both_ends_agree() {
    let block = ChannelBlock::try_from(80).unwrap();
    for keys in [v1_0(), v1_1()] {
        for (region, block) in [(Region::Eu868, None), (Region::Cn470, Some(block)), (Region::Cn470, None)] {
            let device = joining(&keys, region);
            let request = JoinRequest::parse(&device.request()).unwrap();
            assert!(request.verify(&keys));
            let handed_out = handed_out(region, CfList::of(region, block));
            let accept = request.accept(&keys, &handed_out);
            assert_eq!(accept.phy.len(), if handed_out.cf_list.is_some() { 33 } else { 17 });
            assert_eq!(accept.keys.is_v1_1(), keys.is_v1_1());
            let joined = device.take_accept(&accept.phy).unwrap();
            assert_eq!((joined.accept, joined.keys), (handed_out, accept.keys));
        }
    }
}

/// A 1.1 device whose network serves it as 1.0: described by its NwkKey alone.
#[test]
fn a_1_1_device_joins_a_1_0_network() {
    let (device_keys, network_keys) = (v1_1(), v1_0());
    let device = joining(&device_keys, Region::Eu868);
    let request = JoinRequest::parse(&device.request()).unwrap();
    assert!(request.verify(&network_keys));
    let accept = request.accept(&network_keys, &handed_out(Region::Eu868, Some(CfList::EU868)));
    let joined = device.take_accept(&accept.phy).unwrap();
    assert!(!joined.keys.is_v1_1());
    assert_eq!(joined.keys, accept.keys);
}

#[test]
fn an_accept_is_for_one_request() {
    for keys in [v1_0(), v1_1()] {
        let device = joining(&keys, Region::Eu868);
        let accept = JoinRequest::parse(&device.request()).unwrap().accept(&keys, &handed_out(Region::Eu868, None));
        let stranger = if keys.is_v1_1() { v1_1_of(9) } else { RootKeys::V1_0 { app_key: Key128::new([9; 16]) } };
        assert_eq!(Joining { keys: &stranger, ..device }.take_accept(&accept.phy), None);
        if keys.is_v1_1() {
            // The MIC of 1.0 covers neither of these.
            assert_eq!(Joining { dev_nonce: 259, ..device }.take_accept(&accept.phy), None);
            assert_eq!(Joining { join_eui: JoinEui([0; 8]), ..device }.take_accept(&accept.phy), None);
            assert_eq!(Joining { dev_eui: DevEui([0; 8]), ..device }.take_accept(&accept.phy), None);
        }
    }
}

fn v1_1_of(byte: u8) -> RootKeys {
    RootKeys::V1_1 { nwk_key: Key128::new([byte; 16]), app_key: Key128::new([byte; 16]) }
}

#[test]
fn no_flipped_bit_is_taken() {
    for keys in [v1_0(), v1_1()] {
        let device = joining(&keys, Region::Eu868);
        let good = device.request();
        for bit in 0..good.len() * 8 {
            let mut phy = good.clone();
            phy[bit / 8] ^= 1 << (bit % 8);
            assert!(!JoinRequest::parse(&phy).is_ok_and(|request| request.verify(&keys)), "request bit {bit}");
        }
        for cf_list in [None, Some(CfList::EU868)] {
            let accept = JoinRequest::parse(&good).unwrap().accept(&keys, &handed_out(Region::Eu868, cf_list));
            for bit in 0..accept.phy.len() * 8 {
                let mut phy = accept.phy.clone();
                phy[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(device.take_accept(&phy), None, "accept bit {bit}");
            }
        }
    }
}

#[test]
fn what_is_no_join_request() {
    let check = |phy: &str, expected: JoinError| assert_eq!(JoinRequest::parse(&bytes(phy)), Err(expected), "{phy}");
    check("", JoinError::NotAJoin);
    check("40f17dbe4900020001954378762b11ff0d", JoinError::NotAJoin);
    check("00", JoinError::Malformed { bytes: 1 });
    check("000102030405", JoinError::Malformed { bytes: 6 });
    check("0101010101010101010202020202020202030309b97b32", JoinError::Malformed { bytes: 23 });
    check("0401010101010101010202020202020202030309b97b32", JoinError::NotCanonical);
    check("c0000302010807060504030201db00a1b2c3d4", JoinError::Rejoin(RejoinType::Type0));
    check("c0020302010807060504030201db00a1b2c3d4", JoinError::Rejoin(RejoinType::Type2));
    check("c00108070605040302010102030405060708db00a1b2c3d4", JoinError::Rejoin(RejoinType::Type1));
    check("c00308070605040302010102030405060708db00a1b2c3d4", JoinError::Malformed { bytes: 24 });
    expect!["rejoin-request of Type1 is not served: leave it, the device keeps its session or sends a join-request"]
        .assert_eq(&JoinError::Rejoin(RejoinType::Type1).to_string());
}

#[test]
fn a_channel_block_has_eight_channels() {
    let masks = |first: u8| ChannelBlock::try_from(first).map(ChannelBlock::ch_masks);
    assert_eq!(masks(0).unwrap(), [0xff, 0, 0, 0, 0, 0]);
    assert_eq!(masks(80).unwrap(), [0, 0, 0, 0, 0, 0x00ff]);
    assert_eq!(masks(88).unwrap(), [0, 0, 0, 0, 0, 0xff00]);
    expect!["channel block begins at 81: give a multiple of 8 from 0 to 88, such as 80 for 486.3 to 487.7 MHz"]
        .assert_eq(&masks(81).unwrap_err().to_string());
    assert!(masks(96).is_err());
}

#[test]
fn a_join_nonce_has_24_bits() {
    assert_eq!(JoinNonce::FIRST.next(), JoinNonce::new(2));
    assert_eq!(JoinNonce::new(0xff_ffff).unwrap().next(), None);
    assert_eq!(JoinNonce::new(0x100_0000), None);
    let stored = minicbor::to_vec(JoinNonce::new(0xff_ffff)).unwrap();
    assert_eq!(minicbor::decode::<JoinNonce>(&stored).ok(), JoinNonce::new(0xff_ffff));
    assert!(minicbor::decode::<JoinNonce>(&minicbor::to_vec(0x100_0000_u32).unwrap()).is_err());
}

#[test]
fn root_keys_are_stored_and_never_shown() {
    for keys in [v1_0(), v1_1()] {
        assert_eq!(minicbor::decode::<RootKeys>(&minicbor::to_vec(&keys).unwrap()).unwrap(), keys);
    }
    expect!["V1_1 { nwk_key: Key128(..), app_key: Key128(..) }"].assert_eq(&format!("{:?}", v1_1()));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(mut phy in prop::collection::vec(any::<u8>(), 0..60), rejoin: bool, whole: bool) {
        let _ = JoinRequest::parse(&phy);
        if let Some(mhdr) = phy.first_mut() {
            *mhdr = if rejoin { 0xc0 } else { 0 };
        }
        if whole {
            phy.resize(23, 7);
        }
        if let Ok(request) = JoinRequest::parse(&phy) {
            prop_assert!(!request.verify(&v1_0()));
        }
        if let Some(mhdr) = phy.first_mut() {
            *mhdr = 0x20;
        }
        prop_assert_eq!(joining(&v1_1(), Region::Eu868).take_accept(&phy), None);
    }

    #[test]
    fn every_join_agrees(dev_nonce: u16, join_eui: [u8; 8], dev_eui: [u8; 8], nonce in 0u32..0x100_0000, addr: u32, v: bool) {
        let keys = if v { v1_1() } else { v1_0() };
        let (join_eui, dev_eui) = (JoinEui(join_eui), DevEui(dev_eui));
        let device = Joining { join_eui, dev_eui, dev_nonce, ..joining(&keys, Region::Cn470) };
        let request = JoinRequest::parse(&device.request()).unwrap();
        prop_assert_eq!((request.join_eui(), request.dev_eui(), request.dev_nonce()), (join_eui, dev_eui, dev_nonce));
        let dev_addr = DevAddr::from_u32(addr);
        let join_nonce = JoinNonce::new(nonce).unwrap();
        let handed_out = JoinAccept { join_nonce, dev_addr, ..handed_out(Region::Cn470, None) };
        let accept = request.accept(&keys, &handed_out);
        let joined = device.take_accept(&accept.phy).unwrap();
        prop_assert_eq!((joined.accept, joined.keys), (handed_out, accept.keys));
    }
}
