//! CBOR (RFC 8949) as evidence: every key once, nothing behind the item, every fault with its place.

use std::borrow::Cow;

use minicbor::Decoder;
use minicbor::data::Type;
use minicbor::decode::Error;

use super::document::{DEPTH_MAX, Node, Text, Value, repeated};
use super::float_text::{float16, float32, float64};

/// Why a payload is not a CBOR item to rely on. Offsets count bytes from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// Not well-formed (RFC 8949 §5.3): cut, a reserved code, text that is not UTF-8.
    #[error("payload is not CBOR at byte {at}: {why}")]
    Malformed {
        /// Where reading stopped.
        at: usize,
        /// What was wrong there.
        why: String,
    },
    /// More than 16 levels, tags included.
    #[error("payload is nested deeper than {DEPTH_MAX} levels at byte {at}: flatten it at the sensor")]
    TooDeep {
        /// Where the level begins that is too much.
        at: usize,
    },
    /// RFC 8949 §5.6: such a map is not valid. An integer key and its decimal text are one key here.
    #[error("key `{key}` stands twice in the map at byte {at}, so the frame has two meanings: send each key once")]
    DuplicateKey {
        /// Where the map begins.
        at: usize,
        /// The key.
        key: String,
    },
    /// A pointer can name texts and integers only.
    #[error("the key at byte {at} is neither text nor integer: send such keys only")]
    Key {
        /// Where the key begins.
        at: usize,
    },
    /// Bytes behind the item.
    #[error("payload goes on behind its item at byte {at}: send one item a frame")]
    Trailing {
        /// The first byte too many.
        at: usize,
    },
}

/// Reads one item; knows how integer keys are called.
pub(crate) struct CborDocument {
    key: fn(i128) -> Cow<'static, str>,
}

/// RFC 8949 §3.4.3, §3.4.4.
const TAG_POSITIVE: u64 = 2;
const TAG_NEGATIVE: u64 = 3;
const TAG_DECIMAL: u64 = 4;

impl CborDocument {
    pub(crate) fn new(key: fn(i128) -> Cow<'static, str>) -> CborDocument {
        CborDocument { key }
    }

    /// # Errors
    /// [`CborError`] unless the payload is exactly one item without repeated keys.
    pub(crate) fn parse<'a>(&self, payload: &'a [u8]) -> Result<Node<'a>, CborError> {
        let mut d = Decoder::new(payload);
        let root = self.node(&mut d, 0)?;
        if d.position() < payload.len() {
            return Err(CborError::Trailing { at: d.position() });
        }
        Ok(root)
    }

    fn node<'a>(&self, d: &mut Decoder<'a>, depth: usize) -> Result<Node<'a>, CborError> {
        let at = d.position();
        let fault = |error: Error| malformed(at, &error);
        let value = match d.datatype().map_err(fault)? {
            Type::Array | Type::ArrayIndef | Type::Map | Type::MapIndef | Type::Tag if depth == DEPTH_MAX => {
                return Err(CborError::TooDeep { at });
            }
            Type::Array | Type::ArrayIndef => self.array(d, depth)?,
            Type::Map | Type::MapIndef => self.map(d, depth)?,
            Type::Tag => self.tagged(d, depth)?,
            Type::String | Type::StringIndef => Value::Text(Text(text(d).map_err(fault)?)),
            Type::Bytes | Type::BytesIndef => Value::Bytes(bytes(d).map_err(fault)?.len()),
            Type::Bool => Value::Bool(d.bool().map_err(fault)?),
            Type::Null => d.null().map(|()| Value::Null).map_err(fault)?,
            Type::Undefined => d.undefined().map(|()| Value::Null).map_err(fault)?,
            // §3.3: a simple value below 32 is never written in two bytes.
            Type::Simple => match (d.simple().map_err(fault)?, d.position() - at) {
                (0..32, 2) => return Err(CborError::Malformed { at, why: NO_ITEM.to_owned() }),
                _ => Value::Null,
            },
            Type::Break | Type::Unknown(_) => return Err(CborError::Malformed { at, why: NO_ITEM.to_owned() }),
            Type::F16 | Type::F32 | Type::F64 => float(d).map_err(fault)?,
            _ => Value::Number(i128::from(d.int().map_err(fault)?).to_string().into()),
        };
        Ok(Node { at, value })
    }

    fn array<'a>(&self, d: &mut Decoder<'a>, depth: usize) -> Result<Value<'a>, CborError> {
        let at = d.position();
        let mut left = d.array().map_err(|error| malformed(at, &error))?;
        // No capacity from the length: it is the sender's word, while items cost at least a byte each.
        let mut items = Vec::new();
        while more(d, &mut left)? {
            items.push(self.node(d, depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn map<'a>(&self, d: &mut Decoder<'a>, depth: usize) -> Result<Value<'a>, CborError> {
        let at = d.position();
        let mut left = d.map().map_err(|error| malformed(at, &error))?;
        let mut members = Vec::new();
        while more(d, &mut left)? {
            members.push((self.key(d)?, self.node(d, depth + 1)?));
        }
        match repeated(members.iter().map(|(key, _)| &**key)) {
            Some(key) => Err(CborError::DuplicateKey { at, key }),
            None => Ok(Value::Object(members)),
        }
    }

    fn key<'a>(&self, d: &mut Decoder<'a>) -> Result<Text<'a>, CborError> {
        let at = d.position();
        let fault = |error: Error| malformed(at, &error);
        match d.datatype().map_err(fault)? {
            Type::String | Type::StringIndef => Ok(Text(text(d).map_err(fault)?)),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => Ok(Text((self.key)(d.u64().map_err(fault)?.into()))),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
                Ok(Text((self.key)(d.int().map_err(fault)?.into())))
            }
            Type::Break | Type::Unknown(_) => Err(CborError::Malformed { at, why: NO_ITEM.to_owned() }),
            _ => Err(CborError::Key { at }),
        }
    }

    /// What a tag adds to its content: tags 2 and 3 are long integers, 4 is a decimal fraction and exact; any other is
    /// its content (a time of tag 0 or 1 is read as the mapping's `time` says).
    fn tagged<'a>(&self, d: &mut Decoder<'a>, depth: usize) -> Result<Value<'a>, CborError> {
        let at = d.position();
        let fault = |error: Error| malformed(at, &error);
        let tag = d.tag().map_err(fault)?.as_u64();
        if matches!(tag, TAG_POSITIVE | TAG_NEGATIVE) && matches!(d.datatype(), Ok(Type::Bytes | Type::BytesIndef)) {
            return Ok(long_integer(tag, &bytes(d).map_err(fault)?));
        }
        let content = self.node(d, depth + 1)?.value;
        match (tag, &content) {
            (TAG_DECIMAL, Value::Array(parts)) => match parts.as_slice() {
                [Node { value: Value::Number(exponent), .. }, Node { value: Value::Number(mantissa), .. }] => {
                    Ok(Value::Number(format!("{}e{}", &**mantissa, &**exponent).into()))
                }
                _ => Ok(content),
            },
            _ => Ok(content),
        }
    }
}

