//! A place in a document.

use std::fmt;

use serde::Deserialize;

use super::document::{Node, Value};

/// Longest pointer, in bytes: no sensor nests deeper than this can name.
const BYTES_MAX: usize = 256;

/// A JSON pointer (RFC 6901): `/a/b/0`; the empty one is the whole document.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer {
    written: String,
    tokens: Vec<String>,
}

/// Why a text is not a [`Pointer`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// RFC 6901 §3: a pointer is empty or begins with `/`.
    #[error("JSON pointer `{0}` does not begin with `/`: write `/{0}`")]
    NoSlash(String),
    /// RFC 6901 §3: `~` is only followed by 0 or 1.
    #[error("JSON pointer `{0}` has a bare `~`: write `~0` for `~` and `~1` for `/`")]
    BareTilde(String),
    /// Beyond 256 bytes.
    #[error("JSON pointer `{0}…` is longer than 256 bytes: shorten the sensor's keys")]
    TooLong(String),
}

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// [`PointerError`] if it is not of the form of RFC 6901 §3, or too long.
    pub fn new(written: &str) -> Result<Pointer, PointerError> {
        if written.len() > BYTES_MAX {
            return Err(PointerError::TooLong(written.chars().take(40).collect()));
        }
        if !written.is_empty() && !written.starts_with('/') {
            return Err(PointerError::NoSlash(written.to_owned()));
        }
        let tokens: Option<Vec<String>> = written.split('/').skip(1).map(unescape).collect();
        let tokens = tokens.ok_or_else(|| PointerError::BareTilde(written.to_owned()))?;
        Ok(Pointer { written: written.to_owned(), tokens })
    }

    /// The pointer as written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// What stands there, if anything does (RFC 6901 §4).
    pub(super) fn find<'n, 'a>(&self, root: &'n Node<'a>) -> Option<&'n Node<'a>> {
        self.tokens.iter().try_fold(root, |node, token| match &node.value {
            Value::Object(members) => members.iter().find(|(key, _)| **key == **token).map(|(_, member)| member),
            Value::Array(items) => items.get(index(token)?),
            _ => None,
        })
    }
}

/// `~1` is `/`, `~0` is `~`; in this order, so that `~01` is `~1`.
fn unescape(token: &str) -> Option<String> {
    let mut plain = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

/// An array index: digits without leading zeros (RFC 6901 §4).
fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with('0');
    (plain && token.bytes().all(|b| b.is_ascii_digit())).then(|| token.parse().ok())?
}

impl TryFrom<String> for Pointer {
    type Error = PointerError;
    fn try_from(written: String) -> Result<Pointer, PointerError> {
        Pointer::new(&written)
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json_text::JsonText;

    /// The document of RFC 6901 §5.
    const DOCUMENT: &str =
        r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;

    #[test]
    fn the_examples_of_rfc_6901_section_5() {
        let text = JsonText::new(DOCUMENT.as_bytes()).unwrap();
        let root = text.parse().unwrap();
        let numbered =
            ["/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n"].map(|p| Pointer::new(p).unwrap());
        for (expected, pointer) in numbered.iter().enumerate() {
            let found = &pointer.find(&root).unwrap().value;
            assert!(matches!(found, Value::Number(n) if **n == *expected.to_string()), "{pointer:?}");
        }
        assert!(matches!(&Pointer::new("/foo/0").unwrap().find(&root).unwrap().value, Value::Text(t) if **t == *"bar"));
        assert!(matches!(Pointer::new("").unwrap().find(&root).unwrap().value, Value::Object(_)));
        for absent in ["/foo/2", "/foo/00", "/foo/01", "/foo/+1", "/foo/-", "/foo/", "/foo/0/x", "/bar"] {
            assert!(Pointer::new(absent).unwrap().find(&root).is_none(), "{absent}");
        }
    }

    #[test]
    fn refuses_what_is_no_pointer() {
        assert_eq!(Pointer::new("cod"), Err(PointerError::NoSlash("cod".into())));
        assert_eq!(Pointer::new("/a~2"), Err(PointerError::BareTilde("/a~2".into())));
        assert_eq!(Pointer::new("/a~"), Err(PointerError::BareTilde("/a~".into())));
        assert!(matches!(Pointer::new(&"/a".repeat(200)), Err(PointerError::TooLong(_))));
    }
}
