//! JSON text (RFC 8259) as evidence: every number with its digits, every key once, every fault with its place.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::document::{DEPTH_MAX, Node, Text, Value, repeated};

/// Why a payload is not a JSON document to rely on. Offsets count bytes from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// RFC 8259 §8.1 wants UTF-8.
    #[error("payload is not UTF-8 at byte {at}: set the sensor to plain JSON, or choose another codec")]
    NotUtf8 {
        /// The first byte that is not.
        at: usize,
    },
    /// Not JSON.
    #[error("payload is not JSON at byte {at}: {why}")]
    Syntax {
        /// Where reading stopped.
        at: usize,
        /// What was wrong there.
        why: String,
    },
    /// More than 16 levels.
    #[error("payload is nested deeper than {DEPTH_MAX} levels at byte {at}: flatten it at the sensor")]
    TooDeep {
        /// Where the level begins that is too much.
        at: usize,
    },
    /// RFC 8259 §4 leaves open which of two equal keys counts; evidence cannot.
    #[error("key `{key}` stands twice in the object at byte {at}, so the frame has two meanings: send each key once")]
    DuplicateKey {
        /// Where the object begins.
        at: usize,
        /// The key.
        key: String,
    },
}

/// A payload that is UTF-8, and the same with the numbers masked that JSON does not have.
pub(crate) struct JsonText<'p> {
    written: &'p str,
    masked: Cow<'p, str>,
}

impl<'p> JsonText<'p> {
    /// # Errors
    /// [`JsonError::NotUtf8`].
    pub(crate) fn new(payload: &'p [u8]) -> Result<JsonText<'p>, JsonError> {
        let text = std::str::from_utf8(payload).map_err(|error| JsonError::NotUtf8 { at: error.valid_up_to() })?;
        Ok(JsonText { written: text, masked: mask_not_finite(text) })
    }

    /// Reads the document.
    ///
    /// # Errors
    /// The rest of [`JsonError`].
    pub(crate) fn parse(&self) -> Result<Node<'_>, JsonError> {
        let text: &str = &self.masked;
        let root: &RawValue = serde_json::from_str(text).map_err(|error| syntax(0, text, &error))?;
        Document { start: text.as_ptr().addr(), written: self.written }.node(root, 0)
    }
}

/// Knows where the document begins in memory, and with it every offset.
struct Document<'p> {
    start: usize,
    written: &'p str,
}

impl<'p> Document<'p> {
    /// One level at a time: `serde_json` has checked the whole syntax already, without recursion.
    fn node<'a>(&self, raw: &'a RawValue, depth: usize) -> Result<Node<'a>, JsonError>
    where
        'p: 'a,
    {
        let text = raw.get();
        let at = text.as_ptr().addr() - self.start;
        let fault = |error| syntax(at, text, &error);
        let value = match text.as_bytes().first() {
            Some(b'[') if !self.written[at..].starts_with('[') => Value::NotFinite(self.not_finite(at).into()),
            Some(b'{' | b'[') if depth == DEPTH_MAX => return Err(JsonError::TooDeep { at }),
            Some(b'{') => self.object(at, serde_json::from_str(text).map_err(fault)?, depth)?,
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(fault)?;
                Value::Array(items.into_iter().map(|item| self.node(item, depth + 1)).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Value::Text(serde_json::from_str(text).map_err(fault)?),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(text.into()),
        };
        Ok(Node { at, value })
    }

    /// The masked word at this byte, as the sensor wrote it.
    fn not_finite(&self, at: usize) -> &'p str {
        let word = &self.written[at..];
        &word[..word.bytes().take_while(|b| b.is_ascii_alphabetic() || *b == b'-').count()]
    }

    fn object<'a>(&self, at: usize, members: Members<'a>, depth: usize) -> Result<Value<'a>, JsonError>
    where
        'p: 'a,
    {
        if let Some(key) = repeated(members.0.iter().map(|(key, _)| &**key)) {
            return Err(JsonError::DuplicateKey { at, key });
        }
        let nodes = members.0.into_iter().map(|(key, raw)| Ok((key, self.node(raw, depth + 1)?)));
        nodes.collect::<Result<_, _>>().map(Value::Object)
    }
}

/// The members of an object in their order, repeated keys included.
struct Members<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A fault of `text`, which begins at byte `start` of the payload, with its byte offset instead of line and column.
fn syntax(start: usize, text: &str, error: &serde_json::Error) -> JsonError {
    let lines_before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let within = if error.is_eof() { text.len() } else { lines_before + error.column().saturating_sub(1) };
    let shown = error.to_string();
    let why = shown.split_once(" at line ").map_or(shown.as_str(), |(why, _)| why);
    JsonError::Syntax { at: start + within.min(text.len()), why: why.to_owned() }
}

