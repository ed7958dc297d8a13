//! From the bytes of a frame to a verdict: who sent it, is it new, what does it say.
//!
//! **In:** the texts of `devices.toml` and `keys.toml`, stored sessions; an [`Arrival`] with the stamp it came at. **Out:** a [`Verdict`]:
//! accepted with its [`Decoded`] readings, a duplicate, or rejected with its reason; and what to answer over the air.
//!
//! ```text
//! devices.toml, keys.toml ─► DeviceTable ─► Device { link, codec }
//!                                          │
//! Arrival, Stamp ─► Ingest::judge ─► Verdict { ruling, downlink, acknowledgement, session_changed, commands }
//!               ▲     │  │    ▲
//!               │     │  │    └── remember(record) at start
//!               │     │  └──────► session(device): stored in the transaction of the verdict
//!               │     ▼
//!               └── Undecoded: authentic and new; Codec::decode runs beside the thread that judges
//! ```
//!
//! **Judging decodes nothing.** A frame that needs its codec comes back [`Undecoded`] with nothing changed, and is judged
//! from the beginning once it is decoded: what is stored by then decides whether it is new, so that it does not matter
//! how long its codec took, or whether a restart came in between.
//!
//! Numbers are never floats: the digits that a sensor wrote go into [`record::Decimal`] as they stand, and a binary float
//! as the shortest decimal text that means it. What is not a number becomes a reading without a value, with its text as
//! a [`Warning`], never a zero. A frame that can be read in two ways (a repeated key, a truncated value) is refused
//! whole, because evidence must be unambiguous.
//!
//! **Deliberately does not know:** sockets, brokers and radios (`mqtt`, `lorawan`), what is stored (`journal`), what a
//! limit is (`rules`). It reads no clock, randomness, environment, file or socket (S1).
//!
//! Invariants: **A3**: every arrival is exactly one of accepted, duplicate and rejected; **B1** by
//! [`PAYLOAD_BYTES_MAX`], [`READINGS_MAX`], [`DEVICES_MAX`], [`REDELIVERIES_MAX`] and [`EvidenceBudget`]; **R2**: rebuilt
//! from what is stored, an [`Ingest`] judges as if it had never stopped; **T1**: a device's own time is
//! kept apart from the box's, and one that cannot be read is left out and counted.
//!
//! Standards: RFC 8259 (JSON), RFC 8949 (CBOR), RFC 6901 (JSON pointer), RFC 8428 (SenML), RFC 4180 (CSV), RFC 3339
//! (times), IEEE 754 (binary floats), Cayenne Low Power Payload 1.x (myDevices), UCUM (units).

mod arrival;
mod codec;
mod command;
mod content;
mod device;
mod evidence;
pub mod invariant;
mod judge;
mod nearest;
mod network;
mod redelivery;
mod session;
mod strangers;
mod undecoded;
mod verdict;

pub use arrival::{Arrival, EventFault, LoraArrival};
pub use codec::binary::{Binary, BinaryError, BinaryField, Condition, Endian, NumberType};
pub use codec::cayenne_lpp::{CayenneLpp, Channel, LppError};
pub use codec::cbor::CborError;
pub use codec::config_error::CodecError;
pub use codec::csv::{Column, Csv, CsvColumn, CsvError, CsvTime};
pub use codec::device_time::{DeviceTime, TimeFormat};
pub use codec::f_ports::{FPortError, FPorts};
pub use codec::javascript::{CODEC_FAILURES_MAX, Javascript, JavascriptError, Scripts};
pub use codec::json_text::JsonError;
pub use codec::mapping::{Field, Mapping, MappingError};
pub use codec::plain::{NotTextError, Plain};
pub use codec::pointer::{Pointer, PointerError};
pub use codec::senml::{Senml, SenmlError};
pub use codec::tlv::{Tlv, TlvEntry, TlvError};
pub use codec::{Codec, DecodeError, Decoded, PAYLOAD_BYTES_MAX, READINGS_MAX, Warning};
pub use command::{COMMAND_ATTEMPTS_MAX, Command, CommandStep};
pub use content::{Content, ContentError, SealError, Sealed};
pub use device::chirpstack::{ChirpstackDevice, ChirpstackPayload};
pub use device::integration::{Integration, IntegrationKind};
pub use device::keys::{KeysError, MissingKey, UnusedKeys};
pub use device::lorawan::{Activation, Class, LorawanDevice, LorawanDeviceError};
pub use device::mqtt::{MqttDevice, MqttDeviceError};
pub use device::password::{Password, PasswordError};
pub use device::sampling::{PeriodError, Sampling, SamplingError};
pub use device::seal::{Ed25519Key, MacKey, SealKey, SealKeyError, SealPolicy};
pub use device::serial::SerialDevice;
pub use device::table::{
    DEV_ADDR_DEVICES_MAX, DEVICES_MAX, DeviceTable, DeviceTableError, DevicesError, Finding, SELF_TEST,
};
pub use device::topic::TopicError;
pub use device::{Device, DeviceLink};
pub use evidence::EvidenceBudget;
pub use judge::{CounterError, FlushError, Ingest, LinkQuality, Push, RedecodeError, Reopened};
pub use nearest::nearest;
pub use network::Network;
pub use redelivery::REDELIVERIES_MAX;
pub use session::SessionError;
pub use session::transfer::{COUNTER_JUMP, TransferError, export_sessions, import_sessions};
pub use strangers::{STRANGERS_MAX, Stranger, StrangerId};
pub use undecoded::{DecodedPayload, Payload, Undecoded};
pub use verdict::{Downlink, Judgement, Remark, Ruling, Verdict};
