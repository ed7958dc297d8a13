//! A page as it grows. Whatever comes from outside goes through [`evidence::escape`] here and nowhere else, and each list has a
//! bound of bytes, so that no dossier and no number of devices makes a page larger than it may be.

use evidence::escape;

/// HTML that is written.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    pub(crate) fn new() -> Html {
        Html::default()
    }

    /// Markup of our own.
    pub(crate) fn raw(&mut self, markup: &str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// A text from anywhere.
    pub(crate) fn text(&mut self, text: &str) -> &mut Html {
        self.0.push_str(&escape(text));
        self
    }

    /// `<TAG>text</TAG>`; the tag may have attributes of our own.
    pub(crate) fn element(&mut self, tag: &str, text: &str) -> &mut Html {
        let name = tag.split(' ').next().unwrap_or(tag);
        self.raw("<").raw(tag).raw(">").text(text).raw("</").raw(name).raw(">")
    }

    /// A link to a page of our own.
    pub(crate) fn link(&mut self, href: &str, text: &str) -> &mut Html {
        self.raw("<a href=\"").text(href).raw("\">").text(text).raw("</a>")
    }

    /// Each of these, until they have `bytes_max` together. How many were left out.
    pub(crate) fn within(&mut self, bytes_max: usize, pieces: impl IntoIterator<Item = Html>) -> usize {
        let (mut room, mut left_out) = (bytes_max, 0);
        for piece in pieces {
            match room.checked_sub(piece.0.len()) {
                Some(rest) if left_out == 0 => {
                    room = rest;
                    self.0.push_str(&piece.0);
                }
                _ => left_out += 1,
            }
        }
        left_out
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// A part of a path: whatever is not a letter, digit, `-`, `.`, `_` or `~` in hex (RFC 3986 §2.3).
pub(crate) fn segment(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str) -> Html {
        let mut html = Html::new();
        html.text(text);
        html
    }

    #[test]
    fn nothing_from_outside_is_markup() {
        let mut html = Html::new();
        html.element("td class=\"n\"", "<i>'\"&").link("/x?a=\"><b>", "<u>");
        let expected =
            "<td class=\"n\">&lt;i&gt;&#39;&quot;&amp;</td><a href=\"/x?a=&quot;&gt;&lt;b&gt;\">&lt;u&gt;</a>";
        assert_eq!(html.into_text(), expected);
        assert_eq!(segment("a-1_.~/站\""), "a-1_.~%2F%E7%AB%99%22");
    }

    #[test]
    fn a_list_ends_where_its_bound_is() {
        let mut html = Html::new();
        assert_eq!(html.within(5, ["ab", "cd", "efg", "h"].map(piece)), 2, "none behind the first that is too much");
        assert_eq!(html.into_text(), "abcd");
    }
}
