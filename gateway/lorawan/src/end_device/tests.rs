//! A device's whole life, and what lrwn's documentation has as an uplink.

use expect_test::expect;

use super::*;
use crate::vectors::{bytes, keys_of};
use crate::{Uplink, mac};

/// The example of lrwn's documentation: 1.0, DevStatusAns in FOpts, payload 01020304 on FPort 10.
#[test]
fn lrwns_confirmed_uplink() {
    let keys = keys_of("0102030405060708090a0b0c0d0e0f10", "100f0e0d0c0b0a090807060504030201");
    let up = DataUp {
        dev_addr: DevAddr::from_u32(0x0102_0304),
        confirmed: true,
        f_port: 10,
        payload: &[1, 2, 3, 4],
        f_opts: &[6, 115, 7],
        ..DataUp::default()
    };
    let phy = data_up(up, &keys);
    expect!["80040302010300000673070ae264d4f7e117d2c0"].assert_eq(&hex::encode(&phy));
    let up = Uplink::parse(&phy).unwrap();
    let commands = mac::parse(&up.mac_commands(&keys, 0));
    let status = mac::UplinkCommand::DevStatusAns { battery: 115, margin_db: 7 };
    assert_eq!(commands, mac::Parsed { commands: vec![status], unread_bytes: 0 });
}

#[test]
fn too_much_is_cut_to_what_fits() {
    let keys = keys_of(&"01".repeat(16), &"02".repeat(16));
    let up = DataUp { payload: &[7; 300], f_opts: &[2; 20], ..DataUp::default() };
    let up = Uplink::parse(&data_up(DataUp { f_opts: &[], ..up }, &keys)).unwrap();
    assert_eq!(up.decrypt(&keys, 0).len(), PAYLOAD_BYTES_MAX);
    let short = DataUp { payload: b"x", f_opts: &[2; 20], ..DataUp::default() };
    assert_eq!(Uplink::parse(&data_up(short, &keys)).unwrap().f_opts().len(), F_OPTS_BYTES_MAX);
    assert!(Uplink::parse(&bytes("40")).is_err());
}
