//! Which records are in no batch yet.

use record::{Seq, SeqRange, SeqRanges};

/// Most ranges in one batch: its header stays under 5 kB however torn the coverage is.
pub const RANGES_MAX: usize = 256;

/// The smallest number that does not belong to `claimed`.
pub(crate) fn first_unclaimed(claimed: &SeqRanges) -> Seq {
    match claimed.iter().next() {
        Some(range) if range.first == Seq(0) => range.last.next(),
        _ => Seq(0),
    }
}

/// How many numbers of `from..end` do not belong to `claimed`.
pub(crate) fn count(claimed: &SeqRanges, from: Seq, end: Seq) -> u64 {
    let inside = |range: SeqRange| {
        let first = range.first.max(from).0;
        range.last.next().min(end).0.saturating_sub(first)
    };
    let held: u64 = claimed.iter().rev().take_while(|range| range.last >= from).map(inside).sum();
    end.0.saturating_sub(from.0).saturating_sub(held)
}

/// The first `records_max` numbers of `from..end` that do not belong to `claimed`, in at most [`RANGES_MAX`] ranges.
pub(crate) fn take(claimed: &SeqRanges, from: Seq, end: Seq, records_max: u64) -> SeqRanges {
    let mut taken = Vec::new();
    let mut room = records_max;
    let mut next = from.max(first_unclaimed(claimed));
    for held in claimed.iter().map(Some).chain([None]) {
        if next >= end || room == 0 || taken.len() == RANGES_MAX {
            break;
        }
        let gap_end = held.map_or(end, |held| held.first.min(end));
        if next < gap_end {
            let len = room.min(gap_end.0 - next.0);
            taken.extend(SeqRange::new(next, Seq(next.0 + len - 1)));
            room -= len;
        }
        next = held.map_or(end, |held| next.max(held.last.next()));
    }
    taken.into_iter().collect()
}

/// The union of all parts.
pub(crate) fn union<'a>(parts: impl IntoIterator<Item = &'a SeqRanges>) -> SeqRanges {
    let mut sum = SeqRanges::new();
    parts.into_iter().flat_map(SeqRanges::iter).for_each(|range| sum.insert(range));
    sum
}

/// The numbers of `all` that do not belong to `taken`.
pub(crate) fn without(all: &SeqRanges, taken: &SeqRanges) -> SeqRanges {
    let mut left = SeqRanges::new();
    all.iter().for_each(|range| taken.missing_in(range).iter().for_each(|range| left.insert(range)));
    left
}

/// The numbers that belong to both.
pub(crate) fn within(all: &SeqRanges, part: &SeqRanges) -> SeqRanges {
    without(all, &without(all, part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_sets(
            spans in proptest::collection::vec((0u64..60, 0u64..6), 0..12),
            from in 0u64..70, len in 0u64..70, records_max in 1u64..40,
        ) {
            let claimed: SeqRanges =
                spans.iter().map(|(first, len)| SeqRange { first: Seq(*first), last: Seq(first + len) }).collect();
            let free: Vec<u64> = (from..from + len).filter(|seq| !claimed.contains(Seq(*seq))).collect();
            prop_assert_eq!(count(&claimed, Seq(from), Seq(from + len)), free.len() as u64);
            let taken = take(&claimed, Seq(from), Seq(from + len), records_max);
            let taken: Vec<u64> = taken.iter().flat_map(|range| range.first.0..=range.last.0).collect();
            let expected: Vec<u64> = free.into_iter().take(usize::try_from(records_max).unwrap()).collect();
            prop_assert_eq!(taken, expected);
            let all: SeqRanges = SeqRange::new(Seq(from), Seq(from + len)).into_iter().collect();
            let (left, both) = (without(&all, &claimed), within(&all, &claimed));
            for seq in (0..150).map(Seq) {
                prop_assert_eq!(left.contains(seq), all.contains(seq) && !claimed.contains(seq));
                prop_assert_eq!(both.contains(seq), all.contains(seq) && claimed.contains(seq));
            }
            let first = (0..).find(|seq| !claimed.contains(Seq(*seq))).unwrap();
            prop_assert_eq!(first_unclaimed(&claimed), Seq(first));
        }
    }

    #[test]
    fn a_torn_coverage_gives_a_bounded_header() {
        let claimed: SeqRanges = (0..2_000).map(|n| SeqRange { first: Seq(2 * n), last: Seq(2 * n) }).collect();
        let taken = take(&claimed, Seq(0), Seq(4_000), 10_000);
        assert_eq!(taken.iter().len(), RANGES_MAX);
    }
}
