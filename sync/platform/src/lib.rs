//! The reference platform: it receives what boxes signed, verifies it, stores it, and answers with a signed receipt.
//!
//! ```text
//! PUT COSE bytes ─► id = hash? ─► enrolled key, signature ─► Batch ─► one transaction ─► COMMIT ─► receipt (COSE)
//!                        └────────────── refused: JSON {code, message, next}, counted ◄──┘
//! `weir platform order` ─► a signed command ─► goes with receipts until the box's record of it has come
//! POST an enrolment ─► does its code wait? ─► the box's key ─► the platform's key and certificate (COSE)
//! POST a change of a box's key ─► did a key that is known sign it? ─► the new key
//! GET a box's checkpoint ─► cosigned note; compare ─► same history as the other platform's note?
//! GET ─► coverage, readings, alarms, batches, receipts, counts
//! ```
//! **In:** HTTPS requests (`openapi.json`), `platform.toml`. **Out:** receipts, answers to readers, and a database that
//! a bureau's engineer can query (`store/schema.sql`).
//!
//! **Deliberately does not know:** how a box keeps, cuts and retries (`journal`, `delivery`), what a limit means
//! (`rules`), the bytes a sensor sent (they stay on the box; their hash travels).
//!
//! Invariants: **J1** a record that is stored never changes, and a box that shows another one, or a second history of
//! its tree, is refused and counted; proofs (RFC 9162) show how far its tree heads are one history. **D1** a receipt names
//! only what is committed with `synchronous=FULL`. **D2** the id is the hash of the bytes, so a repeated batch changes
//! nothing and gets the same receipt. **D3** a record that comes in two batches is stored once. **B1** connections, bodies,
//! uploads at once, queue, pages of answers and the file have bounds. **S1** SQL lives in `store` only.
//!
//! Standards: RFC 9052 (COSE), RFC 8032 (Ed25519), RFC 9110 (HTTP), RFC 8446 (TLS 1.3), RFC 6750 (bearer tokens),
//! RFC 8288 (`Link`), RFC 4180 (CSV), RFC 9162 (proofs), C2SP `tlog-cosignature`, OpenAPI 3.1.

mod accept;
mod box_keys;
mod command;
mod compare;
mod config;
mod enrolment;
pub mod export;
mod http;
mod owned_file;
mod rotation;
mod run;
mod state_dir;
pub mod store;
mod tls;

pub use box_keys::{BoxKeyError, revoke};
pub use command::{COMMAND_HOURS_MAX, COMMANDS_MAX, CommandError, Ordered, order, ordered};
pub use compare::{Comparison, compare};
pub use config::{Config, ConfigError, EnrolledBox, ReadToken, TlsFiles, layered};
pub use enrolment::{ENROLLED_MAX, EnrolmentError, INVITATION_HOURS_MAX, invite};
pub use owned_file::FileError;
pub use rotation::{RotationError, rotate};
pub use run::{Platform, Running, StartError, StopError};
pub use state_dir::StateDir;
pub use tls::TlsError;
