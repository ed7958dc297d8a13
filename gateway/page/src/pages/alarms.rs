//! The alarms that stand, and the newest steps of alarms.

use record::{AlarmState, Measure, Tier};

use super::Asked;
use crate::alarms::{Standing, Step};
use crate::html::Html;
use crate::{Lang, wording};

/// Most bytes of the alarms that stand.
const STANDING_BYTES_MAX: usize = 12_000;
/// Most steps that are listed, and their bytes.
const STEPS_SHOWN_MAX: usize = 20;
const STEPS_BYTES_MAX: usize = 8_000;

/// Those that stand; `wanted` tells which.
pub(super) fn standing(html: &mut Html, asked: &Asked<'_>, alarms: &[Standing], certain: bool) {
    if alarms.is_empty() {
        return;
    }
    html.element("h2", asked.pick("Alarms", "报警")).raw("\n");
    if !certain {
        html.element(
            "p class=\"muted\"",
            asked.pick("As the journal has them: the gateway does not answer.", "以日志记录为准：采集服务无应答。"),
        );
    }
    html.raw("<ul class=\"alarms\">\n");
    let left_out = html.within(STANDING_BYTES_MAX, alarms.iter().map(|alarm| one(asked, alarm)));
    html.raw("</ul>\n");
    asked.left_out(html, left_out);
}

fn one(asked: &Asked<'_>, alarm: &Standing) -> Html {
    let mut html = Html::new();
    html.raw(if alarm.is_urgent() { "<li class=\"urgent\">" } else { "<li>" });
    html.raw("<strong>").text(wording::quantity(&alarm.quantity, asked.lang)).raw("</strong> ");
    html.link(&asked.device_href(&alarm.source), &alarm.source).raw(" <span class=\"tag\">").text(state(asked, alarm));
    html.raw("</span><br>").text(&values(asked, alarm)).raw("<br><span class=\"muted\">").text(&alarm.rule).text(" · ");
    html.text(&since(asked, alarm)).raw("</span></li>\n");
    html
}

fn state(asked: &Asked<'_>, alarm: &Standing) -> &'static str {
    match (alarm.shelved_until, alarm.state) {
        (Some(_), _) => asked.pick("set aside", "已搁置"),
        (None, state) => words(asked, state),
    }
}

fn words(asked: &Asked<'_>, state: AlarmState) -> &'static str {
    match state {
        AlarmState::Normal => asked.pick("normal again", "恢复正常"),
        AlarmState::Unacknowledged => asked.pick("not acknowledged", "未确认"),
        AlarmState::Acknowledged => asked.pick("acknowledged", "已确认"),
        AlarmState::ReturnedUnacknowledged => asked.pick("back in its limit, not acknowledged", "已恢复，未确认"),
    }
}

/// `41 mg/L; limit 30 mg/L; mean (1 h); exceedance`.
fn values(asked: &Asked<'_>, alarm: &Standing) -> String {
    let unit = alarm.unit.as_deref().or_else(|| unit_of(asked, alarm)).map_or("", wording::unit);
    let with_unit = |number: &str| if unit.is_empty() { number.to_owned() } else { format!("{number} {unit}") };
    let value = alarm.value.as_deref().map_or_else(|| "–".to_owned(), with_unit);
    let limit = with_unit(&alarm.limit);
    let mut parts = vec![value, format!("{} {limit}", asked.pick("limit", "限值"))];
    if alarm.measure != Measure::Reading {
        let words = asked.lang.pick(alarm.measure.english(), alarm.measure.chinese());
        let minutes = alarm.span_s / 60;
        parts.push(match (minutes, asked.lang) {
            (0, _) => words.to_owned(),
            (_, Lang::En) => format!("{words} ({minutes} min)"),
            (_, Lang::Zh) => format!("{words}（{minutes} 分钟）"),
        });
    }
    if alarm.tier != Tier::Warning {
        parts.push(asked.lang.pick(alarm.tier.english(), alarm.tier.chinese()).to_owned());
    }
    parts.join(asked.pick("; ", "；"))
}

/// An alarm about a single reading is in the unit of the device's readings.
fn unit_of<'a>(asked: &Asked<'a>, alarm: &Standing) -> Option<&'a str> {
    let source = record::SourceId::new(&alarm.source).ok()?;
    let mut measured = asked.known.tally.device(&source)?.keys();
    measured.find(|(quantity, _)| quantity.as_str() == alarm.quantity).map(|(_, unit)| unit.as_str())
}

fn since(asked: &Asked<'_>, alarm: &Standing) -> String {
    let since = alarm.since.map_or_else(|| asked.pick("time unknown", "时间未知").to_owned(), |at| asked.when(at));
    let until = alarm.shelved_until.map(|until| wording::moment(until, asked.lang));
    match (until, asked.lang) {
        (None, Lang::En) => format!("since {since}"),
        (None, Lang::Zh) => format!("自 {since}"),
        (Some(until), Lang::En) => format!("since {since}; set aside until {until}"),
        (Some(until), Lang::Zh) => format!("自 {since}；搁置至 {until}"),
    }
}

/// The newest steps of those that `wanted` has.
pub(super) fn steps(html: &mut Html, asked: &Asked<'_>, wanted: impl Fn(&Step) -> bool) {
    let steps = asked.known.alarms.newest().filter(|step| step.alarm.suppression.is_none() && wanted(step));
    let steps: Vec<&Step> = steps.take(STEPS_SHOWN_MAX).collect();
    html.element("h2", asked.pick("What alarms did lately", "近期报警记录")).raw("\n");
    if steps.is_empty() {
        html.element("p class=\"muted\"", asked.pick("None is remembered.", "暂无记录。")).raw("\n");
        return;
    }
    html.raw("<table><thead><tr>");
    for head in [asked.pick("When", "时间"), asked.pick("What", "内容"), asked.pick("Became", "状态")] {
        html.element("th scope=\"col\"", head);
    }
    html.raw("</tr></thead><tbody>\n");
    html.within(STEPS_BYTES_MAX, steps.into_iter().map(|step| row(asked, step)));
    html.raw("</tbody></table>\n");
}

fn row(asked: &Asked<'_>, step: &Step) -> Html {
    let (mut html, alarm) = (Html::new(), &step.alarm);
    let at =
        step.at.map_or_else(|| asked.pick("time unknown", "时间未知").to_owned(), |at| wording::moment(at, asked.lang));
    let value = alarm.value.map_or_else(String::new, |value| format!(" {}", wording::exact(value)));
    let what = format!("{}{value}", wording::quantity(alarm.quantity.as_str(), asked.lang));
    html.raw("<tr>").element("td", &at).raw("<td>").text(&what).raw("<br><span class=\"muted\">");
    html.text(alarm.source.as_str()).text(" · ").text(alarm.rule.as_str()).raw(" · #").text(&step.seq.to_string());
    html.raw("</span></td>").element("td", words(asked, alarm.to)).raw("</tr>\n");
    html
}
