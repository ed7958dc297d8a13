//! Questions to the store. Each is answered whole and at once: no read is held open while a client is slow.

use batch::{BatchId, BoxId, TreeHead};
use record::merkle::Hash;
use record::{Quantity, Seq, SeqRange, SeqRanges, SourceId, UnixMs};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

/// A part of a long answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The lines, ascending.
    pub items: Vec<T>,
    /// Where the next page begins (its `after_seq` or `after`); `None` if this was the last one.
    pub next: Option<u64>,
}

/// A box and what is held of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoxSummary {
    /// Its name.
    #[serde(rename = "box")]
    pub box_id: String,
    /// The key it was enrolled with, 64 hex digits.
    pub public_key: String,
    /// Batches stored.
    pub batches: u64,
    /// Records stored.
    pub records: u64,
    /// Readings stored.
    pub readings: u64,
    /// Records that came in a second batch and were stored once.
    pub doubled: u64,
    /// Records that a filter of the box withholds from this platform.
    pub withheld: u64,
    /// When the newest batch came, by the platform's clock.
    pub received_ms: Option<i64>,
    /// Size of the largest tree head that is proven to continue earlier ones; none before the first proof.
    pub proven_size: Option<u64>,
    /// Size of the smallest one that it is proven to continue.
    pub proven_since: Option<u64>,
    /// Smaller heads from which no proof leads on. More than some minutes after they came that means another history.
    pub unproven: u64,
}

/// What is held of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The box.
    #[serde(rename = "box")]
    pub box_id: String,
    /// The device; empty where records are about none.
    pub source: String,
    /// `readings`, `redecoded`, `boot`, `rejected`, `alarm`, `codec`, `clock`, `gap`, `audit`, `outfall`, `aggregate` or
    /// `manual`.
    pub kind: String,
    /// Records of that kind.
    pub records: u64,
    /// Readings in them.
    pub readings: u64,
}

/// A checkpoint of a box, and how far it is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvenCheckpoint {
    /// What the box signed.
    pub head: TreeHead,
    /// Where another history came before: the smallest head of this one.
    pub since: Option<u64>,
    /// When the batch came that proved it.
    pub proven_ms: UnixMs,
}

/// A tree head that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldHead {
    /// Its root.
    pub root: Hash,
    /// The batch that brought it first, signed by the box.
    pub batch: String,
}

/// Which readings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadingsQuery {
    /// Of one device.
    pub source: Option<SourceId>,
    /// Of one quantity.
    pub quantity: Option<Quantity>,
    /// Not before: the device's own time if it gave one, else the box's; of a repeated decoding, the frame's.
    pub from: Option<UnixMs>,
    /// Before, the same time.
    pub to: Option<UnixMs>,
    /// Only what no later decoding replaced.
    pub current: bool,
    /// Only records after this number.
    pub after_seq: Option<Seq>,
    /// Stop after the record with which this many readings are reached.
    pub limit: usize,
}

/// One reading as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadingLine {
    /// The record.
    pub seq: u64,
    /// Its place in the record, from 0.
    pub idx: u64,
    /// The device.
    pub source: String,
    /// What was measured.
    pub quantity: String,
    /// In what.
    pub unit: String,
    /// The exact decimal, as text so that no reader rounds it.
    pub value: Option<String>,
    /// How far it can be believed.
    pub quality: String,
    /// When the device says it measured.
    pub at_ms: Option<i64>,
    /// When the box recorded it.
    pub wall_ms: i64,
    /// What the box knew about its clock then.
    pub clock: String,
    /// Which codec decoded it, 16 hex digits.
    pub codec: Option<String>,
    /// The record whose readings this one's replace, and whose time they are of.
    pub redecoded_of: Option<u64>,
    /// The newest record that replaces these readings.
    pub replaced_by: Option<u64>,
    /// What the sensor sent where the number belongs.
    pub text: Option<String>,
}

/// A codec that a box used, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodecLine {
    /// The record that told it.
    pub seq: u64,
    /// Its name, 16 hex digits.
    pub codec: String,
    /// Length of its text, in bytes.
    pub bytes: u64,
    /// When it came into use.
    pub wall_ms: i64,
}

