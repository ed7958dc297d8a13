//! A chart as inline SVG: a line of means in the band of the lowest and the highest, nothing where no good reading came, a mark
//! at the bottom where some were doubtful. Coordinates are whole numbers and relative, because a page has many of them.

use std::fmt::Write;

use record::UnixMs;

use crate::html::Html;
use crate::tally::{Band, Part, Span};
use crate::{Lang, wording};

/// The picture, in its own units; the page scales it to its width. So wide that letters of 21 read well on a phone.
const WIDTH: i32 = 720;
const HEIGHT: i32 = 300;
/// Room for the axes' words.
const LEFT: i32 = 84;
const RIGHT: i32 = 16;
const TOP: i32 = 30;
const BOTTOM: i32 = 44;
/// About so many lines of values.
const VALUES: f64 = 4.0;

/// What is drawn.
pub(crate) struct Chart<'a> {
    pub(crate) span: Span,
    pub(crate) parts: &'a [Part],
    pub(crate) now: UnixMs,
    /// As it stands at the axis.
    pub(crate) unit: &'a str,
    /// What the picture is, for who cannot see it.
    pub(crate) title: &'a str,
}

/// From values to the picture.
struct Scale {
    low: f64,
    high: f64,
    parts: i32,
}

impl Scale {
    /// The middle of a part.
    fn x(&self, nth: usize) -> i32 {
        let nth = i32::try_from(nth).unwrap_or(0);
        LEFT + (WIDTH - LEFT - RIGHT) * (2 * nth + 1) / (2 * self.parts.max(1))
    }

    /// Saturating: what is beyond the picture is at its edge.
    #[allow(clippy::cast_possible_truncation)]
    fn y(&self, value: f64) -> i32 {
        let share = ((self.high - value) / (self.high - self.low)).clamp(0.0, 1.0);
        TOP + (f64::from(HEIGHT - TOP - BOTTOM) * share).round() as i32
    }
}

/// The picture; none if there is no good reading in it.
pub(crate) fn draw(html: &mut Html, chart: &Chart<'_>, lang: Lang) -> bool {
    let bands: Vec<Option<Band>> = chart.parts.iter().map(Part::band).collect();
    let Some((low, high, step)) = axis(bands.iter().flatten()) else { return false };
    let scale = &Scale { low, high, parts: i32::try_from(chart.parts.len()).unwrap_or(1) };
    html.raw(&format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"")).text(chart.title).raw("\">");
    grid(html, chart, scale, step, lang);
    let (mut band, mut mean, mut alone) = (String::new(), String::new(), String::new());
    for run in runs(&bands) {
        let points = |value: fn(&Band) -> f64| run.iter().map(move |(nth, part)| (scale.x(*nth), scale.y(value(part))));
        if let [(nth, only)] = run[..] {
            // A line of one point is none: a stroke from its lowest to its highest, and a mark.
            let (low, high) = (scale.y(only.min), scale.y(only.max));
            let _ = write!(alone, "M{} {high}v{}", scale.x(nth), (low - high).max(1));
            let _ = write!(mean, "M{} {}h6", scale.x(nth) - 3, scale.y(only.mean));
            continue;
        }
        let mut under: Vec<_> = points(|band| band.min).collect();
        under.reverse();
        path(&mut band, points(|band| band.max).chain(under));
        band.push('z');
        path(&mut mean, points(|band| band.mean));
    }
    html.raw(&format!(
        "<path class=\"b\" d=\"{band}\"/><path class=\"a\" d=\"{alone}\"/><path class=\"m\" d=\"{mean}\"/>"
    ));
    let mut marks = String::new();
    for (nth, _) in chart.parts.iter().enumerate().filter(|(_, part)| part.doubtful > 0) {
        let _ = write!(marks, "M{} {}v8", scale.x(nth), HEIGHT - BOTTOM - 9);
    }
    if !marks.is_empty() {
        html.raw(&format!("<path class=\"d\" d=\"{marks}\"/>"));
    }
    html.raw("</svg>");
    true
}

