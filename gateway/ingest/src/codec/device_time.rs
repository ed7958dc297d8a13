//! When the device says it measured.

use record::{Decimal, UnixMs};
use serde::Deserialize;

use super::Warning;
use super::document::{Node, Value};
use super::pointer::Pointer;

/// The last millisecond of the year 9999: what RFC 3339 can write and every reader can show.
const UNIX_MS_MAX: i64 = 253_402_300_799_999;

/// Where in a JSON or CBOR document the device's own time stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceTime {
    /// The place.
    pub path: Pointer,
    /// How it is written.
    pub format: TimeFormat,
}

/// How a device writes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// A number: seconds since 1970 UTC, fractions allowed. Of the same meaning: CBOR tag 1.
    UnixS,
    /// A number: milliseconds since 1970 UTC.
    UnixMs,
    /// A text as `2026-01-31T08:00:00Z` or `…+08:00` (RFC 3339). Of the same meaning: CBOR tag 0.
    Rfc3339,
}

impl DeviceTime {
    /// The time, or why there is none. A frame is not lost for it: the box has a clock of its own.
    pub(super) fn read(&self, root: &Node<'_>) -> Result<UnixMs, Warning> {
        let Some(node) = self.path.find(root) else {
            return Err(Warning::DeviceTime { found: None });
        };
        let time = match (&node.value, self.format) {
            (Value::Number(text), TimeFormat::UnixS | TimeFormat::UnixMs) => self.format.parse(text),
            (Value::Text(text), TimeFormat::Rfc3339) => self.format.parse(text),
            _ => None,
        };
        time.ok_or_else(|| Warning::DeviceTime { found: Some(node.value.shown()) })
    }
}

impl TimeFormat {
    /// The time that this text states; `None` if it is not of the format, before 1970 or after 9999.
    pub(super) fn parse(self, text: &str) -> Option<UnixMs> {
        match self {
            TimeFormat::UnixS => Decimal::parse(text).ok().and_then(from_unix_s),
            TimeFormat::UnixMs => Decimal::parse(text).ok().and_then(floor).and_then(from_ms),
            TimeFormat::Rfc3339 => text.parse::<jiff::Timestamp>().ok().and_then(|time| from_ms(time.as_millisecond())),
        }
    }
}

/// Seconds since 1970, exact to the millisecond; finer digits are cut. `None` before 1970 and after 9999.
pub(super) fn from_unix_s(seconds: Decimal) -> Option<UnixMs> {
    seconds.checked_mul(Decimal::from(1000)).and_then(floor).and_then(from_ms)
}

fn from_ms(ms: i64) -> Option<UnixMs> {
    (0..=UNIX_MS_MAX).contains(&ms).then_some(UnixMs(ms))
}

/// The whole part, rounded down.
fn floor(value: Decimal) -> Option<i64> {
    if value.exponent() >= 0 {
        return value.mantissa_at(0);
    }
    let places = u32::from(value.exponent().unsigned_abs());
    // A divisor beyond i64 is greater than every mantissa.
    Some(10i64.checked_pow(places).map_or(value.mantissa().signum().min(0), |by| value.mantissa().div_euclid(by)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json_text::JsonText;

    fn check(format: TimeFormat, value: &str, expected: Result<i64, &str>) {
        let document = format!("{{\"t\":{value}}}");
        let text = JsonText::new(document.as_bytes()).unwrap();
        let time = DeviceTime { path: Pointer::new("/t").unwrap(), format };
        let read = time.read(&text.parse().unwrap()).map(|time| time.0).map_err(|warning| warning.to_string());
        assert_eq!(read, expected.map_err(str::to_owned), "{value}");
    }

    #[test]
    fn reads_three_formats_to_the_millisecond() {
        check(TimeFormat::UnixS, "1700000000", Ok(1_700_000_000_000));
        check(TimeFormat::UnixS, "1.276020076001e+09", Ok(1_276_020_076_001));
        check(TimeFormat::UnixS, "1700000000.12399", Ok(1_700_000_000_123));
        check(TimeFormat::UnixMs, "1700000000123", Ok(1_700_000_000_123));
        check(TimeFormat::Rfc3339, "\"2020-10-01T09:30:53.592Z\"", Ok(1_601_544_653_592));
        check(TimeFormat::Rfc3339, "\"2020-10-01T17:30:53.592+08:00\"", Ok(1_601_544_653_592));
    }

    #[test]
    fn what_cannot_be_read_is_a_warning() {
        check(TimeFormat::UnixS, "-1e-30", Err("device time `-1e-30` cannot be read"));
        check(TimeFormat::UnixS, "1e30", Err("device time `1e30` cannot be read"));
        check(TimeFormat::UnixS, "\"1700000000\"", Err("device time `1700000000` cannot be read"));
        check(TimeFormat::UnixMs, "253402300800000", Err("device time `253402300800000` cannot be read"));
        check(TimeFormat::Rfc3339, "\"2020-10-01 noon\"", Err("device time `2020-10-01 noon` cannot be read"));
        check(TimeFormat::Rfc3339, "NaN", Err("device time `NaN` cannot be read"));
    }
}
