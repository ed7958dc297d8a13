//! From a payload to readings, as the device table says for each device.

pub(crate) mod binary;
pub(crate) mod cayenne_lpp;
mod cayenne_type;
pub(crate) mod cbor;
pub(crate) mod config_error;
pub(crate) mod csv;
pub(crate) mod device_time;
mod document;
pub(crate) mod f_ports;
mod float_text;
pub(crate) mod javascript;
pub(crate) mod json_text;
pub(crate) mod mapping;
mod measured;
pub(crate) mod plain;
pub(crate) mod pointer;
pub(crate) mod senml;
mod senml_unit;
pub(crate) mod tlv;
mod written;

use std::fmt;

use record::{Quantity, Reading, UnixMs};
use serde::Deserialize;

use binary::{Binary, BinaryError};
use cayenne_lpp::{CayenneLpp, LppError};
use cbor::CborError;
use config_error::CodecError;
use csv::{Csv, CsvError};
use f_ports::FPortError;
use javascript::{Javascript, JavascriptError, Scripts};
use json_text::JsonError;
use mapping::{Mapping, MappingError};
use plain::{NotTextError, Plain};
use senml::{Senml, SenmlError};
use tlv::{Tlv, TlvError};

/// Most readings of one frame: an hour of 14-second samples, and what one row of the journal may hold.
pub const READINGS_MAX: usize = 256;

/// Longest payload that is decoded, in bytes: 256 readings at 64 bytes each of SenML or JSON.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// How a device's payload is read: `[device.codec]` with its `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Codec {
    /// A JSON document and a mapping of its places.
    Json(Mapping),
    /// The same of a CBOR item (RFC 8949).
    Cbor(Mapping),
    /// A SenML pack in JSON (RFC 8428 §5).
    SenmlJson(Senml),
    /// A SenML pack in CBOR (RFC 8428 §6).
    SenmlCbor(Senml),
    /// Cayenne Low Power Payload: channel, type, value, repeated.
    CayenneLpp(CayenneLpp),
    /// Channel, type, value, repeated, with types of the device's own.
    Tlv(Tlv),
    /// Bytes at fixed places.
    Binary(Binary),
    /// One number as text.
    Plain(Plain),
    /// Comma-separated values (RFC 4180).
    Csv(Csv),
    /// A vendor's JavaScript codec (LoRa Alliance TS013).
    Javascript(Javascript),
}

/// What a payload says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoded {
    /// At least one, at most [`READINGS_MAX`], in the order of the mapping (JSON) or of the payload.
    pub readings: Vec<Reading>,
    /// What could not be used although the frame is good: to be counted per device.
    pub warnings: Vec<Warning>,
}

/// Something beside the readings that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The device's own time is absent or unreadable; its readings carry none.
    DeviceTime {
        /// What stood there, shortened; `None` if nothing did.
        found: Option<String>,
    },
    /// A SenML record has a sum (`s`) beside its value; the value is kept, the sum is not a reading.
    SenmlSum {
        /// The record's place in the pack, from 0.
        record: usize,
    },
    /// What a JavaScript codec warns of.
    Codec {
        /// In its words.
        text: String,
    },
    /// Something else stood where a number belongs, such as `No Sensor`; its reading has no value.
    NotANumber {
        /// Of the reading.
        quantity: Quantity,
        /// What stood there, shortened.
        found: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::DeviceTime { found: Some(found) } => write!(f, "device time `{found}` cannot be read"),
            Warning::DeviceTime { found: None } => f.write_str("device time is absent"),
            Warning::SenmlSum { record } => write!(f, "record /{record}: the sum `s` beside the value is not kept"),
            Warning::Codec { text } => write!(f, "the codec warns: {text}"),
            Warning::NotANumber { quantity, found } => write!(f, "{quantity} has no value: the sensor sent `{found}`"),
        }
    }
}

