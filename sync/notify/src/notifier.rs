//! The core: which message leaves next, and when.

mod climb;
mod send;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use delivery::Jitter;
use record::{AlarmState, AlarmTransition, MonoMs, Seq};

use crate::line::Line;
use crate::{Action, AlarmKey, Episode, Facts, Input, Ladder, Local, Name, Notice, Outcome, Word};

/// Most alarms at once; a box of 100 devices with ten rules each. What is more is counted and not told.
pub const EPISODES_MAX: usize = 1_024;
/// Most episodes that are kept after their end, to be looked at.
pub const CLOSED_MAX: usize = 100;

/// What was stored.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Alarm records before this one are known.
    pub next: Seq,
    /// The episodes.
    pub episodes: Vec<Episode>,
    /// They were stored since the machine started: their times are of the clock of today.
    pub is_same_boot: bool,
}

/// Tells people of alarms. Feed it every step of an alarm in the order of the journal; do what [`Notifier::poll`] orders.
#[derive(Debug)]
pub struct Notifier {
    ladder: Ladder,
    jitter: Jitter,
    next: Seq,
    episodes: BTreeMap<AlarmKey, Episode>,
    lines: BTreeMap<Name, Line>,
    calendar: Option<Local>,
    /// The evidence that the gateway is asked to journal: the first of this alarm.
    journaling: Option<AlarmKey>,
    journal: Line,
    dirty: BTreeSet<AlarmKey>,
    is_stored: bool,
    actions: VecDeque<Action>,
    unheld: u64,
}

impl Notifier {
    /// Goes on where the stored state ends. Whatever was on its way then may have arrived.
    pub fn new(ladder: Ladder, seed: u64, restored: Restored, now: MonoMs) -> Notifier {
        let Restored { next, episodes, is_same_boot } = restored;
        let channels = ladder.levels.iter().flat_map(|level| level.channels.iter().cloned());
        let lines = channels.map(|channel| (channel, Line::default())).collect();
        let mut notifier = Notifier {
            ladder,
            jitter: Jitter::new(seed),
            next,
            episodes: BTreeMap::new(),
            lines,
            calendar: None,
            journaling: None,
            journal: Line::default(),
            dirty: BTreeSet::new(),
            is_stored: true,
            actions: VecDeque::new(),
            unheld: 0,
        };
        for episode in episodes.into_iter().take(EPISODES_MAX) {
            notifier.restore(episode, is_same_boot, now);
        }
        notifier
    }

    fn restore(&mut self, mut episode: Episode, is_same_boot: bool, now: MonoMs) {
        let before = episode.clone();
        if !is_same_boot || episode.began > now {
            episode.began = now;
        }
        episode.level = episode.level.min(self.ladder.top());
        // What no level names any more is told nothing more.
        episode.notices.retain(|notice| self.lines.contains_key(&notice.channel));
        for notice in &mut episode.notices {
            notice.level = notice.level.min(self.ladder.top());
            notice.lose_answer();
        }
        // A level that has other channels now than when it was reached: the new ones are told as well.
        if !episode.is_seen {
            let channels = self.ladder.levels[episode.level].channels.clone();
            let is_new = |channel: &Name| episode.notices.iter().all(|notice| notice.channel != *channel);
            let new: Vec<Name> = channels.into_iter().filter(is_new).collect();
            episode.tell(&new);
        }
        let key = episode.key.clone();
        if episode != before {
            self.dirty.insert(key.clone());
        }
        self.episodes.insert(key, episode);
    }

    /// Alarm records before this one are known.
    pub fn next(&self) -> Seq {
        self.next
    }

    /// All episodes, those that are over included.
    pub fn episodes(&self) -> impl Iterator<Item = &Episode> {
        self.episodes.values()
    }

    /// Every channel with why it was not reached the last time, if it was not.
    pub fn channels(&self) -> impl Iterator<Item = (&Name, Option<&str>)> {
        self.lines.iter().map(|(name, line)| (name, line.last_error.as_deref()))
    }

    /// Alarms that found no room, since the start.
    pub fn unheld(&self) -> u64 {
        self.unheld
    }

    /// Messages that wait for a channel or for the end of quiet hours.
    pub fn waiting(&self) -> usize {
        let waits = |episode: &Episode| episode.notices.iter().filter(|n| episode.wanted(n).is_some()).count();
        self.episodes.values().map(waits).sum()
    }

    /// Takes in what happened at `now`.
    pub fn handle(&mut self, now: MonoMs, input: Input) {
        match input {
            Input::Alarm { seq, step, facts } if seq >= self.next => {
                self.take(seq, &step, *facts, now);
                self.read(seq.next());
                return;
            }
            Input::Read { next } if next > self.next => self.read(next),
            Input::Alarm { .. } | Input::Read { .. } | Input::Tick => {}
            Input::Standing { end, alarms } => self.withdraw(end, &alarms),
            Input::Shelved { alarms } => self.shelve(now, &alarms),
            Input::Answered { channel, outcome } => self.answered(now, &channel, outcome),
            Input::Journaled { is_journaled } => self.journaled(now, is_journaled),
            Input::LinkUp => self.lines.values_mut().for_each(Line::hurry),
            Input::Calendar { at } => self.look_at_calendar(now, at),
        }
        self.climb(now);
        self.send(now);
    }

