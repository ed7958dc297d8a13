//! The entropy of what sensors say.

use std::collections::BTreeMap;

use batch::{Content, Row};
use record::SourceId;

use super::series::QUANTITIES;

/// How often each difference to the last value, and to the line through the last two, occurred.
#[derive(Default)]
struct Counted {
    order_1: BTreeMap<i64, f64>,
    order_2: BTreeMap<i64, f64>,
}

/// Bytes per reading that no lossless coder of these predictions can go below.
#[derive(Default)]
pub(crate) struct Floor {
    counted: BTreeMap<&'static str, Counted>,
    /// The last value, and its difference to the one before it.
    last: BTreeMap<(&'static str, SourceId), (i64, Option<i64>)>,
    readings: f64,
}

impl Floor {
    /// Takes what a sensor said into account.
    pub(crate) fn add(&mut self, row: &Row) {
        let Content::Readings { source, readings, .. } = &row.content else { return };
        self.value("time", source, row.stamp.wall_ms.0);
        for (reading, (name, _, exponent, ..)) in readings.iter().zip(QUANTITIES) {
            self.value(name, source, reading.value.unwrap().mantissa_at(exponent as i8).unwrap());
            self.readings += 1.0;
        }
    }

    fn value(&mut self, name: &'static str, source: &SourceId, value: i64) {
        let before = self.last.get(&(name, source.clone())).copied();
        let step = before.map(|(before, _)| value - before);
        let counted = self.counted.entry(name).or_default();
        if let Some(step) = step {
            *counted.order_1.entry(step).or_default() += 1.0;
        }
        if let (Some(step), Some((_, Some(step_before)))) = (step, before) {
            *counted.order_2.entry(step - step_before).or_default() += 1.0;
        }
        self.last.insert((name, source.clone()), (value, step));
    }

    /// The least of both predictions for each quantity, and for the times.
    pub(crate) fn bytes_per_reading(&self) -> f64 {
        let least = |counted: &Counted| entropy_bits(&counted.order_1).min(entropy_bits(&counted.order_2));
        self.counted.values().map(least).sum::<f64>() / 8.0 / self.readings
    }
}

/// Shannon entropy of the counts, times their number.
fn entropy_bits(counts: &BTreeMap<i64, f64>) -> f64 {
    let total: f64 = counts.values().sum();
    counts.values().map(|count| count * (total / count).log2()).sum()
}
