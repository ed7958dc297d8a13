//! What leaves, channel by channel.

use record::{MonoMs, Priority, Seq};

use super::Notifier;
use crate::message::Message;
use crate::{Action, AlarmKey, Episode, GATHERED_MAX, Name, Notice, Person, Said};

impl Notifier {
    /// Orders all that can leave now. What is on its way is stored before.
    pub(super) fn send(&mut self, now: MonoMs) {
        let mut sends = Vec::new();
        let channels: Vec<Name> = self.lines.keys().cloned().collect();
        for channel in channels {
            let a_minute_max = self.ladder.messages_a_minute_max;
            let Some(room) = self.lines.get_mut(&channel).map(|line| line.room(now, a_minute_max)) else { continue };
            if room > 0
                && let Some(send) = self.next_message(&channel, room)
            {
                sends.push(send);
            }
        }
        if self.journaling.is_none()
            && self.journal.room(now, u32::MAX) > 0
            && let Some(key) = self.next_evidence()
        {
            sends.extend(self.ask(key));
        }
        self.forget_closed(super::CLOSED_MAX);
        if !self.dirty.is_empty() || !self.is_stored {
            let dirty = std::mem::take(&mut self.dirty);
            let rows = dirty.into_iter().map(|key| (key.clone(), self.episodes.get(&key).cloned())).collect();
            self.is_stored = true;
            self.actions.push_back(Action::Store { next: self.next, rows });
        }
        self.actions.extend(sends);
    }

    /// The oldest message of this channel, or all at once where they are more than it may get one by one.
    fn next_message(&mut self, channel: &Name, room: usize) -> Option<Action> {
        let mut due = self.due(channel);
        due.sort();
        let taken = if due.len() > room { GATHERED_MAX } else { 1 };
        due.truncate(taken);
        let mut parts = Vec::new();
        let mut people: Vec<Person> = Vec::new();
        for (_, key) in &due {
            let Some(episode) = self.episodes.get_mut(key) else { continue };
            let Some(place) = episode.notices.iter().position(|notice| notice.channel == *channel) else { continue };
            let Some(word) = episode.wanted(&episode.notices[place]) else { continue };
            let level = &self.ladder.levels[episode.notices[place].level];
            parts.push(episode.part(&episode.notices[place], word, &level.name));
            let new = level.people.iter().filter(|person| !people.contains(person)).cloned().collect::<Vec<_>>();
            people.extend(new);
            let (alarm, is_back) = (episode.alarm, !episode.is_active);
            let notice = &mut episode.notices[place];
            notice.sending = Some(Said { alarm, word, round: notice.round, is_back });
            self.dirty.insert(key.clone());
        }
        if parts.is_empty() {
            return None;
        }
        let count = parts.len();
        // What nobody could rate counts as urgent here as well.
        parts.sort_by_key(|part| (part.word, std::cmp::Reverse(part.facts.priority.unwrap_or(Priority::High))));
        parts.truncate(Message::PARTS_SHOWN_MAX);
        self.lines.get_mut(channel)?.in_flight = Some(due.into_iter().map(|(_, key)| key).collect());
        let message = Box::new(Message { parts, count, people });
        Some(Action::Send { channel: channel.clone(), message, timeout_ms: self.ladder.answer_timeout_ms })
    }

    /// What this channel is to be told and may be told now, with the age of each.
    fn due(&self, channel: &Name) -> Vec<(Seq, AlarmKey)> {
        let is_quiet = self.is_quiet();
        let is_due = |episode: &&Episode| {
            let is_wanted = |notice: &Notice| notice.channel == *channel && episode.wanted(notice).is_some();
            !(is_quiet && episode.can_wait()) && episode.notices.iter().any(is_wanted)
        };
        self.episodes.values().filter(is_due).map(|episode| (age(episode), episode.key.clone())).collect()
    }

    /// Asks the gateway to journal the first evidence of this alarm.
    fn ask(&mut self, key: AlarmKey) -> Option<Action> {
        let first = self.episodes.get_mut(&key)?.evidence.first_mut()?;
        let in_doubt = std::mem::replace(&mut first.asked, true);
        let evidence = first.clone();
        self.dirty.insert(key.clone());
        self.journal.in_flight = Some(Vec::new());
        self.journaling = Some(key);
        Some(Action::Journal { evidence, in_doubt })
    }
}

/// An alarm is as old as its beginning, its end as old as that.
fn age(episode: &Episode) -> Seq {
    if episode.is_active || !episode.is_seen { episode.alarm } else { episode.newest }
}