/// Points as one line, each relative to the one before.
fn path(text: &mut String, points: impl Iterator<Item = (i32, i32)>) {
    let mut before: Option<(i32, i32)> = None;
    for (x, y) in points {
        // Writing to a string cannot fail.
        let _ = match before {
            None => write!(text, "M{x} {y}"),
            // A sign parts numbers as well as a space does.
            Some((from_x, from_y)) => {
                let step = format!("{} {}", x - from_x, y - from_y).replace(" -", "-");
                write!(text, "{}{step}", if text.ends_with('l') || step.starts_with('-') { "" } else { " " })
            }
        };
        if before.is_none() {
            text.push('l');
        }
        before = Some((x, y));
    }
}

/// Parts with a good reading that follow each other as they usually do: a sensor that speaks once an hour has a line as well, and
/// one that usually speaks in each part has a gap where it did not in one.
fn runs(bands: &[Option<Band>]) -> Vec<Vec<(usize, Band)>> {
    let good: Vec<(usize, Band)> = bands.iter().enumerate().filter_map(|(nth, band)| Some((nth, (*band)?))).collect();
    let mut steps: Vec<usize> = good.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    steps.sort_unstable();
    let usual = steps.get(steps.len() / 2).copied().unwrap_or(1);
    good.chunk_by(|one, next| next.0 - one.0 <= usual + usual / 2).map(<[_]>::to_vec).collect()
}

/// The lowest and the highest line of the grid and the step between two: 1, 2 or 5 times a power of ten.
fn axis<'a>(bands: impl Iterator<Item = &'a Band>) -> Option<(f64, f64, f64)> {
    let ends = bands.fold(None, |ends: Option<(f64, f64)>, band| {
        Some(ends.map_or((band.min, band.max), |(low, high)| (low.min(band.min), high.max(band.max))))
    });
    let (low, high) = ends?;
    let room = (high - low).max(high.abs().max(low.abs()) * 0.02).max(1e-9);
    let (low, high) = if high - low < room { (low - room / 2.0, high + room / 2.0) } else { (low, high) };
    let rough = room / VALUES;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= rough)?;
    Some(((low / step).floor() * step, (high / step).ceil() * step, step))
}

fn grid(html: &mut Html, chart: &Chart<'_>, scale: &Scale, step: f64, lang: Lang) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let mut lines = String::new();
    let mut value = scale.low;
    // By number, so that no step is too small to end.
    for nth in 0..=12 {
        value = if nth == 0 { value } else { value + step };
        if value > scale.high + step / 2.0 {
            break;
        }
        let y = scale.y(value);
        let _ = write!(lines, "M{LEFT} {y}H{right}");
        // What is left of a zero after steps of a tenth is no number for people.
        let shown = if value.abs() < step / 1e6 { 0.0 } else { value };
        html.raw(&format!("<text x=\"{}\" y=\"{}\" class=\"v\">", LEFT - 8, y + 7)).text(&wording::rounded(shown));
        html.raw("</text>");
    }
    html.raw("<text x=\"4\" y=\"18\">").text(chart.unit).raw("</text>");
    for (at, label) in times(chart, lang) {
        let part = (at.0 - chart.span.from(chart.now).0) / chart.span.part_ms();
        let x = scale.x(usize::try_from(part).unwrap_or(0)) - (WIDTH - LEFT - RIGHT) / (2 * scale.parts.max(1));
        let _ = write!(lines, "M{x} {bottom}v8");
        html.raw(&format!("<text x=\"{x}\" y=\"{}\" class=\"t\">", HEIGHT - 8)).text(&label).raw("</text>");
    }
    html.raw(&format!("<path class=\"g\" d=\"{lines}\"/>"));
}

