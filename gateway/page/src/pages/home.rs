//! The box: how it is, its outfalls and devices, its alarms, and the proof of delivery.

use record::{OutfallCode, SourceId};

use super::{Asked, alarms, charts, page, receipts, state};
use crate::html::Html;
use crate::known::Known;
use crate::wording;

/// Most bytes of each list.
const OUTFALLS_BYTES_MAX: usize = 16_000;
const DEVICES_BYTES_MAX: usize = 24_000;
/// Readings of a device that are listed.
const READINGS_MAX: usize = 4;

/// The first page.
pub fn home(asked: &Asked<'_>) -> String {
    let known = asked.known;
    page(asked, "/", asked.pick("Outfall monitoring", "入河排污口监测"), |html| {
        html.element("h1", asked.pick("Outfall monitoring", "入河排污口监测")).raw("\n");
        let (standing, certain) = known.standing(asked.config);
        state::banner(html, asked, standing.iter().filter(|alarm| alarm.is_urgent()).count(), certain);
        alarms::standing(html, asked, &standing, certain);
        outfalls(html, asked);
        devices(html, asked, &known.devices(asked.config), DEVICES_BYTES_MAX);
        state::daemons(html, asked);
        alarms::steps(html, asked, |step| known.shows(asked.config, step.alarm.source.as_str()));
        receipts::section(html, asked);
    })
}

fn outfalls(html: &mut Html, asked: &Asked<'_>) {
    let all: Vec<_> = asked.known.outfalls(asked.config).collect();
    if all.is_empty() {
        return;
    }
    let (standing, _) = asked.known.standing(asked.config);
    let urgent: Vec<&OutfallCode> = standing
        .iter()
        .filter(|alarm| alarm.is_urgent())
        .filter_map(|alarm| asked.known.outfall_of(&alarm.source))
        .collect();
    html.element("h2", asked.pick("Outfalls", "排污口")).raw("<ul class=\"outfalls\">\n");
    let left_out = html.within(
        OUTFALLS_BYTES_MAX,
        all.iter().map(|(code, registered)| {
            let name = registered.dossier.as_ref().map_or(code.as_str(), |(_, version)| version.dossier.name.as_str());
            let mut piece = Html::new();
            piece
                .raw("<li>")
                .link(&asked.outfall_href(code.as_str()), name)
                .raw(" <span class=\"muted\">")
                .text(code.as_str());
            piece.raw("</span>");
            if urgent.contains(code) {
                piece.raw(" <span class=\"tag alarm\">").text(asked.pick("alarm", "报警")).raw("</span>");
            }
            piece.raw("</li>\n");
            piece
        }),
    );
    html.raw("</ul>\n");
    asked.left_out(html, left_out);
}

/// Devices, each with what it said last.
pub(super) fn devices(html: &mut Html, asked: &Asked<'_>, devices: &[SourceId], bytes_max: usize) {
    html.element("h2", asked.pick("Devices", "设备")).raw("\n");
    if devices.is_empty() {
        html.element("p class=\"muted\"", asked.pick("None.", "无。")).raw("\n");
        return;
    }
    html.raw("<table><thead><tr>");
    for head in [asked.pick("Device", "设备"), asked.pick("Newest readings", "最新读数"), asked.pick("When", "时间")]
    {
        html.element("th scope=\"col\"", head);
    }
    html.raw("</tr></thead><tbody>\n");
    let left_out = html.within(bytes_max, devices.iter().map(|source| row(asked, source)));
    html.raw("</tbody></table>\n");
    asked.left_out(html, left_out);
}

fn row(asked: &Asked<'_>, source: &SourceId) -> Html {
    let mut html = Html::new();
    let measured = asked.known.tally.device(source);
    let latest = measured.into_iter().flatten().filter_map(|((quantity, unit), series)| {
        let latest = series.latest?;
        Some((latest.at, wording::quantity(quantity.as_str(), asked.lang), charts::value(asked, &latest, unit)))
    });
    let latest: Vec<_> = latest.collect();
    html.raw("<tr><th scope=\"row\">").link(&asked.device_href(source.as_str()), source.as_str()).raw("</th><td>");
    for (nth, (_, name, value)) in latest.iter().take(READINGS_MAX).enumerate() {
        html.raw(if nth > 0 { "<br>" } else { "" }).text(name).raw(" <strong>").text(value).raw("</strong>");
    }
    if latest.len() > READINGS_MAX {
        html.raw("<br>…");
    }
    let newest =
        latest.iter().map(|(at, ..)| *at).max().map(|at| asked.ago(at)).or_else(|| heard(asked.known, asked, source));
    html.raw("</td>").element("td", newest.as_deref().unwrap_or("–")).raw("</tr>\n");
    html
}

/// A device without readings may have been heard all the same.
fn heard(known: &Known, asked: &Asked<'_>, source: &SourceId) -> Option<String> {
    let (at, status) = known.gateway.answer.as_ref()?;
    let ago = status.devices.get(source.as_str())?.seen_ms_ago?;
    Some(asked.ago(record::UnixMs(at.0.saturating_sub_unsigned(ago))))
}
