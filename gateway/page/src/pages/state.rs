//! How the box is: in one line at the top, then daemon by daemon.

use record::UnixMs;
use syncd::status::DestinationStatus;

use super::Asked;
use crate::html::Html;
use crate::known::Told;
use crate::{Lang, wording};

/// Most bytes of what is told of platforms.
const PLATFORMS_BYTES_MAX: usize = 8_000;

/// The line at the top: `count` alarms want somebody. Green only where somebody just said so.
pub(super) fn banner(html: &mut Html, asked: &Asked<'_>, count: usize, certain: bool) {
    let (class, text) = match (count, certain, asked.lang) {
        (0, true, Lang::En) => ("good", "No alarm stands.".to_owned()),
        (0, true, Lang::Zh) => ("good", "当前无报警。".to_owned()),
        (0, false, Lang::En) => {
            ("open", "Whether an alarm stands is not known: the gateway does not answer.".to_owned())
        }
        (0, false, Lang::Zh) => ("open", "是否有报警未知：采集服务无应答。".to_owned()),
        (1, _, Lang::En) => ("alarm", "1 alarm stands.".to_owned()),
        (_, _, Lang::En) => ("alarm", format!("{count} alarms stand.")),
        (_, _, Lang::Zh) => ("alarm", format!("当前有 {count} 个报警。")),
    };
    html.raw(&format!("<p class=\"banner {class}\"><strong>")).text(&text).raw("</strong></p>\n");
}

/// Daemon by daemon.
pub(super) fn daemons(html: &mut Html, asked: &Asked<'_>) {
    let known = asked.known;
    html.element("h2", asked.pick("State", "运行状态")).raw("\n<dl>");
    fact(html, asked.pick("Gateway", "采集服务"), &answers(asked, &known.gateway));
    if let Some(status) = known.gateway.now() {
        fact(html, asked.pick("Clock of the box", "本站时钟"), clock(asked, &status.clock.state));
        if let Some(failing) = &status.journal.failing {
            fact(html, asked.pick("Not stored", "未能存储"), failing);
        }
    }
    fact(html, asked.pick("Journal", "日志"), &journal(asked));
    fact(html, asked.pick("Upload", "上传服务"), &answers(asked, &known.sync));
    html.raw("</dl>\n");
    platforms(html, asked);
}

fn platforms(html: &mut Html, asked: &Asked<'_>) {
    let Some((at, status)) = &asked.known.sync.answer else { return };
    let stale = asked.known.sync.now().is_none().then_some(*at);
    let told = |one: &DestinationStatus| {
        let mut piece = Html::new();
        fact(&mut piece, &one.name, &platform(asked, one, stale));
        piece
    };
    html.raw("<dl>");
    let left_out = html.within(PLATFORMS_BYTES_MAX, status.destinations.iter().map(told));
    html.raw("</dl>\n");
    asked.left_out(html, left_out);
}

fn fact(html: &mut Html, name: &str, text: &str) {
    html.raw("<div>").element("dt", name).element("dd", text).raw("</div>");
}

fn answers<T>(asked: &Asked<'_>, told: &Told<T>) -> String {
    match (&told.answer, &told.trouble, asked.lang) {
        (Some((at, _)), None, Lang::En) => format!("answers; as of {}", wording::moment(*at, Lang::En)),
        (Some((at, _)), None, Lang::Zh) => format!("正常应答；截至 {}", wording::moment(*at, Lang::Zh)),
        (Some((at, _)), Some(_), Lang::En) => format!("does not answer; its last word is of {}", asked.when(*at)),
        (Some((at, _)), Some(_), Lang::Zh) => format!("无应答；最后一次应答于 {}", asked.when(*at)),
        (None, _, Lang::En) => "does not answer; it never did since this page started".to_owned(),
        (None, _, Lang::Zh) => "无应答；本页启动以来从未应答".to_owned(),
    }
}

fn clock(asked: &Asked<'_>, state: &str) -> &'static str {
    match state {
        "synchronised" => asked.pick("synchronised", "已同步"),
        "holdover" => asked.pick("no longer synchronised; records say so", "已失去同步，记录中已注明"),
        _ => asked.pick("never set; records say so", "从未校准，记录中已注明"),
    }
}

fn journal(asked: &Asked<'_>) -> String {
    let progress = &asked.known.progress;
    let records = wording::count(progress.records);
    let newest = progress.newest.map_or_else(|| "–".to_owned(), |at| asked.when(at));
    let mut text = match asked.lang {
        Lang::En => format!("{records} records; the newest of {newest}"),
        Lang::Zh => format!("{records} 条记录；最新一条 {newest}"),
    };
    if let Some(at) = progress.back_to {
        text += &match asked.lang {
            Lang::En => format!("; charts are being read, so far back to {}", wording::moment(at, Lang::En)),
            Lang::Zh => format!("；图表读取中，目前回溯至 {}", wording::moment(at, Lang::Zh)),
        };
    }
    if progress.trouble.is_some() {
        text += asked.pick("; it could not be read whole", "；未能完整读取");
    }
    text
}

fn platform(asked: &Asked<'_>, one: &DestinationStatus, stale: Option<UnixMs>) -> String {
    let as_of = asked.known.sync.answer.as_ref().map_or(asked.now, |(at, _)| *at);
    let receipt = one.last_receipt_ms_ago.map(|ago| asked.when(UnixMs(as_of.0.saturating_sub_unsigned(ago))));
    let receipt = receipt.unwrap_or_else(|| asked.pick("none since the start", "启动以来无").to_owned());
    let waiting = wording::count(one.missing);
    let mut text = match asked.lang {
        Lang::En => format!("last receipt {receipt}; {waiting} records wait"),
        Lang::Zh => format!("最近回执 {receipt}；待上传 {waiting} 条"),
    };
    if one.last_error.is_some() {
        text += asked.pick("; it cannot be reached or refuses", "；无法连接或被拒绝");
    }
    if let Some(at) = stale {
        text += &match asked.lang {
            Lang::En => format!(" (as of {})", wording::moment(at, Lang::En)),
            Lang::Zh => format!("（截至 {}）", wording::moment(at, Lang::Zh)),
        };
    }
    text
}
