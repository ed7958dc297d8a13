//! Telling people of alarms: the ladder of [`notify`] at work.
//!
//! ```text
//! journal.db ─► alarm records ─┐                                  ┌─► WeCom, DingTalk, JSON over HTTPS, MQTT
//! gateway.sock ─► priorities ──┼─► notify::Notifier ─► outbox.db ─┼─► a program of the box
//! link, calendar, time ────────┘        (stored before it leaves) ├─► ModemManager: SMS
//!                                                                  └─► gateway.sock: evidence, journaled there
//! ```
//! Its task shares the file thread with the destinations and nothing else; when the link is back it is woken before them.

mod board;
mod channel;
mod config;
mod exec;
mod journaled;
mod kinds;
mod modem;
mod mqtt;
mod sms;
mod steps;
mod subprocess;
mod task;

pub(crate) use board::View;
pub use board::{ChannelStatus, EpisodeStatus, NotifyStatus, ToldStatus};
pub use channel::{ChannelError, Channels};
pub use config::{NotifyConfig, NotifyConfigError};
pub(crate) use task::{Task, TestOrder};
