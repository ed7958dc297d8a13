//! From a payload to readings, as the device table says for each device.

pub(crate) mod cayenne_lpp;
mod cayenne_type;
pub(crate) mod device_time;
pub(crate) mod json;
pub(crate) mod json_text;
mod measured;
pub(crate) mod pointer;
pub(crate) mod senml_json;
mod senml_unit;

use std::fmt;

use record::{Decimal, Reading, UnixMs};
use serde::Deserialize;

use cayenne_lpp::{CayenneLpp, LppError};
use json::{JsonMapping, MappingError};
use json_text::JsonError;
use senml_json::{SenmlError, SenmlJson};

/// Most readings of one frame: an hour of 14-second samples, and what one row of the journal may hold.
pub const READINGS_MAX: usize = 256;

/// Longest payload that is decoded, in bytes: 256 readings at 64 bytes each of SenML or JSON.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// How a device's payload is read: `[device.codec]` with its `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Codec {
    /// A JSON document and a mapping of its places.
    Json(JsonMapping),
    /// A SenML pack in JSON (RFC 8428 §5).
    SenmlJson(SenmlJson),
    /// Cayenne Low Power Payload: channel, type, value, repeated.
    CayenneLpp(CayenneLpp),
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
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::DeviceTime { found: Some(found) } => write!(f, "device time `{found}` cannot be read"),
            Warning::DeviceTime { found: None } => f.write_str("device time is absent"),
            Warning::SenmlSum { record } => write!(f, "record /{record}: the sum `s` beside the value is not kept"),
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
    /// The JSON is sound, but has nothing of the mapping.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The JSON is sound, but no SenML pack.
    #[error(transparent)]
    Senml(#[from] SenmlError),
    /// Not Cayenne LPP.
    #[error(transparent)]
    CayenneLpp(#[from] LppError),
}

/// Why a `[device.codec]` of the configuration cannot be used. Each variant names the key below `codec`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A JSON mapping without fields.
    #[error("`fields` is empty: add at least one {{ path, quantity, unit }}")]
    NoFields,
    /// More fields or channels than a frame may have readings.
    #[error("`{key}` has {count} entries: at most {READINGS_MAX} are possible")]
    TooMany {
        /// The list.
        key: &'static str,
        /// Its length.
        count: usize,
    },
    /// A unit that neither UCUM nor the SenML registry has.
    #[error("`{key}`: unit `{unit}` is not known: did you mean {nearest}?")]
    UnknownUnit {
        /// Where.
        key: String,
        /// What was written.
        unit: String,
        /// The nearest known ones.
        nearest: String,
    },
    /// Two entries claim one quantity.
    #[error("`{key}`: `{quantity}` is already the quantity of another entry: give each its own name")]
    DuplicateQuantity {
        /// The later entry.
        key: String,
        /// The quantity.
        quantity: String,
    },
    /// Two entries claim one channel (and type).
    #[error("`{key}`: channel {channel} already has such an entry: remove one, or tell them apart by `type`")]
    DuplicateChannel {
        /// The later entry.
        key: String,
        /// The channel.
        channel: u8,
    },
    /// `min` above `max`: nothing would be plausible.
    #[error("`{key}`: min {min} is above max {max}: exchange them")]
    EmptyRange {
        /// Where.
        key: String,
        /// As written.
        min: Decimal,
        /// As written.
        max: Decimal,
    },
    /// A scale of 0 would turn every value into 0.
    #[error("`{key}`: scale is 0, so every value would be 0: leave it out or write the factor")]
    ZeroScale {
        /// Where.
        key: String,
    },
    /// Not a type of Cayenne LPP.
    #[error("`{key}`: Cayenne LPP has no type {lpp_type}: the types are {known}")]
    UnknownType {
        /// Where.
        key: String,
        /// What was written.
        lpp_type: u8,
        /// Those there are.
        known: String,
    },
    /// The quantity's name has no room for the axis.
    #[error("`{key}`: `{quantity}` cannot be the name of a reading: use a shorter one")]
    LongQuantity {
        /// Where.
        key: String,
        /// The name with its axis.
        quantity: String,
    },
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
            Codec::Json(mapping) => mapping.decode(payload),
            Codec::SenmlJson(senml) => senml.decode(payload, now),
            Codec::CayenneLpp(lpp) => lpp.decode(payload, f_port),
        }
    }

    /// Checks what the types of the configuration cannot: units are known, names are unique, ranges are not empty.
    ///
    /// # Errors
    /// [`CodecError`] for the first key at fault, with what to write instead.
    pub fn validate(&self) -> Result<(), CodecError> {
        match self {
            Codec::Json(mapping) => mapping.validate(),
            Codec::SenmlJson(senml) => senml.validate(),
            Codec::CayenneLpp(lpp) => lpp.validate(),
        }
    }
}

#[cfg(test)]
mod tests;
