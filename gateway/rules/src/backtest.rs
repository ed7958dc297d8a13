//! What rules would have made of the records of a journal, beside what was made of them (R2: with the rules that were in
//! force, the same).

use std::cmp::Ordering;

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
            let order = match (would.last(), was.last()) {
                (Some((key, _)), Some((other, _))) => key.cmp(other),
                (Some(_), None) => Ordering::Greater,
                (None, Some(_)) => Ordering::Less,
                (None, None) => break,
            };
            match order {
                Ordering::Equal => {
                    same += 1;
                    would.pop();
                    was.pop();
                }
                Ordering::Greater => added.extend(would.pop().map(|(_, step)| step)),
                Ordering::Less => removed.extend(was.pop().map(|(_, step)| step)),
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

#[cfg(test)]
mod tests {
    use record::{AlarmState, BootNo, ClockQuality, Decimal, LimitSide, MonoMs, Quantity, Seq, UnixMs};

    use super::*;

    #[test]
    fn what_is_beyond_its_bound_is_counted() {
        let stamp =
            Stamp { boot: BootNo(0), mono_ms: MonoMs(0), wall_ms: UnixMs(0), clock: ClockQuality::Synchronised };
        let step = AlarmTransition {
            rule: RuleId::new("r").unwrap(),
            source: SourceId::new("a").unwrap(),
            quantity: Quantity::new("cod").unwrap(),
            from: AlarmState::Normal,
            to: AlarmState::Unacknowledged,
            limit: Decimal::from(1),
            side: LimitSide::High,
            value: None,
            cause: Seq(0),
            grounds: None,
            suppression: None,
        };
        let mut steps = vec![(stamp, step.clone()); TRANSITIONS_MAX - 1];
        let mut forgotten = 0;
        let mut counts = || {
            remember(&mut steps, &mut forgotten, (stamp, step.clone()));
            (steps.len(), forgotten)
        };
        assert_eq!(counts(), (TRANSITIONS_MAX, 0));
        assert_eq!(counts(), (TRANSITIONS_MAX, 1));
        assert_eq!(counts(), (TRANSITIONS_MAX, 2));
    }
}
