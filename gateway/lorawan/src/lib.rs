//! The radio side: datagrams of LoRa gateways and the LoRaWAN frames in them.
//!
//! **In:** bytes from two sockets, `now` as monotonic milliseconds, keys and counters of a device.
//! **Out:** values ([`gwmp::Packet`], [`Uplink`]), verdicts ([`fcnt::Judged`]), and bytes to send.
//!
//! ```text
//! datagram ─► gwmp::Header ─► Gateways::admit ─► PUSH_ACK / PULL_ACK
//!                 └─► gwmp::Packet ─► Rxpk ─► Uplink ─► fcnt::judge ─► New { f_cnt }, decrypt
//!                                                                         │ the caller commits (A1)
//! datagram ◄── Gateways::send ◄── schedule::answer ◄── acknowledgement ◄──┘
//!     └─► TX_ACK ─► Gateways::acknowledged ─► Answer::retry (RX2)
//! ```
//!
//! **Deliberately does not know:** which devices exist, where counters are kept, what a payload means (`ingest`), what
//! time it is, or how often a frame was acknowledged already (the caller's budget: 8 times). Joins and MAC commands are
//! not served.
//!
//! Invariants: **A1** (an acknowledgement is built from nothing but keys, so only the caller's order of work can keep
//! it: commit first), **B1** ([`gwmp::RXPK_MAX`], [`gateways::GATEWAYS_MAX`], [`gateways::PENDING_MAX`]),
//! **S1** (pure). Beside them one of its own: no bit of an accepted frame is outside its MIC ([`Uplink`], canonical bytes).
//!
//! Standards: LoRaWAN 1.0.4 (TS001), RP002-1.0.4 (regional parameters), Semtech's packet forwarder protocol version 2,
//! Semtech AN1200.13 (airtime).

mod airtime;
mod crypt;
mod data_rate;
mod dev_addr;
mod downlink;
pub mod end_device;
mod eui64;
pub mod fcnt;
pub mod gateways;
pub mod gwmp;
mod hex_text;
mod key;
pub mod region;
pub mod schedule;
mod uplink;
#[cfg(test)]
mod vectors;

pub use airtime::airtime_us;
pub use data_rate::{Bandwidth, DataRate, DataRateError, LoraDataRate, SpreadingFactor};
pub use dev_addr::DevAddr;
pub use downlink::{ACKNOWLEDGEMENT_BYTES, acknowledgement};
pub use eui64::Eui64;
pub use gateways::Gateways;
pub use hex_text::HexTextError;
pub use key::{Key128, SessionKeys};
pub use region::Region;
pub use uplink::{PHY_BYTES_MAX, Uplink, UplinkError};
