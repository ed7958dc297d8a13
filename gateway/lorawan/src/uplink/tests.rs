use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::vectors::{COUNTED, TEST_UPLINK, bytes, keys, keys_of};

fn check(phy: &str, keys: &SessionKeys, f_cnt: u32, expected: Expect) {
    let text = match Uplink::parse(&bytes(phy)) {
        Ok(up) => format!(
            "{} confirmed={} adr={} adr_ack_req={} ack={} f_cnt={} f_opts={} f_port={:?} mic={} payload={:?}",
            up.dev_addr(),
            up.confirmed(),
            up.adr(),
            up.adr_ack_req(),
            up.ack(),
            up.f_cnt_low(),
            hex::encode(up.f_opts()),
            up.f_port(),
            up.mic_verifies(keys, f_cnt, MicContext::default()),
            String::from_utf8_lossy(&up.decrypt(keys, f_cnt)),
        ),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn frames_of_other_implementations() {
    check(
        TEST_UPLINK,
        &keys(),
        2,
        expect![[
            r#"49be7df1 confirmed=false adr=false adr_ack_req=false ack=false f_cnt=2 f_opts= f_port=Some(1) mic=true payload="test""#
        ]],
    );
    let other = keys_of(&"02".repeat(16), &"01".repeat(16));
    check(
        "400403020180010001a694642615d6c3b582",
        &other,
        1,
        expect![[
            r#"01020304 confirmed=false adr=true adr_ack_req=false ack=false f_cnt=1 f_opts= f_port=Some(1) mic=true payload="hello""#
        ]],
    );
    check(
        "40010001260204000d028cec61a4",
        &keys(),
        4,
        expect![[
            r#"26010001 confirmed=false adr=false adr_ack_req=false ack=false f_cnt=4 f_opts=0d02 f_port=None mic=true payload="""#
        ]],
    );
    check(
        "400100012600030000041a0ab0a1",
        &keys(),
        3,
        expect![[
            r#"26010001 confirmed=false adr=false adr_ack_req=false ack=false f_cnt=3 f_opts= f_port=Some(0) mic=true payload="\r""#
        ]],
    );
}

#[test]
fn a_full_counter_verifies_only_its_own_frame() {
    for (f_cnt, phy) in COUNTED {
        let up = Uplink::parse(&bytes(phy)).unwrap();
        assert!(up.mic_verifies(&keys(), f_cnt, MicContext::default()), "{f_cnt}");
        assert!(!up.mic_verifies(&keys(), f_cnt ^ 0x1_0000, MicContext::default()), "{f_cnt}, another epoch");
        assert!(!up.mic_verifies(&keys(), f_cnt ^ 1, MicContext::default()), "{f_cnt}, other low bits");
        assert_eq!(hex::encode(up.decrypt(&keys(), f_cnt)), "0204d200030bb1");
    }
}

#[test]
fn what_is_no_data_uplink() {
    let check = |phy, expected| check(phy, &keys(), 0, expected);
    check("", expect!["frame of 0 bytes is shorter than the 12 bytes of a data frame: refuse it"]);
    check("40", expect!["frame of 1 bytes is shorter than the 12 bytes of a data frame: refuse it"]);
    check("0001002A00C024E1247383458C5324E124D533A10435B7", expect!["frame is a join: read it as a JoinRequest"]);
    check("60f17dbe49200500696b33be", expect!["frame is a downlink of another network: ignore it"]);
    check("e0f17dbe49200500696b33be", expect!["frame has a proprietary format: ignore it"]);
    check(
        "41f17dbe4900020001954378762b11ff0d",
        expect!["frame is no LoRaWAN R1 data frame: unknown major version or FOpts past its end; refuse it"],
    );
    check(
        "40f17dbe490f020001954378762b11",
        expect!["frame is no LoRaWAN R1 data frame: unknown major version or FOpts past its end; refuse it"],
    );
    check(
        "44f17dbe4900020001954378762b11ff0d",
        expect!["frame is not in canonical form: a reserved bit is set; refuse it, the MIC would not cover it"],
    );
    check(&"40".repeat(256), expect!["frame of 256 bytes is longer than the 255 bytes a radio can send: refuse it"]);
}

/// The rule of canonical bytes: without it, three of these verify (the reserved bits of MHDR).
#[test]
fn no_flipped_bit_verifies() {
    let good = bytes(TEST_UPLINK);
    assert_eq!(good.len() * 8, 136);
    let mut reserved = 0;
    for bit in 0..136 {
        let mut phy = good.clone();
        phy[bit / 8] ^= 1 << (bit % 8);
        let refused = match Uplink::parse(&phy) {
            Err(error) => {
                reserved += u32::from(error == UplinkError::NotCanonical);
                true
            }
            // Every full counter that `judge` would try.
            Ok(up) => !(0..=16)
                .any(|epoch| up.mic_verifies(&keys(), epoch << 16 | u32::from(up.f_cnt_low()), MicContext::default())),
        };
        assert!(refused, "bit {bit}");
    }
    assert_eq!(reserved, 3);
}

#[test]
fn no_honest_frame_is_lost_to_the_canonical_rule() {
    for f_ctrl in 0..=255u8 {
        for after_header in 0..=4 {
            let mut phy = vec![0x40, 1, 0, 1, 0x26, f_ctrl, 7, 0];
            phy.extend((0..f_ctrl & 0x0f).map(|i| i.wrapping_mul(37)));
            phy.extend((0..after_header).map(|i| 2 + i));
            phy.extend([0xde, 0xad, 0xbe, 0xef]);
            let up = Uplink::parse(&phy).unwrap();
            assert_eq!(up.phy(), phy);
            assert_eq!(up.f_opts().len(), usize::from(f_ctrl & 0x0f));
            assert_eq!(up.f_port(), (after_header > 0).then_some(2));
            assert_eq!(up.decrypt(&keys(), 7).len(), usize::from(after_header).saturating_sub(1));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(phy in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(up) = Uplink::parse(&phy) {
            prop_assert_eq!(up.phy(), &phy[..]);
            up.decrypt(&keys(), up.f_cnt_low().into());
            prop_assert!(up.f_opts().len() <= 15);
            prop_assert!(!up.mic_verifies(&keys(), up.f_cnt_low().into(), MicContext::default()));
        }
    }

    #[test]
    fn any_data_frame_is_answered(mut phy in prop::collection::vec(any::<u8>(), 1..300), confirmed: bool) {
        phy[0] = if confirmed { 0x80 } else { 0x40 };
        if let Ok(up) = Uplink::parse(&phy) {
            prop_assert_eq!(up.confirmed(), confirmed);
            up.decrypt(&keys(), u32::MAX);
            let _ = (up.f_port(), up.f_opts(), format!("{up:?}"));
        }
    }
}
