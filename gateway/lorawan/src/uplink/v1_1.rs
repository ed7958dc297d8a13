//! Uplinks of LoRaWAN 1.1.

use proptest::prelude::*;

use super::*;
use crate::end_device::{DataUp, data_up};
use crate::vectors::{bytes, keys_1_1};

/// Made with npm lora-packet 0.9.3: ACK set, ConfFCnt 5, TxDr 5, TxCh 2, FCnt 7, payload c0ffee on FPort 10.
const VECTOR: &str = "40040302012007000a7568e8ec0ca66c";
const CONTEXT: MicContext = MicContext { conf_f_cnt: 5, tx_dr: 5, tx_ch: 2 };

#[test]
fn a_frame_of_another_implementation() {
    let up = Uplink::parse(&bytes(VECTOR)).unwrap();
    assert!(up.mic_verifies(&keys_1_1(), 7, CONTEXT));
    assert_eq!(hex::encode(up.decrypt(&keys_1_1(), 7)), "c0ffee");
}

#[test]
fn each_wrong_parameter_fails() {
    let up = Uplink::parse(&bytes(VECTOR)).unwrap();
    for context in [
        MicContext { conf_f_cnt: 6, ..CONTEXT },
        MicContext { conf_f_cnt: 0, ..CONTEXT },
        MicContext { tx_dr: 4, ..CONTEXT },
        MicContext { tx_ch: 3, ..CONTEXT },
        MicContext::default(),
    ] {
        assert!(!up.mic_verifies(&keys_1_1(), 7, context), "{context:?}");
    }
    assert!(!up.mic_verifies(&keys_1_1(), 0x1_0007, CONTEXT), "another counter");
    let v1_0 = SessionKeys::v1_0(crate::Key128::new([1; 16]), crate::Key128::new([4; 16]));
    assert!(!up.mic_verifies(&v1_0, 7, CONTEXT), "1.0 keys");
    // ConfFCnt has 16 bits in the MIC.
    assert!(up.mic_verifies(&keys_1_1(), 7, MicContext { conf_f_cnt: 0x1_0005, ..CONTEXT }));
}

#[test]
fn no_flipped_bit_verifies() {
    let f_opts = data_up(
        DataUp { f_cnt: 7, f_opts: &[2, 0x0d], ack: true, payload: b"x", context: CONTEXT, ..DataUp::default() },
        &keys_1_1(),
    );
    for good in [bytes(VECTOR), f_opts] {
        let verifies = |up: &Uplink| up.mic_verifies(&keys_1_1(), u32::from(up.f_cnt_low()), CONTEXT);
        assert!(verifies(&Uplink::parse(&good).unwrap()));
        for bit in 0..good.len() * 8 {
            let mut phy = good.clone();
            phy[bit / 8] ^= 1 << (bit % 8);
            assert!(!Uplink::parse(&phy).is_ok_and(|up| verifies(&up)), "bit {bit}");
        }
    }
}

#[test]
fn f_opts_and_f_port_0_together_are_refused() {
    let both = data_up(DataUp { f_port: 0, f_opts: &[2], payload: &[0x0d], ..DataUp::default() }, &keys_1_1());
    assert_eq!(Uplink::parse(&both), Err(UplinkError::FOptsAndFPort0));
}

#[test]
fn mac_commands_are_encrypted() {
    let up = |f_port, f_opts, payload| {
        let up = DataUp { f_cnt: 70_000, f_port, f_opts, payload, ..DataUp::default() };
        Uplink::parse(&data_up(up, &keys_1_1())).unwrap()
    };
    let in_f_opts = up(5, &[2, 0x0d], b"data");
    assert_ne!(in_f_opts.f_opts(), [2, 0x0d]);
    assert_eq!(in_f_opts.mac_commands(&keys_1_1(), 70_000), [2, 0x0d]);
    assert_eq!(in_f_opts.decrypt(&keys_1_1(), 70_000), b"data");
    assert_eq!(up(0, &[], &[2, 0x0d]).mac_commands(&keys_1_1(), 70_000), [2, 0x0d]);
    assert!(up(7, &[], b"data").mac_commands(&keys_1_1(), 70_000).is_empty());
}

proptest! {
    #[test]
    fn what_a_device_says_is_read(
        f_cnt: u32, conf_f_cnt: u32, tx_dr in 0u8..16, tx_ch: u8, v1_1: bool, f_port in 1u8..=223, ack: bool,
        payload in prop::collection::vec(any::<u8>(), 0..222), f_opts in prop::collection::vec(any::<u8>(), 0..=15),
    ) {
        let keys = if v1_1 { keys_1_1() } else { crate::vectors::keys() };
        let context = MicContext { conf_f_cnt, tx_dr, tx_ch };
        let sent = DataUp { f_cnt, f_port, payload: &payload, f_opts: &f_opts, ack, context, ..DataUp::default() };
        let up = Uplink::parse(&data_up(sent, &keys)).unwrap();
        prop_assert!(up.mic_verifies(&keys, f_cnt, context));
        prop_assert_eq!(up.decrypt(&keys, f_cnt), payload);
        prop_assert_eq!(up.mac_commands(&keys, f_cnt), f_opts);
        prop_assert_eq!((up.f_port(), up.ack()), (Some(f_port), ack));
    }
}
