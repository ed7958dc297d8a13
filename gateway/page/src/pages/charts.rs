//! A series on a page: its newest value, its pictures, and the same as tables for who cannot see them or wants the numbers.

use record::{Quality, Quantity, Unit, UnixMs};

use super::Asked;
use crate::chart::{Chart, draw};
use crate::html::Html;
use crate::tally::{Latest, Part, Series, Span};
use crate::{Lang, wording};

/// `Chemical oxygen demand (mg/L)`.
pub(super) fn heading(asked: &Asked<'_>, quantity: &Quantity, unit: &Unit) -> String {
    let (name, unit) = (wording::quantity(quantity.as_str(), asked.lang), wording::unit(unit.as_str()));
    match (unit, asked.lang) {
        ("", _) => name.to_owned(),
        (_, Lang::En) => format!("{name} ({unit})"),
        (_, Lang::Zh) => format!("{name}（{unit}）"),
    }
}

/// A value with its unit, and a word where it is not good.
pub(super) fn value(asked: &Asked<'_>, latest: &Latest, unit: &Unit) -> String {
    let unit = wording::unit(unit.as_str());
    let number = latest.value.map_or_else(|| "–".to_owned(), wording::exact);
    let mut text = if unit.is_empty() { number } else { format!("{number} {unit}") };
    if latest.quality != Quality::Good {
        text += asked.pick(" · ", "・");
        text += quality(asked, latest.quality);
    }
    text
}

fn quality(asked: &Asked<'_>, quality: Quality) -> &'static str {
    match quality {
        Quality::Good => asked.pick("good", "正常"),
        Quality::OutOfRange => asked.pick("out of range", "超出量程"),
        Quality::NotANumber => asked.pick("no number", "非数值"),
        Quality::Missing => asked.pick("missing", "缺测"),
        Quality::UnknownUnit => asked.pick("unknown unit", "单位未知"),
    }
}

/// The picture of a span.
pub(super) fn picture(html: &mut Html, asked: &Asked<'_>, of: &str, series: &Series, span: Span, unit: &Unit) {
    let parts = series.parts(span, asked.now);
    let title = format!("{of}{}{}", asked.pick(": ", "："), summary(asked, &parts, span));
    html.raw("<figure><figcaption>").text(name(asked, span)).raw("</figcaption>");
    let chart = Chart { span, parts: &parts, now: asked.now, unit: wording::unit(unit.as_str()), title: &title };
    if !draw(html, &chart, asked.lang) {
        html.element("p class=\"muted none\"", asked.pick("No good reading in this time.", "该时段无有效数据。"));
    }
    html.raw("</figure>\n");
}

fn name(asked: &Asked<'_>, span: Span) -> &'static str {
    match span {
        Span::Day => asked.pick("Last 24 hours", "最近 24 小时"),
        Span::Month => asked.pick("Last 31 days", "最近 31 天"),
    }
}

/// What the picture says, in words.
fn summary(asked: &Asked<'_>, parts: &[Part], span: Span) -> String {
    let whole = parts.iter().fold(Part::default(), |all, part| all.with(part));
    let gaps = parts.iter().filter(|part| part.good == 0).count();
    let (name, doubtful) = (name(asked, span), whole.doubtful);
    let Some(band) = whole.band() else { return name.to_owned() };
    let [min, mean, max] = [band.min, band.mean, band.max].map(wording::rounded);
    let all = parts.len();
    match asked.lang {
        Lang::En => format!(
            "{name}, lowest {min}, mean {mean}, highest {max}; {gaps} of {all} parts have no good reading; {doubtful} readings are doubtful"
        ),
        Lang::Zh => {
            format!(
                "{name}，最低 {min}，平均 {mean}，最高 {max}；{all} 段中 {gaps} 段无有效数据；{doubtful} 个读数存疑"
            )
        }
    }
}

/// The numbers behind a picture, by the hour or the day, folded away.
pub(super) fn table(html: &mut Html, asked: &Asked<'_>, of: &str, series: &Series, span: Span) {
    let (title, every_ms) = match span {
        Span::Day => (asked.pick("Numbers by the hour", "逐时数值"), 3_600_000),
        Span::Month => (asked.pick("Numbers by the day", "逐日数值"), 86_400_000),
    };
    html.raw("<details><summary>")
        .text(title)
        .raw("<span class=\"hidden\"> ")
        .text(of)
        .raw("</span></summary><table><thead><tr>");
    let heads = [
        asked.pick("From", "起"),
        asked.pick("Mean", "平均"),
        asked.pick("Lowest–highest", "最低–最高"),
        asked.pick("Good (doubtful)", "有效（存疑）"),
    ];
    for head in heads {
        html.element("th scope=\"col\"", head);
    }
    html.raw("</tr></thead><tbody>");
    for (from, part) in rows(&series.parts(span, asked.now), span, every_ms, asked.now) {
        let label = if span == Span::Day { wording::clock(from) } else { wording::day(from, asked.lang) };
        let (mean, ends) = part.band().map_or(("–".to_owned(), "–".to_owned()), |band| {
            let [min, mean, max] = [band.min, band.mean, band.max].map(wording::rounded);
            (mean, format!("{min}–{max}"))
        });
        let good = wording::count(part.good.into());
        let counted =
            if part.doubtful == 0 { good } else { format!("{good} ({})", wording::count(part.doubtful.into())) };
        html.raw("<tr>").element("th scope=\"row\"", &label).element("td", &mean).element("td", &ends);
        html.element("td", &counted).raw("</tr>");
    }
    html.raw("</tbody></table></details>\n");
}

/// Parts of the same hour or day of Beijing, together.
fn rows(parts: &[Part], span: Span, every_ms: i64, now: UnixMs) -> Vec<(UnixMs, Part)> {
    const BEIJING_MS: i64 = 8 * 3_600_000;
    let first = span.from(now).0;
    let mut rows: Vec<(UnixMs, Part)> = Vec::new();
    for (part, nth) in parts.iter().zip(0_i64..) {
        let at = first.saturating_add(nth.saturating_mul(span.part_ms()));
        let of = at.saturating_sub((at.saturating_add(BEIJING_MS)).rem_euclid(every_ms));
        match rows.last_mut() {
            Some((from, row)) if from.0 == of => *row = row.with(part),
            _ => rows.push((UnixMs(of), *part)),
        }
    }
    rows
}
