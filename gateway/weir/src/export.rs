//! `weir export`: readings as CSV or JSON Lines, exact to the last digit; or the whole journal with its proofs.

mod journal;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use ::journal::Reader;
use record::{Body, CodecId, Frame, Quantity, Reading, RecordAt, Redecoded, Seq, SeqRange, SourceId, TrueTime};
use serde::Serialize;

use crate::cli::{ExportArgs, ExportFormat};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;
use crate::times::time_line;

/// Bytes read at once: the memory of an export, whatever its length.
const PAGE_BYTES: usize = 1024 * 1024;

/// The heading of the CSV form; the JSON form has the same names.
const HEADING: &str = "seq,time,clock,source,quantity,value,unit,quality,device_time,codec,redecoded_of,true_time,\
                       true_time_basis,true_time_error_ms,not_before,not_after";

/// One reading, flat.
#[derive(Debug, Serialize)]
struct Row<'a> {
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
struct Decoded<'a> {
    source: &'a SourceId,
    codec: Option<CodecId>,
    of: Option<Seq>,
    readings: &'a [Reading],
}

impl Decoded<'_> {
    fn of(body: &Body) -> Option<Decoded<'_>> {
        match body {
            Body::Frame(Frame { source, codec, readings, .. }) => {
                Some(Decoded { source, codec: *codec, of: None, readings })
            }
            Body::Redecoded(Redecoded { source, of, codec, readings, .. }) => {
                Some(Decoded { source, codec: Some(*codec), of: Some(*of), readings })
            }
            Body::Boot(_) | Body::Rejected(_) | Body::Alarm(_) | Body::Codec(_) | Body::Clock(_) | Body::Gap(_) => None,
        }
    }
}

/// Writes them.
pub(crate) fn run(state_dir: &Path, args: &ExportArgs, lang: Lang) -> Result<Exit, CommandError> {
    if args.journal {
        return journal::run(state_dir, args.out.as_deref(), lang);
    }
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let filter = Filter::new(args)?;
    match &args.out {
        None => write(&reader, args, &filter, output::stdout(), CommandError::output)?,
        Some(path) => {
            let failed = |source| CommandError::Write { path: path.clone(), source };
            let file = File::create(path).map_err(failed)?;
            write(&reader, args, &filter, BufWriter::new(file), failed)?;
        }
    }
    Ok(Exit::Good)
}

/// What is wanted.
struct Filter<'a> {
    source: Option<SourceId>,
    quantity: Option<Quantity>,
    args: &'a ExportArgs,
}

impl Filter<'_> {
    fn new(args: &ExportArgs) -> Result<Filter<'_>, CommandError> {
        let source = args.source.as_deref().map(SourceId::new).transpose();
        let quantity = args.quantity.as_deref().map(Quantity::new).transpose();
        Ok(Filter {
            source: source.map_err(|error| CommandError::BadName(error.to_string()))?,
            quantity: quantity.map_err(|error| CommandError::BadName(error.to_string()))?,
            args,
        })
    }

    /// Whether it is wanted, by the time that it really was where that is known.
    fn takes(&self, record: &RecordAt, time: TrueTime) -> bool {
        let at = time.known().map_or(record.record.stamp.wall_ms, |(at, _)| at).0;
        self.source.as_ref().is_none_or(|source| record.record.body.source() == Some(source))
            && self.args.from.is_none_or(|from| at >= from.as_millisecond())
            && self.args.to.is_none_or(|to| at < to.as_millisecond())
    }
}

fn write<W: Write>(
    reader: &Reader,
    args: &ExportArgs,
    filter: &Filter<'_>,
    mut out: W,
    failed: impl Fn(std::io::Error) -> CommandError,
) -> Result<(), CommandError> {
    let csv = args.format == ExportFormat::Csv && !args.json;
    if csv {
        // RFC 4180 asks for CRLF.
        out.write_all(format!("{HEADING}\r\n").as_bytes()).map_err(&failed)?;
    }
    let end = reader.position().map_err(CommandError::Store)?.end;
    let times = time_line(reader, Seq(0)).map_err(CommandError::Store)?;
    let mut next = Seq(0);
    while let Some(range) = SeqRange::new(next, Seq(end.0.saturating_sub(1))).filter(|_| next < end) {
        let records = reader.read(range, PAGE_BYTES).map_err(CommandError::Store)?;
        let Some(last) = records.last() else { break };
        next = last.seq.next();
        let timed = records.iter().map(|record| (record, times.time(&record.record.stamp)));
        for (record, time) in timed.filter(|(record, time)| filter.takes(record, *time)) {
            let Some(decoded) = Decoded::of(&record.record.body) else { continue };
            let wanted = |reading: &&Reading| filter.quantity.as_ref().is_none_or(|q| *q == reading.quantity);
            for reading in decoded.readings.iter().filter(wanted) {
                let row = row(record, time, &decoded, reading);
                let line = if csv { csv_line(&row) } else { json_line(&row) };
                out.write_all(line.as_bytes()).map_err(&failed)?;
            }
        }
    }
    out.flush().map_err(failed)
}

