//! Hours of the day in which what can wait does wait.

use serde::Deserialize;

const DAY_MINUTES: u16 = 24 * 60;

/// From one minute of the day, included, to another, excluded; over midnight where the second is the smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct QuietHours {
    from: u16,
    to: u16,
}

/// Why a text is no [`QuietHours`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not two different times of the day: write as 22:00-06:30")]
pub struct QuietHoursError(String);

impl QuietHours {
    /// Whether this minute of the day, counted from midnight, is among them.
    pub fn contain(&self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl TryFrom<String> for QuietHours {
    type Error = QuietHoursError;
    fn try_from(text: String) -> Result<QuietHours, QuietHoursError> {
        let read = || {
            let (from, to) = text.split_once('-')?;
            let (from, to) = (minute(from)?, minute(to)?);
            (from != to).then_some(QuietHours { from, to })
        };
        read().ok_or_else(|| QuietHoursError(text.chars().take(32).collect()))
    }
}

/// `HH:MM` as minutes since midnight.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let is_number = |digits: &str| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let number = |digits: &str| digits.parse::<u16>().ok().filter(|_| is_number(digits));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let at = hours * 60 + minutes;
    (minutes < 60 && at < DAY_MINUTES).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_hold_over_midnight() {
        let check = |text: &str, minutes: &[(u16, bool)]| {
            let hours = QuietHours::try_from(text.to_owned()).unwrap();
            minutes.iter().for_each(|(minute, is)| assert_eq!(hours.contain(*minute), *is, "{text} at {minute}"));
        };
        check("22:00-06:30", &[(1_319, false), (1_320, true), (0, true), (389, true), (390, false), (720, false)]);
        check("12:00-13:00", &[(719, false), (720, true), (779, true), (780, false)]);
        for wrong in ["", "22:00", "22:00-22:00", "24:00-06:00", "22:60-06:00", "9:00-10:00", "+9:00-10:00", "22-06"] {
            assert!(QuietHours::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
