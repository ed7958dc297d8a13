//! Hours of the day, days of the week and holidays in which a rule judges.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use record::dossier::Day;
use record::{ClockQuality, Stamp};
use serde::{Deserialize, Deserializer};

pub(crate) const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
/// 1970-01-01 was a Thursday.
const EPOCH_WEEKDAY: i64 = 3;

/// The local clock by which days and hours are counted: so much ahead of UTC. Beijing time unless the file says otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UtcOffset {
    ms: i64,
}

impl fmt::Debug for UtcOffset {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.ms.abs() / MINUTE_MS;
        write!(f, "{}{:02}:{:02}", if self.ms < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
    }
}

/// When a rule judges. Outside of it, it finds nothing wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Of each day; none: all of it.
    pub hours: Option<Hours>,
    /// Only on these days of the week; empty: on all.
    pub weekdays: BTreeSet<Weekday>,
    /// On these days all day long, whatever day of the week that is.
    pub holidays: BTreeSet<Day>,
    /// By which clock.
    pub offset: UtcOffset,
}

/// A time of each day, `22:00-06:00`: from the one minute on, before the other, over midnight where that comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from_ms: i64,
    /// At most a day, over midnight where it is longer than what is left of it.
    for_ms: i64,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// 星期一
    Mon,
    /// 星期二
    Tue,
    /// 星期三
    Wed,
    /// 星期四
    Thu,
    /// 星期五
    Fri,
    /// 星期六
    Sat,
    /// 星期日
    Sun,
}

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

/// Why a text is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not hours.
    #[error("`{0}` are no hours: write 22:00-06:00")]
    Hours(String),
    /// Not an offset.
    #[error("`{0}` is no offset from UTC: write +08:00")]
    Offset(String),
}

impl UtcOffset {
    /// +08:00.
    pub const BEIJING: UtcOffset = UtcOffset { ms: 8 * 3_600_000 };

    /// Local milliseconds since 1970, if the box knows the time.
    pub(crate) fn local_ms(self, stamp: &Stamp) -> Option<i64> {
        match stamp.clock {
            ClockQuality::Unset => None,
            ClockQuality::Synchronised | ClockQuality::Holdover { .. } => stamp.wall_ms.0.checked_add(self.ms),
        }
    }

    /// The local time of a UTC one.
    pub(crate) fn to_local(self, utc_ms: i64) -> Option<i64> {
        utc_ms.checked_add(self.ms)
    }
}

/// The month of a local time, 1 to 12.
pub(crate) fn month(local_ms: i64) -> Option<u8> {
    let day = Day::of(local_ms.checked_div_euclid(DAY_MS)?)?;
    Some(day.month())
}

impl Schedule {
    /// Whether it judges at a local time.
    pub(crate) fn covers(&self, local_ms: i64) -> bool {
        let days = local_ms.div_euclid(DAY_MS);
        if !self.holidays.is_empty() && Day::of(days).is_some_and(|day| self.holidays.contains(&day)) {
            return true;
        }
        // The hours after midnight belong to the evening before.
        let began = match self.hours {
            None => local_ms,
            Some(Hours { from_ms, for_ms }) => match local_ms.saturating_sub(from_ms).rem_euclid(DAY_MS) {
                since if since < for_ms => local_ms.saturating_sub(since),
                _ => return false,
            },
        };
        let weekday = usize::try_from((began.div_euclid(DAY_MS) + EPOCH_WEEKDAY).rem_euclid(7)).unwrap_or(0);
        self.weekdays.is_empty() || self.weekdays.contains(&WEEK[weekday])
    }
}

/// `HH:MM`, up to 24:00, in milliseconds.
fn time_ms(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
    let minutes = digits(hours)? * 60 + digits(minutes).filter(|minutes| *minutes < 60)?;
    (minutes <= 24 * 60).then_some(minutes * MINUTE_MS)
}

impl FromStr for Hours {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Hours, TimeError> {
        let hours = |(from, to)| {
            let (from_ms, to_ms) = (time_ms(from).filter(|from_ms| *from_ms < DAY_MS)?, time_ms(to)?);
            let for_ms = match to_ms.cmp(&from_ms) {
                Ordering::Less => to_ms + DAY_MS - from_ms,
                Ordering::Equal => return None,
                Ordering::Greater => to_ms - from_ms,
            };
            Some(Hours { from_ms, for_ms })
        };
        text.split_once('-').and_then(hours).ok_or_else(|| TimeError::Hours(text.chars().take(20).collect()))
    }
}

impl FromStr for UtcOffset {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<UtcOffset, TimeError> {
        let wrong = || TimeError::Offset(text.chars().take(20).collect());
        let (sign, time) = match text.as_bytes().first() {
            Some(b'+') => (1, &text[1..]),
            Some(b'-') => (-1, &text[1..]),
            _ => return Err(wrong()),
        };
        let ms = time_ms(time).filter(|ms| *ms <= 14 * 3_600_000).ok_or_else(wrong)?;
        Ok(UtcOffset { ms: sign * ms })
    }
}

