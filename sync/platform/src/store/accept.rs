//! One batch into the tables, inside a transaction: all of it or nothing.

use std::collections::BTreeMap;

use batch::{Batch, BatchId, Checkpoint, PlatformId, RECEIPT_BYTES_MAX, Receipt, SigningKey, TreeHead};
use record::{SeqRange, SeqRanges, UnixMs};
use rusqlite::{Connection, OptionalExtension, params};

use super::error::{AcceptError, Refused, StoreError};
use super::history;
use super::line::{Lines, signed};
use super::{filtered, read};

/// Most ranges that a box's coverage may have: a receipt names them all and has room for about twice as many
/// (`batch::RECEIPT_BYTES_MAX`).
const RANGES_MAX: usize = 10_000;

/// A batch that was verified, on its way into the store.
#[derive(Debug)]
pub struct Delivery {
    /// The hash of `bytes`.
    pub id: BatchId,
    /// What the box signed.
    pub bytes: bytes::Bytes,
    /// What it says.
    pub batch: Batch,
    /// The checkpoints that came along, verified, with their bytes.
    pub checkpoints: Vec<(Checkpoint, Vec<u8>)>,
    /// When it came, by the platform's clock.
    pub received_ms: UnixMs,
    /// What the receipt orders of the box, as it was signed.
    pub command: Option<Vec<u8>>,
}

/// A batch that is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Now for the first time.
    Stored {
        /// The signed receipt.
        receipt: Vec<u8>,
    },
    /// It already was; nothing changed.
    Repeated {
        /// The receipt that was given then, byte for byte.
        receipt: Vec<u8>,
    },
}

/// Who signs receipts.
pub(super) struct Signer {
    pub(super) platform: PlatformId,
    pub(super) key: SigningKey,
}

