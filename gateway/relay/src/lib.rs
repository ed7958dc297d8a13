//! What an alarm switches on the box itself: samplers that fill a bottle (留样), lights and sirens. All of it works offline.
//!
//! ```text
//! alarm raised, order ─► Samplers::take ─► Act::Sampled { started, or why not } ─► journal ─► Samplers::apply
//!                                                                                     │
//!                              ┌──────────────────────── Samplers::pulse ◄────────────┘ only what is durable
//!                              ▼
//! alarms that stand ──► Lines::handle ─► Action::Set ─► shell: the line ─► Input::Set ─► Lines::handle
//! time, stop ─────────►        │
//!                              └─► Action::Report ─► Samplers::done ─► Act::Sampled { taken, failed, uncertain } ─► journal
//! start ─► Samplers::outstanding ─► Act::Sampled { uncertain } of what a crash cut short ─► journal
//! ```
//! **In:** what the alarms and people ask for, which lines can be switched, time. **Out:** acts to be journaled, and
//! commands for lines. [`Samplers`] decides and is a fold over the journaled acts; [`Lines`] has the timers.
//!
//! Interlocks, in the order in which they are asked ([`Samplers::take`]): the line can be switched; the alarm is not set
//! aside; one bottle at a time; the cool-down since the last one is over; a bottle is left. A sampler is on for one pulse of
//! its configured time, at most [`ON_MS_MAX`]. A bottle counts as used from the moment that its record is durable, before
//! the line is switched: after a crash nobody takes another one for the same alarm, and the record says that it is
//! uncertain. Every line is off at the start before anything else, at the end, and between.
//!
//! **There is no command that moves water.** A relay has a [`Purpose`], and a gate, a valve or a pump is none: no
//! configuration, rule, person or platform can have this box close a storm-water outlet.
//!
//! **Deliberately does not know:** chips and lines of GPIO, threads, who is told. It reads no clock, randomness, environment,
//! file or socket.
//!
//! Bounds (B1): [`RELAYS_MAX`], [`ON_MS_MAX`], [`COOL_DOWN_S_MAX`], [`BOTTLES_MAX`], [`KNOWN_MAX`].
//!
//! Standards: ISA-18.2 (which alarms a signal is for), HJ 353-2019 (samples are retained when a limit is exceeded).

mod lines;
mod purpose;
mod samplers;
mod signal;

pub use lines::{Action, Done, Input, LATE_MS, Lines, RETRY_MS, Wired};
pub use purpose::{Purpose, PurposeError};
pub use samplers::{
    Asked, BOTTLES_MAX, COOL_DOWN_S_MAX, KNOWN_MAX, ON_MS_MAX, ON_MS_MIN, Pulse, Sampler, Samplers, View,
};
pub use signal::{BLINK_MS_MAX, BLINK_MS_MIN, Blink, Lit, Signal};

/// Most relays of a box: two boards of eight.
pub const RELAYS_MAX: usize = 16;
