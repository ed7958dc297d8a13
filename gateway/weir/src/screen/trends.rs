//! How values went lately, as a row of marks.

use std::collections::{BTreeMap, VecDeque};

/// Values that are remembered of a series.
const VALUES_MAX: usize = 64;
/// Series that are remembered: 200 devices with eight quantities each.
const SERIES_MAX: usize = 1_600;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Where the terminal shows no others.
const ASCII: [char; 8] = ['_', '.', ',', '-', '=', '+', '*', '#'];

/// The newest values by device and quantity.
#[derive(Debug, Default)]
pub(super) struct Trends {
    series: BTreeMap<(String, String), VecDeque<f64>>,
}

impl Trends {
    pub(super) fn note(&mut self, device: String, quantity: String, value: f64) {
        if self.series.len() >= SERIES_MAX && !self.series.contains_key(&(device.clone(), quantity.clone())) {
            return;
        }
        let values = self.series.entry((device, quantity)).or_default();
        if values.len() == VALUES_MAX {
            values.pop_front();
        }
        values.push_back(value);
    }

    /// The newest `columns` values of a series from its lowest to its highest, a mark each; empty where there are fewer than two.
    pub(super) fn line(&self, device: &str, quantity: &str, columns: usize, unicode: bool) -> String {
        let Some(values) = self.series.get(&(device.to_owned(), quantity.to_owned())) else { return String::new() };
        let values: Vec<f64> = values.iter().skip(values.len().saturating_sub(columns)).copied().collect();
        if values.len() < 2 {
            return String::new();
        }
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let marks = if unicode { BLOCKS } else { ASCII };
        let mark = |value: f64| {
            let part = if high > low { (value - low) / (high - low) } else { 0.0 };
            let at = marks.iter().enumerate().rev().find(|(nth, _)| part * 8.0 >= *nth as f64);
            at.map_or(marks[0], |(_, mark)| *mark)
        };
        values.into_iter().map(mark).collect()
    }
}
