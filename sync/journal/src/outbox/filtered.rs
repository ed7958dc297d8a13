//! Where batches left out records, and by which filters: ranges with the text of each filter, which only the upload daemon
//! reads.

use record::{Seq, SeqRange, SeqRanges};
use rusqlite::{Connection, Transaction, params};

use super::StoredBatch;
use crate::database::{from_sql, to_sql};

/// Most filters that are remembered of one range. What only an older one let through may come a second time, and is the
/// same record.
const FILTERS_MAX: usize = 8;

/// Numbers that were settled by the same filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) range: SeqRange,
    /// One a line, the newest last.
    pub(super) filters: String,
    /// How many of the numbers the destination never got.
    withheld: u64,
}

/// All of a destination, ascending.
pub(super) fn read(connection: &Connection, destination: &str) -> rusqlite::Result<Vec<Span>> {
    let sql = "SELECT first, last, filters, withheld FROM filtered WHERE destination = ?1 ORDER BY first";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([destination], |row| {
        let range = SeqRange { first: Seq(from_sql(row.get(0)?)), last: Seq(from_sql(row.get(1)?)) };
        Ok(Span { range, filters: row.get(2)?, withheld: from_sql(row.get(3)?) })
    })?;
    rows.collect()
}

/// Notes by which filter a receipted batch was cut. What came without one is whole.
pub(super) fn settle(transaction: &Transaction<'_>, destination: &str, batch: &StoredBatch) -> rusqlite::Result<()> {
    let before = read(transaction, destination)?;
    if before.is_empty() && batch.filter.is_none() {
        return Ok(());
    }
    let mut after = Vec::new();
    let mut fresh = batch.ranges.clone();
    for span in &before {
        let outside = batch.ranges.missing_in(span.range);
        let inside = outside.missing_in(span.range);
        let mut withheld = span.withheld;
        for range in outside.iter() {
            after.push(Span { range, filters: span.filters.clone(), withheld: std::mem::take(&mut withheld) });
        }
        for filter in batch.filter.iter().filter(|_| !inside.is_empty()) {
            let filters = joined(&span.filters, filter);
            // Where all of it came again, what it never got of it is withheld as before.
            after.extend(inside.iter().map(|range| Span {
                range,
                filters: filters.clone(),
                withheld: std::mem::take(&mut withheld),
            }));
        }
        fresh = fresh.iter().flat_map(|range| inside.missing_in(range).iter().collect::<Vec<_>>()).collect();
    }
    let filters = batch.filter.iter().flat_map(|filter| fresh.iter().map(move |range| (range, filter.clone())));
    after.extend(filters.map(|(range, filters)| Span { range, filters, withheld: 0 }));
    after.sort_by_key(|span| span.range.first);
    let of_batch = after.iter_mut().find(|span| batch.ranges.contains(span.range.first));
    of_batch.into_iter().for_each(|span| span.withheld += batch.withheld);
    write(transaction, destination, &before, merged(after))
}

/// What was withheld of these ranges is withheld no more.
pub(super) fn reopen(transaction: &Transaction<'_>, destination: &str, ranges: &SeqRanges) -> rusqlite::Result<()> {
    let before = read(transaction, destination)?;
    let mut after = before.clone();
    for span in after.iter_mut().filter(|span| ranges.missing_in(span.range).len() < span.range.len()) {
        span.withheld = 0;
    }
    write(transaction, destination, &before, after)
}

fn joined(filters: &str, newest: &str) -> String {
    let others: Vec<&str> = filters.lines().filter(|line| *line != newest).collect();
    let kept = others.len().saturating_sub(FILTERS_MAX - 1);
    others[kept..].iter().copied().chain([newest]).collect::<Vec<_>>().join("\n")
}

fn merged(spans: Vec<Span>) -> Vec<Span> {
    let mut all: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match all.last_mut().filter(|last| last.range.last.next() == span.range.first && last.filters == span.filters) {
            Some(last) => {
                last.range.last = span.range.last;
                last.withheld += span.withheld;
            }
            None => all.push(span),
        }
    }
    all
}

/// Writes only what changed: mostly one range grows.
fn write(transaction: &Transaction<'_>, destination: &str, before: &[Span], after: Vec<Span>) -> rusqlite::Result<()> {
    let mut remove = transaction.prepare_cached("DELETE FROM filtered WHERE destination = ?1 AND first = ?2")?;
    for gone in before.iter().filter(|old| !after.iter().any(|new| new.range.first == old.range.first)) {
        remove.execute(params![destination, to_sql(gone.range.first.0)])?;
    }
    let mut upsert = transaction.prepare_cached("INSERT OR REPLACE INTO filtered VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for Span { range, filters, withheld } in after.into_iter().filter(|new| !before.contains(new)) {
        let numbers = [range.first.0, range.last.0, withheld].map(to_sql);
        upsert.execute(params![destination, numbers[0], numbers[1], filters, numbers[2]])?;
    }
    Ok(())
}
