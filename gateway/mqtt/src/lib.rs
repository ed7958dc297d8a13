//! The MQTT edge: sessions, access control, acknowledgement after commit.
//!
//! **In:** bytes of devices over TCP or TLS (MQTT 3.1.1 and MQTT 5 on one port); outcomes of the committer; commands
//! and messages for devices; the sessions of before. **Out:** [`Submission`]s into a bounded queue; acknowledgements;
//! [`SessionChange`]s to be made durable; [`Event`]s of commands.
//!
//! ```text
//! socket ─► framing ─► first byte ─► rumqttd's codec ─► own topics only ─► Submission ─► queue ─► committer
//!    ▲                                                                                              │ COMMIT
//!    ├── PUBACK / PUBREC ◄── Settled ◄── Reply::settle(Stored) ◄───────────────────────────────────┘
//!    ├── PUBLISH ◄── Edge::send, a command; its PUBACK ─► Event::Delivered
//!    └── PUBLISH ◄── rumqttd's router ◄── copy at QoS 0, or Edge::publish
//! ```
//!
//! **Deliberately does not know:** what a payload means (`ingest`), how it is stored (`journal`), where devices and
//! their secrets are configured ([`Directory`]), what a transaction is, which commands are pending (their owner sends
//! them again at [`Event::Listening`]). It keeps no publish once that is acknowledged, and no retained message. Of a
//! session it keeps subscriptions and expiry, durable; unreleased QoS 2 identifiers and commands in flight, as long as
//! the process lives. A will becomes a frame of its device.
//!
//! Invariants: **A1** PUBACK and PUBREC leave only after [`Outcome::Stored`] or [`Outcome::Duplicate`]; **A2** a
//! publish that failed, or whose [`Reply`] was dropped, is never acknowledged; **A3** received = submitted + shed +
//! refused, by device ([`DeviceCounters`]); **B1** every queue has a bound
//! in [`Limits`], in frames and in bytes.
//!
//! rumqttd supplies the parser and the router; its listener, sessions and QoS handshakes are not used, because they
//! acknowledge from memory and can be stopped by one client.
//!
//! Standards: MQTT 3.1.1 (OASIS, 2014), MQTT 5.0 (OASIS, 2019).

mod answer;
mod change;
mod close;
mod command;
mod connection;
mod counters;
mod directory;
mod edge;
mod error;
mod filter;
mod handshake;
mod kept;
mod limits;
mod listener;
mod pace;
mod packet;
mod router;
mod session;
mod session_state;
mod sessions;
mod strangers;
mod submission;
mod tls;
mod verify;
mod will;
mod wire;

pub use change::{SessionChange, SessionReply, StoredSession};
pub use command::{COMMAND_BYTES_MAX, Command, CommandId, Event, Handed};
pub use counters::{CountersSnapshot, DeviceCounters};
pub use directory::{CostlyProof, Credentials, Device, Directory, Proof, Refusal};
pub use edge::{Edge, EdgeParts};
pub use error::EdgeError;
pub use filter::Filter;
pub use limits::{CONNECTIONS_CEILING, Limits};
pub use listener::Listener;
pub use router::Routed;
pub use session_state::SESSION_BYTES_MAX;
pub use strangers::{STRANGERS_MAX, Stranger, StrangerName, Unknown};
pub use submission::{Outcome, Reply, Submission};
pub use tls::{Tls, TlsError, TlsFiles};
