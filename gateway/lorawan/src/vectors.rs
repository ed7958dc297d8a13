//! Frames made by others, for the tests of this crate.

use crate::session_keys::SessionKeys11;
use crate::{DevAddr, Key128, SessionKeys, Uplink};

/// Session of the frames below that carry no other keys: the example of npm lora-packet's README.
pub(crate) fn keys() -> SessionKeys {
    keys_of("44024241ed4ce9a68c6a8bc055233fd3", "ec925802ae430ca77fd3dd73cb2cc588")
}

/// A session from two hex texts.
pub(crate) fn keys_of(nwk_s_key: &str, app_s_key: &str) -> SessionKeys {
    let key = |text: &str| -> Key128 { text.parse().unwrap() };
    SessionKeys::v1_0(key(nwk_s_key), key(app_s_key))
}

/// A session of LoRaWAN 1.1: F 01.., S 02.., Enc 03.., App 04...
pub(crate) fn keys_1_1() -> SessionKeys {
    let key = |byte| Key128::new([byte; 16]);
    SessionKeys::v1_1(SessionKeys11 {
        f_nwk_s_int_key: key(1),
        s_nwk_s_int_key: key(2),
        nwk_s_enc_key: key(3),
        app_s_key: key(4),
    })
}

/// That README's uplink: DevAddr 49be7df1, FCnt 2, FPort 1, `test`.
pub(crate) const TEST_UPLINK: &str = "40f17dbe4900020001954378762b11ff0d";

/// Confirmed uplinks of DevAddr 26010001 on FPort 2 with payload 0204d200030bb1, made with npm lora-packet 0.9.3
/// for the full counter beside each.
pub(crate) const COUNTED: [(u32, &str); 6] = [
    (1, "8001000126800100024f1b8afcdc98bb39b9ca74"),
    (65_535, "800100012680ffff027283db7854ac1e5a5f7232"),
    (65_536, "80010001268000000267ae18a0f8d5553d3c3936"),
    (65_537, "800100012680010002eb3e6052aa8b648f0f6d3c"),
    (131_071, "800100012680ffff02baca74c7978f4af64d6ffa"),
    (200_000, "800100012680400d029e2269a62fa91c6f139ab5"),
];

/// The frames of [`COUNTED`], by counter.
pub(crate) fn counted(f_cnt: u32) -> Uplink {
    let (_, hex) = COUNTED.iter().find(|(counter, _)| *counter == f_cnt).unwrap();
    Uplink::parse(&bytes(hex)).unwrap()
}

/// Our own device's frame with any counter.
pub(crate) fn sent(f_cnt: u32, payload: &[u8]) -> Uplink {
    let dev_addr = DevAddr::from_u32(0x2601_0001);
    let up = crate::end_device::DataUp { dev_addr, confirmed: true, f_cnt, f_port: 2, payload, ..Default::default() };
    Uplink::parse(&crate::end_device::data_up(up, &keys())).unwrap()
}

/// Bytes from hex digits.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}
