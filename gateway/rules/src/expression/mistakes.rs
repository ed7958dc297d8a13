//! What people write where CEL has something else, and what to write instead.

use super::tokens::{Kind, Token};

/// Beginnings of what is no CEL, and what is meant by them. Those without a sense of their own in ASCII are typed by who
/// has a Chinese keyboard or copied from a document.
const SIGNS: [(&str, &str); 23] = [
    ("=", "=="),
    ("&", "&&"),
    ("|", "||"),
    ("≤", "<="),
    ("≥", ">="),
    ("≠", "!="),
    ("×", "*"),
    ("÷", "/"),
    ("−", "-"),
    ("–", "-"),
    ("“", "\""),
    ("”", "\""),
    ("‘", "'"),
    ("’", "'"),
    ("、", ","),
    ("。", "."),
    ("【", "["),
    ("】", "]"),
    ("《", "<"),
    ("》", ">"),
    ("且", "&&"),
    ("或", "||"),
    ("非", "!"),
];

/// Operators that are words elsewhere.
const WORDS: [(&str, &str); 6] = [("and", "&&"), ("or", "||"), ("not", "!"), ("is", "=="), ("mod", "%"), ("div", "/")];

/// Longest piece of a text in a message, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// The operator that such a name is elsewhere.
pub(super) fn operator_for(name: &str) -> Option<&'static str> {
    WORDS.into_iter().find(|(word, _)| name.eq_ignore_ascii_case(word)).map(|(_, operator)| operator)
}

const ENGLISH: &str = ", with the keyboard set to English";

/// What one of these would be with which the text begins, and how it is written there.
pub(super) fn instead(text: &str, table: &[(&'static str, &'static str)]) -> Option<(&'static str, &'static str)> {
    table.iter().find(|(wrong, _)| text.starts_with(wrong)).copied()
}

/// Why nothing begins with what this text begins with.
pub(super) fn stray(text: &str) -> String {
    if let Some((wrong, right)) = instead(text, &SIGNS) {
        let keyboard = if wrong.is_ascii() { "" } else { ENGLISH };
        return format!("`{wrong}` is not CEL: write `{right}`{keyboard}");
    }
    let Some(first) = text.chars().next() else { return String::new() };
    // The full-width forms of ASCII (U+FF01 to U+FF5E) stand in its order.
    let narrow = u32::from(first).checked_sub(0xfee0).and_then(char::from_u32).filter(char::is_ascii_graphic);
    if let Some(narrow) = narrow {
        let narrow = narrow.to_string();
        let meant = instead(&narrow, &SIGNS).map_or(narrow.as_str(), |(_, right)| right);
        return format!("`{first}` is a full-width sign: write `{meant}`{ENGLISH}");
    }
    match first {
        ';' => "there is one condition only: leave `;` out, and write `&&` between two".into(),
        '#' => "`#` begins no comment here: write `//`".into(),
        '^' => "`^` is not CEL: write a power as a product".into(),
        '`' => "names are written without `: leave it out".into(),
        _ if first.is_whitespace() || first == '\u{feff}' => {
            format!("there is a space of another kind ({}): write an ordinary one", first.escape_unicode())
        }
        _ if first.is_alphanumeric() => {
            format!("`{first}` is in no name: names have letters a-z, digits and _, and texts stand in quotes")
        }
        _ => format!("`{}` means nothing here: leave it out", first.escape_debug()),
    }
}

/// Why no value begins with a word, after the one before it.
pub(super) fn no_value(before: Option<&Token<'_>>, found: &Token<'_>) -> String {
    match (before.map(|token| &token.kind), &found.kind) {
        (None, Kind::End) => "there is nothing: write a condition, as value > 50.0".into(),
        (Some(_), Kind::End) => format!("it ends where a value is missing: write one behind `{}`", shown(before)),
        (Some(Kind::Fixed("!" | "-")), Kind::Fixed("!" | "-")) => {
            format!("`{}` and `{}` do not mix: write brackets, as !(-x > 1)", shown(before), found.text)
        }
        (_, Kind::Fixed(".")) => "a name begins with no point here: leave it out, or write a digit before it".into(),
        (Some(_), _) => {
            format!("`{}` stands where a value is missing: write one behind `{}`", found.text, shown(before))
        }
        (None, _) => format!("no condition begins with `{}`: leave it out, or write a value before it", found.text),
    }
}

/// Why nothing goes on with a word after a value, where an operator may come, or one of `wanted`.
pub(super) fn no_operator(before: Option<&Token<'_>>, found: &Token<'_>, wanted: &str) -> String {
    for token in [Some(found), before].into_iter().flatten() {
        if let (Kind::Name(name), Some(operator)) = (&token.kind, operator_for(token.text)) {
            return format!("`{name}` is no operator: write `{operator}`");
        }
    }
    match (before.map(|token| &token.kind), &found.kind) {
        (_, Kind::End) => format!("it ends, and `{wanted}` is missing: write it where it belongs"),
        (Some(Kind::Int(..)), Kind::Fixed(",")) => "`,` is in no number: write a point, as 1.5".into(),
        (Some(Kind::Int(..) | Kind::Double(_)), Kind::Name(_)) => {
            format!("`{}` cannot follow a number: write an operator before it, or leave a unit out", shown(Some(found)))
        }
        (_, Kind::Fixed("?")) => "`?` stands within another `? :`: write brackets around the inner one".into(),
        (_, Kind::Fixed(sign @ (")" | "]" | "}" | ":" | ","))) => match wanted {
            "" => format!("`{sign}` belongs to nothing: leave it out"),
            _ => format!("`{sign}` stands where `{wanted}` is missing: write `{wanted}` before it"),
        },
        _ => {
            let (one, two) = (shown(before), shown(Some(found)));
            format!("`{two}` cannot follow `{one}`: write an operator between them, as && or >")
        }
    }
}

/// A word to name in a message.
fn shown(token: Option<&Token<'_>>) -> String {
    token.map(|token| token.text.chars().take(SHOWN_CHARS_MAX).collect()).unwrap_or_default()
}
