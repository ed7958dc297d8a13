//! GPS time, as DeviceTimeAns carries it.

/// 1980-01-06T00:00:00Z, seconds since the Unix epoch.
const GPS_EPOCH_UNIX_S: u64 = 315_964_800;

/// From when on (UTC, Unix seconds) GPS time was one more second ahead of UTC: the leap seconds since the GPS epoch, by
/// IERS Bulletin C; the last one was at the end of 2016. A new one is announced half a year ahead.
const LEAP_SECONDS_UNIX_S: [u64; 18] = [
    362_793_600,
    394_329_600,
    425_865_600,
    489_024_000,
    567_993_600,
    631_152_000,
    662_688_000,
    709_948_800,
    741_484_800,
    773_020_800,
    820_454_400,
    867_715_200,
    915_148_800,
    1_136_073_600,
    1_230_768_000,
    1_341_100_800,
    1_435_708_800,
    1_483_228_800,
];

/// Time since the GPS epoch, 1980-01-06, without leap seconds, in steps of 1/256 s (LoRaWAN 1.0.4 §5.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GpsTime {
    seconds: u32,
    /// 1/256 s.
    fraction: u8,
}

impl GpsTime {
    /// From UTC as Unix milliseconds; give the time at which the uplink *ended*. None before 1980-01-06 and after 2116.
    ///
    /// Only for a clock that is trusted: a device sets its own by this, and a wrong one spoils its records for ever.
    pub fn from_unix_ms(unix_ms: u64) -> Option<GpsTime> {
        let unix_s = unix_ms / 1000;
        let leap_s = LEAP_SECONDS_UNIX_S.partition_point(|since| *since <= unix_s);
        let seconds = unix_s.checked_sub(GPS_EPOCH_UNIX_S)? + u64::try_from(leap_s).ok()?;
        let fraction = u8::try_from(unix_ms % 1000 * 256 / 1000).ok()?;
        Some(GpsTime { seconds: u32::try_from(seconds).ok()?, fraction })
    }

    /// Whole seconds since the GPS epoch.
    pub fn seconds(self) -> u32 {
        self.seconds
    }

    /// The five bytes of DeviceTimeAns.
    pub(super) fn to_bytes(self) -> [u8; 5] {
        let [a, b, c, d] = self.seconds.to_le_bytes();
        [a, b, c, d, self.fraction]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_and_chirpstacks_examples() {
        let of = |unix_ms| GpsTime::from_unix_ms(unix_ms).map(|time| (time.seconds, time.fraction));
        assert_eq!(of(315_964_800_000), Some((0, 0)));
        assert_eq!(of(315_964_799_999), None);
        // 2016-02-12T14:24:31Z = GPS 1139322288 (LoRaWAN 1.0.3 §5.9, the example of 1.1 §5.9).
        assert_eq!(of(1_455_287_071_000), Some((1_139_322_288, 0)));
        // 2020-10-01T09:30:53.592Z, a ChirpStack event's gwTime and timeSinceGpsEpoch.
        assert_eq!(of(1_601_544_653_592), Some((1_285_579_871, 151)));
        assert_eq!(of(1_483_228_799_999), Some((1_167_264_016, 255)));
        assert_eq!(of(1_483_228_800_000), Some((1_167_264_018, 0)));
        assert_eq!(of(u64::MAX), None);
        assert!(LEAP_SECONDS_UNIX_S.is_sorted());
    }
}
