//! Channel (1 byte), type (1 byte), value, repeated, as Milesight and others send: Cayenne LPP with types of their own.
//!
//! ```text
//! 01 75 5c   03 77 02 00        channel 1, type 0x75: battery 92 %; channel 3, type 0x77: distance 2 cm
//! │  │  │          └──┴─ 2, little-endian
//! │  │  └─ 92
//! │  └─ type
//! └─ channel
//! ```

use serde::Deserialize;

use super::binary::BinaryField;
use super::binary::field::read_all;
use super::f_ports::FPorts;
use super::{CodecError, DecodeError, Decoded, READINGS_MAX};

/// `kind = "tlv"`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tlv {
    /// Every channel and type that the device sends: without its length, what stands behind one cannot be read.
    pub entries: Vec<TlvEntry>,
    /// The LoRaWAN ports that carry measurements; empty for all.
    #[serde(default)]
    pub f_ports: FPorts,
}

/// One channel and type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlvEntry {
    /// The channel's number.
    pub channel: u8,
    /// The type's number.
    #[serde(rename = "type")]
    pub tlv_type: u8,
    /// Bytes of the value.
    pub length: u8,
    /// The numbers of the value; none if it is only to be passed over. Offsets count within the value, and a length
    /// that is absent is the whole value's.
    #[serde(default)]
    pub fields: Vec<BinaryField>,
}

/// Why bytes are not of the mapping. Offsets count from 0. Half a frame is not kept: behind an unknown type, whose
/// length nobody knows, every value could be a wrong one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlvError {
    /// A channel and type without a length.
    #[error(
        "byte {at}: channel {channel} with type {tlv_type} is not in `entries`: add it with its length, and without \
         `fields` if it is no measurement"
    )]
    Unknown {
        /// Of the channel byte.
        at: usize,
        /// The channel.
        channel: u8,
        /// The type.
        tlv_type: u8,
    },
    /// The payload ends within a value.
    #[error(
        "byte {at}: channel {channel} with type {tlv_type} needs {need} bytes and {have} are left: the frame was cut"
    )]
    Cut {
        /// Where the value begins.
        at: usize,
        /// The channel.
        channel: u8,
        /// The type.
        tlv_type: u8,
        /// Bytes it needs.
        need: u8,
        /// Bytes there are.
        have: usize,
    },
    /// A channel without its type.
    #[error("byte {at}: channel {channel} has no type behind it: the frame was cut")]
    NoType {
        /// Of the channel byte.
        at: usize,
        /// The channel.
        channel: u8,
    },
    /// Nothing in it is mapped: a message about the device itself.
    #[error("payload has none of the entries with `fields`: it is no measurement, or `entries` lacks one")]
    NothingMapped,
}

impl Tlv {
    pub(super) fn decode(&self, payload: &[u8], f_port: Option<u8>) -> Result<Decoded, DecodeError> {
        self.f_ports.check(f_port)?;
        let mut decoded = Decoded::default();
        let mut rest = payload;
        while let Some((&channel, typed)) = rest.split_first() {
            let at = payload.len() - rest.len();
            let (&tlv_type, valued) = typed.split_first().ok_or(TlvError::NoType { at, channel })?;
            let entry = self.entry(channel, tlv_type).ok_or(TlvError::Unknown { at, channel, tlv_type })?;
            let (need, have) = (entry.length, valued.len());
            let cut = TlvError::Cut { at: at + 2, channel, tlv_type, need, have };
            let (value, behind) = valued.split_at_checked(usize::from(need)).ok_or(cut)?;
            read_all(&entry.fields, value, &mut decoded)?;
            if decoded.readings.len() > READINGS_MAX {
                return Err(DecodeError::TooManyReadings);
            }
            rest = behind;
        }
        if decoded.readings.is_empty() {
            return Err(TlvError::NothingMapped.into());
        }
        Ok(decoded)
    }

    fn entry(&self, channel: u8, tlv_type: u8) -> Option<&TlvEntry> {
        self.entries.iter().find(|entry| (entry.channel, entry.tlv_type) == (channel, tlv_type))
    }

    pub(super) fn validate(&self) -> Result<(), CodecError> {
        let mut earlier: Vec<&BinaryField> = Vec::new();
        let count: usize = self.entries.iter().map(|entry| entry.fields.len()).sum();
        if count == 0 {
            return Err(CodecError::Empty { key: "entries", entry: "{ channel, type, length, fields = [..] }" });
        }
        if self.entries.len() > READINGS_MAX || count > READINGS_MAX {
            return Err(CodecError::TooMany { key: "entries", count: count.max(self.entries.len()) });
        }
        for (place, entry) in self.entries.iter().enumerate() {
            let key = format!("entries[{place}]");
            if self.entries[..place].iter().any(|e| (e.channel, e.tlv_type) == (entry.channel, entry.tlv_type)) {
                return Err(CodecError::DuplicateChannel { key, channel: entry.channel });
            }
            for (place, field) in entry.fields.iter().enumerate() {
                let key = format!("{key}.fields[{place}]");
                field.validate(&key, Some(entry.length))?;
                if earlier.iter().any(|other| field.is_given_with(other)) {
                    return Err(CodecError::DuplicateQuantity { key, quantity: field.quantity.to_string() });
                }
                earlier.push(field);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
