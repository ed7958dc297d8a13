//! Bytes at fixed places, as most LoRaWAN sensors send them: a mapping that says which bytes are which number.
//!
//! ```text
//! 02 07d9 0003 9088 8081 0064 0000 0c60     Decentlab DL-CTD10
//! │  │    │    │    └──┴─ offset = 7, length = 2, scale = 0.1, add = -3276.8: 12.9 °C
//! │  │    │    └─ offset = 5
//! │  │    └─ when = { offset = 4, mask = 0x01, equals = 0x01 }
//! │  └─ the device's number
//! └─ version
//! ```

pub(super) mod field;
mod number;

use serde::Deserialize;

use super::f_ports::FPorts;
use super::mapping::MappingError;
use super::{CodecError, DecodeError, Decoded, READINGS_MAX};
pub use field::{BinaryField, Condition};
pub use number::{Endian, NumberType};

/// `kind = "binary"`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// One for each reading.
    pub fields: Vec<BinaryField>,
    /// The LoRaWAN ports that carry measurements; empty for all.
    #[serde(default)]
    pub f_ports: FPorts,
}

/// Why bytes do not fit the mapping. Half a number is not kept, and nor is the rest of a frame that was cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BinaryError {
    /// The payload ends within a field.
    #[error("`{quantity}` needs bytes {from} to {to} and the payload has {have}: the frame was cut, or is another one")]
    Cut {
        /// Of the field.
        quantity: record::Quantity,
        /// Its first byte, from 0.
        from: usize,
        /// Its last byte.
        to: usize,
        /// Bytes there are.
        have: usize,
    },
}

impl Binary {
    pub(super) fn decode(&self, payload: &[u8], f_port: Option<u8>) -> Result<Decoded, DecodeError> {
        self.f_ports.check(f_port)?;
        let mut decoded = Decoded::default();
        let found = field::read_all(&self.fields, payload, &mut decoded)?;
        if found == 0 {
            let quantities: Vec<&str> = self.fields.iter().take(3).map(|field| field.quantity.as_str()).collect();
            return Err(MappingError::NothingMapped { paths: quantities.join(", ") }.into());
        }
        Ok(decoded)
    }

    pub(super) fn validate(&self) -> Result<(), CodecError> {
        if self.fields.is_empty() {
            return Err(CodecError::Empty { key: "fields", entry: "{ quantity, unit, offset, length }" });
        }
        if self.fields.len() > READINGS_MAX {
            return Err(CodecError::TooMany { key: "fields", count: self.fields.len() });
        }
        for (place, field) in self.fields.iter().enumerate() {
            let key = format!("fields[{place}]");
            field.validate(&key, None)?;
            if self.fields[..place].iter().any(|other| field.is_given_with(other)) {
                return Err(CodecError::DuplicateQuantity { key, quantity: field.quantity.to_string() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