/// Where the axis of time has words: each six hours, or each sixth day, in Beijing.
fn times(chart: &Chart<'_>, lang: Lang) -> Vec<(UnixMs, String)> {
    const HOUR_MS: i64 = 3_600_000;
    let (every_ms, label): (i64, fn(UnixMs, Lang) -> String) = match chart.span {
        Span::Day => (6 * HOUR_MS, |at, _| wording::clock(at)),
        Span::Month => (144 * HOUR_MS, wording::day),
    };
    let from = chart.span.from(chart.now).0;
    // Midnight in Beijing is 16:00 UTC of the day before.
    let beijing = |ms: i64| ms.saturating_add(8 * HOUR_MS);
    let first = from.saturating_add((every_ms - beijing(from).rem_euclid(every_ms)).rem_euclid(every_ms));
    let room = i64::try_from(chart.span.parts()).unwrap_or(0).saturating_mul(chart.span.part_ms());
    (0..8)
        .map(|nth| first.saturating_add(nth * every_ms))
        // A word at the very edge would be cut.
        .filter(|at| at.saturating_sub(from) <= room - room / 20)
        .map(|at| (UnixMs(at), label(UnixMs(at), lang)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Tally;
    use record::{Decimal, Quality, Quantity, Reading, SourceId, Unit};

    const NOW: UnixMs = UnixMs(1_796_020_260_000);

    fn drawn(readings: &[(i64, f64, Quality)], span: Span) -> Option<String> {
        let mut tally = Tally::default();
        let source = SourceId::new("cod-1").unwrap();
        for (minutes_ago, value, quality) in readings {
            let value = Some(Decimal::parse(&value.to_string()).unwrap());
            let (quantity, unit) = (Quantity::new("cod").unwrap(), Unit::new("mg/L").unwrap());
            let reading = Reading { quantity, unit, value, quality: *quality, at_ms: None };
            tally.add(NOW, &source, &reading, UnixMs(NOW.0 - minutes_ago * 60_000));
        }
        let parts = tally.device(&source).map_or(Vec::new(), |all| all.values().next().unwrap().parts(span, NOW));
        let mut html = Html::new();
        let chart = Chart { span, parts: &parts, now: NOW, unit: "mg/L", title: "COD" };
        draw(&mut html, &chart, Lang::Zh).then(|| html.into_text())
    }

    #[test]
    fn a_gap_is_a_gap_and_doubt_is_marked() {
        let good = |minutes| (minutes, 10.0, Quality::Good);
        let svg =
            drawn(&[good(0), good(15), good(30), good(300), good(315), (600, 5.0, Quality::OutOfRange)], Span::Day);
        let svg = svg.unwrap();
        let line = svg.split("class=\"m\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(line.matches('M').count(), 2, "{svg}");
        let marks = svg.split("class=\"d\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(marks.matches('M').count(), 1, "{svg}");
        assert!(drawn(&[(1, 5.0, Quality::OutOfRange)], Span::Day).is_none(), "nothing good is no picture");
        let hourly: Vec<_> = [0, 60, 120, 180, 600, 660].map(good).to_vec();
        let svg = drawn(&hourly, Span::Day).unwrap();
        let line = svg.split("class=\"m\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(
            line.matches('M').count(),
            2,
            "who speaks once an hour has a line, and a gap where it was silent: {svg}"
        );
    }

    #[test]
    fn an_axis_has_few_lines_at_round_values() {
        let axis_of = |low: f64, high: f64| axis([Band { min: low, mean: low, max: high }].iter()).unwrap();
        assert_eq!(axis_of(0.0, 83.0), (0.0, 100.0, 50.0));
        assert_eq!(axis_of(12.0, 19.5), (12.0, 20.0, 2.0));
        for (low, high) in [(5.0, 5.0), (-3.0, 0.0), (1e-6, 2e-6), (-1e9, 1e9), (0.0, 0.0), (1e30, 1e30)] {
            let (bottom, top, step) = axis_of(low, high);
            assert!(
                bottom <= low && high <= top && (top - bottom) / step < 12.0,
                "{low} {high}: {bottom} {top} {step}"
            );
        }
    }

    #[test]
    fn times_stand_at_round_hours_and_midnights() {
        let chart = |span| Chart { span, parts: &[], now: NOW, unit: "", title: "" };
        let words = |span| times(&chart(span), Lang::En).into_iter().map(|(_, word)| word).collect::<Vec<_>>();
        assert_eq!(words(Span::Day), ["18:00", "00:00", "06:00", "12:00"]);
        assert_eq!(words(Span::Month).len(), 5, "{:?}", words(Span::Month));
        let midnight = |(at, _): (UnixMs, String)| wording::clock(at) == "00:00";
        assert!(times(&chart(Span::Month), Lang::En).into_iter().all(midnight));
    }

    #[test]
    fn a_wild_sensor_makes_no_wild_picture() {
        let wild = [1e39, -1e39, 0.0, 1e-30, 5.0];
        let readings: Vec<_> = wild.iter().zip(0..).map(|(value, nth)| (nth * 15, *value, Quality::Good)).collect();
        let svg = drawn(&readings, Span::Month).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
