//! Who is told first, who next, and how patiently.

use std::collections::BTreeSet;

use delivery::Backoff;
use record::Priority;
use serde::{Deserialize, Serialize};

use crate::{Name, QuietHours};

/// Most levels: a chief of village, town, county, city and province.
pub const LEVELS_MAX: usize = 5;
/// Most channels of one box, and of one level.
pub const CHANNELS_MAX: usize = 16;
/// Most people of one level.
const PEOPLE_MAX: usize = 20;

/// The ladder, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// The lowest first.
    pub levels: Vec<Level>,
    /// Where an alarm begins.
    pub start: Start,
    /// At the top it is told again after this long. ms.
    pub repeat_ms: u64,
    /// Most repetitions of one alarm in a day.
    pub repeats_a_day_max: u32,
    /// When low and medium ones wait.
    pub quiet: Option<QuietHours>,
    /// Most messages that one channel gets in a minute; what is more is gathered into one.
    pub messages_a_minute_max: u32,
    /// How long a channel may take to answer. ms.
    pub answer_timeout_ms: u64,
    /// Waiting after a failure.
    pub backoff: Backoff,
}

/// One level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// As people call it.
    pub name: Name,
    /// By which it is told.
    pub channels: Vec<Name>,
    /// Who answers for it.
    pub people: Vec<Person>,
    /// How long it has to acknowledge before the next one is told. ms.
    pub wait_ms: u64,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// As people call that one.
    pub name: String,
    /// The number that DingTalk knows, so that the robot can call on that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile: Option<String>,
    /// The user that WeCom knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userid: Option<String>,
}

/// At which level an alarm of each priority begins, from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start {
    /// Of low ones.
    pub low: usize,
    /// Of medium ones.
    pub medium: usize,
    /// Of high ones, and of those whose priority is not known.
    pub high: usize,
    /// Of critical ones.
    pub critical: usize,
}

/// Why a [`Ladder`] cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LadderError {
    /// None, or too many.
    #[error("{0} levels: write 1 to {LEVELS_MAX} [[level]]")]
    Levels(usize),
    /// None, or too many.
    #[error("level `{level}` has {count} channels: name 1 to {CHANNELS_MAX}")]
    Channels {
        /// The level.
        level: Name,
        /// How many.
        count: usize,
    },
    /// Too many.
    #[error("level `{0}` has more than {PEOPLE_MAX} people: name those who answer for it")]
    People(Name),
    /// Twice the same.
    #[error("`{0}` stands twice: give each level and channel its own name")]
    Twice(Name),
    /// An alarm would begin above the top.
    #[error("`{0}` alarms start at a level that is not there: name one of the levels")]
    Start(&'static str),
}

impl Ladder {
    /// Takes it if it can work.
    ///
    /// # Errors
    /// [`LadderError`] for the first fault.
    pub fn checked(self) -> Result<Ladder, LadderError> {
        let mut names = BTreeSet::new();
        if !(1..=LEVELS_MAX).contains(&self.levels.len()) {
            return Err(LadderError::Levels(self.levels.len()));
        }
        for level in &self.levels {
            let mut channels = BTreeSet::new();
            if !names.insert(&level.name) {
                return Err(LadderError::Twice(level.name.clone()));
            }
            if let Some(twice) = level.channels.iter().find(|channel| !channels.insert(*channel)) {
                return Err(LadderError::Twice((*twice).clone()));
            }
            if !(1..=CHANNELS_MAX).contains(&level.channels.len()) {
                return Err(LadderError::Channels { level: level.name.clone(), count: level.channels.len() });
            }
            if level.people.len() > PEOPLE_MAX {
                return Err(LadderError::People(level.name.clone()));
            }
        }
        let Start { low, medium, high, critical } = self.start;
        let starts = [("low", low), ("medium", medium), ("high", high), ("critical", critical)];
        match starts.into_iter().find(|(_, at)| *at >= self.levels.len()) {
            Some((priority, _)) => Err(LadderError::Start(priority)),
            None => Ok(self),
        }
    }

    /// Where an alarm begins. One of which nobody knows how urgent it is counts as high.
    pub(crate) fn start(&self, priority: Option<Priority>) -> usize {
        match priority {
            Some(Priority::Low) => self.start.low,
            Some(Priority::Medium) => self.start.medium,
            Some(Priority::High) | None => self.start.high,
            Some(Priority::Critical) => self.start.critical,
        }
    }

    pub(crate) fn top(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }

    /// How long an episode stays at this level.
    pub(crate) fn wait_ms(&self, level: usize) -> u64 {
        let below_top = self.levels.get(level).filter(|_| level < self.top());
        below_top.map_or(self.repeat_ms, |level| level.wait_ms).max(1)
    }
}