    /// The next order; none if nothing is to be done now.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn read(&mut self, next: Seq) {
        (self.next, self.is_stored) = (next, false);
    }

    /// A step of an alarm.
    fn take(&mut self, seq: Seq, step: &AlarmTransition, facts: Facts, now: MonoMs) {
        let key = AlarmKey { rule: step.rule.clone(), source: step.source.clone() };
        let is_new = step.from == AlarmState::Normal || self.episodes.get(&key).is_none_or(|episode| episode.is_seen);
        let is_unseen = matches!(step.to, AlarmState::Unacknowledged | AlarmState::ReturnedUnacknowledged);
        if is_new && is_unseen && !self.raise(seq, step, facts, now) {
            return;
        }
        let Some(episode) = self.episodes.get_mut(&key) else { return };
        episode.is_active = step.to.is_active();
        episode.is_seen = !is_unseen;
        episode.newest = seq;
        (episode.limit, episode.side) = (step.limit, step.side);
        episode.value = step.value.or(episode.value);
        self.dirty.insert(key);
    }

    /// Begins an episode, if there is room.
    fn raise(&mut self, seq: Seq, step: &AlarmTransition, facts: Facts, now: MonoMs) -> bool {
        let level = self.ladder.start(facts.priority);
        let mut episode = Episode::raised(seq, step, facts, level, now);
        if self.episodes.len() >= EPISODES_MAX && !self.episodes.contains_key(&episode.key) {
            self.forget_closed(self.closed().saturating_sub(1));
        }
        match self.episodes.get(&episode.key) {
            // Who was told that the one before stands hears of the end of this one.
            Some(before) => {
                episode.notices = before.notices.iter().filter_map(Notice::of_next_alarm).collect();
                episode.evidence.clone_from(&before.evidence);
            }
            None if self.episodes.len() >= EPISODES_MAX => {
                self.unheld = self.unheld.saturating_add(1);
                return false;
            }
            None => {}
        }
        episode.tell(&self.ladder.levels[level].channels);
        self.episodes.insert(episode.key.clone(), episode);
        true
    }

    /// Forgets the oldest episodes that are over, but for so many.
    fn forget_closed(&mut self, kept: usize) {
        let closed = self.episodes.values().filter(|episode| episode.is_over());
        let mut closed: Vec<(Seq, AlarmKey)> = closed.map(|episode| (episode.newest, episode.key.clone())).collect();
        closed.sort();
        let surplus = closed.len().saturating_sub(kept);
        for (_, key) in closed.into_iter().take(surplus) {
            self.episodes.remove(&key);
            self.dirty.insert(key);
        }
    }

    fn closed(&self) -> usize {
        self.episodes.values().filter(|episode| episode.is_over()).count()
    }

    /// Ends what the gateway no longer knows: its rule is gone, and nobody could acknowledge it.
    fn withdraw(&mut self, end: Seq, standing: &BTreeSet<AlarmKey>) {
        if self.next < end {
            return;
        }
        for (key, episode) in &mut self.episodes {
            let is_open = episode.is_active || !episode.is_seen;
            if is_open && episode.newest < end && !standing.contains(key) {
                (episode.is_active, episode.is_seen) = (false, true);
                self.dirty.insert(key.clone());
            }
        }
    }

    fn answered(&mut self, now: MonoMs, channel: &Name, outcome: Outcome) {
        let Some(line) = self.lines.get_mut(channel) else { return };
        let Some(keys) = line.in_flight.take() else { return };
        match &outcome {
            Outcome::Delivered => {
                line.took(now);
                line.well();
            }
            Outcome::Failed { why } => line.failed(now, self.ladder.backoff, &mut self.jitter, why.clone()),
            Outcome::InDoubt { why } => {
                line.took(now);
                line.failed(now, self.ladder.backoff, &mut self.jitter, why.clone());
            }
        }
        for key in keys {
            let Some(episode) = self.episodes.get_mut(&key) else { continue };
            let level = episode.level;
            let Some(notice) = episode.notices.iter_mut().find(|notice| notice.channel == *channel) else { continue };
            let Some(said) = notice.sending else { continue };
            match outcome {
                Outcome::Delivered => {
                    (notice.said, notice.sending, notice.doubt) = (Some(said), None, None);
                    notice.delivered = notice.delivered.saturating_add(1);
                    let (is_current, is_news) = (notice.level == level, said.word == Word::Alarm);
                    if is_news && said.alarm == episode.alarm {
                        let level = &self.ladder.levels[notice.level].name;
                        Notifier::reached(episode, channel, (level, is_current), now);
                    }
                }
                Outcome::Failed { .. } => notice.sending = None,
                Outcome::InDoubt { .. } => notice.lose_answer(),
            }
            self.dirty.insert(key);
        }
    }
}
