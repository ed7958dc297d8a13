//! The read-only page of a box: what whoever stands at the outfall may see, on a phone, without any other network.
//!
//! ```text
//! journal.db ──read-only──► watch (a thread) ──► tally, alarms, register ─┐
//! gateway.sock, sync.sock ──"status"──► daemons ──────────────────────────┼─► Known ──► pages ──► HTTP (GET, HEAD)
//! outbox.db, sync.toml ──read-only──► receipts (verified here) ───────────┘
//! ```
//! **In:** the journal and the outbox, opened read-only; what the two daemons say of themselves; `page.toml`. **Out:** HTML with
//! inline SVG, without scripts, cookies or anything from elsewhere; nothing is written, and nothing is ordered of a daemon.
//!
//! **Deliberately does not know:** how anything is judged or delivered; who reads (there is no login: what is shown is what the
//! public may have, [`record::Dossier::public`]); names, numbers and reasons of people that the sign at the outfall does not show.
//!
//! Pure: [`tally`], [`alarms`], [`pages`] and what they are made of; they take `now`. Invariants: **B1** ([`pages::PAGE_BYTES_MAX`],
//! [`tally::SERIES_MAX`], connections, requests and the time of each), **T1** (a reading whose time nobody knew is in no chart).
//!
//! Standards: RFC 9110 (HTTP), W3C Content Security Policy 3, WCAG 2.2 AA.

pub mod alarms;
mod chart;
mod config;
mod daemons;
mod html;
mod http;
mod known;
mod lang;
pub mod pages;
mod probe;
pub mod receipts;
mod run;
pub mod tally;
mod watch;
pub mod wording;

pub use config::{Config, ConfigError, layered};
pub use known::{Known, Progress, Told};
pub use lang::Lang;
pub use probe::answers;
pub use run::{PageError, run};
