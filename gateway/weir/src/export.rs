//! `weir export`: readings or aggregates of them, or what people entered by hand, as CSV or JSON Lines, exact to the last digit; or
//! the whole journal with its proofs.

mod aggregates;
mod journal;
mod manual;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use ::journal::Reader;
use evidence::moment;
use evidence::readings::{Decoded, HEADING, csv_line, row};
use record::{Quantity, Reading, RecordAt, Seq, SeqRange, SourceId, TrueTime};

use crate::cli::{ExportArgs, ExportFormat, ManualKind};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;
use crate::times::time_line;
pub(crate) use journal::{heads, signed_end};

/// Bytes read at once: the memory of an export, whatever its length.
pub(crate) const PAGE_BYTES: usize = 1024 * 1024;

/// Writes them.
pub(crate) fn run(state_dir: &Path, args: &ExportArgs, lang: Lang) -> Result<Exit, CommandError> {
    if args.journal {
        return journal::run(state_dir, args.out.as_deref(), lang);
    }
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let filter = Filter::new(args, &reader)?;
    match &args.out {
        None => write(&reader, &filter, output::stdout(), CommandError::output)?,
        Some(path) => {
            let failed = |source| CommandError::Write { path: path.clone(), source };
            let file = File::create(path).map_err(failed)?;
            write(&reader, &filter, BufWriter::new(file), failed)?;
        }
    }
    Ok(Exit::Good)
}

/// What is wanted.
struct Filter<'a> {
    source: Option<SourceId>,
    quantity: Option<Quantity>,
    args: &'a ExportArgs,
    /// Manual entries that another one took the place of, where such are wanted.
    replaced: BTreeMap<Seq, Seq>,
}

impl Filter<'_> {
    fn new<'a>(args: &'a ExportArgs, reader: &Reader) -> Result<Filter<'a>, CommandError> {
        let source = args.source.as_deref().map(SourceId::new).transpose();
        let quantity = args.quantity.as_deref().map(Quantity::new).transpose();
        let replaced = match args.entered() {
            None => BTreeMap::new(),
            Some(_) => crate::manual::replaced(reader)?,
        };
        Ok(Filter {
            source: source.map_err(|error| CommandError::BadName(error.to_string()))?,
            quantity: quantity.map_err(|error| CommandError::BadName(error.to_string()))?,
            args,
            replaced,
        })
    }

    /// Whether it is of a wanted device.
    fn takes(&self, record: &RecordAt) -> bool {
        self.source.as_ref().is_none_or(|source| record.record.body.source() == Some(source))
    }

    /// Whether a time is wanted, in milliseconds.
    fn takes_time(&self, at: i64) -> bool {
        self.args.from.is_none_or(|from| at >= from.as_millisecond())
            && self.args.to.is_none_or(|to| at < to.as_millisecond())
    }

    fn takes_quantity(&self, quantity: &Quantity) -> bool {
        self.quantity.as_ref().is_none_or(|wanted| wanted == quantity)
    }

    /// The lines of a record: its readings, by the time that it really was where that is known; or what it says readings came
    /// to, by when that window begins; or what a person entered, by when that was.
    fn lines(&self, record: &RecordAt, time: TrueTime) -> Vec<String> {
        if let Some(kind) = self.args.entered() {
            return manual::lines(self, kind, record, &self.replaced);
        }
        if self.args.aggregates {
            return aggregates::lines(self, record);
        }
        let decoded = Decoded::of(&record.record.body).filter(|_| self.takes_time(moment(record, time).0));
        let Some(decoded) = decoded else { return Vec::new() };
        let wanted = decoded.readings.iter().filter(|reading| self.takes_quantity(&reading.quantity));
        let line = |reading: &Reading| {
            let row = row(record, time, &decoded, reading);
            if self.csv() { csv_line(&row) } else { json_line(&row) }
        };
        wanted.map(line).collect()
    }

    fn csv(&self) -> bool {
        self.args.format == ExportFormat::Csv && !self.args.json
    }
}

fn write<W: Write>(
    reader: &Reader,
    filter: &Filter<'_>,
    mut out: W,
    failed: impl Fn(std::io::Error) -> CommandError,
) -> Result<(), CommandError> {
    if filter.csv() {
        let heading = match filter.args.entered() {
            Some(ManualKind::Samples) => manual::SAMPLES,
            Some(ManualKind::Patrols) => manual::PATROLS,
            None if filter.args.aggregates => aggregates::HEADING,
            None => HEADING,
        };
        // RFC 4180 asks for CRLF.
        out.write_all(format!("{heading}\r\n").as_bytes()).map_err(&failed)?;
    }
    let end = reader.position().map_err(CommandError::Store)?.end;
    let times = time_line(reader, Seq(0)).map_err(CommandError::Store)?;
    let mut next = Seq(0);
    while let Some(range) = SeqRange::new(next, Seq(end.0.saturating_sub(1))).filter(|_| next < end) {
        let records = reader.read(range, PAGE_BYTES).map_err(CommandError::Store)?;
        let Some(last) = records.last() else { break };
        next = last.seq.next();
        for record in records.iter().filter(|record| filter.takes(record)) {
            for line in filter.lines(record, times.time(&record.record.stamp)) {
                out.write_all(line.as_bytes()).map_err(&failed)?;
            }
        }
    }
    out.flush().map_err(failed)
}

fn json_line(row: &impl serde::Serialize) -> String {
    serde_json::to_string(row).map(|line| line + "\n").unwrap_or_default()
}
