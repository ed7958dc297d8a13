//! What the shell must do.

use record::Seq;
use serde::{Deserialize, Serialize};

use crate::{AlarmKey, Episode, Message, Name};

/// An order to the shell. They are given in the order in which they must be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Store durably, in one transaction, before anything that follows.
    Store {
        /// Alarm records before this one are known.
        next: Seq,
        /// Episodes that changed; none where one is forgotten. At most [`EPISODES_MAX`](crate::EPISODES_MAX) are stored.
        rows: Vec<(AlarmKey, Option<Episode>)>,
    },
    /// Send this by this channel, then say [`Input::Answered`](crate::Input::Answered). At most one at a time a channel.
    Send {
        /// The channel.
        channel: Name,
        /// What.
        message: Box<Message>,
        /// How long it may take. ms.
        timeout_ms: u64,
    },
    /// Have this journaled, then say [`Input::Journaled`](crate::Input::Journaled). At most one at a time.
    Journal {
        /// What.
        evidence: Evidence,
        /// It may stand in the journal already: the answer was lost with a process.
        in_doubt: bool,
    },
}

/// What is kept as evidence of who was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The record that raised the alarm.
    pub alarm: Seq,
    /// The level.
    pub level: Name,
    /// What came of it.
    pub told: Told,
    /// The gateway was asked already, and the answer is not known.
    #[serde(default)]
    pub(crate) asked: bool,
}

/// What happened on the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The first message of this alarm got through, by this channel.
    Delivered(Name),
    /// Nobody acknowledged in time: this level is told as well.
    Escalated,
    /// The top was reached, and nobody at all: no channel has taken a message.
    Unreached,
}
