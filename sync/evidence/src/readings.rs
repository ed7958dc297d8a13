//! Readings as rows of a table, exact to the last digit: what `weir export` writes, and `readings.csv` of an evidence file.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use record::{Body, CodecId, Frame, Reading, RecordAt, Redecoded, Seq, SourceId, TrueTime, UnixMs};
use serde::Serialize;

/// The heading of the CSV form; the JSON form has the same names.
pub const HEADING: &str = "seq,time,clock,source,quantity,value,unit,quality,device_time,codec,redecoded_of,true_time,\
                           true_time_basis,true_time_error_ms,not_before,not_after";

/// The years of which every program reads what is written: four digits, and no edge of a calendar.
const YEARS: std::ops::RangeInclusive<i16> = 1..=9998;

/// Wall time as `2026-11-23T08:00:00.123Z`; a number that is no time on any calendar is written as it is, `123ms`.
pub fn time(at: UnixMs) -> String {
    civil(at, Offset::UTC).map_or_else(|| format!("{}ms", at.0), |at| format!("{at:.3}Z"))
}

/// The time on a calendar at this distance from UTC, if it has it.
pub(crate) fn civil(at: UnixMs, offset: Offset) -> Option<DateTime> {
    let at = offset.to_datetime(Timestamp::from_millisecond(at.0).ok()?);
    YEARS.contains(&at.year()).then_some(at)
}

/// One reading, flat.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    seq: u64,
    time: String,
    clock: &'a str,
    source: &'a str,
    quantity: &'a str,
    value: Option<String>,
    unit: &'a str,
    quality: &'a str,
    device_time: Option<String>,
    /// Which codec decoded it, 16 hex digits.
    codec: Option<String>,
    /// The record whose readings this one takes the place of; `time` is when that was done.
    redecoded_of: Option<u64>,
    /// When the record was made, by what is known of the clock now.
    true_time: Option<String>,
    /// `stamped`, `corrected` or `unknown`.
    true_time_basis: &'a str,
    /// Bound of its error, ± ms.
    true_time_error_ms: Option<u64>,
    /// Where the time is unknown: bounds that the boots around it give.
    not_before: Option<String>,
    not_after: Option<String>,
}

/// What a codec made of a frame, when it came or again.
#[derive(Debug, Clone, Copy)]
pub struct Decoded<'a> {
    /// The device.
    pub source: &'a SourceId,
    /// What decoded it, if anything did.
    pub codec: Option<CodecId>,
    /// The record of the frame, where this was decoded again.
    pub of: Option<Seq>,
    /// What it says.
    pub readings: &'a [Reading],
}

impl Decoded<'_> {
    /// What a record says was measured; none if it is about something else.
    pub fn of(body: &Body) -> Option<Decoded<'_>> {
        match body {
            Body::Frame(Frame { source, codec, readings, .. }) => {
                Some(Decoded { source, codec: *codec, of: None, readings })
            }
            Body::Redecoded(Redecoded { source, of, codec, readings, .. }) => {
                Some(Decoded { source, codec: Some(*codec), of: Some(*of), readings })
            }
            Body::Boot(_) | Body::Rejected(_) | Body::Alarm(_) | Body::Codec(_) => None,
            Body::Clock(_) | Body::Gap(_) | Body::Audit(_) | Body::Outfall(_) | Body::Aggregate(_) => None,
            // Never among what devices measured.
            Body::Manual(_) => None,
        }
    }
}

/// The row of one reading of a record.
pub fn row<'a>(record: &RecordAt, time_of: TrueTime, decoded: &Decoded<'a>, reading: &'a Reading) -> Row<'a> {
    let (not_before, not_after) = match time_of {
        TrueTime::Unknown { not_before_ms, not_after_ms } => (not_before_ms, not_after_ms),
        TrueTime::Stamped { .. } | TrueTime::Corrected { .. } => (None, None),
    };
    Row {
        seq: record.seq.0,
        time: time(record.record.stamp.wall_ms),
        clock: record.record.stamp.clock.as_str(),
        source: decoded.source.as_str(),
        quantity: reading.quantity.as_str(),
        value: reading.value.map(|value| value.to_string()),
        unit: reading.unit.as_str(),
        quality: reading.quality.as_str(),
        device_time: reading.at_ms.map(time),
        codec: decoded.codec.map(|codec| codec.to_string()),
        redecoded_of: decoded.of.map(|of| of.0),
        true_time: time_of.known().map(|(at, _)| time(at)),
        true_time_basis: time_of.as_str(),
        true_time_error_ms: time_of.known().map(|(_, error_ms)| error_ms),
        not_before: not_before.map(time),
        not_after: not_after.map(time),
    }
}

