//! What a destination's filter makes of the journal: which records go into a batch, which are left out, and which need not
//! be told yet.
//!
//! A number that is withheld is settled by the batch that leaves it out, and so by a receipt: coverage has no holes for it,
//! however many devices take turns. Which filter settled it is remembered by range; so a filter that lets more through has
//! those ranges looked at again, and only what the destination lacks goes.

use std::collections::hash_map::Entry;

use batch::{Filtered, Row};
use journal::{Standings, StoreError};
use record::{RecordAt, Seq, SeqRange, SeqRanges};

use super::Files;
use super::cut::CutError;
use crate::filter::{Filter, Part};

/// Records that all are withheld are told no sooner than there are so many of them: a batch that says nothing else costs
/// some 2 kB with its receipt. It bounds what one look reads, too.
const QUIET_RECORDS_MAX: u64 = 5_000;
/// Canonical bytes read at once while what goes is looked for.
const PAGE_BYTES: usize = 256 * 1024;

/// A filter, and what went by earlier ones.
#[derive(Debug)]
pub(super) struct Sieve {
    filter: Filter,
    /// Ascending. What stands in no range never went, or went whole.
    earlier: Vec<(SeqRange, Vec<Filter>)>,
    /// What it had, and commanded to be sent once more: as if it had none of it.
    pub(super) resent: SeqRanges,
    /// From where the destination was told on and before this one, all records are withheld.
    quiet_to: Seq,
}

/// The leading part of what was asked for, as it goes.
#[derive(Debug, Default)]
pub(super) struct Sifted {
    pub(super) rows: Vec<Row>,
    pub(super) ranges: SeqRanges,
    pub(super) filtered: Filtered,
    /// Of what is left out, what the destination never got.
    pub(super) withheld: u64,
    pub(super) content_len: usize,
    pub(super) gone: SeqRanges,
}

impl Sieve {
    fn new(filter: Filter) -> Sieve {
        Sieve { filter, earlier: Vec::new(), resent: SeqRanges::new(), quiet_to: Seq(0) }
    }

    fn earlier(&self, seq: Seq) -> &[Filter] {
        let at = self.earlier.partition_point(|(range, _)| range.last < seq);
        self.earlier.get(at).filter(|(range, _)| range.first <= seq).map_or(&[], |(_, filters)| filters)
    }

    /// The part of a record that goes, and whether the destination got some of it before.
    fn part<'s>(&'s self, at: &RecordAt, row: &Row, standings: &Standings) -> (Part<'s>, bool) {
        let of = |filter: &'s Filter| filter.part(at.seq, &row.content, standings);
        let earlier: Vec<Part<'_>> = self.earlier(at.seq).iter().map(of).collect();
        let part = of(&self.filter);
        if self.resent.contains(at.seq) {
            // What is withheld of it was counted when it was withheld first.
            return (part, true);
        }
        let part = if part.adds(&row.content, &earlier) { part } else { Part::Nothing };
        (part, earlier.iter().any(|part| *part != Part::Nothing))
    }
}

impl Files {
    /// Makes this the filter of a destination. What it lets through and earlier ones did not is to be sent; what went stays.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Write`].
    pub fn set_filter(&mut self, destination: &str, filter: Filter) -> Result<(), StoreError> {
        self.sieves.remove(destination);
        let earlier = self.earlier(destination)?;
        if !filter.is_nothing() || !earlier.is_empty() {
            let resent = self.outbox.resend(destination)?;
            self.sieves.insert(destination.to_owned(), Sieve { earlier, resent, ..Sieve::new(filter) });
            let all = SeqRange { first: Seq(0), last: Seq(u64::MAX - 1) };
            self.reopen(destination, &[all].into_iter().collect())?;
        }
        Ok(())
    }

    /// Takes back, of what is settled within some ranges, what can still be read, if the filter lets something through there
    /// that earlier ones withheld. Says which records those are among.
    pub(super) fn reopen(&mut self, destination: &str, within: &SeqRanges) -> Result<SeqRanges, StoreError> {
        if within.is_empty() {
            return Ok(SeqRanges::new());
        }
        let earlier = self.earlier(destination)?;
        let sieve = match self.sieves.entry(destination.to_owned()) {
            // A batch that an earlier filter cut may get its receipt long after there is none any more.
            Entry::Vacant(_) if earlier.is_empty() => return Ok(SeqRanges::new()),
            Entry::Vacant(free) => free.insert(Sieve::new(Filter::default())),
            Entry::Occupied(held) => held.into_mut(),
        };
        sieve.earlier = earlier;
        let lacks = |filters: &[Filter]| !filters.iter().any(|earlier| sieve.filter.is_within(earlier));
        let lacking = sieve.earlier.iter().filter(|(_, filters)| lacks(filters)).map(|(range, _)| *range);
        let covered = self.outbox.coverage(destination)?;
        let both =
            |range: SeqRange, other: &SeqRanges| other.missing_in(range).missing_in(range).iter().collect::<Vec<_>>();
        let settled: Vec<SeqRange> =
            lacking.flat_map(|range| both(range, within)).flat_map(|range| both(range, &covered)).collect();
        let mut reopened = SeqRanges::new();
        for range in settled {
            let gone = self.reader.unreadable(range)?;
            gone.missing_in(range).iter().for_each(|range| reopened.insert(range));
        }
        if !reopened.is_empty() {
            self.outbox.reopen(destination, &reopened)?;
            log::info!(destination, numbers = reopened.len(); "its filter lets more through: what was withheld is looked at again");
        }
        Ok(reopened)
    }

