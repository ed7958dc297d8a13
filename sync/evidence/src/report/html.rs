//! Pieces of a page. Everything that came from outside goes through [`escape`].

use std::fmt::Write;

/// Text as it stands in HTML, also within a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Neither a control character nor one that turns the direction of what follows.
            '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{200e}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// The same in both languages, the reader's first.
pub(super) fn both(zh: &str, en: &str) -> String {
    format!("<span>{}</span> <span lang=\"en\">{}</span>", escape(zh), escape(en))
}

/// A heading.
pub(super) fn heading(zh: &str, en: &str) -> String {
    format!("<h2>{}</h2>\n", both(zh, en))
}

/// A paragraph.
pub(super) fn paragraph(zh: &str, en: &str) -> String {
    format!("<p>{}</p>\n", both(zh, en))
}

/// Rows under a heading; the cells are escaped here. At most `rows_max` are shown, and how many are not is said.
pub(super) fn table(head: &[(&str, &str)], rows: &[Vec<String>], rows_max: usize) -> String {
    let mut html = "<table>\n<thead><tr>".to_owned();
    for (zh, en) in head {
        html.push_str(&format!("<th>{}</th>", both(zh, en)));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows.iter().take(rows_max) {
        html.push_str("<tr>");
        for cell in row {
            html.push_str(&format!("<td>{}</td>", escape(cell)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n");
    if let Some(more) = rows.len().checked_sub(rows_max).filter(|more| *more > 0) {
        html.push_str(&paragraph(
            &format!("另有 {more} 行未列出，见文件内的记录。"),
            &format!("{more} more are not listed; they are in the records of this file."),
        ));
    }
    html
}

/// Facts, each under its name.
pub(super) fn facts(rows: &[((&str, &str), String)]) -> String {
    let mut html = "<table class=\"facts\">\n".to_owned();
    for ((zh, en), value) in rows {
        html.push_str(&format!("<tr><th>{}</th><td>{}</td></tr>\n", both(zh, en), escape(value)));
    }
    html + "</table>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(escape("<b a='1' c=\"2\">&"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;");
        assert_eq!(escape("流量\n\u{202e}x"), "流量\\u{a}\\u{202e}x");
        let shown = table(&[("名", "name")], &[vec!["<i>".into()], vec!["2".into()], vec!["3".into()]], 2);
        assert!(shown.contains("<td>&lt;i&gt;</td>") && !shown.contains("<td>3</td>"), "{shown}");
        assert!(shown.contains("1 more are not listed"), "{shown}");
    }
}
