//! A ladder played by a script, so that a scene reads as a technician would tell it.

use std::collections::BTreeMap;
use std::fmt::Write;

use expect_test::Expect;
use record::{AlarmState, MonoMs, Priority, Seq};

use super::world::{facts, key, ladder, name, step};
use crate::{Action, AlarmKey, Episode, Input, Ladder, Local, Message, Notifier, Outcome, Restored, Told, Word};

struct Stage {
    ladder: Ladder,
    core: Notifier,
    now: u64,
    seq: u64,
    states: BTreeMap<usize, AlarmState>,
    disk: (Seq, BTreeMap<AlarmKey, Episode>),
    said: String,
}

/// Plays `script` (`SECONDS verb argument … | …`) and compares what was ordered. Alarms are numbers.
///
/// Verbs: `raise N [PRIORITY]`, `raise N..M`, `back N`, `again N`, `ack N`, `over N` (of an acknowledged one), `ok CHANNEL`, `fail CHANNEL`,
/// `lost CHANNEL`, `link`, `clock HH:MM`, `crash`, `boot`, `standing N …`, `shelved N …`.
pub(super) fn check(change: impl FnOnce(&mut Ladder), script: &str, expected: Expect) {
    let mut ladder = ladder();
    change(&mut ladder);
    let core = Notifier::new(ladder.clone(), 7, Restored::default(), MonoMs(0));
    let disk = (Seq(0), BTreeMap::new());
    let mut stage = Stage { ladder, core, now: 0, seq: 0, states: BTreeMap::new(), disk, said: String::new() };
    for line in script.split('|') {
        let words: Vec<&str> = line.split_whitespace().collect();
        stage.until(words[0].parse::<u64>().unwrap() * 1_000);
        stage.act(&words[1..]);
    }
    expected.assert_eq(&stage.said);
}

impl Stage {
    fn until(&mut self, end: u64) {
        while let Some(at) = self.core.next_timeout(MonoMs(self.now)).filter(|at| at.0 <= end) {
            self.now = at.0.max(self.now + 1);
            self.hand(Input::Tick);
        }
        self.now = end;
    }

    fn hand(&mut self, input: Input) {
        self.core.handle(MonoMs(self.now), input);
        let seconds = self.now / 1_000;
        while let Some(action) = self.core.poll() {
            match action {
                Action::Store { next, rows } => {
                    self.disk.0 = next;
                    for (key, row) in rows {
                        match row {
                            Some(row) => drop(self.disk.1.insert(key, row)),
                            None => drop(self.disk.1.remove(&key)),
                        }
                    }
                }
                Action::Send { channel, message, .. } => {
                    writeln!(self.said, "{seconds} {channel} ← {}", told(&message)).unwrap();
                }
                Action::Journal { evidence, .. } => {
                    let what = match &evidence.told {
                        Told::Delivered(channel) => format!("first told by {channel}"),
                        Told::Escalated => format!("escalated to {}", evidence.level),
                        Told::Unreached => "nobody reached".to_owned(),
                    };
                    writeln!(self.said, "{seconds} journal ← {what}").unwrap();
                    self.core.handle(MonoMs(self.now), Input::Journaled { is_journaled: true });
                }
            }
        }
    }

    fn alarm(&mut self, alarm: usize, to: AlarmState, priority: Priority) {
        let from = self.states.insert(alarm, to).unwrap_or(AlarmState::Normal);
        self.seq += 1;
        let seq = Seq(self.seq);
        let input = Input::Alarm { seq, step: step(alarm, from, to), facts: facts(priority) };
        self.core.handle(MonoMs(self.now), input);
        self.hand(Input::Read { next: seq.next() });
    }

    fn act(&mut self, words: &[&str]) {
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        let why = || "refused".to_owned();
        match words[0] {
            "raise" => {
                let priority = match words.get(2) {
                    Some(&"low") => Priority::Low,
                    Some(&"critical") => Priority::Critical,
                    _ => Priority::High,
                };
                let (first, last) = words[1].split_once("..").unwrap_or((words[1], words[1]));
                for alarm in first.parse::<usize>().unwrap()..=last.parse().unwrap() {
                    self.alarm(alarm, AlarmState::Unacknowledged, priority);
                }
            }
            "again" => self.alarm(number(1), AlarmState::Unacknowledged, Priority::High),
            "back" => self.alarm(number(1), AlarmState::ReturnedUnacknowledged, Priority::High),
            "over" => self.alarm(number(1), AlarmState::Normal, Priority::High),
            "ack" => {
                let is_back = self.states[&number(1)] == AlarmState::ReturnedUnacknowledged;
                let to = if is_back { AlarmState::Normal } else { AlarmState::Acknowledged };
                self.alarm(number(1), to, Priority::High);
            }
            "ok" => self.hand(Input::Answered { channel: name(words[1]), outcome: Outcome::Delivered }),
            "fail" => self.hand(Input::Answered { channel: name(words[1]), outcome: Outcome::Failed { why: why() } }),
            "lost" => self.hand(Input::Answered { channel: name(words[1]), outcome: Outcome::InDoubt { why: why() } }),
            "link" => self.hand(Input::LinkUp),
            "clock" => {
                let (hours, minutes) = words[1].split_once(':').unwrap();
                let minute = hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap();
                self.hand(Input::Calendar { at: Some(Local { day: 1, minute }) });
            }
            "standing" => {
                let alarms = words[1..].iter().map(|alarm| key(alarm.parse().unwrap())).collect();
                self.hand(Input::Standing { end: Seq(self.seq + 1), alarms });
            }
            "shelved" => {
                let alarms = words[1..].iter().map(|alarm| key(alarm.parse().unwrap())).collect();
                self.hand(Input::Shelved { alarms });
            }
            "crash" | "boot" => {
                let episodes = self.disk.1.values().cloned().collect();
                let restored = Restored { next: self.disk.0, episodes, is_same_boot: words[0] == "crash" };
                if words[0] == "boot" {
                    self.now = 1_000;
                }
                self.core = Notifier::new(self.ladder.clone(), 7, restored, MonoMs(self.now));
                self.hand(Input::Tick);
            }
            "end" => {
                let (waiting, over) = (self.core.waiting(), self.core.episodes().filter(|e| e.is_over()).count());
                writeln!(self.said, "{} waiting: {waiting}, over: {over}", self.now / 1_000).unwrap();
            }
            verb => panic!("no verb {verb}"),
        }
    }
}

fn told(message: &Message) -> String {
    let part = |part: &crate::Part| {
        let word = if part.word == Word::Clear { "clear" } else { "alarm" };
        let number = part.key.source.as_str().trim_start_matches("cod-").to_owned();
        let state = part.state.as_str();
        let before = if part.told_before > 0 { format!(", told {} before", part.told_before) } else { String::new() };
        let doubt = if part.may_be_repeated { ", may be repeated" } else { "" };
        format!("{word} {number} ({}, {state}{before}{doubt})", part.level)
    };
    let parts: Vec<String> = message.parts.iter().take(2).map(part).collect();
    let more = if message.count > 2 { format!(" + {}", message.count - parts.len()) } else { String::new() };
    format!("{}{more}", parts.join(", "))
}
