//! The worked example of README.md, byte by byte.

use expect_test::expect;

use super::{header, secret};
use crate::Alg;
use crate::seal::{message, protected};
use crate::{DeviceKey, Envelope, Header, Kid, Purpose, Sealer, acknowledgement, seal};

const DEVICE: &str = "level-7";

fn example() -> Header {
    Header { kid: Some(Kid::of_number(7)), counter: 258, device_ms: None }
}

#[test]
fn a_confirmed_frame_on_a_serial_line() {
    let protected = protected(Alg::Hmac256Short, &example());
    let message = message(Alg::Hmac256Short, &protected, "level-7/confirmed", b"1.25");
    let sealed = seal(Sealer::HmacShort(&secret()), DEVICE, Purpose::ConfirmedFrame, &example(), b"1.25");
    expect!["a301040441073a00010000190102"].assert_eq(&hex::encode(&protected));
    expect!["84644d4143304ea301040441073a00010000190102516c6576656c2d372f636f6e6669726d656444312e3235"]
        .assert_eq(&hex::encode(message));
    expect!["d1844ea301040441073a00010000190102a044312e3235482b8bc5cb47e0addc"].assert_eq(&hex::encode(&sealed));
    let opened = Envelope::parse(&sealed).unwrap();
    let opened = opened.open(&DeviceKey::Hmac(secret()), DEVICE, Purpose::ConfirmedFrame).unwrap();
    assert_eq!(opened.payload, b"1.25");
}

#[test]
fn its_acknowledgement() {
    expect!["d1844ea301040441073a00010000190102a0404830d056ca57e79283"].assert_eq(&hex::encode(acknowledgement(
        DEVICE,
        &secret(),
        Kid::of_number(7),
        258,
    )));
}

#[test]
fn an_mqtt_frame() {
    let header = Header { kid: None, ..header(258) };
    let sealed = seal(Sealer::Hmac(&secret()), "cod-1", Purpose::Frame, &header, b"{\"cod\":40.1}");
    expect!["d1845819a301053a000100001901023a000100011b000001a207c6d180a04c7b22636f64223a34302e317d5820e5c8a179c958b08011175293dd87cdd0124f41ae97ea18371ec6316a24dd8861"].assert_eq(&hex::encode(sealed));
}
