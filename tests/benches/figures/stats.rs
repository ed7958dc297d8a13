//! Medians and percentiles, and how they are printed.

/// The median; of an even count the upper one. 0 of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(values, 50.0)
}

/// The value below which `percent` of all lie. 0 of nothing.
pub(crate) fn percentile(values: impl IntoIterator<Item = f64>, percent: f64) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() as f64 * percent / 100.0) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The least and the greatest, as `low–high` with so many digits behind the point.
pub(crate) fn span(values: &[f64], digits: usize) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{low:.digits$}–{high:.digits$}")
}

/// Milliseconds of a number of microseconds.
pub(crate) fn ms(us: f64) -> f64 {
    us / 1e3
}
