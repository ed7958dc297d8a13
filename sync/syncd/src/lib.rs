//! The upload daemon: it carries the journal to every destination and proves what arrived.
//!
//! ```text
//! journal.db ─► Reader ─► delivery::Destination ─► batch (signed) ─► outbox.db ─► HTTPS PUT ─► platform
//!   (gatewayd writes)       one a destination                           ▲                         │
//!                                                 coverage, receipt ◄───┴── verified receipt ◄────┘
//! ```
//! **In:** `sync.toml` ([`SyncConfig`]), the journal and the box's key (both made by the gateway; [`run()`] waits for
//! them), answers of platforms, requests on the control socket. **Out:** signed batches, the outbox, log lines with
//! fields, and [`status`].
//!
//! A destination may have a [`Filter`]. What it withholds is neither covered nor missing: the batch that settles a number
//! without its record says so under the signature, and its receipt covers both, so that coverage stays a few ranges however
//! many devices take turns. By which filters a range was settled stands in the outbox; a filter that lets more through than
//! those has the range looked at again when the daemon starts, and only what the destination lacks goes. A narrower one
//! takes nothing back, and a batch once cut goes as it was cut (D2). Newest records that are all withheld are told later.
//!
//! **Deliberately does not know:** what leaves next and when to try again (`delivery` decides), what a record means,
//! the field. It never writes the journal.
//!
//! Invariants: **D1** coverage grows only in the transaction that stores a verified receipt. **D2** a batch is stored
//! before it is sent, and sent from there. **D4** a destination has its own task, connections and state; they share
//! only the file thread, which never waits for a network. **D6** nothing leaves that the filter withholds. **B1** the file thread's queue, requests under way (the
//! windows of `delivery`), answers read and destinations are bounded. **S1** no SQL here, no transaction over an await.
//!
//! New records are found by asking the journal's position every 100 ms: three lookups by primary key in a read
//! transaction of their own, which see a commit of the other process without its help; an alarm waits for it 50 ms on
//! average, 100 ms at most. When a link is back is heard from the kernel (rtnetlink), and everything that waits is tried.
//!
//! With a `notify.toml` people are told of alarms as well ([`notify`](::notify) decides whom, and when).
//!
//! Standards: RFC 9110 (HTTP semantics; `Retry-After` in seconds, §10.2.3), RFC 8446 (TLS 1.3), RFC 9052 §10.2 (media
//! type of COSE).

mod best_time;
mod clock;
mod config;
mod destination;
pub mod enrolment;
mod files;
mod filter;
mod link;
pub mod note;
mod notify;
mod run;
pub mod status;

pub use best_time::{BestTime, Known, read as known_time};
pub use config::{
    Backoff, BaseUrl, BatchLimits, Budget, ConfigError, DestinationConfig, Instead, Loaded, SyncConfig, Timeouts,
    Windows, Within, layered, layered_with, versions_in,
};
pub use destination::{Answer, Expected, Raw, TlsError, Transport, restore};
pub use files::{Cut, CutBatch, CutError, Files, Obeyed, Settled};
pub use filter::{Filter, Series};
pub use notify::{ChannelError, Channels, NotifyConfig, NotifyConfigError};
pub use run::{SyncError, run};
