//! What is stored, read from the databases themselves while all is still running.

use std::collections::BTreeMap;

use batch::BoxId;
use journal::Reader;
use platform::store::{Archive, ReadingsQuery, StoreError};
use record::{Body, Decimal, Record, SeqRange};

use super::error::DemoError;
use super::message::NUMBER;
use super::tally::Stored;

/// Bytes of records read at once.
const READ_BYTES_MAX: usize = 1024 * 1024;
/// Readings read at once.
const READINGS_MAX: usize = 10_000;

/// Messages by source.
pub(crate) type BySource = BTreeMap<String, Vec<Stored>>;

/// Which message a record of the journal is: by the record's number, the source and the message's number.
pub(crate) type ByRecord = BTreeMap<u64, (String, u64)>;

/// Every frame of the journal, with its exact bytes; and which record is which message.
pub(crate) fn of_journal(reader: &Reader) -> Result<(BySource, ByRecord), DemoError> {
    let end = reader.position().map_err(DemoError::Store)?.end;
    let (mut stored, mut numbers) = (BySource::new(), ByRecord::new());
    let mut next = record::Seq(0);
    while let Some(last) = end.0.checked_sub(1).filter(|_| next < end) {
        let range = SeqRange { first: next, last: record::Seq(last) };
        let records = reader.read(range, READ_BYTES_MAX).map_err(DemoError::Store)?;
        let Some(newest) = records.last() else { break };
        next = newest.seq.next();
        for at in records {
            let Record { body: Body::Frame(frame), .. } = at.record else { continue };
            let shown = |value: Option<Decimal>| value.map(|value| value.to_string()).unwrap_or_default();
            let readings = frame.readings.iter().map(|one| (one.quantity.to_string(), shown(one.value))).collect();
            let message = stored_message(readings, Some(frame.raw));
            if let Some(n) = message.n {
                numbers.insert(at.seq.0, (frame.source.to_string(), n));
            }
            stored.entry(frame.source.to_string()).or_default().push(message);
        }
    }
    Ok((stored, numbers))
}

/// Every message of a platform, put together from its readings.
pub(crate) fn of_platform(archive: &Archive, box_id: &BoxId) -> Result<BySource, StoreError> {
    let mut records: BTreeMap<u64, (String, Vec<(String, String)>)> = BTreeMap::new();
    let mut query = ReadingsQuery { limit: READINGS_MAX, ..ReadingsQuery::default() };
    loop {
        let page = archive.readings(box_id, &query)?;
        for line in page.items {
            let (_, readings) = records.entry(line.seq).or_insert_with(|| (line.source, Vec::new()));
            readings.push((line.quantity, line.value.unwrap_or_default()));
        }
        match page.next {
            Some(next) => query.after_seq = Some(record::Seq(next)),
            None => break,
        }
    }
    let mut stored = BySource::new();
    for (source, readings) in records.into_values() {
        stored.entry(source).or_default().push(stored_message(readings, None));
    }
    Ok(stored)
}

fn stored_message(readings: Vec<(String, String)>, raw: Option<Vec<u8>>) -> Stored {
    let n = readings.iter().find(|(quantity, _)| quantity == NUMBER).and_then(|(_, value)| value.parse().ok());
    Stored { n, readings, raw }
}
