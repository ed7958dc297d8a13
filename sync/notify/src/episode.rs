//! One alarm on its way up the ladder, as it is stored.

use record::{
    AlarmState, AlarmTransition, ClockQuality, Decimal, Grounds, LimitSide, MonoMs, Priority, Quantity, RuleId, Seq,
    SourceId, UnixMs,
};
use serde::{Deserialize, Serialize};

use crate::message::{Part, Word};
use crate::{Evidence, Name};

/// Which alarm: a rule has one of each device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlarmKey {
    /// The rule.
    pub rule: RuleId,
    /// The device.
    pub source: SourceId,
}

/// What a message says beside the step itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Code and name of the outfall at which the device stands.
    #[serde(default)]
    pub outfall: Option<(String, String)>,
    /// What value and limit are of, where that is not a single reading that only warns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounds: Option<Grounds>,
    /// In what the value was measured.
    #[serde(default)]
    pub unit: Option<String>,
    /// When it was raised, by the box's clock.
    pub since_ms: UnixMs,
    /// What that clock was worth.
    pub clock: ClockQuality,
    /// How urgent; none where the gateway does not say.
    #[serde(default)]
    pub priority: Option<Priority>,
}

/// An alarm until it is over, with who was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Which.
    #[serde(flatten)]
    pub key: AlarmKey,
    /// The record that raised it.
    pub alarm: Seq,
    /// The newest record of it.
    pub newest: Seq,
    /// What was measured.
    pub quantity: Quantity,
    /// The limit.
    pub limit: Decimal,
    /// Which side of it is bad.
    pub side: LimitSide,
    /// The newest value that decided.
    pub value: Option<Decimal>,
    /// The rest of a message.
    pub facts: Facts,
    /// Whether the value is beyond the limit.
    pub is_active: bool,
    /// Whether somebody has seen it.
    pub is_seen: bool,
    /// Whether somebody has set it aside for a while.
    #[serde(default)]
    pub is_shelved: bool,
    /// The level that it has reached, from 0.
    pub level: usize,
    /// When the wait of that level began; in the boot in which it was stored.
    pub(crate) began: MonoMs,
    /// Whether a message of that wait got through.
    pub(crate) is_reached: bool,
    /// Whether any message got through.
    pub(crate) is_told: bool,
    /// Whether it was noted that nobody was reached.
    pub(crate) is_lonely: bool,
    /// The day and how often it was repeated in it.
    pub(crate) repeated: (i64, u32),
    /// By channel.
    pub notices: Vec<Notice>,
    /// What is to be journaled.
    pub(crate) evidence: Vec<Evidence>,
}

/// What one channel was told of an episode, and is still to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The channel.
    pub channel: Name,
    /// The highest level for which it is told.
    pub level: usize,
    /// Which message of the alarm is the newest that it is to get; 0: none, it only hears the end of an earlier one.
    pub round: u32,
    /// Which one was the first of this alarm; 0: it is not told of this one.
    #[serde(default)]
    pub(crate) first: u32,
    /// What it was told last.
    #[serde(default)]
    pub said: Option<Said>,
    /// What is on its way.
    #[serde(default)]
    pub(crate) sending: Option<Said>,
    /// What it may have been told since: the answer was lost. That the alarm stands, if any such message said so.
    #[serde(default)]
    pub doubt: Option<Said>,
    /// Messages that it has taken.
    #[serde(default)]
    pub delivered: u32,
}

/// What a channel was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Of the alarm that this record raised.
    pub alarm: Seq,
    /// In which sense.
    pub word: Word,
    /// Which time.
    pub round: u32,
    /// That the value is back.
    pub is_back: bool,
}

impl Notice {
    pub(crate) fn new(channel: Name, level: usize) -> Notice {
        Notice { channel, level, round: 1, first: 1, said: None, sending: None, doubt: None, delivered: 0 }
    }

    /// The same for the next alarm: who believes that the one before stands.
    pub(crate) fn of_next_alarm(&self) -> Option<Notice> {
        let is_concerned = self.may_stand() || self.sending.is_some();
        let round = self.said.map_or(0, |said| said.round);
        is_concerned.then(|| Notice { round, first: 0, ..self.clone() })
    }

