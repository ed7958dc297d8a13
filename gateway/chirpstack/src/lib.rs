//! ChirpStack's integration events over MQTT, in both directions.
//!
//! **In:** the topic and JSON of an `up` event of a ChirpStack beside the box ([`Topic`], [`Up::parse`]); or an uplink
//! that this box verified itself ([`Uplink`]). **Out:** an [`Up`] with its radio metadata; or topic and JSON of the same
//! schema ([`Uplink::to_json`]), so that flows made for ChirpStack (Node-RED, Telegraf, ThingsBoard) work unchanged.
//!
//! What ChirpStack says cannot be verified here: the event has no PHYPayload, and so no MIC. Its provenance is weaker,
//! and [`record::Link::Chirpstack`] keeps it apart for ever.
//!
//! **Deliberately does not know:** which devices exist, what a payload means (`ingest`), sockets and sessions (`mqtt`).
//! It reads no clock, randomness, environment, file or socket (S1).
//!
//! Invariants: **B1** by [`EVENT_BYTES_MAX`], [`GATEWAYS_MAX`] and [`PAYLOAD_BYTES_MAX`]. **T1**: a time that a gateway
//! states is handed on with its source, never as the box's own.
//!
//! Standards: ChirpStack 4 `integration.UplinkEvent` in the JSON mapping of Protocol Buffers: fields that have their
//! type's default value are absent, 64-bit integers are strings, bytes are base64, times are RFC 3339.

mod emit;
mod topic;
mod up;

pub use emit::Uplink;
pub use topic::{Topic, TopicError};
pub use up::{GatewayTime, Up, UpError};

/// Longest event that is read, in bytes: 64 gateways at about 500 each, and a decoded object.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Most gateways of one event.
pub const GATEWAYS_MAX: usize = 64;

/// Longest application payload of LoRaWAN, in bytes (RP002-1.0.4, N without repeater).
pub const PAYLOAD_BYTES_MAX: usize = 242;
