//! Batches that were refused, on their way to the record that is to blame, or too large for the link.

use std::collections::VecDeque;

use batch::Lane;
use record::{Seq, SeqRange, SeqRanges};

use crate::unclaimed::without;

/// Halves that wait to be cut, the next one first: depth first, so that there are never more than the outstanding batches
/// times the halvings of a batch, and one odd record of 500 is alone after nine refusals.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces(VecDeque<(Lane, SeqRanges)>);

impl Pieces {
    /// Takes the records of a refused batch in two parts.
    pub(super) fn halve(&mut self, lane: Lane, ranges: &SeqRanges) {
        let middle = ranges.len() / 2;
        let (mut left, mut right, mut taken) = (SeqRanges::new(), SeqRanges::new(), 0);
        for range in ranges.iter() {
            let of_left = range.len().min(middle - taken);
            taken += of_left;
            let first_of_right = Seq(range.first.0 + of_left);
            SeqRange::new(range.first, Seq(first_of_right.0.saturating_sub(1)))
                .filter(|_| of_left > 0)
                .into_iter()
                .for_each(|part| left.insert(part));
            SeqRange::new(first_of_right, range.last).into_iter().for_each(|part| right.insert(part));
        }
        for half in [right, left] {
            self.0.push_front((lane, half));
        }
    }

    /// The next one of a lane.
    pub(super) fn take(&mut self, lane: Lane) -> Option<SeqRanges> {
        let at = self.0.iter().position(|(of, _)| *of == lane)?;
        self.0.remove(at).map(|(_, ranges)| ranges)
    }

    /// Whether there is one.
    pub(super) fn has(&self, lane: Lane) -> bool {
        self.0.iter().any(|(of, _)| *of == lane)
    }

    /// The records in those of a lane.
    pub(super) fn records(&self, lane: Lane) -> u64 {
        self.0.iter().filter(|(of, _)| *of == lane).map(|(_, ranges)| ranges.len()).sum()
    }

    /// The records in all of them.
    pub(super) fn ranges(&self) -> impl Iterator<Item = &SeqRanges> {
        self.0.iter().map(|(_, ranges)| ranges)
    }

    /// Forgets what can no longer be read.
    pub(super) fn lose(&mut self, gone: &SeqRanges) {
        self.0.iter_mut().for_each(|(_, ranges)| *ranges = without(ranges, gone));
        self.0.retain(|(_, ranges)| !ranges.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn two_halves_are_the_whole(spans in prop::collection::vec((0u64..300, 0u64..9), 1..12)) {
            let whole: SeqRanges =
                spans.iter().map(|(first, len)| SeqRange { first: Seq(*first), last: Seq(first + len) }).collect();
            prop_assume!(whole.len() > 1);
            let mut pieces = Pieces::default();
            pieces.halve(Lane::Live, &whole);
            let [left, right] = [(); 2].map(|()| pieces.take(Lane::Live).unwrap());
            prop_assert_eq!(left.len(), whole.len() / 2);
            prop_assert!(left.bounds().unwrap().last < right.bounds().unwrap().first);
            prop_assert_eq!(left.iter().chain(right.iter()).collect::<SeqRanges>(), whole);
        }
    }
}
