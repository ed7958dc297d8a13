//! Application layer clock synchronisation (LoRa Alliance TS003-1.0.0): what devices of LoRaWAN 1.0.2 use, which have no
//! DeviceTimeReq.

use crate::mac::GpsTime;

/// The package's FPort: its commands are application payload, in both directions.
pub const CLOCK_SYNC_F_PORT: u8 = 202;

/// AppTimeReq and AppTimeAns.
const APP_TIME: u8 = 0x01;

/// The answer to an uplink's payload on [`CLOCK_SYNC_F_PORT`], in plain text; `time` is when the uplink ended, and is
/// given only by a **trusted clock**. None if nothing was asked, nothing is to be corrected, or there is no such clock.
///
/// ```text
/// AppTimeReq  01, DeviceTime (4, little-endian, GPS seconds), Param: bit 4 answer in any case, bits 0..3 token
/// AppTimeAns  01, TimeCorrection (4, little-endian, signed, seconds), Param: bits 0..3 the same token
/// ```
/// `010004000015` asks with token 5.
pub fn answer(payload: &[u8], time: Option<GpsTime>) -> Option<[u8; 6]> {
    let now_s = time?.seconds();
    let [a, b, c, d, param] = app_time_req(payload)?;
    let correction_s = now_s.wrapping_sub(u32::from_le_bytes([a, b, c, d]));
    if correction_s == 0 && param & 0x10 == 0 {
        return None;
    }
    let [a, b, c, d] = correction_s.to_le_bytes();
    Some([APP_TIME, a, b, c, d, param & 0x0f])
}

/// What follows the identifier of the first AppTimeReq.
fn app_time_req(payload: &[u8]) -> Option<[u8; 5]> {
    let mut rest = payload;
    loop {
        let (command, after) = rest.split_first()?;
        match *command {
            APP_TIME => return after.first_chunk().copied(),
            // PackageVersionAns; DeviceAppTimePeriodicityAns.
            0x00 => rest = after.get(2..)?,
            0x02 => rest = after.get(5..)?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(payload: &str, gps_s: u64, expected: Option<&str>) {
        // GPS second 0 is Unix second 315,964,800; no leap second before July 1981.
        let time = GpsTime::from_unix_ms((315_964_800 + gps_s) * 1000);
        let answer = answer(&hex::decode(payload).unwrap(), time);
        assert_eq!(answer.map(hex::encode).as_deref(), expected, "{payload}");
    }

    #[test]
    fn a_device_learns_how_wrong_it_is() {
        check("010004000015", 1024 + 1024, Some("010004000005"));
        check("01000400001f", 1024, Some("01000000000f"));
        check("010004000005", 1024, None);
        check("010004000005", 1023, Some("01ffffffff05"));
        check("01ffffffff05", 1023, Some("010004000005"));
        check("000101020000000000010004000005", 1025, Some("010100000005"));
    }

    #[test]
    fn what_is_no_question() {
        for payload in ["", "01", "0100040000", "03", "0001", "02000000"] {
            check(payload, 1024, None);
        }
        assert_eq!(answer(&[1, 0, 4, 0, 0, 0x1f], None), None, "the clock is not trusted");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(payload in prop::collection::vec(0u8..4, 0..40), now_ms in 0u64..1 << 43) {
            let _ = answer(&payload, GpsTime::from_unix_ms(now_ms));
        }
    }
}
