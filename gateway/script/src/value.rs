//! What a codec returns, as data.

use std::fmt;

/// A JavaScript value without its behaviour. Functions and symbols count as undefined, as in `JSON.stringify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `undefined`: a key that was written without a value. JSON would drop it.
    Undefined,
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A finite number as JavaScript writes it: the shortest decimal text that means the same double.
    Number(String),
    /// `NaN`, `Infinity` or `-Infinity`.
    NotFinite(&'static str),
    /// A string; half a surrogate pair is U+FFFD.
    Text(String),
    /// A list.
    Array(Vec<Value>),
    /// The own enumerable properties in JavaScript's order. No key stands twice.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The member of an object.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// As JSON; what JSON does not have is written as JavaScript does (`NaN`, `undefined`), for people to read.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Undefined => f.write_str("undefined"),
            Value::Null => f.write_str("null"),
            Value::Bool(bool) => write!(f, "{bool}"),
            Value::Number(text) => f.write_str(text),
            Value::NotFinite(text) => f.write_str(text),
            Value::Text(text) => quoted(f, text),
            Value::Array(items) => {
                f.write_str("[")?;
                for (place, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if place == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Value::Object(members) => {
                f.write_str("{")?;
                for (place, (key, value)) in members.iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { "," })?;
                    quoted(f, key)?;
                    write!(f, ":{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// RFC 8259 §7.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}