macro_rules! from_text {
    ($($name:ident)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
from_text!(Hours UtcOffset);

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-27, a Friday, 00:00 local.
    const FRIDAY: i64 = 20_784 * DAY_MS;

    fn schedule(hours: Option<&str>, weekdays: &[Weekday], holidays: &[&str]) -> Schedule {
        Schedule {
            hours: hours.map(|text| text.parse().unwrap()),
            weekdays: weekdays.iter().copied().collect(),
            holidays: holidays.iter().map(|day| Day::new(day).unwrap()).collect(),
            offset: UtcOffset::BEIJING,
        }
    }

    #[test]
    fn a_night_belongs_to_the_evening_on_which_it_began() {
        let night = schedule(Some("22:00-06:00"), &[Weekday::Fri], &[]);
        let at = |hour: i64| night.covers(FRIDAY + hour * 3_600_000);
        assert_eq!(
            [-1, 0, 5, 21, 22, 23, 24, 29, 30, 46].map(at),
            [false, false, false, false, true, true, true, true, false, false]
        );
        let day = schedule(Some("08:00-18:00"), &[], &[]);
        assert_eq!([7, 8, 17, 18].map(|hour| day.covers(FRIDAY + hour * 3_600_000)), [false, true, true, false]);
        let edge = schedule(Some("22:00-06:00"), &[], &[]);
        assert!(
            !edge.covers(FRIDAY + 22 * 3_600_000 - 1)
                && edge.covers(FRIDAY + 6 * 3_600_000 - 1)
                && !edge.covers(FRIDAY + 6 * 3_600_000)
        );
    }

    #[test]
    fn a_holiday_counts_whole() {
        let with = schedule(Some("22:00-06:00"), &[Weekday::Sun], &["2026-11-27"]);
        assert!(with.covers(FRIDAY) && with.covers(FRIDAY + 12 * 3_600_000) && !with.covers(FRIDAY + 36 * 3_600_000));
        assert!(
            schedule(None, &[Weekday::Fri], &[]).covers(FRIDAY) && !schedule(None, &[Weekday::Sat], &[]).covers(FRIDAY)
        );
    }

    #[test]
    fn hours_may_be_the_whole_day_or_end_with_it() {
        for (text, last_minute, first_minute) in [
            ("00:00-24:00", true, true),
            ("22:00-24:00", true, false),
            ("22:00-00:00", true, false),
            ("00:00-00:01", false, true),
        ] {
            let hours = schedule(Some(text), &[], &[]);
            assert_eq!((hours.covers(FRIDAY - 1), hours.covers(FRIDAY)), (last_minute, first_minute), "{text}");
        }
        let odd = schedule(Some("08:29-08:31"), &[], &[]);
        let minutes = (0..24 * 60).filter(|minute| odd.covers(FRIDAY + minute * MINUTE_MS));
        assert_eq!(minutes.collect::<Vec<_>>(), [8 * 60 + 29, 8 * 60 + 30]);
    }

    #[test]
    fn a_day_of_the_week_is_that_of_the_calendar_before_1970_too() {
        let on = |day: i64| {
            WEEK.into_iter().filter(|weekday| schedule(None, &[*weekday], &[]).covers(day * DAY_MS)).collect()
        };
        let days: [Vec<Weekday>; 4] = [-1, 0, 20_784, 20_787].map(on);
        assert_eq!(days, [[Weekday::Wed], [Weekday::Thu], [Weekday::Fri], [Weekday::Mon]].map(Vec::from));
    }

    #[test]
    fn an_offset_is_shown_as_it_is_written_and_added_to_utc() {
        for text in ["+08:00", "+00:00", "-03:30", "+05:45", "+14:00", "-14:00"] {
            assert_eq!(format!("{:?}", text.parse::<UtcOffset>().unwrap()), text);
        }
        let offset: UtcOffset = "-03:30".parse().unwrap();
        assert_eq!(offset.to_local(4 * 3_600_000), Some(1_800_000));
        let clocks = [ClockQuality::Unset, ClockQuality::Synchronised, ClockQuality::Holdover { error_ms: 5 }];
        let local = clocks.map(|clock| {
            let wall_ms = record::UnixMs(4 * 3_600_000);
            offset.local_ms(&Stamp { boot: record::BootNo(0), mono_ms: record::MonoMs(0), wall_ms, clock })
        });
        assert_eq!(local, [None, Some(1_800_000), Some(1_800_000)]);
        assert_eq!([month(FRIDAY), month(FRIDAY + 4 * DAY_MS), month(-1)], [Some(11), Some(12), Some(12)]);
    }

    #[test]
    fn what_is_no_time_is_told() {
        for text in [
            "",
            "22-06",
            "22:00",
            "22:00-22:00",
            "24:00-06:00",
            "22:60-06:00",
            "2:00-06:00",
            "22:00-25:00",
            "22:00-24:01",
            "22:0-06:00",
            "+1:00-06:00",
        ] {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
        assert_eq!("+08:00".parse(), Ok(UtcOffset::BEIJING));
        for text in ["", "08:00", "+8", "+08", "+14:01", "-15:00", "+0８:00", "８:00"] {
            assert!(text.parse::<UtcOffset>().is_err(), "{text}");
        }
    }
}
