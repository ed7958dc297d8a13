//! What rules would have made of the records of a journal, beside what was made of them (R2: with the rules that were in
//! force, the same).

use record::{Act, AlarmTransition, Body, Record, RecordAt, RuleId, SourceId, Stamp};

use crate::{Engine, RuleSet};

/// Most transitions remembered of each side; the rest is counted. 20 MB.
pub const TRANSITIONS_MAX: usize = 100_000;

/// A transition, and when it was.
pub type StepAt = (Stamp, AlarmTransition);

/// A fold over a journal under rules of one's choice.
#[derive(Debug)]
pub struct Backtest {
    engine: Engine,
    would: Vec<StepAt>,
    was: Vec<StepAt>,
    frames: u64,
    forgotten: u64,
}

/// What came of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Frames that were judged.
    pub frames: u64,
    /// Transitions that both have.
    pub same: usize,
    /// Those that the rules would have made, and the journal has not, in their order.
    pub added: Vec<StepAt>,
    /// Those that the journal has, and the rules would not have made, in their order.
    pub removed: Vec<StepAt>,
    /// Transitions beyond [`TRANSITIONS_MAX`], which were not compared.
    pub forgotten: u64,
}

impl Backtest {
    /// Of these rules, before the first record.
    pub fn new(rules: RuleSet) -> Backtest {
        Backtest { engine: Engine::new(rules), would: Vec::new(), was: Vec::new(), frames: 0, forgotten: 0 }
    }

    /// Takes an alarm or outfall record of before the time that is looked at: each alarm begins in the state that it had, and
    /// each outfall is what it was.
    pub fn begin(&mut self, record: &RecordAt) {
        drop(self.engine.apply(record));
    }

    /// Takes a frame of before the time that is looked at: a run of samples beyond a limit may have begun with it.
    pub fn warm(&mut self, record: &RecordAt) {
        let (would, frames, forgotten) = (self.would.len(), self.frames, self.forgotten);
        if !matches!(record.record.body, Body::Alarm(_)) {
            self.take(record);
        }
        self.would.truncate(would);
        (self.frames, self.forgotten) = (frames, forgotten);
    }

    /// Takes the next record of the journal.
    pub fn take(&mut self, record: &RecordAt) {
        let stamp = record.record.stamp;
        match &record.record.body {
            Body::Alarm(alarm) => {
                // What was found as time passed stands before what somebody did then.
                let steps = self.engine.tick(&stamp);
                self.confirm(record, steps);
                remember(&mut self.was, &mut self.forgotten, (stamp, alarm.clone()));
            }
            Body::Audit(audit) => {
                let steps = self.engine.apply(record);
                self.confirm(record, steps);
                let step = match &audit.act {
                    Act::Acknowledged { rule, source } => self.engine.acknowledged(rule, source),
                    Act::Reset { rule, source } => self.engine.reset(rule, source).ok(),
                    _ => None,
                };
                self.confirm(record, step);
            }
            body => {
                self.frames += u64::from(matches!(body, Body::Frame(_)));
                let steps = self.engine.apply(record);
                self.confirm(record, steps);
            }
        }
    }

    /// As the journal does: a transition is a record at once.
    fn confirm(&mut self, cause: &RecordAt, steps: impl IntoIterator<Item = AlarmTransition>) {
        let stamp = cause.record.stamp;
        for step in steps {
            let own = Record { stamp, body: Body::Alarm(step.clone()) };
            // Its time is that of its cause: nothing is found by it.
            drop(self.engine.apply(&RecordAt { seq: cause.seq, record: own }));
            remember(&mut self.would, &mut self.forgotten, (stamp, step));
        }
    }

    /// Compares. The same step is the same alarm going the same way for the same cause, whatever its limit was.
    pub fn outcome(self) -> Outcome {
        let Backtest { would, was, frames, forgotten, .. } = self;
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        let (mut would, mut was) = (by_key(would), by_key(was));
        let mut same = 0;
        loop {
            match (would.last(), was.last()) {
                (Some((key, _)), Some((other, _))) if key == other => {
                    same += 1;
                    would.pop();
                    was.pop();
                }
                (Some((key, _)), other) if other.is_none_or(|(other, _)| key > other) => {
                    added.extend(would.pop().map(|(_, step)| step));
                }
                (_, Some(_)) => removed.extend(was.pop().map(|(_, step)| step)),
                (_, None) => break,
            }
        }
        added.reverse();
        removed.reverse();
        Outcome { frames, same, added, removed, forgotten }
    }
}

type Key = (u64, RuleId, SourceId, &'static str, &'static str);

/// Ascending by cause, and what else makes a step the same.
fn by_key(steps: Vec<StepAt>) -> Vec<(Key, StepAt)> {
    let key = |step: &AlarmTransition| {
        (step.cause.0, step.rule.clone(), step.source.clone(), step.from.as_str(), step.to.as_str())
    };
    let mut keyed: Vec<(Key, StepAt)> = steps.into_iter().map(|step| (key(&step.1), step)).collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    keyed
}

fn remember(steps: &mut Vec<StepAt>, forgotten: &mut u64, step: StepAt) {
    if steps.len() < TRANSITIONS_MAX {
        steps.push(step);
    } else {
        *forgotten += 1;
    }
}
