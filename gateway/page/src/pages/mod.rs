//! The pages. Pure: what is known, whose language, and `now` in; HTML out. None is larger than [`PAGE_BYTES_MAX`], whatever
//! dossiers, devices and alarms there are, because each list has a bound of its own.

mod alarms;
mod charts;
mod device;
mod home;
mod outfall;
mod receipts;
mod refusal;
mod state;

use record::UnixMs;

use crate::html::{Html, segment};
use crate::{Config, Known, Lang, wording};

pub use device::device;
pub use home::home;
pub use outfall::outfall;
pub use refusal::{Refusal, refusal};

/// No page has more bytes, everything included: there is nothing else to load.
pub const PAGE_BYTES_MAX: usize = 100_000;
/// How it looks.
pub const STYLE: &str = include_str!("../style.css");

/// What every page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What is known.
    pub known: &'a Known,
    /// What is shown.
    pub config: &'a Config,
    /// The reader's language.
    pub lang: Lang,
    /// Whether the reader chose it, so that links keep it.
    pub chosen: bool,
    /// Now.
    pub now: UnixMs,
}

impl Asked<'_> {
    fn pick(&self, english: &'static str, chinese: &'static str) -> &'static str {
        self.lang.pick(english, chinese)
    }

    /// A link to another page, in the same language.
    fn href(&self, path: &str) -> String {
        match self.chosen {
            true => format!("{path}?lang={}", self.lang.as_str()),
            false => path.to_owned(),
        }
    }

    fn device_href(&self, name: &str) -> String {
        self.href(&format!("/device/{}", segment(name)))
    }

    fn outfall_href(&self, code: &str) -> String {
        self.href(&format!("/outfall/{}", segment(code)))
    }

    fn ago(&self, at: UnixMs) -> String {
        wording::ago(self.now.0.saturating_sub(at.0), self.lang)
    }

    /// `30 Nov 2026, 14:31 (3 min ago)`.
    fn when(&self, at: UnixMs) -> String {
        let (moment, ago) = (wording::moment(at, self.lang), self.ago(at));
        match self.lang {
            Lang::En => format!("{moment} ({ago})"),
            Lang::Zh => format!("{moment}（{ago}）"),
        }
    }

    /// How many of a list were left out, where that is any.
    fn left_out(&self, html: &mut Html, count: usize) {
        if count > 0 {
            let text = match self.lang {
                Lang::En => format!("{count} more are not listed."),
                Lang::Zh => format!("另有 {count} 项未列出。"),
            };
            html.element("p class=\"muted\"", &text);
        }
    }
}

/// A whole page with this title around what `body` writes; `path` is its own.
fn page(asked: &Asked<'_>, path: &str, title: &str, body: impl FnOnce(&mut Html)) -> String {
    let (mut html, lang) = (Html::new(), asked.lang);
    let box_id = asked.known.progress.box_id.as_str();
    let site = if box_id.is_empty() { "Weir" } else { box_id };
    html.raw("<!DOCTYPE html>\n<html lang=\"").raw(lang.tag()).raw("\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
    html.raw("<title>")
        .text(title)
        .text(" · ")
        .text(site)
        .raw("</title>\n<style>")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body>\n");
    html.raw("<a class=\"skip\" href=\"#main\">").text(asked.pick("To the content", "跳到正文")).raw("</a>\n<header>");
    html.raw("<nav aria-label=\"")
        .text(asked.pick("Site", "站点"))
        .raw("\">")
        .link(&asked.href("/"), site)
        .raw("</nav>");
    let other = lang.other();
    html.raw(&format!("<a class=\"lang\" lang=\"{0}\" hreflang=\"{0}\" href=\"", other.tag())).text(path);
    html.raw(&format!("?lang={}\">", other.as_str())).text(other.pick("English", "中文")).raw("</a></header>\n");
    html.raw("<main id=\"main\">\n");
    body(&mut html);
    html.raw("</main>\n<footer><p>").text(&made(asked)).raw("</p><p>");
    html.text(asked.pick(
        "Times are Beijing time (UTC+8). This page only reads: nothing here changes anything.",
        "时间为北京时间（UTC+8）。本页只读，不会改变任何数据。",
    ));
    html.raw("</p></footer>\n</body>\n</html>\n");
    html.into_text()
}

/// Whose view it is, and of when.
fn made(asked: &Asked<'_>) -> String {
    let (at, version) = (wording::moment(asked.now, asked.lang), env!("CARGO_PKG_VERSION"));
    let looked = asked.known.progress.looked.map_or_else(|| "–".to_owned(), |at| asked.ago(at));
    match asked.lang {
        Lang::En => format!("Made by the box itself (Weir {version}) on {at}; it looked into its journal {looked}."),
        Lang::Zh => format!("由本站（Weir {version}）生成于 {at}；最近一次读取日志：{looked}。"),
    }
}

#[cfg(test)]
mod tests;
