//! Per destination: what to cut, what to send, when to try again. One [`Destination`] is one far end.
//!
//! ```text
//! journal grew ──► Journaled ─┐                        ┌─► Cut     ─► shell reads, signs, stores ─► Input::Cut
//! records lost ──► Gone       │                        │
//! batch stored ──► Cut        │                        ├─► Send    ─► shell sends   ─► Acked | Refused | Failed
//! answers      ──► Acked …    ├─► Destination::handle ─┼─► Hedge   ─► shell sends beside the try under way
//! link is back ──► LinkUp     │   (coverage, lanes,    ├─► Advance ─► shell stores the receipt
//! a technician ──► Retry      │    window, backoff)    ├─► Split   ─► shell drops the refused bytes
//! a filter     ──► Reopened   │                        │
//! another day  ──► Calendar   │                        ├─► Note    ─► shell stores what was carried
//! time         ──► Tick      ─┘                        └─► Park    ─► shell puts the batch aside
//! ```
//! **In:** [`Input`]s with the monotonic time at which they happened. **Out:** [`Action`]s, in the order in which the
//! shell must do them, and the next moment at which a [`Input::Tick`] is due.
//!
//! **Deliberately does not know:** what a record or a batch contains, how it is signed, the transport, the other
//! destinations (**D4** holds by construction: they share nothing). It reads no clock, randomness, environment, file
//! or socket; the jitter of its backoff comes from a seed.
//!
//! Invariants, defined once in [`invariant`]:
//! - **D1** coverage never claims an unacknowledged record: it grows only by an answer that holds the whole batch.
//! - **D2** the same batch id always has the same bytes: a batch once cut is sent under its id until it is answered,
//!   also after a restart, and its records are in no second batch unless it was refused, or the link cannot carry it
//!   ([`invariant::d2_may_divide`]); then they come in halves.
//! - **D3** once faults heal, every record reaches the destination exactly once in effect, or stands parked or gone. What its
//!   filter withholds is settled by the batch that tells so; the core knows no difference.
//! - **D5** an alarm overtakes everything: while one can leave, nothing else is sent; the backlog keeps its share of
//!   what is cut after the alarms.
//! - **D6** nothing arrives that the destination's filters withheld: the shell's to keep.
//! - **B1** every queue here has a named bound: [`ALARMS_MAX`], [`RANGES_MAX`], and windows and
//!   [`Config::parked_max`] of [`Config`].
//!
//! One batch of backlog is cut ahead of its place in the window, while another one is under way.
//!
//! Words: *live* is a record among the newest [`Config::live_window`]; *backlog* is an older one; both only until
//! they are in a batch. A batch is *outstanding* from its cut to its answer.
//!
//! How large a batch is: about what the link carries in half of the time for which it usually holds, ten seconds at most,
//! measured on the batches themselves; never below [`BATCH_BYTES_MIN`] nor above [`Config::bytes_max`].
//!
//! A metered link has a [`Budget`] for the day and the month. As it gets short the backlog no longer leaves, then live
//! records; alarms always do, and a tenth is kept back for them. What was carried is counted as if each exchange had made
//! a connection of its own, before it begins.
//!
//! Method of the backoff: full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

mod action;
mod backoff;
mod budget;
mod config;
mod counters;
mod destination;
mod input;
pub mod invariant;
mod outstanding;
mod pace;
mod round_trip;
mod unclaimed;

pub use action::Action;
pub use backoff::Jitter;
pub use budget::{Budget, Date, Usage};
pub use config::{Backoff, Config};
pub use counters::Counters;
pub use destination::{ALARMS_MAX, BEYOND_WINDOW_MAX, Destination, Restored, Standing};
pub use input::{Input, Transient};
pub use outstanding::RestoredBatch;
pub use pace::BATCH_BYTES_MIN;
pub use unclaimed::RANGES_MAX;

#[cfg(test)]
mod tests;
