//! What is said.

use record::{AlarmState, Decimal, LimitSide, Quantity, Seq};
use serde::{Deserialize, Serialize};

use crate::{AlarmKey, Facts, Name, Person};

/// One message: an alarm, or a flood of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What is told: at most [`Message::PARTS_SHOWN_MAX`], the most urgent first.
    pub parts: Vec<Part>,
    /// How many are told in all.
    pub count: usize,
    /// Who is called on.
    pub people: Vec<Person>,
}

impl Message {
    /// Most alarms that one message has in words.
    pub const PARTS_SHOWN_MAX: usize = 10;
}

/// One alarm in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Which.
    #[serde(flatten)]
    pub key: AlarmKey,
    /// The record that raised it.
    pub alarm: Seq,
    /// What of it.
    pub word: Word,
    /// At which level of the ladder.
    pub level: Name,
    /// How often it was told there before, while nobody acknowledged.
    pub told_before: u32,
    /// The receiver may have it already: an answer was lost.
    pub may_be_repeated: bool,
    /// Where it stands.
    pub state: AlarmState,
    /// What was measured.
    pub quantity: Quantity,
    /// The newest value that decided.
    pub value: Option<Decimal>,
    /// The limit.
    pub limit: Decimal,
    /// Which side of it is bad.
    pub side: LimitSide,
    /// The rest.
    #[serde(flatten)]
    pub facts: Facts,
}

/// What is said of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It stands, or it stood and nobody has seen it.
    Alarm,
    /// The value is back: to whoever was told of it.
    Clear,
}