fn row<'a>(record: &RecordAt, time: TrueTime, decoded: &Decoded<'a>, reading: &'a Reading) -> Row<'a> {
    let (not_before, not_after) = match time {
        TrueTime::Unknown { not_before_ms, not_after_ms } => (not_before_ms, not_after_ms),
        TrueTime::Stamped { .. } | TrueTime::Corrected { .. } => (None, None),
    };
    Row {
        seq: record.seq.0,
        time: output::time(record.record.stamp.wall_ms),
        clock: record.record.stamp.clock.as_str(),
        source: decoded.source.as_str(),
        quantity: reading.quantity.as_str(),
        value: reading.value.map(|value| value.to_string()),
        unit: reading.unit.as_str(),
        quality: reading.quality.as_str(),
        device_time: reading.at_ms.map(output::time),
        codec: decoded.codec.map(|codec| codec.to_string()),
        redecoded_of: decoded.of.map(|of| of.0),
        true_time: time.known().map(|(at, _)| output::time(at)),
        true_time_basis: time.as_str(),
        true_time_error_ms: time.known().map(|(_, error_ms)| error_ms),
        not_before: not_before.map(output::time),
        not_after: not_after.map(output::time),
    }
}

/// Names, numbers and times have no comma, quote or line break; a unit that a sensor made up may have.
fn csv_line(row: &Row<'_>) -> String {
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

fn json_line(row: &Row<'_>) -> String {
    serde_json::to_string(row).map(|line| line + "\n").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use record::{BootNo, ClockQuality, Decimal, MonoMs, Quality, Record, Stamp, Unit, UnixMs};

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
        let decoded = Decoded::of(&record.record.body).unwrap();
        let (at_ms, before) = (UnixMs(1_777_888_800_000), Some(UnixMs(1_777_888_000_000)));
        let mut shown = format!("{HEADING}\n");
        for time in [
            TrueTime::Corrected { at_ms, error_ms: 250 },
            TrueTime::Unknown { not_before_ms: before, not_after_ms: None },
        ] {
            let row = row(&record, time, &decoded, &decoded.readings[0]);
            shown += &format!("{}{}", csv_line(&row).replace("\r\n", "\n"), json_line(&row));
        }
        expect![[r#"
            seq,time,clock,source,quantity,value,unit,quality,device_time,codec,redecoded_of,true_time,true_time_basis,true_time_error_ms,not_before,not_after
            7,2026-05-04T10:00:00.000Z,unset,cod-1,cod,40.1,"a,""b""",unknown_unit,,16367aacb67a4a01,3,2026-05-04T10:00:00.000Z,corrected,250,,
            {"seq":7,"time":"2026-05-04T10:00:00.000Z","clock":"unset","source":"cod-1","quantity":"cod","value":"40.1","unit":"a,\"b\"","quality":"unknown_unit","device_time":null,"codec":"16367aacb67a4a01","redecoded_of":3,"true_time":"2026-05-04T10:00:00.000Z","true_time_basis":"corrected","true_time_error_ms":250,"not_before":null,"not_after":null}
            7,2026-05-04T10:00:00.000Z,unset,cod-1,cod,40.1,"a,""b""",unknown_unit,,16367aacb67a4a01,3,,unknown,,2026-05-04T09:46:40.000Z,
            {"seq":7,"time":"2026-05-04T10:00:00.000Z","clock":"unset","source":"cod-1","quantity":"cod","value":"40.1","unit":"a,\"b\"","quality":"unknown_unit","device_time":null,"codec":"16367aacb67a4a01","redecoded_of":3,"true_time":null,"true_time_basis":"unknown","true_time_error_ms":null,"not_before":"2026-05-04T09:46:40.000Z","not_after":null}
        "#]].assert_eq(&shown);
    }
}
