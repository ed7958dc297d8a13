//! A parsed document, whatever it was written in (JSON text, CBOR): every number as decimal text, every key once.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

/// Deepest nesting. Sensors send two or three levels; more costs time per level and says nothing.
pub(crate) const DEPTH_MAX: usize = 16;

/// A value and where it begins.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) at: usize,
    pub(crate) value: Value<'a>,
}

/// A value whose numbers are still text, so that no digit is lost on the way to a [`record::Decimal`].
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(Text<'a>),
    /// `NaN` or an infinity: CBOR has them, and sensors write them into what should be JSON.
    NotFinite(Text<'a>),
    Text(Text<'a>),
    /// How many bytes stood there: data is no measured value.
    Bytes(usize),
    Array(Vec<Node<'a>>),
    Object(Vec<(Text<'a>, Node<'a>)>),
}

/// A string of the document: a piece of the payload itself unless it is written with escapes. A frame has a dozen keys,
/// and a copy of each would cost as much as reading it.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Value<'_> {
    /// The value as a message shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Bool(bool) => bool.to_string(),
            Value::Number(text) | Value::NotFinite(text) | Value::Text(text) => shorten(text),
            Value::Bytes(count) => format!("{count} bytes"),
            Value::Array(_) => "[…]".to_owned(),
            Value::Object(_) => "{…}".to_owned(),
        }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Text<'a> {
        Text(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Text(Cow::Owned(text))
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key that stands twice, shortened: then the document has two meanings.
pub(crate) fn repeated<'k>(keys: impl Iterator<Item = &'k str>) -> Option<String> {
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| shorten(pair[0]))
}

/// At most 40 characters of a sensor's text, for a message.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}
