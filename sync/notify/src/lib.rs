//! Who is told of an alarm, in which order, until somebody has seen it: the ladder village, town, city (村→镇→市).
//!
//! ```text
//! alarm journaled ──► Alarm ─────┐                       ┌─► Store   ─► shell stores the rows, then goes on
//! channel answered ─► Answered   │                       │
//! evidence stored ──► Journaled  ├─► Notifier::handle ───┼─► Send    ─► shell sends, in the form of the channel
//! gateway's view ───► Standing   │   (levels, waits,     │
//! link is back ─────► LinkUp     │    rounds, backoff)   └─► Journal ─► the gateway journals who was told
//! day and minute ───► Calendar   │
//! time ─────────────► Tick ──────┘
//! ```
//! **In:** [`Input`]s with the monotonic time at which they happened. **Out:** [`Action`]s, in the order in which the shell
//! must do them, and the next moment at which an [`Input::Tick`] is due. [`text`] words a message, [`webhook`] gives it the
//! form of a robot.
//!
//! Words: an *episode* is one alarm from the step that raised it until it is back to normal and somebody has seen it. A
//! *level* of the ladder has channels; a *notice* is what one channel was told of one episode and is still to be told. A
//! notice's *round* counts how often it is to be told while nobody acknowledges.
//!
//! An episode begins at the level of its priority. Each level has its wait, counted from the first message that got through
//! or, while none does, from the beginning of the level; then the next level is told too. At the top its channels are told
//! again and again, a bounded number of times a day. An acknowledgement ends all that. When the value is back, each channel
//! that was told of it is told so, once.
//!
//! **Deliberately does not know:** what made the alarm, the network, secrets, the journal. It reads no clock, randomness,
//! environment, file or socket; the jitter of its backoff comes from a seed.
//!
//! Invariants, defined once in [`invariant`]:
//! - **N1** nobody is forgotten: once channels answer, each alarm that nobody has seen was told to every level it reached,
//!   and each channel that was told of an alarm was told its end.
//! - **N2** each step is told once for each confirmed delivery: it is stored that a message leaves before it does, so what
//!   may have been told before a crash is said to be a possible repetition.
//! - **N3** after an acknowledgement no level is told any more that the alarm stands.
//! - **B1** everything here has a bound:
//!
//! | what | at most |
//! |---|---|
//! | levels | [`LEVELS_MAX`] |
//! | channels, of the box, of a level, and of what one alarm remembers | [`CHANNELS_MAX`] |
//! | alarms at once; further ones are counted and shown | [`EPISODES_MAX`] |
//! | alarms remembered after their end | [`CLOSED_MAX`] |
//! | messages on their way | one a channel |
//! | messages of a channel in a minute | [`Ladder::messages_a_minute_max`] |
//! | alarms in one message, and of them in words | [`GATHERED_MAX`], [`Message::PARTS_SHOWN_MAX`] |
//! | repetitions of an alarm in a day | [`Ladder::repeats_a_day_max`] |
//! | bytes of a text | [`text::TEXT_BYTES_MAX`] |
//!
//! Standards: ISA-18.2 §5 (states of an alarm); RFC 2104 (HMAC).

mod action;
mod episode;
mod input;
pub mod invariant;
mod ladder;
mod line;
mod message;
pub mod mqtt;
mod name;
mod notifier;
mod quiet;
pub mod sms;
pub mod text;
pub mod webhook;

pub use action::{Action, Evidence, Told};
pub use episode::{AlarmKey, Episode, Facts, Notice, Said};
pub use input::{Input, Local, Outcome};
pub use ladder::{CHANNELS_MAX, LEVELS_MAX, Ladder, LadderError, Level, Person, Start};
pub use line::GATHERED_MAX;
pub use message::{Message, Part, Word};
pub use name::{Name, NameError};
pub use notifier::{CLOSED_MAX, EPISODES_MAX, Notifier, Restored};
pub use quiet::{QuietHours, QuietHoursError};

#[cfg(test)]
mod tests;