    /// Whether it was, or may have been, told that the alarm stands, and for sure nothing since.
    pub fn may_stand(&self) -> bool {
        self.said.into_iter().chain(self.doubt).any(|said| !said.is_back)
    }

    /// The answer to what is on its way is lost.
    pub(crate) fn lose_answer(&mut self) {
        self.doubt = self.sending.take().filter(|_| self.doubt.is_none_or(|doubt| doubt.is_back)).or(self.doubt);
    }
}

impl Episode {
    /// A new one, at this level.
    pub(crate) fn raised(seq: Seq, step: &AlarmTransition, facts: Facts, level: usize, now: MonoMs) -> Episode {
        Episode {
            key: AlarmKey { rule: step.rule.clone(), source: step.source.clone() },
            alarm: seq,
            newest: seq,
            quantity: step.quantity.clone(),
            limit: step.limit,
            side: step.side,
            value: step.value,
            facts,
            is_active: true,
            is_seen: false,
            is_shelved: false,
            level,
            began: now,
            is_reached: false,
            is_told: false,
            is_lonely: false,
            repeated: (0, 0),
            notices: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// Where it stands.
    pub fn state(&self) -> AlarmState {
        match (self.is_active, self.is_seen) {
            (true, false) => AlarmState::Unacknowledged,
            (true, true) => AlarmState::Acknowledged,
            (false, false) => AlarmState::ReturnedUnacknowledged,
            (false, true) => AlarmState::Normal,
        }
    }

    /// What this notice is still to be told. Who may have been told that it stands hears of its end as well.
    pub fn wanted(&self, notice: &Notice) -> Option<Word> {
        let is_again = |said: Said| self.is_active && said.is_back && notice.first > 0;
        let is_news = notice.round > notice.said.map_or(0, |said| said.round) || notice.said.is_some_and(is_again);
        if !self.is_seen && !self.is_shelved && is_news {
            Some(Word::Alarm)
        } else if !self.is_active && notice.may_stand() {
            Some(Word::Clear)
        } else {
            None
        }
    }

    /// Whether nothing more is to be done for it.
    pub fn is_over(&self) -> bool {
        let is_idle = |notice: &Notice| notice.sending.is_none() && self.wanted(notice).is_none();
        self.is_seen && !self.is_active && self.evidence.is_empty() && self.notices.iter().all(is_idle)
    }

    /// Whether it climbs no further now.
    pub(crate) fn rests(&self, is_quiet: bool) -> bool {
        self.is_seen || self.is_shelved || (is_quiet && self.can_wait())
    }

    /// Whether it may wait for the end of quiet hours.
    pub(crate) fn can_wait(&self) -> bool {
        self.facts.priority.is_some_and(|priority| priority <= Priority::Medium)
    }

    /// Has these channels told at its level, once more where they were told before.
    pub(crate) fn tell(&mut self, channels: &[Name]) {
        let level = self.level;
        for channel in channels {
            match self.notices.iter_mut().find(|notice| notice.channel == *channel) {
                None => self.notices.push(Notice::new(channel.clone(), level)),
                Some(notice) => {
                    notice.level = level;
                    // What waits is not told twice when it leaves.
                    let asked = notice.said.into_iter().chain(notice.sending).map(|said| said.round).max().unwrap_or(0);
                    if notice.round <= asked {
                        notice.round = asked.saturating_add(1);
                    }
                    if notice.first == 0 {
                        notice.first = notice.round;
                    }
                }
            }
        }
    }

    /// What a message says of it to this notice.
    pub(crate) fn part(&self, notice: &Notice, word: Word, level: &Name) -> Part {
        Part {
            key: self.key.clone(),
            alarm: self.alarm,
            word,
            level: level.clone(),
            told_before: notice.round.saturating_sub(notice.first),
            may_be_repeated: notice.doubt.is_some(),
            state: self.state(),
            quantity: self.quantity.clone(),
            value: self.value,
            limit: self.limit,
            side: self.side,
            facts: self.facts.clone(),
        }
    }
}
