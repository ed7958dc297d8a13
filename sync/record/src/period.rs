//! Over how long of the clock readings are put together.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MINUTE_S: u32 = 60;
const HOUR_S: u32 = 3_600;
const DAY_S: u32 = 86_400;

/// Whole minutes that divide an hour, or whole hours that divide a day: so that windows of it begin with the clock's hour and
/// day. Those below an hour are the `MinInterval` of HJ 212-2017 table 4. Written `10m`, `1h`, `1d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    seconds: u32,
}

/// Why a text or number is no [`Period`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no period: write minutes that divide an hour (1m, 10m, 15m), hours that divide a day (1h, 4h), or 1d"
)]
pub struct PeriodError(String);

impl Period {
    /// From an hour on, its parts are ten minutes; below, a minute (HJ 212-2017 appendix D.1).
    const LONG_S: u32 = HOUR_S;

    /// Checks a number of seconds.
    ///
    /// # Errors
    /// [`PeriodError`] unless it is of the minutes or hours above.
    pub fn new(seconds: u32) -> Result<Period, PeriodError> {
        let of_an_hour = seconds >= MINUTE_S && seconds.is_multiple_of(MINUTE_S) && HOUR_S.is_multiple_of(seconds);
        let of_a_day = seconds >= HOUR_S && seconds.is_multiple_of(HOUR_S) && DAY_S.is_multiple_of(seconds);
        if !of_an_hour && !of_a_day {
            return Err(PeriodError(format!("{seconds} s")));
        }
        Ok(Period { seconds })
    }

    /// In seconds.
    pub fn seconds(self) -> u32 {
        self.seconds
    }

    /// In milliseconds.
    pub fn ms(self) -> i64 {
        i64::from(self.seconds) * 1_000
    }

    /// How long each of its parts is, in milliseconds: a minute, or ten from an hour on.
    pub fn part_ms(self) -> i64 {
        if self.seconds < Period::LONG_S { 60_000 } else { 600_000 }
    }

    /// How many parts it has.
    pub fn parts(self) -> u32 {
        let part_s = if self.seconds < Period::LONG_S { MINUTE_S } else { 10 * MINUTE_S };
        self.seconds / part_s
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            DAY_S => f.write_str("1d"),
            s if s >= HOUR_S => write!(f, "{}h", s / HOUR_S),
            s => write!(f, "{}m", s / MINUTE_S),
        }
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Period, PeriodError> {
        let wrong = || PeriodError(text.chars().take(20).collect());
        let units = [('m', MINUTE_S), ('h', HOUR_S), ('d', DAY_S)];
        let read = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)));
        let (digits, unit_s) = read.ok_or_else(wrong)?;
        let is_number = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        let count = digits.parse::<u32>().ok().filter(|_| is_number).and_then(|count| count.checked_mul(unit_s));
        count.and_then(|seconds| Period::new(seconds).ok()).ok_or_else(wrong)
    }
}

impl<C> Encode<C> for Period {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.u32(self.seconds)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Period {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Period::new(d.u32()?).map_err(decode::Error::custom)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Period, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_as_it_is_shown() {
        for text in ["1m", "2m", "10m", "15m", "30m", "1h", "2h", "4h", "12h", "1d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("60m".parse::<Period>().unwrap().to_string(), "1h");
        assert_eq!("24h".parse::<Period>().unwrap().to_string(), "1d");
        for text in [
            "",
            "m",
            "0m",
            "7m",
            "45m",
            "90m",
            "5h",
            "2d",
            "30s",
            "1",
            "01m",
            "+1m",
            "1 h",
            "99999999999m",
            "4294967295h",
        ] {
            let error = text.parse::<Period>().unwrap_err().to_string();
            assert!(error.contains("10m") && error.contains("1d"), "{error}");
        }
    }

    #[test]
    fn parts_fill_a_period() {
        for seconds in 0..=100_000 {
            let Ok(period) = Period::new(seconds) else { continue };
            assert_eq!(i64::from(period.parts()) * period.part_ms(), period.ms(), "{period}");
        }
        let parts = |text: &str| text.parse::<Period>().unwrap().parts();
        assert_eq!(["1m", "10m", "1h", "1d"].map(parts), [1, 10, 6, 144]);
    }
}
