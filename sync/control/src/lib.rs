//! The control socket: how `weir` asks a daemon, and how a daemon answers.
//!
//! **In and out:** one JSON object a line over a Unix socket, a request `{"do":"status"}`, an answer
//! `{"ok":true,...}` or `{"ok":false,"error":"..."}`. Who may connect is the socket's mode: owner and group; the user of the page for
//! inspectors is told the status and obeyed in nothing.
//!
//! **Deliberately does not know:** which requests exist; the daemon's handler does.
//!
//! Invariant: **B1** (connections, line length and waiting are bounded here).

mod chain;
mod client;
mod onlooker;
mod server;

pub use chain::chain;
pub use client::{AskError, ask, ask_within};
pub use server::{ControlError, Uid, serve, serve_async};

/// Longest request or answer line.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Technicians at one box, with their screens.
const CONNECTIONS_MAX: usize = 16;
/// A client that says nothing for this long is let go.
const IDLE_SECONDS_MAX: u64 = 60;
/// How long the client waits for an answer that takes no work.
const ANSWER_SECONDS_MAX: u64 = 10;
