//! From the text of an expression to its words.

use std::str::Chars;

use super::ExpressionError;
use super::mistakes::{instead, stray};

/// Signs and words of one spelling, the longer ones first.
const FIXED: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "(", ")", "[", "]", "{", "}", ".", ",", "-", "+", "*", "/", "%", "!",
    "?", ":",
];

/// Words that name nothing, not even behind a point (langdef.md, Syntax: KEYWORD).
const KEYWORDS: [&str; 4] = ["true", "false", "null", "in"];

/// What other languages write, and CEL begins to read as something else.
const NOT_HERE: [(&str, &str); 5] = [("===", "=="), ("!==", "!="), ("<>", "!="), ("=<", "<="), ("=>", ">=")];

const QUOTES: [&str; 4] = ["'''", "\"\"\"", "'", "\""];

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    /// As it is written.
    pub(super) text: &'t str,
    /// The byte at which it begins.
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'t> {
    /// A sign or a keyword.
    Fixed(&'static str),
    Name(&'t str),
    /// Its digits, and what they count by: 10 or 16.
    Int(&'t str, u32),
    Double(&'t str),
    /// Without quotes and escapes.
    Text(String),
    /// Bytes or an unsigned number, which rules do not have.
    Foreign,
    End,
}

/// What is not understood at a byte of a text.
pub(super) fn syntax(text: &str, at: usize, why: impl Into<String>) -> ExpressionError {
    let before = text.get(..at).unwrap_or(text);
    let begun = before.rsplit('\n').next().unwrap_or_default();
    let (line, column) = (before.matches('\n').count() + 1, begun.chars().count() + 1);
    ExpressionError::Syntax { line, column, why: why.into() }
}

/// All words of a text, [`Kind::End`] last.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ExpressionError> {
    let mut lexer = Lexer { text, rest: text };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let (at, begin) = (lexer.at(), lexer.rest);
        let kind = lexer.kind()?;
        let text = begin.get(..begin.len() - lexer.rest.len()).unwrap_or_default();
        let is_end = kind == Kind::End;
        tokens.push(Token { kind, text, at });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    rest: &'t str,
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl<'t> Lexer<'t> {
    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn wrong<T>(&self, why: impl Into<String>) -> Result<T, ExpressionError> {
        Err(syntax(self.text, self.at(), why))
    }

    /// What is between here and there, where it goes on.
    fn go_to(&mut self, there: &'t str) -> &'t str {
        let passed = self.rest.get(..self.rest.len() - there.len()).unwrap_or_default();
        self.rest = there;
        passed
    }

    /// Blanks, and comments to the ends of their lines.
    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches(['\t', '\n', '\u{c}', '\r', ' ']);
            if !self.rest.starts_with("//") {
                return;
            }
            self.rest = self.rest.find('\n').and_then(|end| self.rest.get(end..)).unwrap_or_default();
        }
    }

    fn kind(&mut self) -> Result<Kind<'t>, ExpressionError> {
        let rest = self.rest;
        let Some(first) = rest.chars().next() else { return Ok(Kind::End) };
        if let Some(text) = self.quoted()? {
            return Ok(text);
        }
        if first.is_ascii_digit() || rest.strip_prefix('.').is_some_and(|after| after.starts_with(is_digit)) {
            return Ok(self.number());
        }
        if is_word(first) {
            let name = self.go_to(rest.trim_start_matches(is_word));
            let keyword = KEYWORDS.into_iter().find(|keyword| *keyword == name);
            return Ok(keyword.map_or(Kind::Name(name), Kind::Fixed));
        }
        if let Some((foreign, own)) = instead(rest, &NOT_HERE) {
            return self.wrong(format!("`{foreign}` is not CEL: write `{own}`"));
        }
        let Some((sign, after)) = FIXED.iter().find_map(|sign| Some((*sign, rest.strip_prefix(sign)?))) else {
            return self.wrong(stray(rest));
        };
        self.rest = after;
        Ok(Kind::Fixed(sign))
    }

    /// `12`, `0x1f`, `1.5`, `.5`, `1e3`, `12u`. Its sign is no part of it here.
    fn number(&mut self) -> Kind<'t> {
        let hex = self.rest.strip_prefix("0x").filter(|digits| digits.starts_with(|c: char| c.is_ascii_hexdigit()));
        let (digits, radix) = match hex {
            Some(digits) => {
                self.rest = digits;
                (self.go_to(digits.trim_start_matches(|c: char| c.is_ascii_hexdigit())), 16)
            }
            None => {
                let whole = self.rest.trim_start_matches(is_digit);
                let fraction = whole.strip_prefix('.').filter(|digits| digits.starts_with(is_digit));
                let mantissa = fraction.map_or(whole, |digits| digits.trim_start_matches(is_digit));
                let power = mantissa.strip_prefix(['e', 'E']).map(|it| it.strip_prefix(['+', '-']).unwrap_or(it));
                let power = power.filter(|digits| digits.starts_with(is_digit));
                let end = power.map_or(mantissa, |digits| digits.trim_start_matches(is_digit));
                let digits = self.go_to(end);
                if fraction.is_some() || power.is_some() {
                    return Kind::Double(digits);
                }
                (digits, 10)
            }
        };
        match self.rest.strip_prefix(['u', 'U']) {
            Some(after) => {
                self.rest = after;
                Kind::Foreign
            }
            None => Kind::Int(digits, radix),
        }
    }

    /// `'a'`, `"a"`, `'''a'''`, `r'a'`, `b'a'`; none where no such thing begins.
    fn quoted(&mut self) -> Result<Option<Kind<'t>>, ExpressionError> {
        let unprefixed = self.rest.strip_prefix(['b', 'B']);
        let (rest, is_bytes) = (unprefixed.unwrap_or(self.rest), unprefixed.is_some());
        let unprefixed = rest.strip_prefix(['r', 'R']);
        let (rest, is_raw) = (unprefixed.unwrap_or(rest), unprefixed.is_some());
        let Some((quote, mut rest)) = QUOTES.iter().find_map(|quote| Some((*quote, rest.strip_prefix(quote)?))) else {
            return Ok(None);
        };
        let mut text = String::new();
        loop {
            if let Some(after) = rest.strip_prefix(quote) {
                self.rest = after;
                return Ok(Some(if is_bytes { Kind::Foreign } else { Kind::Text(text) }));
            }
            let mut chars = rest.chars();
            match chars.next() {
                None => return self.wrong(format!("the text that begins here has no end: write {quote} behind it")),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return self
                        .wrong(format!("the text that begins here has no end in its line: write {quote} behind it"));
                }
                // Google's implementations read every line's end as this one.
                Some('\r') => {
                    text.push('\n');
                    chars = chars.as_str().strip_prefix('\n').unwrap_or(chars.as_str()).chars();
                }
                Some('\\') if !is_raw => match escaped(&mut chars) {
                    Some(c) => text.push(c),
                    None => {
                        self.rest = rest;
                        return self.wrong(
                            "no sign is written like this: write \\\\ for a backslash, or r'…' around the text",
                        );
                    }
                },
                Some(c) => text.push(c),
            }
            rest = chars.as_str();
        }
    }
}

/// What is meant behind a backslash (langdef.md, Syntax: ESCAPE).
fn escaped(chars: &mut Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        c @ ('\\' | '?' | '"' | '\'' | '`') => c,
        'x' | 'X' => code_point(chars, 0, 2, 16)?,
        'u' => code_point(chars, 0, 4, 16)?,
        'U' => code_point(chars, 0, 8, 16)?,
        first @ '0'..='3' => code_point(chars, first.to_digit(8)?, 2, 8)?,
        _ => return None,
    })
}

/// A code point that begins with this digit and has so many more.
fn code_point(chars: &mut Chars<'_>, first: u32, digits: usize, radix: u32) -> Option<char> {
    let mut code = first;
    for _ in 0..digits {
        code = code.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
    }
    char::from_u32(code)
}
