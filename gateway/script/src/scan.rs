//! From what a codec returned to what TS013 says it means.

use crate::error::{DecodeError, EncodeError};
use crate::script::{Downlink, Entry, Output};
use crate::value::Value;

/// Longest FRMPayload of any region (RP002 1.0.4, M = 250 less 8 bytes of frame header).
const DOWNLINK_BYTES_MAX: usize = 242;

/// `{ data, errors, warnings }` of `decodeUplink`, or the bare object of the older forms.
pub(crate) fn output(returned: Value, entry: Entry) -> Result<Output, DecodeError> {
    if entry != Entry::DecodeUplink {
        return Ok(Output { data: object(returned)?, warnings: Vec::new(), entry });
    }
    let Value::Object(members) = returned else { return Err(not_an_object(&returned)) };
    let (mut data, mut errors, mut warnings) = (Value::Undefined, Vec::new(), Vec::new());
    for (key, value) in members {
        match key.as_str() {
            "data" => data = value,
            "errors" => errors = texts(value),
            "warnings" => warnings = texts(value),
            _ => {}
        }
    }
    if !errors.is_empty() {
        return Err(DecodeError::Errors(errors));
    }
    Ok(Output { data: object(data)?, warnings, entry })
}

/// `{ fPort, bytes, errors, warnings }` of `encodeDownlink`.
pub(crate) fn downlink(returned: Value) -> Result<Downlink, EncodeError> {
    let wrong = |key, value: Option<&Value>, expected| {
        let found = value.map_or_else(|| "absent".to_owned(), shown);
        EncodeError::NoDownlink { key, found, expected }
    };
    let of = |key| returned.get(key).cloned().unwrap_or(Value::Undefined);
    let errors = texts(of("errors"));
    if !errors.is_empty() {
        return Err(EncodeError::Errors(errors));
    }
    let f_port = returned.get("fPort");
    let f_port = match f_port {
        Some(Value::Number(text)) => text.parse().ok().filter(|port| (1..=223).contains(port)),
        _ => None,
    }
    .ok_or_else(|| wrong("fPort", f_port, "a number from 1 to 223"))?;
    let expected = "a list of at most 242 numbers from 0 to 255";
    let bytes = returned.get("bytes");
    let bytes = match bytes {
        Some(Value::Array(items)) if items.len() <= DOWNLINK_BYTES_MAX => items.iter().map(byte).collect(),
        _ => None,
    }
    .ok_or_else(|| wrong("bytes", bytes, expected))?;
    Ok(Downlink { f_port, bytes, warnings: texts(of("warnings")) })
}

fn byte(value: &Value) -> Option<u8> {
    match value {
        Value::Number(text) => text.parse().ok(),
        _ => None,
    }
}

fn object(value: Value) -> Result<Value, DecodeError> {
    match value {
        Value::Object(_) | Value::Array(_) => Ok(value),
        other => Err(not_an_object(&other)),
    }
}

fn not_an_object(value: &Value) -> DecodeError {
    DecodeError::NotAnObject { found: shown(value) }
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

/// TS013 wants lists of strings; codecs also write one bare string, or other values into the list.
fn texts(value: Value) -> Vec<String> {
    match value {
        Value::Undefined | Value::Null => Vec::new(),
        Value::Array(items) => items.into_iter().map(text).collect(),
        other => vec![text(other)],
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        other => shown(&other),
    }
}
