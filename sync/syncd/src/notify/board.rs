//! What the task shows of itself.

use notify::{Episode, Notifier, Outcome};
use serde::{Deserialize, Serialize};

/// How people are told, for `weir status` and `weir notify list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyStatus {
    /// Alarms that nobody has seen.
    pub unseen: u64,
    /// Messages that wait for a channel or the end of quiet hours.
    pub waiting: u64,
    /// Alarms that found no room since the start: nobody is told of them.
    pub unheld: u64,
    /// Every channel.
    pub channels: Vec<ChannelStatus>,
    /// Alarms and who was told, the newest last. Empty in `weir status`.
    #[serde(default)]
    pub episodes: Vec<EpisodeStatus>,
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelStatus {
    /// Its name.
    pub name: String,
    /// Why it took no message the last time; none if it did.
    pub error: Option<String>,
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeStatus {
    /// The record that raised it.
    pub alarm: u64,
    /// The rule.
    pub rule: String,
    /// The device.
    pub source: String,
    /// Where it stands.
    pub state: String,
    /// The level that it has reached.
    pub level: String,
    /// Whether all is told.
    pub is_over: bool,
    /// By channel.
    pub told: Vec<ToldStatus>,
}

/// Who was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldStatus {
    /// The channel.
    pub channel: String,
    /// Messages that it took.
    pub delivered: u32,
    /// What it is still to be told: `alarm`, `clear`; none: nothing.
    pub waits: Option<String>,
    /// An answer was lost: it may know already.
    pub is_in_doubt: bool,
}

/// What one channel said to a test.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Tested {
    channel: String,
    delivered: bool,
    why: Option<String>,
}

impl Tested {
    pub(super) fn new(channel: String, outcome: Outcome) -> Tested {
        let why = match outcome {
            Outcome::Delivered => None,
            Outcome::Failed { why } | Outcome::InDoubt { why } => Some(why),
        };
        Tested { channel, delivered: why.is_none(), why }
    }
}

/// The newest view.
pub(crate) type View = NotifyStatus;

/// All of it.
pub(super) fn view(core: &Notifier, level: impl Fn(usize) -> String) -> View {
    let mut episodes: Vec<&Episode> = core.episodes().collect();
    episodes.sort_by_key(|episode| episode.alarm);
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let channel = |(name, error): (&notify::Name, Option<&str>)| ChannelStatus {
        name: name.to_string(),
        error: error.map(str::to_owned),
    };
    NotifyStatus {
        unseen: count(episodes.iter().filter(|episode| !episode.is_seen).count()),
        waiting: count(core.waiting()),
        unheld: core.unheld(),
        channels: core.channels().map(channel).collect(),
        episodes: episodes.into_iter().map(|episode| shown(episode, level(episode.level))).collect(),
    }
}

fn shown(episode: &Episode, level: String) -> EpisodeStatus {
    let word = |word| if word == notify::Word::Alarm { "alarm" } else { "clear" };
    let told = |notice: &notify::Notice| ToldStatus {
        channel: notice.channel.to_string(),
        delivered: notice.delivered,
        waits: episode.wanted(notice).map(|wanted| word(wanted).to_owned()),
        is_in_doubt: notice.doubt.is_some(),
    };
    EpisodeStatus {
        alarm: episode.alarm.0,
        rule: episode.key.rule.to_string(),
        source: episode.key.source.to_string(),
        state: episode.state().as_str().to_owned(),
        level,
        is_over: episode.is_over(),
        told: episode.notices.iter().map(told).collect(),
    }
}