/// One alarm transition as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of record::AlarmTransition, as text")]
pub struct AlarmLine {
    pub seq: u64,
    pub source: String,
    pub rule: String,
    pub quantity: String,
    pub from: String,
    pub to: String,
    pub side: String,
    pub limit: String,
    pub value: Option<String>,
    pub cause: u64,
    pub wall_ms: i64,
    pub clock: String,
    pub measure: Option<String>,
    pub unit: Option<String>,
    pub span_s: Option<u64>,
    pub tier: Option<String>,
    pub suppression: Option<String>,
}

/// One stored batch as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchLine {
    /// Its place in the order of arrival at this platform.
    pub no: u64,
    /// Its id.
    pub id: String,
    /// Its lane.
    pub lane: String,
    /// Smallest number in it.
    pub first_seq: u64,
    /// Largest number in it.
    pub last_seq: u64,
    /// Records in it.
    pub records: u64,
    /// Of these, already held before.
    pub doubled: u64,
    /// Size of the box's tree when it was cut.
    pub head_size: u64,
    /// Root of that tree.
    pub head_root: String,
    /// When it came.
    pub received_ms: i64,
}

/// The newest checkpoint of a box that is proven to be of one history, or the one of this size; none if there is none.
pub(super) fn proven_checkpoint(
    db: &Connection,
    box_id: &BoxId,
    size: Option<u64>,
) -> Result<Option<ProvenCheckpoint>> {
    // Another history is one that this one was not proven to continue, and that came before it.
    let sql = "SELECT size, root, since, received_ms, EXISTS (SELECT 1 FROM head AS other WHERE other.box = head.box \
               AND other.size < head.since AND other.linked = 0) \
               FROM head JOIN batch ON batch.batch_no = head.proven_by \
               WHERE head.box = ?1 AND since IS NOT NULL AND (?2 IS NULL OR size = ?2) \
               AND EXISTS (SELECT 1 FROM checkpoint WHERE checkpoint.box = head.box AND checkpoint.size = head.size) \
               ORDER BY size DESC LIMIT 1";
    let size = size.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_row(params![box_id.as_str(), size], |row| {
        let (root, is_later): (String, bool) = (row.get(1)?, row.get(4)?);
        let since = unsigned(row, 2)?;
        Ok(ProvenCheckpoint {
            head: TreeHead { size: unsigned(row, 0)?, root: hash(&root) },
            since: is_later.then_some(since),
            proven_ms: UnixMs(row.get(3)?),
        })
    });
    Ok(found.optional()?)
}

/// What a tree head of a box is here, by its size.
pub(super) fn head(db: &Connection, box_id: &BoxId, size: u64) -> Result<Option<HeldHead>> {
    let sql = "SELECT root, id FROM head JOIN batch USING (batch_no) WHERE head.box = ?1 AND size = ?2";
    let mut statement = db.prepare_cached(sql)?;
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let found = statement.query_row(params![box_id.as_str(), size], |row| {
        let root: String = row.get(0)?;
        Ok(HeldHead { root: hash(&root), batch: row.get(1)? })
    });
    Ok(found.optional()?)
}

/// Sizes of the checkpoints that are proven, the largest first, at most `max`.
pub(super) fn proven_sizes(db: &Connection, box_id: &BoxId, max: usize) -> Result<Vec<u64>> {
    let sql = "SELECT DISTINCT head.size FROM head JOIN checkpoint USING (box, size) \
               WHERE head.box = ?1 AND since IS NOT NULL ORDER BY head.size DESC LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![box_id.as_str(), max], |row| unsigned(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A root as it is stored. Where somebody changed it by hand, it is none that any tree has.
pub(super) fn hash(digits: &str) -> Hash {
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).map_or(Hash([0; 32]), |()| Hash(bytes))
}

/// When the newest batch of a box was received; none if there is none.
pub(super) fn newest_received(db: &Connection, box_id: &BoxId) -> Result<Option<UnixMs>> {
    let sql = "SELECT received_ms FROM batch WHERE box = ?1 ORDER BY batch_no DESC LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    Ok(statement.query_row([box_id.as_str()], |row| row.get(0)).optional()?.map(UnixMs))
}

/// What a box's record says of a command with this digest: that it is carried out, or why not; none if there is none.
pub(super) fn commanded(db: &Connection, box_id: &BoxId, digest: &str) -> Result<Option<Option<String>>> {
    let sql = "SELECT refused FROM audit WHERE box = ?1 AND command = ?2 AND act = 'commanded'";
    Ok(db.prepare_cached(sql)?.query_row([box_id.as_str(), digest], |row| row.get(0)).optional()?)
}