/// Writes an empty array over each `NaN`, `Infinity`, `-inf` ... that stands where a value belongs.
///
/// JSON has no such numbers, but Python's `json` and C's `printf` write them, and a probe that says "not a number" has
/// not sent a broken frame. The lengths, so the offsets, stay the same: that an array stands where none was written
/// shows which values were masked.
fn mask_not_finite(text: &str) -> Cow<'_, str> {
    const WORDS: [&str; 3] = ["infinity", "inf", "nan"];
    let mut masked = String::new();
    let (mut copied, mut at, mut in_string) = (0, 0, false);
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        let starts =
            |word: &&str| bytes[at..].get(..word.len()).is_some_and(|b| b.eq_ignore_ascii_case(word.as_bytes()));
        at += match byte {
            b'"' => {
                in_string = !in_string;
                1
            }
            b'\\' if in_string => 2,
            b'i' | b'I' | b'n' | b'N' if !in_string => match WORDS.iter().find(|word| starts(word)) {
                None => 1,
                Some(word) => {
                    let signed = usize::from(at > copied && bytes[at - 1] == b'-');
                    masked.push_str(&text[copied..at - signed]);
                    masked.push_str("[]");
                    masked.extend(std::iter::repeat_n(' ', word.len() + signed - 2));
                    copied = at + word.len();
                    word.len()
                }
            },
            _ => 1,
        };
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[copied..]);
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn check(payload: impl AsRef<[u8]>, expected: Expect) {
        let payload = payload.as_ref();
        let shown = match JsonText::new(payload).and_then(|text| text.parse().map(|root| format!("{root:?}"))) {
            Ok(shown) => shown,
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn faults_name_cause_and_byte() {
        check("", expect!["payload is not JSON at byte 0: EOF while parsing a value"]);
        check("{\"a\":1", expect!["payload is not JSON at byte 6: EOF while parsing an object"]);
        check("{\"a\":\n 1,}", expect!["payload is not JSON at byte 9: key must be a string"]);
        check("{\"a\":1} x", expect!["payload is not JSON at byte 8: trailing characters"]);
        check("{\"a\":01}", expect!["payload is not JSON at byte 6: invalid number"]);
        check("{\"a\":40,1}", expect!["payload is not JSON at byte 8: key must be a string"]);
        check(
            b"{\"a\":\"\xff\"}",
            expect!["payload is not UTF-8 at byte 6: set the sensor to plain JSON, or choose another codec"],
        );
        check(
            r#"{"a":{"b":1,"c":2,"b":1}}"#,
            expect!["key `b` stands twice in the object at byte 5, so the frame has two meanings: send each key once"],
        );
        check(
            "[".repeat(17) + &"]".repeat(17),
            expect!["payload is nested deeper than 16 levels at byte 16: flatten it at the sensor"],
        );
        check(r#"{"a":"\ud800"}"#, expect!["payload is not JSON at byte 12: unexpected end of hex escape"]);
    }

    #[test]
    fn numbers_keep_their_digits() {
        check(
            "[4.10, -1E+2]",
            expect![[
                r#"Node { at: 0, value: Array([Node { at: 1, value: Number("4.10") }, Node { at: 7, value: Number("-1E+2") }]) }"#
            ]],
        );
    }

    #[test]
    fn numbers_that_json_lacks_are_masked_in_place() {
        for (text, expected) in [
            (r#"{"a":NaN,"b":-Infinity}"#, r#"{"a":[] ,"b":[]       }"#),
            ("[nan,-inf,Inf]", "[[] ,[]  ,[] ]"),
            (r#"["NaN","\"NaN",null]"#, r#"["NaN","\"NaN",null]"#),
        ] {
            assert_eq!(mask_not_finite(text), expected);
        }
        check("[1NaN]", expect!["payload is not JSON at byte 2: expected `,` or `]`"]);
        check("-", expect!["payload is not JSON at byte 0: invalid number"]);
    }

    proptest! {
        #[test]
        fn masking_keeps_the_length_and_any_bytes_are_answered(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'['), Just(b'n'), Just(b'a'), Just(b'\\')], 0..60),
        ) {
            if let Ok(text) = std::str::from_utf8(&bytes) {
                prop_assert_eq!(mask_not_finite(text).len(), text.len());
            }
            if let Ok(text) = JsonText::new(&bytes) {
                let _ = text.parse();
            }
        }
    }
}