/// Records and readings of one batch by source and kind.
type Tally = BTreeMap<(String, &'static str), (i64, i64)>;

/// Stores a batch or finds it stored. On an error the caller rolls back.
pub(super) fn accept(db: &Connection, signer: &Signer, delivery: &Delivery) -> Result<Accepted, AcceptError> {
    let batch = &delivery.batch;
    if let Some(receipt) = read::receipt(db, &batch.box_id, &delivery.id)? {
        return Ok(Accepted::Repeated { receipt });
    }
    // Batches are verified side by side and stored one after the other: without this a receipt that holds more could
    // state an earlier moment than one that holds less.
    let received_ms = read::newest_received(db, &batch.box_id)?
        .map_or(delivery.received_ms, |newest| newest.max(delivery.received_ms));
    let held = read::coverage(db, &batch.box_id)?;
    let mut holds = held.clone();
    batch.ranges.iter().for_each(|range| holds.insert(range));
    let ranges = holds.iter().len();
    if ranges > RANGES_MAX {
        return Err(AcceptError::Scattered { ranges, max: RANGES_MAX });
    }
    let left_out = filtered::left_out(db, batch)?;
    let mut receipt = Receipt {
        platform: signer.platform.clone(),
        box_id: batch.box_id.clone(),
        batch: delivery.id,
        holds,
        head: batch.head,
        received_ms,
        command: delivery.command.clone().map(Into::into),
        left_out: left_out[1].clone(),
    };
    let mut signed_receipt = receipt.sign(&signer.key);
    if signed_receipt.len() > RECEIPT_BYTES_MAX {
        // So many ranges leave no room for it; it goes once they have grown together.
        receipt.command = None;
        signed_receipt = receipt.sign(&signer.key);
    }
    let batch_no = insert_batch(db, delivery, received_ms, &signed_receipt)?;
    filtered::insert(db, batch, batch_no)?;
    filtered::store_left_out(db, &batch.box_id, left_out)?;
    insert_heads(db, delivery, batch_no)?;
    history::prove(db, batch, batch_no)?;
    let doubled = insert_rows(db, delivery, &held, batch_no)?;
    if doubled > 0 {
        db.prepare_cached("UPDATE batch SET doubled = ?2 WHERE batch_no = ?1")
            .and_then(|mut update| update.execute(params![batch_no, doubled]))
            .map_err(StoreError::from)?;
    }
    extend_coverage(db, batch, &receipt.holds)?;
    Ok(Accepted::Stored { receipt: signed_receipt })
}

fn insert_batch(db: &Connection, delivery: &Delivery, received_ms: UnixMs, receipt: &[u8]) -> Result<i64, AcceptError> {
    let batch = &delivery.batch;
    // `Batch::open` gives no batch without rows, so that the default never stands.
    let bounds = batch.ranges.bounds().unwrap_or(SeqRange { first: record::Seq(0), last: record::Seq(0) });
    let columns = params![
        delivery.id.to_string(),
        batch.box_id.as_str(),
        batch.lane.as_str(),
        number("seq", bounds.first.0)?,
        number("seq", bounds.last.0)?,
        number("rows", batch.rows.len() as u64)?,
        number("tree size", batch.head.size)?,
        batch.head.root.to_string(),
        received_ms.0,
    ];
    let insert = "INSERT INTO batch (id, box, lane, first_seq, last_seq, records, doubled, head_size, head_root, received_ms) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9)";
    let stored = || -> rusqlite::Result<i64> {
        db.prepare_cached(insert)?.execute(columns)?;
        let batch_no = db.last_insert_rowid();
        db.prepare_cached("INSERT INTO batch_bytes VALUES (?1, ?2, ?3)")?.execute(params![
            batch_no,
            delivery.bytes.as_ref(),
            receipt
        ])?;
        Ok(batch_no)
    };
    Ok(stored().map_err(StoreError::from)?)
}

/// The tree heads of the batch and its checkpoints, each against what was stored for its size (J1).
fn insert_heads(db: &Connection, delivery: &Delivery, batch_no: i64) -> Result<(), AcceptError> {
    let box_id = delivery.batch.box_id.as_str();
    insert_head(db, box_id, &delivery.batch.head, batch_no)?;
    for (checkpoint, cose) in &delivery.checkpoints {
        insert_head(db, box_id, &checkpoint.head, batch_no)?;
        let size = number("tree size", checkpoint.head.size)?;
        let root = checkpoint.head.root.to_string();
        db.prepare_cached("INSERT OR IGNORE INTO checkpoint VALUES (?1, ?2, ?3, ?4, ?5)")
            .and_then(|mut insert| insert.execute(params![box_id, size, cose, root, checkpoint.stamp.wall_ms.0]))
            .map_err(StoreError::from)?;
    }
    Ok(())
}

fn insert_head(db: &Connection, box_id: &str, head: &TreeHead, batch_no: i64) -> Result<(), AcceptError> {
    let size = number("tree size", head.size)?;
    let stored: Option<String> = db
        .prepare_cached("SELECT root FROM head WHERE box = ?1 AND size = ?2")
        .and_then(|mut select| select.query_row(params![box_id, size], |row| row.get(0)).optional())
        .map_err(StoreError::from)?;
    let offered = head.root.to_string();
    match stored {
        Some(stored) if stored == offered => Ok(()),
        Some(stored) => Err(AcceptError::Refused(Refused::Fork { size: head.size, stored, offered: head.root })),
        None => {
            db.prepare_cached("INSERT INTO head (box, size, root, batch_no, linked) VALUES (?1, ?2, ?3, ?4, 0)")
                .and_then(|mut insert| insert.execute(params![box_id, size, offered, batch_no]))
                .map_err(StoreError::from)?;
            Ok(())
        }
    }
}

/// Inserts the rows that are new (D3), compares the others with what is stored (J1), and says how many those were.
fn insert_rows(db: &Connection, delivery: &Delivery, held: &SeqRanges, batch_no: i64) -> Result<i64, AcceptError> {
    let batch = &delivery.batch;
    let (mut doubled, mut tally) = (0, Tally::new());
    for row in &batch.rows {
        let lines = Lines::of(&batch.box_id, row).map_err(AcceptError::Refused)?;
        // A number that is held without a record was left out before.
        let stored = if held.contains(row.seq) { lines.stored(db)? } else { None };
        match stored {
            None => {
                count(&mut tally, row, 1, readings(row));
                lines.insert(db, batch_no)?;
            }
            Some(stored) if stored == lines => doubled += 1,
            Some(stored) => {
                let is_cut = filtered::is_cut(db, &batch.box_id, row.seq)?;
                let added = lines.added_to(&stored, is_cut, &batch.filtered.quantities);
                let added = added.ok_or(AcceptError::Refused(Refused::Conflict { seq: row.seq }))?;
                doubled += i64::from(added.is_empty());
                count(&mut tally, row, 0, added.readings());
                added.insert(db)?;
            }
        }
    }
    for ((source, kind), (records, readings)) in tally {
        let add = "INSERT INTO tally VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE \
                   SET records = records + excluded.records, readings = readings + excluded.readings";
        db.prepare_cached(add)
            .and_then(|mut add| add.execute(params![batch.box_id.as_str(), source, kind, records, readings]))
            .map_err(StoreError::from)?;
    }
    Ok(doubled)
}

fn readings(row: &batch::Row) -> usize {
    row.content.decoded().map_or(0, |decoded| decoded.readings.len())
}

fn count(tally: &mut Tally, row: &batch::Row, of_records: i64, readings: usize) {
    use batch::Content;
    let (kind, source) = match &row.content {
        Content::Readings { source, .. } => ("readings", Some(source)),
        Content::Redecoded(redecoded) => ("redecoded", Some(&redecoded.source)),
        Content::Codec(_) => ("codec", None),
        Content::Boot(_) => ("boot", None),
        Content::Clock(_) => ("clock", None),
        Content::Gap(_) => ("gap", None),
        Content::Audit(_) => ("audit", None),
        Content::Outfall(_) => ("outfall", None),
        Content::Manual(_) => ("manual", None),
        Content::Aggregate(aggregate) => ("aggregate", Some(&aggregate.source)),
        Content::Rejected { source, .. } => ("rejected", source.as_ref()),
        Content::Alarm(alarm) => ("alarm", Some(&alarm.source)),
    };
    let key = (source.map_or(String::new(), |source| source.as_str().to_owned()), kind);
    let (records, sum) = tally.entry(key).or_default();
    *records += of_records;
    *sum += i64::try_from(readings).unwrap_or(i64::MAX);
}

/// Writes the merged ranges that the batch's ranges have become part of.
fn extend_coverage(db: &Connection, batch: &Batch, holds: &SeqRanges) -> Result<(), AcceptError> {
    let merged =
        holds.iter().filter(|range| !batch.ranges.iter().all(|own| own.last < range.first || range.last < own.first));
    for range in merged {
        let (first, last) = (number("seq", range.first.0)?, number("seq", range.last.0)?);
        let write = || -> rusqlite::Result<()> {
            db.prepare_cached("DELETE FROM coverage WHERE box = ?1 AND first_seq BETWEEN ?2 AND ?3")?
                .execute(params![batch.box_id.as_str(), first, last])?;
            db.prepare_cached("INSERT INTO coverage VALUES (?1, ?2, ?3)")?.execute(params![
                batch.box_id.as_str(),
                first,
                last
            ])?;
            Ok(())
        };
        write().map_err(StoreError::from)?;
    }
    Ok(())
}

pub(super) fn number(what: &'static str, number: u64) -> Result<i64, AcceptError> {
    signed(what, number).map_err(AcceptError::Refused)
}