/// Why a payload gave no readings. The frame is refused and kept as evidence; sending it again will not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No device of this name is in the table.
    #[error("the device is not in the device table: add it to devices.toml")]
    UnknownDevice,
    /// Beyond [`PAYLOAD_BYTES_MAX`].
    #[error("payload of {bytes} bytes is longer than {PAYLOAD_BYTES_MAX}: split it into several frames")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Beyond [`READINGS_MAX`].
    #[error("payload has more than {READINGS_MAX} readings: split it into several frames")]
    TooManyReadings,
    /// The payload is not the JSON text that the device's codec expects.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The payload is not the CBOR item that the device's codec expects.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The payload is sound, but has nothing of the mapping.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The document is sound, but no SenML pack.
    #[error(transparent)]
    Senml(#[from] SenmlError),
    /// The LoRaWAN port is not one that carries measurements.
    #[error(transparent)]
    FPort(#[from] FPortError),
    /// Not Cayenne LPP.
    #[error(transparent)]
    CayenneLpp(#[from] LppError),
    /// Not of the entries that the device is said to send.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// Not the bytes that the device is said to send.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// No text.
    #[error(transparent)]
    NotText(#[from] NotTextError),
    /// Text, but no table.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// An event whose payload ChirpStack could not decrypt.
    #[error(
        "payload is still encrypted (joinServerContext): let ChirpStack's own join server keep the application key"
    )]
    Encrypted,
    /// An event without what the codec reads.
    #[error(
        "event has no `object`: give the device profile a codec in ChirpStack, or read the device's own bytes with \
         payload = \"data\""
    )]
    NoObject,
    /// The JavaScript codec gave nothing.
    #[error(transparent)]
    Javascript(#[from] JavascriptError),
}

impl Codec {
    /// Reads a payload that came at `now` (wall time of the box, milliseconds since 1970 UTC) and, over LoRaWAN, on
    /// `f_port`.
    ///
    /// `now` only resolves times that the device states as an age; how far such a time can be believed is the clock
    /// quality in the stamp of the same record.
    ///
    /// # Errors
    /// [`DecodeError`] if the payload is too long, is not of the codec's format, or gives no reading.
    pub fn decode(&self, payload: &[u8], now: UnixMs, f_port: Option<u8>) -> Result<Decoded, DecodeError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(DecodeError::TooLong { bytes: payload.len() });
        }
        match self {
            Codec::Json(mapping) => mapping.decode_json(payload),
            Codec::Cbor(mapping) => mapping.decode_cbor(payload),
            Codec::SenmlJson(senml) => senml.decode_json(payload, now),
            Codec::SenmlCbor(senml) => senml.decode_cbor(payload, now),
            Codec::CayenneLpp(lpp) => lpp.decode(payload, f_port),
            Codec::Tlv(tlv) => tlv.decode(payload, f_port),
            Codec::Binary(binary) => binary.decode(payload, f_port),
            Codec::Plain(plain) => plain.decode(payload),
            Codec::Csv(csv) => csv.decode(payload),
            Codec::Javascript(javascript) => javascript.decode(payload, now, f_port),
        }
    }

    /// Checks what the types of the configuration cannot: units are known, names are unique, ranges are not empty.
    ///
    /// # Errors
    /// [`CodecError`] for the first key at fault, with what to write instead.
    pub fn validate(&self) -> Result<(), CodecError> {
        match self {
            Codec::Json(mapping) | Codec::Cbor(mapping) => mapping.validate(),
            Codec::SenmlJson(senml) | Codec::SenmlCbor(senml) => senml.validate(),
            Codec::CayenneLpp(lpp) => lpp.validate(),
            Codec::Tlv(tlv) => tlv.validate(),
            Codec::Binary(binary) => binary.validate(),
            Codec::Plain(plain) => plain.validate(),
            Codec::Csv(csv) => csv.validate(),
            Codec::Javascript(javascript) => javascript.validate(),
        }
    }

    /// Takes the script that the codec names, if it names one.
    ///
    /// # Errors
    /// [`CodecError::NoScript`], [`CodecError::Script`].
    pub fn load(&mut self, scripts: &mut Scripts<'_>) -> Result<(), CodecError> {
        match self {
            Codec::Javascript(javascript) => javascript.load(scripts),
            _ => Ok(()),
        }
    }

    /// Whether it ends within microseconds: it is no script, or a script whose last run ended in order.
    pub fn is_quick(&self) -> bool {
        match self {
            Codec::Javascript(javascript) => javascript.is_proven(),
            _ => true,
        }
    }

    /// The same codec as it was before its first run: what it does wrong there is not held against this one.
    pub fn anew(&self) -> Codec {
        match self {
            Codec::Javascript(javascript) => Codec::Javascript(javascript.anew()),
            other => other.clone(),
        }
    }

    /// The text of its script, if it has one and that is loaded.
    pub fn script(&self) -> Option<&str> {
        match self {
            Codec::Javascript(javascript) => javascript.script().map(script::Script::source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
