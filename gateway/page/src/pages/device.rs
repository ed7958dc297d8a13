//! One device: each quantity over the last day and the last month.

use record::{Quantity, SourceId, Unit};

use super::{Asked, alarms, charts, page, state};
use crate::alarms::Standing;
use crate::html::Html;
use crate::tally::{Measured, Series, Span};

/// Most bytes of the quantities on one page: each is 8 to 14 kB.
const QUANTITIES_BYTES_MAX: usize = 72_000;

/// The page of a device, from its `first` quantity on. None if there is no such device, or it is not shown.
pub fn device(asked: &Asked<'_>, source: &SourceId, first: usize) -> Option<String> {
    let (known, name) = (asked.known, source.as_str());
    if !known.devices(asked.config).contains(source) {
        return None;
    }
    let path = format!("/device/{}", crate::html::segment(name));
    Some(page(asked, &path, name, |html| {
        html.element("h1", name).raw("\n");
        if let Some(code) = known.register.outfall_of(source) {
            html.raw("<p>").text(asked.pick("at outfall ", "所属排污口 "));
            html.link(&asked.outfall_href(code.as_str()), code.as_str()).raw("</p>\n");
        }
        let (standing, certain) = known.standing(asked.config);
        let own: Vec<Standing> = standing.into_iter().filter(|alarm| alarm.source == name).collect();
        state::banner(html, asked, own.iter().filter(|alarm| alarm.is_urgent()).count(), certain);
        alarms::standing(html, asked, &own, certain);
        series(html, asked, source, first);
        alarms::steps(html, asked, |step| step.alarm.source == *source);
    }))
}

fn series(html: &mut Html, asked: &Asked<'_>, source: &SourceId, first: usize) {
    let Some(measured) = asked.known.tally.device(source) else {
        html.element("p", asked.pick("It measured nothing in the last 31 days.", "最近 31 天无数据。")).raw("\n");
        return;
    };
    html.raw("<p class=\"legend\">").text(asked.pick(
        "Line: mean of each part. Band: lowest to highest. Marks at the bottom: doubtful readings, which count nowhere else.",
        "线：各时段平均值；带：最低至最高；底部标记：存疑读数，不计入统计。",
    ));
    html.raw("</p>\n");
    let all = measured.iter().skip(first).map(|((quantity, unit), series)| one(asked, quantity, unit, series));
    let left_out = html.within(QUANTITIES_BYTES_MAX, all);
    others(html, asked, source, first, measured.len().saturating_sub(left_out));
}

fn one(asked: &Asked<'_>, quantity: &Quantity, unit: &Unit, series: &Series) -> Html {
    let (mut html, of) = (Html::new(), charts::heading(asked, quantity, unit));
    html.raw("<section class=\"card\">").element("h2", &of);
    if let Some(latest) = &series.latest {
        html.raw("<p><strong class=\"now\">")
            .text(&charts::value(asked, latest, unit))
            .raw("</strong> <span class=\"muted\">");
        html.text(&asked.when(latest.at)).raw("</span></p>");
    }
    html.raw("<div class=\"pair\">");
    for span in [Span::Day, Span::Month] {
        html.raw("<div>");
        charts::picture(&mut html, asked, &of, series, span, unit);
        charts::table(&mut html, asked, &of, series, span);
        html.raw("</div>");
    }
    html.raw("</div></section>\n");
    html
}

/// The way to the other quantities of a device that has many: `next` is the first that is not shown.
fn others(html: &mut Html, asked: &Asked<'_>, source: &SourceId, first: usize, next: usize) {
    let count = asked.known.tally.device(source).map_or(0, Measured::len);
    if first == 0 && next >= count {
        return;
    }
    let href = asked.device_href(source.as_str());
    html.raw("<nav aria-label=\"").text(asked.pick("More quantities", "更多指标")).raw("\"><p>");
    if first > 0 {
        html.link(&href, asked.pick("First quantities", "最前的指标")).raw(" ");
    }
    if next < count {
        let joint = if href.contains('?') { '&' } else { '?' };
        html.link(&format!("{href}{joint}from={next}"), asked.pick("More quantities", "更多指标"));
    }
    html.raw("</p></nav>\n");
}