    fn earlier(&self, destination: &str) -> Result<Vec<(SeqRange, Vec<Filter>)>, StoreError> {
        let spans = self.outbox.filtered(destination)?;
        Ok(spans
            .into_iter()
            .map(|(range, lines)| (range, lines.lines().filter_map(Filter::from_line).collect()))
            .collect())
    }

    /// How far a destination that was told of all records before `told` needs to know a journal that ends before `end`: not
    /// at all yet, while the filter withholds all of it.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn worth_telling(&mut self, destination: &str, told: Seq, end: Seq) -> Result<Seq, StoreError> {
        let Some(sieve) = self.sieves.get_mut(destination) else { return Ok(end) };
        self.standings.catch_up(&self.reader)?;
        let mut next = sieve.quiet_to.max(told);
        while let Some(range) = SeqRange::new(next, Seq(end.0.saturating_sub(1))).filter(|_| next < end) {
            let page = self.reader.read(range, PAGE_BYTES)?;
            let is_whole = page.iter().zip(next.0..).all(|(at, seq)| at.seq.0 == seq) && !page.is_empty();
            let passes = |at: &RecordAt| sieve.part(at, &Row::from(at), &self.standings).0 != Part::Nothing;
            if !is_whole || page.iter().any(passes) {
                return Ok(end);
            }
            next = page.last().map_or(next, |last| last.seq.next());
            sieve.quiet_to = next;
            if next.0 - told.0 >= QUIET_RECORDS_MAX {
                return Ok(end);
            }
        }
        Ok(told)
    }

    /// Reads what goes of the leading numbers of `asked`, until `bytes_max` of canonical bytes of it are reached.
    pub(super) fn sift(&mut self, destination: &str, asked: &SeqRanges, bytes_max: usize) -> Result<Sifted, CutError> {
        self.standings.catch_up(&self.reader).map_err(CutError::Journal)?;
        let (mut sifted, mut room) = (Sifted::default(), bytes_max);
        'asked: for range in asked.iter() {
            let mut next = Some(range);
            while let Some(within) = next {
                let page = match self.page(within, PAGE_BYTES, &mut sifted.gone) {
                    // What was read before the damage goes first.
                    Err(_) if !sifted.ranges.is_empty() => break 'asked,
                    page => page?,
                };
                let Some(last) = page.last().map(|at| at.seq) else { break };
                for at in page {
                    room = room.saturating_sub(self.take(destination, at, &mut sifted));
                    if room == 0 {
                        break 'asked;
                    }
                }
                next = SeqRange::new(last.next(), within.last);
            }
        }
        if sifted.ranges.is_empty() {
            self.gone_behind(&mut sifted.gone)?;
        }
        Ok(sifted)
    }

    /// Adds a record, or that it is left out; the canonical bytes that go.
    fn take(&self, destination: &str, at: RecordAt, sifted: &mut Sifted) -> usize {
        let mut row = Row::from(&at);
        let number = SeqRange { first: at.seq, last: at.seq };
        sifted.ranges.insert(number);
        let part =
            self.sieves.get(destination).map_or((Part::Whole, false), |sieve| sieve.part(&at, &row, &self.standings));
        if let (Part::Nothing, had_before) = part {
            sifted.filtered.left_out.insert(number);
            sifted.withheld += u64::from(!had_before);
            return 0;
        }
        part.0.cut(&mut row.content);
        if let Part::Of(named) = part.0 {
            sifted.filtered.quantities.clone_from(named);
        }
        let bytes = at.record.to_canonical().len();
        sifted.content_len += bytes;
        sifted.rows.push(row);
        bytes
    }

    /// The filter of a destination as the outbox notes it beside a batch.
    pub(super) fn filter_line(&self, destination: &str) -> Option<String> {
        let filter = &self.sieves.get(destination)?.filter;
        (!filter.is_nothing()).then(|| filter.to_line())
    }
}