const NO_ITEM: &str = "no item begins with this byte";

fn malformed(at: usize, error: &Error) -> CborError {
    let why = if error.is_end_of_input() { "it ends within an item".to_owned() } else { error.to_string() };
    CborError::Malformed { at, why }
}

/// Whether an array or map goes on: `left` counts down, or a break ends it (RFC 8949 §3.2.1).
fn more(d: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, CborError> {
    let at = d.position();
    match left {
        Some(0) => Ok(false),
        Some(count) => {
            *count -= 1;
            Ok(true)
        }
        None if d.datatype().map_err(|error| malformed(at, &error))? == Type::Break => {
            d.set_position(at + 1);
            Ok(false)
        }
        None => Ok(true),
    }
}

fn text<'a>(d: &mut Decoder<'a>) -> Result<Cow<'a, str>, Error> {
    if d.datatype()? == Type::String {
        return d.str().map(Cow::Borrowed);
    }
    d.str_iter()?.collect::<Result<String, Error>>().map(Cow::Owned)
}

fn bytes<'a>(d: &mut Decoder<'a>) -> Result<Cow<'a, [u8]>, Error> {
    if d.datatype()? == Type::Bytes {
        return d.bytes().map(Cow::Borrowed);
    }
    Ok(Cow::Owned(d.bytes_iter()?.collect::<Result<Vec<&[u8]>, Error>>()?.concat()))
}

fn float<'a>(d: &mut Decoder<'a>) -> Result<Value<'a>, Error> {
    let text = match d.datatype()? {
        Type::F16 => {
            let at = d.position();
            d.skip()?;
            float16(d.input()[at + 1..at + 3].iter().fold(0, |bits, byte| bits << 8 | u16::from(*byte)))
        }
        Type::F32 => float32(d.f32()?.to_bits()),
        _ => float64(d.f64()?.to_bits()),
    };
    Ok(text.map_or_else(|word| Value::NotFinite(word.into()), |number| Value::Number(number.into())))
}

/// A bignum of up to 16 bytes as text; a longer one is no measured value.
fn long_integer<'a>(tag: u64, bytes: &[u8]) -> Value<'a> {
    let significant = bytes.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &bytes[first..]);
    if significant.len() > 16 {
        return Value::Bytes(bytes.len());
    }
    let magnitude = significant.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let text = match (tag, magnitude.checked_add(1)) {
        (TAG_POSITIVE, _) => magnitude.to_string(),
        (_, Some(magnitude)) => format!("-{magnitude}"),
        (_, None) => return Value::Bytes(bytes.len()),
    };
    Value::Number(text.into())
}

#[cfg(test)]
mod tests;
