//! What the platforms confirmed, as this process verified it.

use super::Asked;
use crate::html::Html;
use crate::receipts::{PlatformReceipt, Proven, Word};
use crate::wording;

/// Most bytes of this part of a page.
const BYTES_MAX: usize = 14_000;

pub(super) fn section(html: &mut Html, asked: &Asked<'_>) {
    html.element("h2", asked.pick("Evidence of delivery", "送达凭证")).raw("\n");
    match &asked.known.receipts {
        Err(_) => {
            html.element("p", asked.pick("It cannot be read now.", "暂时无法读取。")).raw("\n");
        }
        Ok(none) if none.is_empty() => {
            html.element("p class=\"muted\"", asked.pick("No platform is set up.", "尚未配置平台。")).raw("\n");
        }
        Ok(receipts) => {
            let left_out = html.within(BYTES_MAX, receipts.iter().map(|receipt| one(asked, receipt)));
            asked.left_out(html, left_out);
        }
    }
}

fn one(asked: &Asked<'_>, receipt: &PlatformReceipt) -> Html {
    let mut html = Html::new();
    html.raw("<section class=\"card\">").element("h3", &receipt.name);
    let (class, verdict) = match &receipt.word {
        Word::Proven(_) => ("good", asked.pick("newest receipt verified", "最新回执验证通过")),
        Word::None => ("open", asked.pick("no receipt yet", "尚无回执")),
        Word::Unproven(_) => ("alarm", asked.pick("newest receipt proves nothing", "最新回执无法证实")),
        Word::Unread(_) => ("open", asked.pick("receipts cannot be read", "无法读取回执")),
    };
    html.raw(&format!("<p><span class=\"tag {class}\">")).text(verdict).raw("</span></p>");
    match &receipt.word {
        Word::Proven(proven) => facts(&mut html, asked, proven),
        Word::Unproven(why) => {
            html.element("p class=\"muted\"", why);
        }
        Word::None | Word::Unread(_) => {}
    }
    html.raw("<p class=\"muted\">")
        .text(asked.pick("key in sync.toml ", "sync.toml 中的公钥 "))
        .element("code", &receipt.key);
    html.raw("</p></section>\n");
    html
}

fn facts(html: &mut Html, asked: &Asked<'_>, proven: &Proven) {
    let facts = [
        (asked.pick("Received", "接收时间"), asked.when(proven.received), false),
        (asked.pick("Records held", "平台持有记录"), wording::count(proven.holds), false),
        (asked.pick("Records below the tree head", "树头覆盖记录"), wording::count(proven.tree_size), false),
        (asked.pick("Tree head", "树头"), proven.tree_root.clone(), true),
        (asked.pick("Batch", "批次"), proven.batch.clone(), true),
        (asked.pick("Signed by", "签名公钥"), proven.signed_by.clone(), true),
    ];
    html.raw("<dl>");
    for (name, text, is_code) in facts {
        html.raw("<div>").element("dt", name).raw("<dd>");
        match is_code {
            true => html.element("code", &text),
            false => html.text(&text),
        };
        html.raw("</dd></div>");
    }
    html.raw("</dl>");
}
