//! A series in slices of equal length: what means, loads and totals of a time are made of.
//!
//! HJ 212-2017 appendix D.1 makes a concentration's hour of its ten minutes, and its day of its hours. A slice keeps a sum, not
//! its readings: so what comes late or in another order within the bound changes nothing (R2).

use std::collections::BTreeMap;

use record::{Decimal, Seq};

use crate::exact::Exact;

/// Most slices of one series: a week of ten minutes and a bit.
pub const SLICES_MAX: usize = 1_100;

/// What came in one slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// `None` once it does not fit.
    sum: Option<Exact>,
    count: u32,
    /// The finest power of ten among the readings.
    exponent: i32,
    pub(crate) lowest: Decimal,
    pub(crate) highest: Decimal,
    /// The newest record with a reading in it.
    pub(crate) newest: Seq,
}

/// The slices of one series, by when they begin, in UTC milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Slices(BTreeMap<i64, Slice>);

/// Digits that the mean of a slice has more than the finest of its readings.
const MEAN_DIGITS: i32 = 6;

impl Slice {
    pub(crate) fn new(value: Decimal, seq: Seq) -> Slice {
        let exponent = i32::from(value.exponent());
        Slice { sum: Some(value.into()), count: 1, exponent, lowest: value, highest: value, newest: seq }
    }

    pub(crate) fn add(&mut self, value: Decimal, seq: Seq) {
        self.sum = self.sum.and_then(|sum| sum.plus(value.into()));
        self.count = self.count.saturating_add(1);
        self.exponent = self.exponent.min(i32::from(value.exponent()));
        (self.lowest, self.highest) = (self.lowest.min(value), self.highest.max(value));
        self.newest = self.newest.max(seq);
    }

    /// Six digits finer than its readings.
    pub(crate) fn mean(&self) -> Option<Exact> {
        self.sum?.over(Exact::from(self.count), self.exponent - MEAN_DIGITS)
    }

    pub(crate) fn sum(&self) -> Option<Exact> {
        self.sum
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn exponent(&self) -> i32 {
        self.exponent
    }
}

impl Slices {
    /// Adds a reading to the slice that begins at `start`; those that began before `kept_from` go.
    pub(crate) fn add(&mut self, start: i64, value: Decimal, seq: Seq, kept_from: i64) {
        match self.0.get_mut(&start) {
            Some(slice) => slice.add(value, seq),
            None => drop(self.0.insert(start, Slice::new(value, seq))),
        }
        while let Some((oldest, _)) = self.0.first_key_value()
            && (*oldest < kept_from || self.0.len() > SLICES_MAX)
        {
            self.0.pop_first();
        }
    }

    /// Those that begin within `[from, to)`, the oldest first.
    pub(crate) fn within(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = (i64, &Slice)> + '_ {
        self.0.range(from..to.max(from)).map(|(start, slice)| (*start, slice))
    }

    pub(crate) fn at(&self, start: i64) -> Option<&Slice> {
        self.0.get(&start)
    }

    /// Those from `from` on, to compare.
    pub(crate) fn since(&self, from: i64) -> Slices {
        Slices(self.0.range(from..).map(|(start, slice)| (*start, slice.clone())).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_that_are_old_or_too_many_go() {
        let starts = |slices: &Slices| slices.within(i64::MIN, i64::MAX).map(|(start, _)| start).collect::<Vec<_>>();
        let mut slices = Slices::default();
        assert!(slices.is_empty());
        for (start, kept_from) in [(0, 0), (60, 0), (120, 60)] {
            slices.add(start, Decimal::from(1), Seq(0), kept_from);
        }
        assert_eq!(starts(&slices), [60, 120]);
        assert_eq!(starts(&slices.since(120)), [120]);
        (0..1_200).for_each(|start| slices.add(1_000 + start, Decimal::from(1), Seq(0), 0));
        assert_eq!(starts(&slices), (1_100..2_200).collect::<Vec<_>>());
    }

    #[test]
    fn a_slice_has_the_sum_count_ends_and_newest_of_its_readings() {
        let decimal = |text: &str| Decimal::parse(text).unwrap();
        let mut slice = Slice::new(decimal("1.5"), Seq(7));
        slice.add(decimal("-0.25"), Seq(9));
        slice.add(decimal("3"), Seq(8));
        assert_eq!((slice.count(), slice.exponent(), slice.newest), (3, -2, Seq(9)));
        assert_eq!((slice.lowest, slice.highest), (decimal("-0.25"), decimal("3")));
        assert_eq!(slice.sum().unwrap().to_decimal(), Some(decimal("4.25")));
        assert_eq!(slice.mean().unwrap().to_decimal(), Some(decimal("1.41666667")));
    }
}
