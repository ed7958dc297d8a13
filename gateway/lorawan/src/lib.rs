//! The radio side: datagrams of LoRa gateways and the LoRaWAN frames in them.
//!
//! **In:** bytes from two sockets, `now` as monotonic milliseconds, keys, counters and state of a device.
//! **Out:** values ([`gwmp::Packet`], [`Uplink`], [`JoinRequest`]), verdicts ([`fcnt::Judged`], [`DevNonceError`]), the
//! next counters and state, and bytes to send.
//!
//! ```text
//! datagram ─► gwmp::Header ─► Gateways::admit ─► PUSH_ACK / PULL_ACK
//!                 └─► gwmp::Packet ─► Rxpk ─► Dedupe ─┬─► Uplink ─► fcnt::judge ─► New { f_cnt }, decrypt
//!                                                     │               └─► mac::parse ─► MacState::heard, mac::answer ─┐
//!                                                     └─► JoinRequest::verify ─► DevNonces::take ─► accept ───────────┤
//!                                                                         │ the caller commits (A1)                   │
//! datagram ◄── Gateways::send ◄── schedule ◄── DataDown::seal, Accept ◄───┴───────────────────────────────────────────┘
//!     └─► TX_ACK ─► Gateways::acknowledged ─► the next way of the plan
//! ```
//!
//! **Deliberately does not know:** which devices exist, where keys, counters and state are kept (they have a stored form
//! here, CBOR), what a payload means (`ingest`), what time it is and whether the clock is trusted, or how often a frame
//! was acknowledged already (the caller's budget: 8 times). Rejoin-requests ([`RejoinType`]), class B and relays are not
//! served.
//!
//! Invariants: **A1** (a downlink is built from nothing but keys and counters, so only the caller's order of work can
//! keep it: commit first; what must be durable before a frame leaves is said at [`DataDown`], [`DownCounters`],
//! [`Accept`] and [`JoinNonce`]), **B1** ([`gwmp::RXPK_MAX`], [`gateways::GATEWAYS_MAX`], [`gateways::PENDING_MAX`],
//! [`dedupe::WAITING_MAX`], [`ledger::ENTRIES_MAX`], [`DEV_NONCES_BYTES_MAX`], [`mac::REQUEST_ATTEMPTS_MAX`],
//! [`adr::ADR_UPLINKS`]), **S1** (pure), **T1** (a device is told the time only if the caller gives one, see
//! [`mac::AnswerContext`] and [`clock_sync::answer`]). Beside them three of its own: no gateway sends two downlinks at
//! once, or more than the law allows ([`Gateways::send`], [`ledger::Ledger`]); no bit of an accepted frame or join is
//! outside its MIC ([`Uplink`], canonical bytes); no key is ever printed ([`Key128`]).
//!
//! Standards: LoRaWAN 1.0.2 to 1.0.4 and 1.1 (TS001; clauses of 1.0.4 unless said otherwise), RP002-1.0.4 (regional
//! parameters), TS002 (DevAddr by NetID), TS003-1.0.0 (clock synchronisation), Semtech's packet forwarder protocol
//! version 2, Semtech AN1200.13 (airtime), ETSI EN 300 220 (duty cycle).

pub mod adr;
mod airtime;
pub mod clock_sync;
mod crypt;
mod data_rate;
pub mod dedupe;
mod dev_addr;
mod dev_eui;
mod dev_nonce;
mod down_counters;
mod downlink;
pub mod end_device;
mod eui64;
pub mod fcnt;
pub mod gateways;
pub mod gwmp;
mod hex_text;
mod join;
mod join_eui;
mod join_nonce;
mod key;
pub mod ledger;
pub mod mac;
mod mac_version;
mod mic_context;
mod net_id;
pub mod region;
mod root_keys;
pub mod schedule;
mod session_keys;
mod uplink;
#[cfg(test)]
mod vectors;

pub use airtime::airtime_us;
pub use data_rate::{Bandwidth, DataRate, DataRateError, LoraDataRate, SpreadingFactor};
pub use dedupe::{CounterRun, Dedupe, Heard, Reception};
pub use dev_addr::DevAddr;
pub use dev_eui::DevEui;
pub use dev_nonce::{DEV_NONCES_BYTES_MAX, DevNonceError, DevNonces};
pub use down_counters::DownCounters;
pub use downlink::{DOWNLINK_BYTES_MIN, DataDown, DataDownError, F_OPTS_BYTES_MAX};
pub use eui64::Eui64;
pub use gateways::Gateways;
pub use hex_text::HexTextError;
pub use join::{Accept, CfList, ChannelBlock, ChannelBlockError, JoinAccept, JoinError, JoinRequest, RejoinType};
pub use join_eui::JoinEui;
pub use join_nonce::JoinNonce;
pub use key::Key128;
pub use mac_version::MacVersion;
pub use mic_context::{MicContext, tx_ch, tx_dr};
pub use net_id::NetId;
pub use region::{Region, RxSettings};
pub use root_keys::RootKeys;
pub use session_keys::{SessionKeys, SessionKeys11};
pub use uplink::{PHY_BYTES_MAX, Uplink, UplinkError};
