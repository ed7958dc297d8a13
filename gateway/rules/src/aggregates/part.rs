//! A part of a window: the sum of its good readings and how many there were.

use record::{Decimal, Seq};

use crate::exact::Exact;
use crate::slices::Slice;

/// What came of one series in one part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Part {
    sum: Option<Slice>,
    /// Readings that are not good.
    pub(super) doubtful: u32,
}

impl Part {
    /// Adds a reading; none: one that is not good.
    pub(super) fn add(&mut self, good: Option<Decimal>) {
        match (good, &mut self.sum) {
            (None, _) => self.doubtful = self.doubtful.saturating_add(1),
            // Which record it came with is of no matter here.
            (Some(value), None) => self.sum = Some(Slice::new(value, Seq(0))),
            (Some(value), Some(sum)) => sum.add(value, Seq(0)),
        }
    }

    pub(super) fn good(&self) -> u32 {
        self.sum.as_ref().map_or(0, Slice::count)
    }

    /// The lowest and the highest good reading.
    pub(super) fn ends(&self) -> Option<(Decimal, Decimal)> {
        self.sum.as_ref().map(|sum| (sum.lowest, sum.highest))
    }

    /// The finest power of ten among the good readings.
    pub(super) fn exponent(&self) -> i32 {
        self.sum.as_ref().map_or(0, Slice::exponent)
    }

    pub(super) fn mean(&self) -> Option<Exact> {
        self.sum.as_ref()?.mean()
    }
}
