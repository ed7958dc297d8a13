//! The real-time clock, if the box has one (`rtc(4)`, `/sys/class/rtc`).

use std::fs;
use std::path::Path;

use record::UnixMs;

use super::saved::Good;

/// Where the kernel shows real-time clocks.
const SYSFS: &str = "/sys/class/rtc";
/// It counts whole seconds, and is read at another moment than the wall clock.
const RTC_APART_MS: u64 = 3_000;
/// How far a cheap one runs away between -20 and 60 °C, in millionths: some 9 s a day.
const RTC_PPM: u64 = 100;
/// One that goes on after a longer time is not believed: a stored box, or a date that a flat battery made up.
const RTC_DAYS_MAX: u64 = 400;
const DAY_MS: u64 = 86_400_000;

/// A real-time clock as it stands at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtc {
    /// What it shows.
    pub wall_ms: UnixMs,
}

impl Rtc {
    /// The one from which the kernel set the wall clock when it booted, if it did.
    pub(crate) fn read() -> Option<Rtc> {
        let found = fs::read_dir(SYSFS).ok()?.filter_map(Result::ok);
        found.map(|entry| entry.path()).find_map(|folder| Rtc::of(&folder))
    }

    fn of(folder: &Path) -> Option<Rtc> {
        let number = |file| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<i64>().ok();
        // Without this the wall clock came from elsewhere, whatever the real-time clock shows.
        number("hctosys").filter(|set_the_system| *set_the_system == 1)?;
        number("since_epoch").map(|seconds| UnixMs(seconds.saturating_mul(1_000))).map(|wall_ms| Rtc { wall_ms })
    }

    /// How wrong the wall clock may be, ± ms, if this clock can vouch for it: the two agree, and it goes on from a time
    /// that an earlier boot knew. A flat battery makes it fall back, and a stranger makes it leap.
    pub(super) fn error_ms(self, good: Option<Good>, wall_ms: UnixMs) -> Option<u32> {
        let Good { wall_ms: from, error_ms } = good?;
        let least = from.0.checked_sub_unsigned(error_ms)?;
        let passed_ms = u64::try_from(wall_ms.0.checked_sub(least)?).ok()?;
        let agrees = self.wall_ms.0.abs_diff(wall_ms.0) <= RTC_APART_MS;
        if !agrees || passed_ms > RTC_DAYS_MAX * DAY_MS {
            return None;
        }
        // It was set from the wall clock, and took over the error.
        u32::try_from(RTC_APART_MS.saturating_add(error_ms) + passed_ms.div_ceil(1_000_000 / RTC_PPM)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_vouches_only_for_what_goes_on_from_a_known_time() {
        let good = 1_800_000_000_000;
        let day = DAY_MS.cast_signed();
        let check = |rtc: i64, wall: i64, expected| {
            let rtc = Rtc { wall_ms: UnixMs(rtc) };
            let good = Good { wall_ms: UnixMs(good), error_ms: 0 };
            assert_eq!(rtc.error_ms(Some(good), UnixMs(wall)), expected, "{rtc:?} {wall}");
        };
        check(good + day, good + day, Some(3_000 + 8_640));
        check(good + day - 2_900, good + day, Some(3_000 + 8_640));
        check(good + day - 3_100, good + day, None);
        check(good - day, good - day, None);
        check(0, 0, None);
        check(good + 3_650 * day, good + 3_650 * day, None);
        let rtc = Rtc { wall_ms: UnixMs(good) };
        assert_eq!(rtc.error_ms(None, UnixMs(good)), None, "nobody ever knew");
        let vague = Good { wall_ms: UnixMs(good + 500), error_ms: 500 };
        assert_eq!(rtc.error_ms(Some(vague), UnixMs(good)), Some(3_500));
    }

    #[test]
    fn only_a_clock_that_set_the_system_counts() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file, text| fs::write(folder.path().join(file), text).unwrap();
        assert_eq!(Rtc::of(folder.path()), None);
        write("since_epoch", "1800000000\n");
        write("hctosys", "0\n");
        assert_eq!(Rtc::of(folder.path()), None);
        write("hctosys", "1\n");
        assert_eq!(Rtc::of(folder.path()), Some(Rtc { wall_ms: UnixMs(1_800_000_000_000) }));
        write("since_epoch", "no\n");
        assert_eq!(Rtc::of(folder.path()), None);
    }
}