/// What became of commanded rules: by the record that commanded them.
pub(super) fn settled(db: &Connection, box_id: &BoxId, digest: &str) -> Result<Option<String>> {
    let sql = "SELECT s.ordered FROM audit AS c JOIN audit AS s ON s.box = c.box AND s.act = 'settled' AND s.first_seq = c.seq \
               WHERE c.box = ?1 AND c.command = ?2 AND c.act = 'commanded' ORDER BY s.seq DESC LIMIT 1";
    Ok(db.prepare_cached(sql)?.query_row([box_id.as_str(), digest], |row| row.get(0)).optional()?)
}

/// The receipt of a batch of this box.
pub(super) fn receipt(db: &Connection, box_id: &BoxId, id: &BatchId) -> Result<Option<Vec<u8>>> {
    blob(db, "SELECT receipt FROM batch JOIN batch_bytes USING (batch_no) WHERE box = ?1 AND id = ?2", box_id, id)
}

/// The bytes of a batch of this box.
pub(super) fn batch(db: &Connection, box_id: &BoxId, id: &BatchId) -> Result<Option<Vec<u8>>> {
    blob(db, "SELECT cose FROM batch JOIN batch_bytes USING (batch_no) WHERE box = ?1 AND id = ?2", box_id, id)
}

fn blob(db: &Connection, sql: &str, box_id: &BoxId, id: &BatchId) -> Result<Option<Vec<u8>>> {
    let mut statement = db.prepare_cached(sql)?;
    Ok(statement.query_row(params![box_id.as_str(), id.to_string()], |row| row.get(0)).optional()?)
}

/// What is held of a box, or was left out by a filter.
pub(super) fn coverage(db: &Connection, box_id: &BoxId) -> Result<SeqRanges> {
    ranges(db, "SELECT first_seq, last_seq FROM coverage WHERE box = ?1 ORDER BY first_seq", box_id)
}

/// Parts of that in which numbers are left out.
pub(super) fn left_out(db: &Connection, box_id: &BoxId) -> Result<SeqRanges> {
    ranges(db, "SELECT first_seq, last_seq FROM left_out WHERE box = ?1 ORDER BY first_seq", box_id)
}

/// How many records of a box are held.
pub(super) fn records(db: &Connection, box_id: &BoxId) -> Result<u64> {
    let mut statement = db.prepare_cached("SELECT coalesce(sum(records), 0) FROM tally WHERE box = ?1")?;
    Ok(statement.query_row([box_id.as_str()], |row| unsigned(row, 0))?)
}

/// The numbers in a range of which a record is held.
pub(super) fn records_in(db: &Connection, box_id: &BoxId, range: SeqRange) -> Result<SeqRanges> {
    let bound = |seq: Seq| i64::try_from(seq.0).unwrap_or(i64::MAX);
    let mut statement =
        db.prepare_cached("SELECT seq FROM record WHERE box = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq")?;
    let bounds = params![box_id.as_str(), bound(range.first), bound(range.last)];
    let seqs = statement.query_map(bounds, |row| unsigned(row, 0).map(Seq))?;
    Ok(seqs.map(|seq| seq.map(|seq| SeqRange { first: seq, last: seq })).collect::<rusqlite::Result<SeqRanges>>()?)
}

fn ranges(db: &Connection, sql: &str, box_id: &BoxId) -> Result<SeqRanges> {
    let mut statement = db.prepare_cached(sql)?;
    let ranges = statement.query_map([box_id.as_str()], |row| {
        Ok(SeqRange { first: Seq(unsigned(row, 0)?), last: Seq(unsigned(row, 1)?) })
    })?;
    Ok(ranges.collect::<rusqlite::Result<SeqRanges>>()?)
}

