//! ChirpStack's integration events over MQTT, in both directions.
//!
//! **In:** the topic and JSON of an event of a ChirpStack beside the box ([`Template::read`], [`Event::parse`]); or an
//! uplink that this box verified itself ([`Uplink`]); or a command for a device of the ChirpStack ([`Down`]). **Out:** an
//! [`Up`] with its radio metadata, or [`News`]; or topic and JSON of the same schema ([`Uplink::to_json`]), so that flows
//! made for ChirpStack (Node-RED, Telegraf, ThingsBoard) work unchanged; or the JSON of `command/down`.
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
//! Standards: ChirpStack 4 `integration.UplinkEvent` and its kin in the JSON mapping of Protocol Buffers: fields that have their
//! type's default value are absent, 64-bit integers are strings, bytes are base64, times are RFC 3339.

mod down;
mod emit;
mod event;
mod template;
mod up;

use sha2::{Digest, Sha256};

pub use down::Down;
pub use emit::Uplink;
pub use event::{Event, EventError, News, Power};
pub use template::{Template, TemplateError, Topic};
pub use up::{DeduplicationId, GatewayTime, Payload, Up, UpError};

/// Longest event that is read, in bytes: 64 gateways at about 500 each, and a decoded object.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Most gateways of one event.
pub const GATEWAYS_MAX: usize = 64;

/// Longest application payload of LoRaWAN, in bytes (RP002-1.0.4, N without repeater).
pub const PAYLOAD_BYTES_MAX: usize = 242;

/// A UUID of version 8 (RFC 9562 §5.8), equal for equal bytes.
fn uuid(of: &[u8]) -> String {
    let digest = Sha256::digest(of);
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    let hex = hex::encode(id);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
