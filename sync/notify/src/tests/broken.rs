//! Check the checkers: a core with one fault each, and the invariant that must name it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use record::{AlarmState, MonoMs};

use super::random::story;
use super::world::{Core, ladder};
use crate::{Action, Episode, Input, Notifier, Outcome, Word};

/// Which fault.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Stores how far it read, and not whom it has to tell.
    StoresNothing,
    /// Sends, and only then stores that it does.
    SendsFirst,
    /// Takes every confirmation for a failure.
    DeafToConfirmations,
    /// Takes a lost answer for a refusal.
    SureInDoubt,
    /// Does not hear that somebody has seen the alarm.
    DeafToAcknowledgements,
    /// Never looks at the clock.
    NeverClimbs,
    /// Keeps the end of an alarm to itself.
    NoAllClear,
}

struct Broken {
    core: Notifier,
    fault: Fault,
    held: Vec<Action>,
}

impl Core for Broken {
    fn handle(&mut self, now: MonoMs, input: Input) {
        let input = match (self.fault, input) {
            (Fault::NeverClimbs, Input::Tick) => return,
            (Fault::DeafToAcknowledgements, Input::Alarm { seq, step, .. }) if step.to == AlarmState::Acknowledged => {
                Input::Read { next: seq.next() }
            }
            (Fault::DeafToConfirmations, Input::Answered { channel, outcome: Outcome::Delivered }) => {
                Input::Answered { channel, outcome: Outcome::Failed { why: String::new() } }
            }
            (Fault::SureInDoubt, Input::Answered { channel, outcome: Outcome::InDoubt { why } }) => {
                Input::Answered { channel, outcome: Outcome::Failed { why } }
            }
            (_, input) => input,
        };
        self.core.handle(now, input);
    }

    fn poll(&mut self) -> Option<Action> {
        let Some(action) = self.core.poll() else { return self.held.pop() };
        match (self.fault, action) {
            (Fault::StoresNothing, Action::Store { next, .. }) => Some(Action::Store { next, rows: Vec::new() }),
            (Fault::SendsFirst, store @ Action::Store { .. }) if self.held.is_empty() => {
                self.held.push(store);
                self.poll()
            }
            (Fault::NoAllClear, Action::Send { channel, message, .. })
                if message.parts.iter().all(|part| part.word == Word::Clear) =>
            {
                self.core.handle(MonoMs(0), Input::Answered { channel, outcome: Outcome::Delivered });
                self.poll()
            }
            (_, action) => Some(action),
        }
    }

    fn next_timeout(&self, now: MonoMs) -> Option<MonoMs> {
        self.core.next_timeout(now)
    }

    fn episodes(&self) -> Vec<Episode> {
        Notifier::episodes(&self.core).cloned().collect()
    }
}

/// What the first seed says that finds the fault.
fn found(fault: Fault) -> String {
    for seed in 0..500 {
        let make = |restored, now| {
            let core = Notifier::new(ladder(), seed, restored, now);
            Box::new(Broken { core, fault, held: Vec::new() }) as Box<dyn Core>
        };
        if let Err(said) = catch_unwind(AssertUnwindSafe(|| story(seed, &make))) {
            return said.downcast_ref::<String>().cloned().unwrap_or_default();
        }
    }
    panic!("no seed finds {fault:?}");
}

#[test]
fn every_fault_is_found_by_its_invariant() {
    for (fault, invariant) in [
        (Fault::StoresNothing, "N1"),
        (Fault::SendsFirst, "N2"),
        (Fault::DeafToConfirmations, "N2"),
        (Fault::SureInDoubt, "N2"),
        (Fault::DeafToAcknowledgements, "N3"),
        (Fault::NeverClimbs, "N1"),
        (Fault::NoAllClear, "N1"),
    ] {
        let said = found(fault);
        assert!(said.starts_with(invariant), "{fault:?}: {said}");
    }
}
