//! What is said to who asks for something else.

use super::{Asked, page};

/// Why there is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is none, or it is not shown.
    NotFound,
    /// Whoever asked wanted something done.
    Method,
}

/// The page that says so.
pub fn refusal(asked: &Asked<'_>, why: Refusal) -> String {
    let (title, text) = match why {
        Refusal::NotFound => (
            asked.pick("There is no such page", "没有这个页面"),
            asked.pick(
                "It may be another outfall or device, or one that is not shown here.",
                "可能是其他排污口或设备，或此处未公开。",
            ),
        ),
        Refusal::Method => (
            asked.pick("This page only reads", "本页只读"),
            asked.pick("It answers GET and HEAD and nothing else.", "仅支持 GET 与 HEAD。"),
        ),
    };
    page(asked, "/", title, |html| {
        html.element("h1", title).element("p", text);
    })
}
