//! `weir device test` and `weir device test-codec`: what would be stored?

use std::io::{Read, Write};

use record::UnixMs;
use serde_json::{Value, json};

use super::Place;
use super::args::CodecArgs;
use super::error::DeviceError;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;

/// Most bytes of a payload's file that are read: one more than a codec takes says that it is too long.
const PAYLOAD_BYTES_MAX: u64 = ingest::PAYLOAD_BYTES_MAX as u64 + 1;

/// Decodes a payload as the device's codec does now. [`Exit::NotWell`] if it gives no readings.
pub(super) fn device(
    place: &Place<'_>,
    name: &str,
    payload: &str,
    f_port: Option<u8>,
    (json, lang): (bool, Lang),
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
                print(&mut out, &crate::tail::line::reading(reading, &[], lang))?;
            }
            for warning in &decoded.warnings {
                print(&mut out, &format!("! {}", lang.told(&warning.to_string())))?;
            }
        }
        Err(error) if json => print(&mut out, &json!({"ok": false, "error": control::chain(error)}).to_string())?,
        Err(error) => print(&mut out, &format!("! {}", lang.chain(error)))?,
    }
    flush(&mut out)?;
    Ok(if decoded.is_ok() { Exit::Good } else { Exit::NotWell })
}

/// Runs a JavaScript codec alone. [`Exit::NotWell`] if it is none or gives nothing, with the cause.
pub(super) fn script(codec: &CodecArgs, lang: Lang) -> Result<Exit, DeviceError> {
    let CodecArgs { file, hex, f_port, json } = codec;
    let payload = hex::decode(hex).map_err(|_| DeviceError::Hex)?;
    let source = super::section::read(file)?;
    let script = match script::Script::compile(&source) {
        Ok(script) => script,
        Err(error) => return fail(no_codec(&error), &control::chain(&error), *json, lang),
    };
    let uplink = script::Uplink { bytes: &payload, f_port: *f_port, recv_time_ms: now().0 };
    let read = match script.decode_uplink(&uplink) {
        Ok(read) => read,
        Err(error) => return fail(cause(&error), &control::chain(&error), *json, lang),
    };
    let mut shown = String::new();
    match json {
        true => {
            let (called, data) = (read.entry.name(), plain(&read.data));
            shown += &json!({"ok": true, "called": called, "data": data, "warnings": read.warnings}).to_string();
            shown.push('\n');
        }
        false => {
            let warnings = read.warnings.iter().map(|warning| format!("! {warning}\n"));
            shown += &format!("{}\n{}", read.data, warnings.collect::<String>());
        }
    }
    say(&shown)?;
    Ok(Exit::Good)
}

/// Says why a codec gave nothing.
pub(super) fn fail(cause: &str, error: &str, json: bool, lang: Lang) -> Result<Exit, DeviceError> {
    let shown = match (json, lang) {
        (true, _) => json!({"ok": false, "cause": cause, "error": error}).to_string(),
        (false, Lang::En) => format!("! {cause}: {error}"),
        (false, Lang::Zh) => format!("! {}", lang.told(error)),
    };
    say(&format!("{shown}\n"))?;
    Ok(Exit::NotWell)
}

/// Prints whole lines.
pub(super) fn say(lines: &str) -> Result<(), DeviceError> {
    let mut out = output::stdout();
    let written = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| DeviceError::output(CommandError::output(error)))
}

/// Hex digits, or the bytes of a file after `@`.
fn bytes(payload: &str) -> Result<Vec<u8>, DeviceError> {
    match payload.strip_prefix('@') {
        Some(path) => {
            let mut bytes = Vec::new();
            let file = std::fs::File::open(path);
            let read = file.and_then(|file| file.take(PAYLOAD_BYTES_MAX).read_to_end(&mut bytes));
            read.map(|_| bytes).map_err(|source| DeviceError::Read { path: path.into(), source })
        }
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

/// The stable name of why a run gave nothing.
fn cause(error: &script::DecodeError) -> &'static str {
    match error {
        script::DecodeError::Fault(fault) => fault_cause(fault),
        script::DecodeError::NotAnObject { .. } => "not_an_object",
        script::DecodeError::Errors(_) => "errors",
    }
}

/// The stable name of why a source is no codec.
fn no_codec(error: &script::ScriptError) -> &'static str {
    match error {
        script::ScriptError::TooLong { .. } => "too_long",
        script::ScriptError::Syntax { .. } => "syntax",
        script::ScriptError::BigInt { .. } => "big_int",
        script::ScriptError::Load(fault) => fault_cause(fault),
        script::ScriptError::NoDecoder => "no_decoder",
    }
}

fn fault_cause(fault: &script::Fault) -> &'static str {
    match fault {
        script::Fault::Threw { .. } => "threw",
        script::Fault::TimedOut => "timed_out",
        script::Fault::OutOfMemory => "out_of_memory",
        script::Fault::StackOverflow => "stack_overflow",
        script::Fault::OutputTooLarge => "output_too_large",
        script::Fault::OutputTooDeep => "output_too_deep",
    }
}
