//! What a chart shows: values of one quantity of one device over time, as few as can be seen.

use std::collections::BTreeMap;

use record::{Decimal, Quality, Seq};

use crate::log::{Log, moment};
use crate::readings::Decoded;

/// A pause this many times as long as the usual one between two readings is a gap in the line.
const PAUSES: i64 = 4;
/// And at least so long, so that jitter is none.
const PAUSE_MS_MIN: i64 = 2_000;

/// A value at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) at_ms: i64,
    pub(super) value: f64,
}

/// The values of one quantity of one device, in one unit.
#[derive(Debug, Default)]
pub(super) struct Series {
    /// Readings that are good, by time.
    pub(super) good: Vec<Point>,
    /// Readings that have a value and are not good.
    pub(super) doubtful: Vec<Point>,
    /// Readings without a value.
    pub(super) without: u64,
    /// Limits of alarms about it.
    pub(super) limits: Vec<Decimal>,
}

/// Source, quantity and unit.
pub(super) type Name = (String, String, String);

/// Every series of the records. Where a frame was decoded again, the newest decoding counts.
pub(super) fn collect(log: &Log) -> BTreeMap<Name, Series> {
    let mut newest: BTreeMap<Seq, (i64, Decoded<'_>)> = BTreeMap::new();
    for (at, time) in log.timed() {
        let Some(decoded) = Decoded::of(&at.record.body) else { continue };
        // The measurement was made when the frame came, not when it was decoded again.
        let made =
            decoded.of.and_then(|of| log.get(of)).map_or_else(|| moment(at, time), |of| moment(of, log.time(of)));
        newest.insert(decoded.of.unwrap_or(at.seq), (made.0, decoded));
    }
    let mut all: BTreeMap<Name, Series> = BTreeMap::new();
    for (made_ms, decoded) in newest.into_values() {
        for reading in decoded.readings {
            let name = (decoded.source.to_string(), reading.quantity.to_string(), reading.unit.to_string());
            let series = all.entry(name).or_default();
            let at_ms = reading.at_ms.map_or(made_ms, |at| at.0);
            match reading.value.and_then(float) {
                None => series.without += 1,
                Some(value) if reading.quality == Quality::Good => series.good.push(Point { at_ms, value }),
                Some(value) => series.doubtful.push(Point { at_ms, value }),
            }
        }
    }
    for series in all.values_mut() {
        series.good.sort_by_key(|point| point.at_ms);
        series.doubtful.sort_by_key(|point| point.at_ms);
    }
    note_limits(log, &mut all);
    all
}

fn note_limits(log: &Log, all: &mut BTreeMap<Name, Series>) {
    for at in &log.records {
        let record::Body::Alarm(alarm) = &at.record.body else { continue };
        let about = |name: &Name| name.0 == alarm.source.as_str() && name.1 == alarm.quantity.as_str();
        for (_, series) in all.iter_mut().filter(|(name, _)| about(name)) {
            if !series.limits.contains(&alarm.limit) {
                series.limits.push(alarm.limit);
            }
        }
    }
}

/// As a chart needs it; exact values stand in the tables.
pub(super) fn float(value: Decimal) -> Option<f64> {
    value.to_string().parse().ok().filter(|value: &f64| value.is_finite())
}

/// Stretches without a gap between two readings.
pub(super) fn stretches(points: &[Point]) -> Vec<&[Point]> {
    let mut pauses: Vec<i64> = points.windows(2).map(|pair| pair[1].at_ms.saturating_sub(pair[0].at_ms)).collect();
    pauses.sort_unstable();
    let usual = pauses.get(pauses.len() / 2).copied().unwrap_or(0);
    let most = usual.saturating_mul(PAUSES).max(PAUSE_MS_MIN);
    points.chunk_by(|one, next| next.at_ms.saturating_sub(one.at_ms) <= most).collect()
}

/// The least and the greatest value of each of `buckets` equal parts of the time from `first_ms` to `last_ms`, in their
/// order: what a line of that many columns shows of all.
pub(super) fn thin(points: &[Point], (first_ms, last_ms): (i64, i64), buckets: i64) -> Vec<Point> {
    let span = last_ms.saturating_sub(first_ms).max(1);
    let bucket =
        |point: &Point| i128::from(point.at_ms.saturating_sub(first_ms)) * i128::from(buckets) / i128::from(span);
    let mut kept = Vec::new();
    for part in points.chunk_by(|one, next| bucket(one) == bucket(next)) {
        let by_value = |one: &&Point, other: &&Point| one.value.total_cmp(&other.value);
        let ends = [part.iter().min_by(by_value), part.iter().max_by(by_value)];
        let [Some(least), Some(greatest)] = ends else { continue };
        let mut both = [*least, *greatest];
        both.sort_by_key(|point| point.at_ms);
        kept.push(both[0]);
        kept.extend((both[0] != both[1]).then_some(both[1]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_ms: i64, value: f64) -> Point {
        Point { at_ms, value }
    }

    #[test]
    fn a_long_pause_is_a_gap() {
        let points: Vec<Point> = [0, 1_000, 2_000, 3_000, 60_000, 61_000].map(|at| point(at, 1.0)).to_vec();
        assert_eq!(stretches(&points).iter().map(|part| part.len()).collect::<Vec<_>>(), [4, 2]);
        assert!(stretches(&[]).is_empty());
    }

    #[test]
    fn a_peak_survives_thinning() {
        let mut points: Vec<Point> = (0..10_000).map(|at| point(at, 5.0)).collect();
        points[4_321].value = 99.0;
        points[4_322].value = -1.0;
        let thinned = thin(&points, (0, 10_000), 50);
        assert!(thinned.len() <= 100, "{}", thinned.len());
        assert!(thinned.contains(&points[4_321]) && thinned.contains(&points[4_322]));
        assert!(thinned.is_sorted_by_key(|point| point.at_ms));
    }
}
