//! From level to level, and again at the top.

use std::collections::BTreeSet;

use record::{MonoMs, Seq};

use super::Notifier;
use crate::{AlarmKey, Episode, Evidence, Local, Name, Told};

/// Where nobody knows the date, days are counted from the machine's start.
const DAY_MS: u64 = 86_400_000;

impl Notifier {
    /// Quiet hours that end begin the wait of what waited for it.
    pub(super) fn look_at_calendar(&mut self, now: MonoMs, at: Option<Local>) {
        let was_quiet = self.is_quiet();
        self.calendar = at;
        if was_quiet && !self.is_quiet() {
            for (key, episode) in &mut self.episodes {
                if episode.can_wait() && !episode.is_seen {
                    episode.began = now;
                    self.dirty.insert(key.clone());
                }
            }
        }
    }

    /// An alarm that is set aside no more waits anew.
    pub(super) fn shelve(&mut self, now: MonoMs, shelved: &BTreeSet<AlarmKey>) {
        for (key, episode) in &mut self.episodes {
            let is_shelved = shelved.contains(key);
            if episode.is_shelved != is_shelved {
                (episode.is_shelved, episode.began) = (is_shelved, now);
                self.dirty.insert(key.clone());
            }
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        let quiet = self.ladder.quiet.as_ref();
        quiet.zip(self.calendar).is_some_and(|(quiet, at)| quiet.contain(at.minute))
    }

    /// Takes each episode whose wait is over a level higher.
    pub(super) fn climb(&mut self, now: MonoMs) {
        let is_quiet = self.is_quiet();
        let day = self.calendar.map_or_else(|| i64::try_from(now.0 / DAY_MS).unwrap_or(i64::MAX), |at| at.day);
        let (top, repeats_max) = (self.ladder.top(), self.ladder.repeats_a_day_max);
        for (key, episode) in &mut self.episodes {
            if episode.rests(is_quiet) || now < deadline(&self.ladder, episode) {
                continue;
            }
            (episode.began, episode.is_reached) = (now, false);
            if episode.level < top {
                episode.level += 1;
                let level = &self.ladder.levels[episode.level];
                episode.tell(&level.channels);
                let (alarm, level) = (episode.alarm, level.name.clone());
                episode.evidence.push(Evidence { alarm, level, told: Told::Escalated, asked: false });
            } else {
                let level = &self.ladder.levels[top];
                if !episode.is_lonely && !episode.is_told {
                    episode.is_lonely = true;
                    let (alarm, level) = (episode.alarm, level.name.clone());
                    episode.evidence.push(Evidence { alarm, level, told: Told::Unreached, asked: false });
                }
                repeat(episode, &level.channels, day, repeats_max);
            }
            self.dirty.insert(key.clone());
        }
    }

    /// A message got through, and it may be one of the level that the episode has reached.
    pub(super) fn reached(episode: &mut Episode, channel: &Name, (level, is_current): (&Name, bool), now: MonoMs) {
        if !std::mem::replace(&mut episode.is_told, true) {
            let (alarm, level) = (episode.alarm, level.clone());
            episode.evidence.push(Evidence { alarm, level, told: Told::Delivered(channel.clone()), asked: false });
        }
        if is_current && !episode.is_reached {
            (episode.is_reached, episode.began) = (true, now);
        }
    }

    /// The gateway has journaled the evidence, or has not.
    pub(super) fn journaled(&mut self, now: MonoMs, is_journaled: bool) {
        let Some(key) = self.journaling.take() else { return };
        self.journal.in_flight = None;
        if !is_journaled {
            self.journal.failed(now, self.ladder.backoff, &mut self.jitter, String::new());
            return;
        }
        self.journal.well();
        if let Some(episode) = self.episodes.get_mut(&key).filter(|episode| !episode.evidence.is_empty()) {
            episode.evidence.remove(0);
            self.dirty.insert(key);
        }
    }

    /// The next evidence to be journaled, the oldest alarm first.
    pub(super) fn next_evidence(&self) -> Option<AlarmKey> {
        let first = |episode: &Episode| episode.evidence.first().map(|first| (first.alarm, episode.key.clone()));
        self.episodes.values().filter_map(first).min_by_key(|(alarm, _): &(Seq, AlarmKey)| *alarm).map(|(_, key)| key)
    }

    /// The next moment at which a [`Input::Tick`](crate::Input::Tick) is due.
    pub fn next_timeout(&self, now: MonoMs) -> Option<MonoMs> {
        let is_quiet = self.is_quiet();
        let climb = self
            .episodes
            .values()
            .filter(|episode| !episode.rests(is_quiet))
            .map(|episode| deadline(&self.ladder, episode));
        let a_minute_max = self.ladder.messages_a_minute_max;
        let lines = self.lines.values().filter_map(|line| line.next(now, a_minute_max));
        climb.chain(lines).chain(self.journal.next(now, u32::MAX)).min()
    }
}

fn deadline(ladder: &crate::Ladder, episode: &Episode) -> MonoMs {
    MonoMs(episode.began.0.saturating_add(ladder.wait_ms(episode.level)))
}

/// Tells the top again, unless that was done often enough today.
fn repeat(episode: &mut Episode, channels: &[Name], day: i64, repeats_max: u32) {
    if episode.repeated.0 != day {
        episode.repeated = (day, 0);
    }
    if episode.repeated.1 < repeats_max {
        episode.repeated.1 += 1;
        episode.tell(channels);
    }
}
