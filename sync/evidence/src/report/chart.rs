//! A chart as inline SVG: a line where readings follow each other, nothing where none came.

use std::fmt::Write;

use super::html::escape;
use super::local_time;
use super::series::{Point, Series, float, stretches, thin};

/// Of the whole picture, in its own units; the page scales it to its width.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 220.0;
/// Room for the axes' words.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 30.0;
/// Lines of the grid: values, and times.
const VALUES: u32 = 4;
const TIMES: u32 = 4;
/// Most marks of doubtful readings.
const MARKS_MAX: usize = 200;

/// The scale from times and values to the picture.
struct Scale {
    first_ms: i64,
    last_ms: i64,
    low: f64,
    high: f64,
}

impl Scale {
    fn x(&self, at_ms: i64) -> f64 {
        let span = self.last_ms.saturating_sub(self.first_ms).max(1);
        LEFT + (WIDTH - LEFT - RIGHT) * part(at_ms.saturating_sub(self.first_ms), span)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)
    }
}

/// `of / whole`, exact enough for a picture.
fn part(of: i64, whole: i64) -> f64 {
    let thousandths = i128::from(of) * 1_000_000 / i128::from(whole.max(1));
    f64::from(i32::try_from(thousandths).unwrap_or(i32::MAX)) / 1_000_000.0
}

/// The chart of a series over the time of all charts, with `columns` of detail; none if it has no value.
pub(super) fn svg(series: &Series, (first_ms, last_ms): (i64, i64), columns: i64) -> Option<String> {
    let limits: Vec<f64> = series.limits.iter().filter_map(|limit| float(*limit)).collect();
    let values = series.good.iter().chain(&series.doubtful).map(|point| point.value);
    let (low, high) = bounds(values.clone().chain(limits.iter().copied()))?;
    values.clone().next()?;
    let scale = Scale { first_ms, last_ms, low, high };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\" class=\"area\"/>\n",
        WIDTH - LEFT - RIGHT,
        HEIGHT - TOP - BOTTOM
    );
    grid(&mut svg, &scale);
    for limit in limits {
        let y = scale.y(limit);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"limit\"/>",
            WIDTH - RIGHT
        );
    }
    for stretch in stretches(&series.good) {
        line(&mut svg, &thin(stretch, (first_ms, last_ms), columns), &scale);
    }
    for point in thin(&series.doubtful, (first_ms, last_ms), columns).iter().take(MARKS_MAX) {
        let (x, y) = (scale.x(point.at_ms), scale.y(point.value));
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" class=\"doubtful\"/>");
    }
    Some(svg + "</svg>\n")
}

/// A line, or a point where there is but one reading. Writing to a string cannot fail.
fn line(svg: &mut String, points: &[Point], scale: &Scale) {
    if let [alone] = points {
        let (x, y) = (scale.x(alone.at_ms), scale.y(alone.value));
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.5\" class=\"alone\"/>");
        return;
    }
    svg.push_str("<polyline points=\"");
    for point in points {
        let _ = write!(svg, "{:.1},{:.1} ", scale.x(point.at_ms), scale.y(point.value));
    }
    svg.truncate(svg.trim_end().len());
    svg.push_str("\"/>\n");
}

fn grid(svg: &mut String, scale: &Scale) {
    for step in 0..=VALUES {
        let value = scale.low + (scale.high - scale.low) * f64::from(step) / f64::from(VALUES);
        let y = scale.y(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"grid\"/><text x=\"{:.0}\" y=\"{:.1}\" \
             class=\"value\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            escape(&label(value))
        );
    }
    for step in 0..=TIMES {
        let span = scale.last_ms.saturating_sub(scale.first_ms);
        let at_ms = scale.first_ms.saturating_add(span / i64::from(TIMES) * i64::from(step));
        let shown = local_time(record::UnixMs(at_ms));
        // Days, hours, minutes and seconds: the year stands above.
        let shown = shown.get(5..19).unwrap_or(&shown);
        let anchor = ["start", "middle", "middle", "middle", "end"].get(step as usize).unwrap_or(&"middle");
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{}</text>",
            scale.x(at_ms),
            HEIGHT - 10.0,
            escape(shown)
        );
    }
}

/// Four significant digits of a value, for an axis.
fn label(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1e-3..10.0 => format!("{value:.3}"),
        10.0..1_000.0 => format!("{value:.1}"),
        1_000.0..1e7 => format!("{value:.0}"),
        _ => format!("{value:.2e}"),
    }
}

/// The least and the greatest value, with some room around them.
fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let ends = values.fold(None, |ends: Option<(f64, f64)>, value| {
        Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
    });
    let (low, high) = ends?;
    let room = ((high - low) * 0.05).max(high.abs().max(low.abs()) * 0.01).max(1e-9);
    Some((low - room, high + room))
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::Decimal;

    #[test]
    fn a_gap_and_a_limit_are_seen() {
        let good = [0, 1_000, 2_000, 600_000, 601_000].map(|at_ms| Point { at_ms, value: 10.0 }).to_vec();
        let series = Series { good, limits: vec![Decimal::from(80)], ..Series::default() };
        let shown = svg(&series, (0, 700_000), 100).unwrap();
        assert_eq!((shown.matches("<polyline").count(), shown.matches("class=\"limit\"").count()), (2, 1), "{shown}");
        assert!(svg(&Series::default(), (0, 1), 100).is_none());
        let huge = Series { good: vec![Point { at_ms: i64::MAX, value: 1e40 }], ..Series::default() };
        assert!(svg(&huge, (i64::MIN, i64::MAX), 100).is_some());
    }
}
