//! Sets of sequence numbers as ranges: what a destination holds, what a batch carries.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize};

use crate::Seq;

/// `first..=last`, never empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Serialize)]
#[cbor(array)]
pub struct SeqRange {
    /// The first that belongs.
    #[n(0)]
    pub first: Seq,
    /// The last that belongs.
    #[n(1)]
    pub last: Seq,
}

impl SeqRange {
    /// `first..=last`; `None` if that is empty.
    pub fn new(first: Seq, last: Seq) -> Option<SeqRange> {
        (first <= last).then_some(SeqRange { first, last })
    }

    /// How many numbers it holds.
    pub fn len(self) -> u64 {
        (self.last.0 - self.first.0).saturating_add(1)
    }

    /// Never: kept because clippy and readers expect it beside `len`.
    pub fn is_empty(self) -> bool {
        false
    }
}

impl<'b, C> Decode<'b, C> for SeqRange {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.array()? != Some(2) {
            return Err(minicbor::decode::Error::message("a range is [first, last]"));
        }
        let range = SeqRange::new(Seq(d.u64()?), Seq(d.u64()?));
        range.ok_or_else(|| minicbor::decode::Error::message("a range ends before it begins"))
    }
}

impl<'de> Deserialize<'de> for SeqRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SeqRange, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Bounds {
            first: Seq,
            last: Seq,
        }
        let Bounds { first, last } = Bounds::deserialize(deserializer)?;
        SeqRange::new(first, last).ok_or_else(|| serde::de::Error::custom("a range ends before it begins"))
    }
}

impl std::fmt::Debug for SeqRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// Disjoint, sorted, never touching ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SeqRanges(Vec<SeqRange>);

impl SeqRanges {
    /// The empty set.
    pub fn new() -> SeqRanges {
        SeqRanges::default()
    }

    /// The ranges in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = SeqRange> + ExactSizeIterator + '_ {
        self.0.iter().copied()
    }

    /// How many numbers it holds.
    pub fn len(&self) -> u64 {
        self.iter().map(SeqRange::len).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest and the largest number.
    pub fn bounds(&self) -> Option<SeqRange> {
        SeqRange::new(self.0.first()?.first, self.0.last()?.last)
    }

    /// Adds a range, merging what touches.
    pub fn insert(&mut self, range: SeqRange) {
        let from = self.0.partition_point(|r| r.last.next() < range.first);
        let to = self.0.partition_point(|r| r.first <= range.last.next());
        let merged = self.0[from..to]
            .iter()
            .fold(range, |sum, r| SeqRange { first: sum.first.min(r.first), last: sum.last.max(r.last) });
        self.0.splice(from..to, [merged]);
    }

    /// Whether the number belongs.
    pub fn contains(&self, seq: Seq) -> bool {
        let at = self.0.partition_point(|r| r.last < seq);
        self.0.get(at).is_some_and(|r| r.first <= seq)
    }

    /// Whether every number of `other` belongs.
    pub fn covers(&self, other: &SeqRanges) -> bool {
        other.iter().all(|range| self.missing_in(range).is_empty())
    }

    /// The part of `within` that does not belong.
    pub fn missing_in(&self, within: SeqRange) -> SeqRanges {
        let mut missing = Vec::new();
        let mut next = within.first;
        let start = self.0.partition_point(|r| r.last < within.first);
        for held in self.0[start..].iter().take_while(|r| r.first <= within.last) {
            if next < held.first {
                missing.push(SeqRange { first: next, last: Seq(held.first.0 - 1) });
            }
            // Behind the largest number there is none.
            let Some(behind) = held.last.0.checked_add(1) else { return SeqRanges(missing) };
            next = Seq(behind);
        }
        missing.extend(SeqRange::new(next, within.last));
        SeqRanges(missing)
    }
}

impl FromIterator<SeqRange> for SeqRanges {
    fn from_iter<I: IntoIterator<Item = SeqRange>>(ranges: I) -> SeqRanges {
        let mut set = SeqRanges::new();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

impl<C> Encode<C> for SeqRanges {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for SeqRanges {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let ranges = Vec::<SeqRange>::decode(d, ctx)?;
        let in_order = ranges.windows(2).all(|pair| pair[0].last.next() < pair[1].first);
        if !in_order {
            return Err(minicbor::decode::Error::message("ranges are not sorted and apart"));
        }
        Ok(SeqRanges(ranges))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_largest_number_can_be_held() {
        let top = SeqRange { first: Seq(u64::MAX - 1), last: Seq(u64::MAX) };
        let ranges: SeqRanges = [top].into_iter().collect();
        assert!(ranges.missing_in(top).is_empty() && ranges.covers(&ranges));
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_no_range() {
        assert!(minicbor::decode::<SeqRange>(&[0x82, 10, 9]).is_err());
        assert!(minicbor::decode::<SeqRanges>(&[0x81, 0x82, 10, 9]).is_err());
        assert!(minicbor::decode::<SeqRange>(&[0x83, 9, 10, 11]).is_err());
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(spans in proptest::collection::vec((0u64..60, 0u64..8), 0..20), low in 0u64..60, wide in 0u64..20) {
            let ranges: SeqRanges =
                spans.iter().map(|(first, len)| SeqRange { first: Seq(*first), last: Seq(first + len) }).collect();
            let model: BTreeSet<u64> = spans.iter().flat_map(|(first, len)| *first..=first + len).collect();
            prop_assert_eq!(ranges.len(), model.len() as u64);
            for seq in 0..80 {
                prop_assert_eq!(ranges.contains(Seq(seq)), model.contains(&seq));
            }
            let within = SeqRange { first: Seq(low), last: Seq(low + wide) };
            let missing: Vec<u64> = ranges.missing_in(within).iter().flat_map(|r| r.first.0..=r.last.0).collect();
            let expected: Vec<u64> = (low..=low + wide).filter(|seq| !model.contains(seq)).collect();
            prop_assert_eq!(missing, expected);
            let bytes = minicbor::to_vec(&ranges).unwrap();
            prop_assert_eq!(minicbor::decode::<SeqRanges>(&bytes).unwrap(), ranges);
        }
    }
}