/// Every box that was ever enrolled.
pub(super) fn boxes(db: &Connection) -> Result<Vec<BoxSummary>> {
    let sql = "SELECT box.box, public_key, \
               (SELECT count(*) FROM batch WHERE batch.box = box.box), \
               (SELECT coalesce(sum(records), 0) FROM tally WHERE tally.box = box.box), \
               (SELECT coalesce(sum(readings), 0) FROM tally WHERE tally.box = box.box), \
               (SELECT coalesce(sum(doubled), 0) FROM batch WHERE batch.box = box.box), \
               (SELECT received_ms FROM batch WHERE batch.box = box.box ORDER BY batch_no DESC LIMIT 1), \
               (SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM coverage WHERE coverage.box = box.box), \
               proven.size, proven.since, \
               (SELECT count(*) FROM head WHERE head.box = box.box AND linked = 0 AND head.size < proven.size) \
               FROM box LEFT JOIN head AS proven ON proven.box = box.box AND proven.size = \
               (SELECT max(size) FROM head WHERE head.box = box.box AND since IS NOT NULL) ORDER BY box.box";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let records = unsigned(row, 3)?;
        Ok(BoxSummary {
            box_id: row.get(0)?,
            public_key: row.get(1)?,
            batches: unsigned(row, 2)?,
            records,
            withheld: unsigned(row, 7)?.saturating_sub(records),
            readings: unsigned(row, 4)?,
            doubled: unsigned(row, 5)?,
            received_ms: row.get(6)?,
            proven_size: unsigned_if(row, 8)?,
            proven_since: unsigned_if(row, 9)?,
            unproven: unsigned(row, 10)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Counts by box, source and kind.
pub(super) fn tallies(db: &Connection) -> Result<Vec<Tally>> {
    let mut statement =
        db.prepare_cached("SELECT box, source, kind, records, readings FROM tally ORDER BY box, source, kind")?;
    let rows = statement.query_map([], |row| {
        Ok(Tally {
            box_id: row.get(0)?,
            source: row.get(1)?,
            kind: row.get(2)?,
            records: unsigned(row, 3)?,
            readings: unsigned(row, 4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

const READINGS: &str = "SELECT seq, idx, source, quantity, unit, value, quality, at_ms, wall_ms, clock, codec, \
                        redecoded_of, replaced_by, text FROM reading_linked WHERE box = ?1 AND seq > ?2";

/// A page of readings by number. A record's readings are never torn apart, so a page may pass its limit by those
/// of one record.
pub(super) fn readings(db: &Connection, box_id: &BoxId, query: &ReadingsQuery) -> Result<Page<ReadingLine>> {
    let mut sql = READINGS.to_owned();
    let after = query.after_seq.map_or(-1, |seq| i64::try_from(seq.0).unwrap_or(i64::MAX));
    let mut values = vec![Value::Text(box_id.to_string()), Value::Integer(after)];
    // Only filters that are asked for, so that SQLite can see which index serves.
    for (filter, value) in [
        ("source = ?", query.source.as_ref().map(|source| Value::Text(source.to_string()))),
        ("quantity = ?", query.quantity.as_ref().map(|quantity| Value::Text(quantity.to_string()))),
        ("measured_ms >= ?", query.from.map(|from| Value::Integer(from.0))),
        ("measured_ms < ?", query.to.map(|to| Value::Integer(to.0))),
    ] {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" AND {filter}{}", values.len()));
        }
    }
    if query.current {
        sql.push_str(" AND replaced_by IS NULL");
    }
    sql.push_str(" ORDER BY seq, idx");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut items: Vec<ReadingLine> = Vec::new();
    while let Some(row) = rows.next()? {
        let line = reading_line(row)?;
        if items.len() >= query.limit
            && let Some(last) = items.last().map(|last| last.seq).filter(|last| *last != line.seq)
        {
            return Ok(Page { items, next: Some(last) });
        }
        items.push(line);
    }
    Ok(Page { items, next: None })
}

fn reading_line(row: &Row<'_>) -> rusqlite::Result<ReadingLine> {
    Ok(ReadingLine {
        seq: unsigned(row, 0)?,
        idx: unsigned(row, 1)?,
        source: row.get(2)?,
        quantity: row.get(3)?,
        unit: row.get(4)?,
        value: row.get(5)?,
        quality: row.get(6)?,
        at_ms: row.get(7)?,
        wall_ms: row.get(8)?,
        clock: row.get(9)?,
        codec: row.get(10)?,
        redecoded_of: unsigned_if(row, 11)?,
        replaced_by: unsigned_if(row, 12)?,
        text: row.get(13)?,
    })
}

/// A page of codecs by number.
pub(super) fn codecs(db: &Connection, box_id: &BoxId, after: Option<Seq>, limit: usize) -> Result<Page<CodecLine>> {
    // The length of the text as a blob is that in bytes.
    let sql = "SELECT seq, codec, length(CAST(text AS BLOB)), wall_ms FROM codec \
               WHERE box = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    page(
        db,
        sql,
        box_id,
        after.map(|seq| seq.0),
        limit,
        |line: &CodecLine| line.seq,
        |row| {
            Ok(CodecLine { seq: unsigned(row, 0)?, codec: row.get(1)?, bytes: unsigned(row, 2)?, wall_ms: row.get(3)? })
        },
    )
}

/// The text of the codec that this record told.
pub(super) fn codec(db: &Connection, box_id: &BoxId, seq: Seq) -> Result<Option<String>> {
    let mut statement = db.prepare_cached("SELECT text FROM codec WHERE box = ?1 AND seq = ?2")?;
    let seq = i64::try_from(seq.0).unwrap_or(i64::MAX);
    Ok(statement.query_row(params![box_id.as_str(), seq], |row| row.get(0)).optional()?)
}

/// A page of alarm transitions by number.
pub(super) fn alarms(db: &Connection, box_id: &BoxId, after: Option<Seq>, limit: usize) -> Result<Page<AlarmLine>> {
    let sql = "SELECT seq, source, rule, quantity, from_state, to_state, side, limit_value, value, cause_seq, \
               wall_ms, clock, measure, unit, span_s, tier, suppression FROM alarm WHERE box = ?1 AND seq > ?2 \
               ORDER BY seq LIMIT ?3";
    page(
        db,
        sql,
        box_id,
        after.map(|seq| seq.0),
        limit,
        |line: &AlarmLine| line.seq,
        |row| {
            Ok(AlarmLine {
                seq: unsigned(row, 0)?,
                source: row.get(1)?,
                rule: row.get(2)?,
                quantity: row.get(3)?,
                from: row.get(4)?,
                to: row.get(5)?,
                side: row.get(6)?,
                limit: row.get(7)?,
                value: row.get(8)?,
                cause: unsigned(row, 9)?,
                wall_ms: row.get(10)?,
                clock: row.get(11)?,
                measure: row.get(12)?,
                unit: row.get(13)?,
                span_s: row.get::<_, Option<u32>>(14)?.map(u64::from),
                tier: row.get(15)?,
                suppression: row.get(16)?,
            })
        },
    )
}

/// A page of batches in the order of their arrival.
pub(super) fn batches(db: &Connection, box_id: &BoxId, after: Option<u64>, limit: usize) -> Result<Page<BatchLine>> {
    let sql = "SELECT batch_no, id, lane, first_seq, last_seq, records, doubled, head_size, head_root, received_ms \
               FROM batch WHERE box = ?1 AND batch_no > ?2 ORDER BY batch_no LIMIT ?3";
    page(
        db,
        sql,
        box_id,
        after,
        limit,
        |line: &BatchLine| line.no,
        |row| {
            Ok(BatchLine {
                no: unsigned(row, 0)?,
                id: row.get(1)?,
                lane: row.get(2)?,
                first_seq: unsigned(row, 3)?,
                last_seq: unsigned(row, 4)?,
                records: unsigned(row, 5)?,
                doubled: unsigned(row, 6)?,
                head_size: unsigned(row, 7)?,
                head_root: row.get(8)?,
                received_ms: row.get(9)?,
            })
        },
    )
}

/// Checkpoints of a box by size.
pub(super) fn checkpoints(db: &Connection, box_id: &BoxId) -> Result<Vec<(u64, Vec<u8>)>> {
    let mut statement = db.prepare_cached("SELECT size, cose FROM checkpoint WHERE box = ?1 ORDER BY size, cose")?;
    let rows = statement.query_map([box_id.as_str()], |row| Ok((unsigned(row, 0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn page<T>(
    db: &Connection,
    sql: &str,
    box_id: &BoxId,
    after: Option<u64>,
    limit: usize,
    key: impl Fn(&T) -> u64,
    line: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Page<T>> {
    let after = after.map_or(-1, |after| i64::try_from(after).unwrap_or(i64::MAX));
    // One more than asked tells whether there is a next page.
    let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![box_id.as_str(), after, one_more], line)?;
    let mut items = rows.collect::<rusqlite::Result<Vec<T>>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(key);
    Ok(Page { items, next })
}

pub(super) fn unsigned_if(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    let number: Option<i64> = row.get(column)?;
    number.map(|_| unsigned(row, column)).transpose()
}

/// SQLite's integers have a sign; none of ours is negative.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}
