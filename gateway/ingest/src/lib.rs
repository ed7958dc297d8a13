//! From the bytes of a frame to a verdict: who sent it, is it new, what does it say.
//!
//! **In:** the text of `devices.toml`, stored sessions; an [`Arrival`] with the stamp it came at. **Out:** a [`Verdict`]:
//! accepted with its [`Decoded`] readings, a duplicate, or rejected with its reason; and what to answer over the air.
//!
//! ```text
//! devices.toml ─► DeviceTable ─► Device { link, codec }
//!                                          │
//! Arrival, Stamp ─► Ingest::judge ─► Codec::decode ─► Verdict { ruling, downlink, session_changed }
//!                     │    ▲
//!                     ▼    └── remember(record) at start
//!                   session(device): stored in the transaction of the verdict
//! ```
//!
//! Numbers are never floats: the digits that a sensor wrote go into [`record::Decimal`] as they stand. What is not a
//! number becomes a reading without a value and with its reason, never a zero. A frame that can be read in two ways
//! (a repeated JSON key, a truncated value) is refused whole, because evidence must be unambiguous.
//!
//! **Deliberately does not know:** sockets, brokers and radios (`mqtt`, `lorawan`), what is stored (`journal`), what a
//! limit is (`rules`). It reads no clock, randomness, environment, file or socket (S1).
//!
//! Invariants: **A3**: every arrival is exactly one of accepted, duplicate and rejected; **B1** by
//! [`PAYLOAD_BYTES_MAX`], [`READINGS_MAX`], [`DEVICES_MAX`], [`REDELIVERIES_MAX`] and [`EvidenceBudget`]; **R2**: rebuilt
//! from what is stored, an [`Ingest`] judges as if it had never stopped; **T1**: a device's own time is
//! kept apart from the box's, and one that cannot be read is left out and counted.
//!
//! Standards: RFC 8259 (JSON), RFC 6901 (JSON pointer), RFC 8428 (SenML), RFC 3339 (times), Cayenne Low Power
//! Payload 1.x (myDevices), UCUM (units).

mod arrival;
mod codec;
mod device;
mod evidence;
mod judge;
mod nearest;
mod redelivery;
mod session;
mod verdict;

pub use arrival::Arrival;
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
pub use evidence::EvidenceBudget;
pub use judge::Ingest;
pub use redelivery::REDELIVERIES_MAX;
pub use session::SessionError;
pub use verdict::{Ruling, Verdict};
