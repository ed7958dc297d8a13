//! What a filter of the box keeps from a platform, as the batch tells it.

use std::collections::BTreeSet;

use record::{Quantity, Seq, SeqRange, SeqRanges};
use serde::Serialize;

use crate::wire::{Filter, List, QuantityRef, Runs};
use crate::{Inconsistency, ROWS_MAX, column};

/// What a platform does not get because the box was told so. Nothing of it is missing. Without a filter, nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Filtered {
    /// Numbers of the batch's ranges without a row in it: withheld, unless an earlier batch had the row.
    pub left_out: SeqRanges,
    /// Readings of other quantities than these were left out of frames; empty: none were.
    pub quantities: BTreeSet<Quantity>,
}

impl Filtered {
    /// Whether nothing is kept from the platform.
    pub fn is_nothing(&self) -> bool {
        self.left_out.is_empty() && self.quantities.is_empty()
    }

    /// Those numbers of `ranges` that have a row.
    pub(crate) fn rows(&self, ranges: &SeqRanges) -> SeqRanges {
        if self.left_out.is_empty() {
            return ranges.clone();
        }
        ranges.iter().flat_map(|range| self.left_out.missing_in(range).iter().collect::<Vec<_>>()).collect()
    }

    /// As it stands in CBOR, for a batch of these ranges.
    pub(crate) fn pack(&self, ranges: &SeqRanges) -> Option<Filter> {
        let quantities = self.quantities.iter().cloned().map(QuantityRef).collect();
        let filter = Filter { left_out: self.runs(ranges), quantities: List::some(quantities) };
        (!self.is_nothing()).then_some(filter)
    }

    fn runs(&self, ranges: &SeqRanges) -> Option<Runs> {
        if self.left_out.is_empty() {
            return None;
        }
        let (mut runs, mut is_left_out) = (vec![0u64], false);
        let mut add = |left_out: bool, len: u64| match runs.last_mut().filter(|_| left_out == is_left_out) {
            _ if len == 0 => {}
            Some(run) => *run += len,
            None => {
                runs.push(len);
                is_left_out = left_out;
            }
        };
        for range in ranges.iter() {
            let mut next = range.first;
            for rows in self.left_out.missing_in(range).iter() {
                add(true, rows.first.0 - next.0);
                add(false, rows.len());
                next = rows.last.next();
            }
            add(true, range.last.next().0 - next.0);
        }
        let count = u64::try_from(runs.len()).unwrap_or(u64::MAX);
        Some(Runs { count, lengths: column::encode(runs.into_iter().map(u64::cast_signed)) })
    }

    /// From CBOR; the numbers left out lie within `ranges`.
    pub(crate) fn unpack(filter: Option<Filter>, ranges: &SeqRanges) -> Result<Filtered, Inconsistency> {
        let wrong = |why| Inconsistency::Column { column: "filtered", why };
        let Some(Filter { left_out, quantities }) = filter else { return Ok(Filtered::default()) };
        if left_out.is_none() && quantities.is_none() {
            return Err(wrong("nothing, which is to be left out"));
        }
        let named = quantities.map_or_else(Vec::new, |list| list.0);
        if !named.is_sorted_by(|one, other| one.0 < other.0) {
            return Err(wrong("the quantities do not ascend by name"));
        }
        let quantities = named.into_iter().map(|quantity| quantity.0).collect();
        let left_out = left_out.map(|runs| numbers(&runs, ranges).ok_or(wrong("its runs do not fill the ranges")));
        Ok(Filtered { left_out: left_out.transpose()?.unwrap_or_default(), quantities })
    }
}

/// The numbers of every second run, if the runs fill the ranges and none but the first is empty.
fn numbers(runs: &Runs, ranges: &SeqRanges) -> Option<SeqRanges> {
    let count = usize::try_from(runs.count).ok().filter(|count| (2..=ROWS_MAX).contains(count))?;
    let lengths = column::decode("filtered", &runs.lengths, count).ok()?;
    let mut left_out = SeqRanges::new();
    let mut spans = ranges.iter();
    let mut span = spans.next();
    for (place, len) in lengths.into_iter().enumerate() {
        let mut len = u64::try_from(len).ok().filter(|len| *len > 0 || place == 0)?;
        while len > 0 {
            let within = span?;
            let taken = len.min(within.len());
            let part = SeqRange::new(within.first, Seq(within.first.0 + taken - 1))?;
            if place % 2 == 1 {
                left_out.insert(part);
            }
            len -= taken;
            span =
                SeqRange::new(part.last.next(), within.last).filter(|_| taken < within.len()).or_else(|| spans.next());
        }
    }
    span.is_none().then_some(left_out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(spans: Vec<(u64, u64)>) -> SeqRanges {
        spans.into_iter().map(|(first, len)| SeqRange { first: Seq(first), last: Seq(first + len) }).collect()
    }

    proptest! {
        #[test]
        fn what_is_left_out_comes_back(
            all in prop::collection::vec((0u64..300, 0u64..20), 1..12), without in prop::collection::vec((0u64..300, 0u64..9), 0..20),
        ) {
            let (all, without) = (ranges(all), ranges(without));
            let left_out: SeqRanges = without.iter().flat_map(|range| {
                let kept = all.missing_in(range);
                kept.missing_in(range).iter().collect::<Vec<_>>()
            }).collect();
            let filtered = Filtered { left_out, quantities: BTreeSet::new() };
            let rows = filtered.rows(&all);
            prop_assert_eq!(rows.len() + filtered.left_out.len(), all.len());
            prop_assert_eq!(Filtered::unpack(filtered.pack(&all), &all).unwrap(), filtered);
        }
    }

    #[test]
    fn runs_that_do_not_fill_the_ranges_are_refused() {
        let all = ranges(vec![(5, 4), (20, 4)]);
        let told = |lengths: &[i64]| {
            let runs = Runs { count: lengths.len() as u64, lengths: column::encode(lengths.iter().copied()) };
            let filter = Filter { left_out: Some(runs), quantities: None };
            Filtered::unpack(Some(filter), &all).map(|filtered| format!("{:?}", filtered.left_out)).map_err(|_| ())
        };
        assert_eq!(told(&[4, 2, 4]), Ok("SeqRanges([9-9, 20-20])".into()));
        assert_eq!(told(&[0, 10]), Ok("SeqRanges([5-9, 20-24])".into()));
        for wrong in [&[10][..], &[9, 2], &[4, 2, 3], &[4, 0, 6], &[-1, 11], &[4, 2, 4, i64::MAX]] {
            assert_eq!(told(wrong), Err(()), "{wrong:?}");
        }
        let empty = Filter { left_out: None, quantities: None };
        assert!(Filtered::unpack(Some(empty), &all).is_err());
    }
}
