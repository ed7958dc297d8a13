//! `weir device test` and `weir device test-codec`: what would be stored?

use std::path::Path;

use record::UnixMs;
use serde_json::{Value, json};

use super::Place;
use super::error::DeviceError;
use crate::exit::Exit;
use crate::output;

/// Decodes a payload as the device's codec does now. [`Exit::NotWell`] if it gives no readings.
pub(super) fn device(
    place: &Place<'_>,
    name: &str,
    payload: &str,
    f_port: Option<u8>,
    json: bool,
) -> Result<Exit, DeviceError> {
    let payload = bytes(payload)?;
    let table = gatewayd::config::load_devices(&place.devices, &place.keys).map_err(DeviceError::Config)?;
    let device = table.iter().find(|device| device.name.as_str() == name);
    let Some(device) = device else {
        let path = place.devices.clone();
        return Err(super::files::FilesError::Missing { name: name.to_owned(), path }.into());
    };
    let decoded = device.codec.decode(&payload, now(), f_port);
    let mut out = output::stdout();
    match &decoded {
        Ok(decoded) if json => {
            let warnings: Vec<String> = decoded.warnings.iter().map(ToString::to_string).collect();
            print(&mut out, &json!({"ok": true, "readings": decoded.readings, "warnings": warnings}).to_string())?;
        }
        Ok(decoded) => {
            for reading in &decoded.readings {
                print(&mut out, &crate::tail::line::reading(reading, &[]))?;
            }
            for warning in &decoded.warnings {
                print(&mut out, &format!("! {warning}"))?;
            }
        }
        Err(error) if json => print(&mut out, &json!({"ok": false, "error": control::chain(error)}).to_string())?,
        Err(error) => print(&mut out, &format!("! {}", control::chain(error)))?,
    }
    flush(&mut out)?;
    Ok(if decoded.is_ok() { Exit::Good } else { Exit::NotWell })
}

/// Runs a JavaScript codec alone. [`Exit::NotWell`] if it gives nothing, with the cause.
pub(super) fn script(file: &Path, hex: &str, f_port: u8, json: bool) -> Result<Exit, DeviceError> {
    let payload = hex::decode(hex).map_err(|_| DeviceError::Hex)?;
    let source = super::section::read(file)?;
    let script =
        script::Script::compile(&source).map_err(|source| DeviceError::Script { path: file.into(), source })?;
    let uplink = script::Uplink { bytes: &payload, f_port, recv_time_ms: now().0 };
    let decoded = script.decode_uplink(&uplink);
    let mut out = output::stdout();
    match &decoded {
        Ok(read) => match json {
            true => {
                let (called, data) = (read.entry.name(), plain(&read.data));
                let shown = json!({"ok": true, "called": called, "data": data, "warnings": read.warnings});
                print(&mut out, &shown.to_string())?;
            }
            false => {
                print(&mut out, &read.data.to_string())?;
                for warning in &read.warnings {
                    print(&mut out, &format!("! {warning}"))?;
                }
            }
        },
        Err(error) if json => {
            let shown: Value = json!({"ok": false, "cause": cause(error), "error": control::chain(error)});
            print(&mut out, &shown.to_string())?;
        }
        Err(error) => print(&mut out, &format!("! {}", control::chain(error)))?,
    }
    flush(&mut out)?;
    Ok(if decoded.is_ok() { Exit::Good } else { Exit::NotWell })
}

/// Hex digits, or the bytes of a file after `@`.
fn bytes(payload: &str) -> Result<Vec<u8>, DeviceError> {
    match payload.strip_prefix('@') {
        Some(path) => std::fs::read(path).map_err(|source| DeviceError::Read { path: path.into(), source }),
        None => hex::decode(payload).map_err(|_| DeviceError::Hex),
    }
}

fn now() -> UnixMs {
    UnixMs(jiff::Timestamp::now().as_millisecond())
}

fn print(out: &mut impl std::io::Write, text: &str) -> Result<(), DeviceError> {
    output::line(out, text).map_err(DeviceError::output)
}

fn flush(out: &mut impl std::io::Write) -> Result<(), DeviceError> {
    out.flush().map_err(|error| DeviceError::output(crate::error::CommandError::output(error)))
}

/// What JSON can say of it: numbers as they stand; what is no finite number, and what is absent, as text.
fn plain(value: &script::Value) -> Value {
    match value {
        script::Value::Undefined => json!("undefined"),
        script::Value::Null => Value::Null,
        script::Value::Bool(bool) => json!(bool),
        script::Value::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        script::Value::NotFinite(text) => json!(text),
        script::Value::Text(text) => json!(text),
        script::Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        script::Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), plain(value))).collect())
        }
    }
}

/// The stable name of a failure.
fn cause(error: &script::DecodeError) -> &'static str {
    match error {
        script::DecodeError::Fault(fault) => match fault {
            script::Fault::Threw { .. } => "threw",
            script::Fault::TimedOut => "timed_out",
            script::Fault::OutOfMemory => "out_of_memory",
            script::Fault::StackOverflow => "stack_overflow",
            script::Fault::OutputTooLarge => "output_too_large",
            script::Fault::OutputTooDeep => "output_too_deep",
        },
        script::DecodeError::NotAnObject { .. } => "not_an_object",
        script::DecodeError::Errors(_) => "errors",
    }
}
