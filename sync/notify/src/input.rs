//! What happened.

use std::collections::BTreeSet;

use record::{AlarmTransition, Seq};

use crate::{AlarmKey, Facts, Name};

/// Something that the core must hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// An alarm made a step, as the journal has it. In the order of the journal; one that was told before changes nothing.
    /// Nothing is ordered before [`Input::Read`]: what is over again by the end of it is not told.
    Alarm {
        /// The record.
        seq: Seq,
        /// What it says.
        step: AlarmTransition,
        /// What a message needs beside it.
        facts: Box<Facts>,
    },
    /// The newest step was told: alarm records before this one are known.
    Read {
        /// It.
        next: Seq,
    },
    /// All alarms that stand by the gateway's word, when it had journaled everything before `end`: what is none of them and
    /// is told to stand was withdrawn with its rule.
    Standing {
        /// Where the journal ended before it was asked.
        end: Seq,
        /// Them.
        alarms: BTreeSet<AlarmKey>,
    },
    /// All alarms that somebody has set aside by the gateway's word: nobody is told that they stand, as long as they are.
    Shelved {
        /// Them.
        alarms: BTreeSet<AlarmKey>,
    },
    /// A channel answered, or did not.
    Answered {
        /// The channel.
        channel: Name,
        /// How.
        outcome: Outcome,
    },
    /// The gateway has journaled what it was asked to, or has not.
    Journaled {
        /// Whether.
        is_journaled: bool,
    },
    /// The link is back: what waits is tried now, the oldest first.
    LinkUp,
    /// What time of the day it is where the box stands; none while nobody knows: then no hour is quiet.
    Calendar {
        /// It.
        at: Option<Local>,
    },
    /// Time has passed.
    Tick,
}

/// A day and a minute by the clock of the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Since 1970-01-01.
    pub day: i64,
    /// Since midnight.
    pub minute: u16,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The channel has it, by its own word.
    Delivered,
    /// The channel does not have it.
    Failed {
        /// Why.
        why: String,
    },
    /// It left, and no answer came: the channel may have it.
    InDoubt {
        /// Why.
        why: String,
    },
}
