//! From the bytes of a frame to what they say: the device table and the decoders.
//!
//! **In:** the text of `devices.toml`; a payload with the time it came. **Out:** a [`DeviceTable`] to look senders
//! up in, and [`Decoded`] readings with quantity, unit and quality, or a [`DecodeError`] that says why not.
//!
//! ```text
//! devices.toml ─► DeviceTable ─► Device { link, codec }
//!                                          │
//! payload, now, FPort ──────────► Codec::decode ─► Decoded { readings, warnings } | DecodeError
//! ```
//!
//! Numbers are never floats: the digits that a sensor wrote go into [`record::Decimal`] as they stand. What is not a
//! number becomes a reading without a value and with its reason, never a zero. A frame that can be read in two ways
//! (a repeated JSON key, a truncated value) is refused whole, because evidence must be unambiguous.
//!
//! **Deliberately does not know:** sockets, brokers and radios (`mqtt`, `lorawan`), what is stored (`journal`), what a
//! limit is (`rules`). It reads no clock, randomness, environment, file or socket (S1).
//!
//! Invariants: **B1** by [`PAYLOAD_BYTES_MAX`], [`READINGS_MAX`] and [`DEVICES_MAX`]; **T1**: a device's own time is
//! kept apart from the box's, and one that cannot be read is left out and counted.
//!
//! Standards: RFC 8259 (JSON), RFC 6901 (JSON pointer), RFC 8428 (SenML), RFC 3339 (times), Cayenne Low Power
//! Payload 1.x (myDevices), UCUM (units).

mod codec;
mod device;
mod nearest;

pub use codec::cayenne_lpp::{CayenneLpp, Channel, LppError};
pub use codec::device_time::{DeviceTime, TimeFormat};
pub use codec::json::{Field, JsonMapping, MappingError};
pub use codec::json_text::JsonError;
pub use codec::pointer::{Pointer, PointerError};
pub use codec::senml_json::{SenmlError, SenmlJson};
pub use codec::{Codec, CodecError, DecodeError, Decoded, PAYLOAD_BYTES_MAX, READINGS_MAX, Warning};
pub use device::password::{Password, PasswordError};
pub use device::table::{DEVICES_MAX, DeviceTable, DeviceTableError};
pub use device::{Device, DeviceLink, LorawanDevice, MqttDevice, TopicError};