/// A row as a line of RFC 4180. Names, numbers and times have no comma, quote or line break; a unit that a sensor made up
/// may have.
pub fn csv_line(row: &Row<'_>) -> String {
    let unit = match row.unit.contains([',', '"']) {
        true => format!("\"{}\"", row.unit.replace('"', "\"\"")),
        false => row.unit.to_owned(),
    };
    let (value, device_time) = (row.value.as_deref().unwrap_or(""), row.device_time.as_deref().unwrap_or(""));
    let codec = row.codec.as_deref().unwrap_or("");
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let (redecoded_of, error_ms) = (number(row.redecoded_of), number(row.true_time_error_ms));
    let [at, not_before, not_after] =
        [&row.true_time, &row.not_before, &row.not_after].map(|time| time.as_deref().unwrap_or(""));
    let Row { seq, time, clock, source, quantity, quality, true_time_basis, .. } = row;
    format!(
        "{seq},{time},{clock},{source},{quantity},{value},{unit},{quality},{device_time},{codec},{redecoded_of},{at},\
         {true_time_basis},{error_ms},{not_before},{not_after}\r\n"
    )
}

/// Every reading of some records under the heading. RFC 4180 asks for CRLF.
pub(crate) fn csv<'r>(records: impl Iterator<Item = (&'r RecordAt, TrueTime)>) -> String {
    let mut text = format!("{HEADING}\r\n");
    for (record, time_of) in records {
        let Some(decoded) = Decoded::of(&record.record.body) else { continue };
        for reading in decoded.readings {
            text.push_str(&csv_line(&row(record, time_of, &decoded, reading)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use record::{BootNo, ClockQuality, Decimal, MonoMs, Quality, Quantity, Record, Stamp, Unit};

    #[test]
    fn a_repeated_decoding_names_its_codec_and_record() {
        let reading = Reading {
            quantity: Quantity::new("cod").unwrap(),
            unit: Unit::new("a,\"b\"").unwrap(),
            value: Decimal::parse("40.10").ok(),
            quality: Quality::UnknownUnit,
            at_ms: None,
        };
        let source = SourceId::new("cod-1").unwrap();
        let codec = CodecId::of("second");
        let anew = Redecoded { source, of: Seq(3), codec, readings: vec![reading], texts: Vec::new() };
        let stamp = Stamp {
            boot: BootNo(0),
            mono_ms: MonoMs(5),
            wall_ms: UnixMs(1_777_888_800_000),
            clock: ClockQuality::Unset,
        };
        let record = RecordAt { seq: Seq(7), record: Record { stamp, body: Body::Redecoded(anew) } };
        let (at_ms, before) = (UnixMs(1_777_888_800_000), Some(UnixMs(1_777_888_000_000)));
        let times = [
            TrueTime::Corrected { at_ms, error_ms: 250 },
            TrueTime::Unknown { not_before_ms: before, not_after_ms: None },
        ];
        expect![[r#"
            seq,time,clock,source,quantity,value,unit,quality,device_time,codec,redecoded_of,true_time,true_time_basis,true_time_error_ms,not_before,not_after
            7,2026-05-04T10:00:00.000Z,unset,cod-1,cod,40.1,"a,""b""",unknown_unit,,16367aacb67a4a01,3,2026-05-04T10:00:00.000Z,corrected,250,,
            7,2026-05-04T10:00:00.000Z,unset,cod-1,cod,40.1,"a,""b""",unknown_unit,,16367aacb67a4a01,3,,unknown,,2026-05-04T09:46:40.000Z,
        "#]]
        .assert_eq(&csv(times.into_iter().map(|time| (&record, time))).replace("\r\n", "\n"));
    }

    #[test]
    fn times_beyond_a_calendar_are_numbers() {
        assert_eq!(time(UnixMs(1_700_000_000_123)), "2023-11-14T22:13:20.123Z");
        assert_eq!(time(UnixMs(253_370_764_799_999)), "9998-12-31T23:59:59.999Z");
        assert_eq!(time(UnixMs(-62_135_596_800_000)), "0001-01-01T00:00:00.000Z");
        for beyond in [253_370_764_800_000, -62_135_596_800_001, i64::MAX, i64::MIN] {
            assert_eq!(time(UnixMs(beyond)), format!("{beyond}ms"));
        }
    }
}
