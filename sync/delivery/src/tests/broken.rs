//! Check the checkers: a core with one fault each, and the invariant that must name it.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use batch::{BatchId, Lane};
use proptest::test_runner::{Config as RunnerConfig, TestError, TestRunner};
use record::{MonoMs, Seq, SeqRange, SeqRanges};

use super::properties::event;
use super::world::{Answer, Core, Event, Make, World, config};
use crate::destination::Restored;
use crate::{Action, Config, Destination, Input, Transient};

/// Which fault.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Counts a record as covered when it is cut.
    ClaimsOnCut,
    /// Takes any receipt for an acknowledgement.
    BelievesShortReceipts,
    /// Hears no time-out.
    NeverRetries,
    /// Does not hear that records are gone.
    DeafToLosses,
    /// Counts records as covered that nobody can have.
    ClaimsTheGone,
    /// Does not hear that records count as delivered no more.
    DeafToReopening,
    /// Takes alarms for ordinary records.
    DeafToAlarms,
    /// Orders the first try of an alarm batch after the next batch of another lane.
    HoldsAlarms,
    /// Takes a batch apart when it breaks for the first time.
    DividesAtOnce,
    /// Refuses nothing more to be put aside.
    ParksAll,
    /// Sends a late batch beside itself as often as it is asked.
    HedgesAgain,
}

struct Broken {
    core: Destination,
    fault: Fault,
    claimed: SeqRanges,
    alarms: BTreeSet<BatchId>,
    /// Batches of several records.
    divisible: BTreeSet<BatchId>,
    held: Option<Action>,
    released: Option<Action>,
}

impl Core for Broken {
    fn handle(&mut self, now: MonoMs, input: Input) {
        let input = match (self.fault, input) {
            (Fault::NeverRetries, Input::Tick | Input::LinkUp) => return,
            (Fault::DeafToLosses, Input::Gone { .. }) => return,
            (Fault::DeafToReopening, Input::Reopened { .. }) => return,
            (Fault::DeafToAlarms, Input::Journaled { end, .. }) => Input::Journaled { end, alarms: Vec::new() },
            (Fault::BelievesShortReceipts, Input::Acked { id, .. }) => {
                let all = SeqRange { first: Seq(0), last: Seq(u64::MAX - 1) };
                Input::Acked { id, holds: [all].into_iter().collect(), own_ms: 0 }
            }
            (Fault::HoldsAlarms, Input::Cut { lane: Lane::Alarm, id, ranges, bytes_len, content_len }) => {
                self.alarms.insert(id);
                Input::Cut { lane: Lane::Alarm, id, ranges, bytes_len, content_len }
            }
            (Fault::DividesAtOnce, Input::Failed { id, why: Transient::Broken, .. })
                if self.divisible.contains(&id) =>
            {
                Input::Refused { id, why: String::new() }
            }
            (_, input) => input,
        };
        if let Input::Cut { id, ranges, .. } = &input
            && ranges.len() > 1
        {
            self.divisible.insert(*id);
        }
        self.core.handle(now, input);
    }

    fn poll(&mut self) -> Option<Action> {
        let action = self.released.take().or_else(|| self.core.poll());
        if matches!(&action, Some(Action::Send { id, .. }) if self.alarms.remove(id)) {
            self.held = action;
            return self.core.poll();
        }
        if matches!(action, Some(Action::Send { .. })) && self.held.is_some() {
            let alarm = self.held.take();
            self.released = alarm;
            return action;
        }
        if let (Fault::HedgesAgain, Some(Action::Hedge { .. })) = (self.fault, &action) {
            self.released.clone_from(&action);
        }
        if let (Fault::ClaimsOnCut, Some(Action::Cut { ranges, .. })) = (self.fault, &action) {
            ranges.iter().for_each(|range| self.claimed.insert(range));
        }
        action
    }

    fn next_timeout(&self) -> Option<MonoMs> {
        // A core that hears no tick must not ask for one either, or the world would wait for ever.
        self.core.next_timeout().filter(|_| self.fault != Fault::NeverRetries)
    }

    fn covered(&self) -> SeqRanges {
        let gone = self.core.gone().iter().filter(|_| self.fault == Fault::ClaimsTheGone);
        self.core.covered().iter().chain(self.claimed.iter()).chain(gone).collect()
    }

    fn gone(&self) -> SeqRanges {
        self.core.gone().clone()
    }

    fn told(&self) -> Seq {
        self.core.told()
    }
}

fn broken(fault: Fault, restored: Restored) -> Box<dyn Core> {
    let parked_max = if fault == Fault::ParksAll { NonZeroU64::MAX } else { config().parked_max };
    let core = Destination::new(Config { parked_max, ..config() }, 7, restored);
    Box::new(Broken {
        core,
        fault,
        claimed: SeqRanges::new(),
        alarms: BTreeSet::new(),
        divisible: BTreeSet::new(),
        held: None,
        released: None,
    })
}

/// Random worlds must find the fault within the cases of the sound core's own test, and call it by its name.
fn caught(make: Make, invariant: &str) {
    let mut runner =
        TestRunner::new(RunnerConfig { cases: 2_000, failure_persistence: None, ..RunnerConfig::default() });
    let events = proptest::collection::vec(event(), 0..80);
    let found =
        runner.run(&events, |events| World::new(make).run(&events).map_err(proptest::test_runner::TestCaseError::fail));
    match found {
        Err(TestError::Fail(why, _)) => assert!(why.message().starts_with(invariant), "{why}"),
        other => panic!("the fault stayed unseen: {other:?}"),
    }
}

#[test]
fn d1_catches_a_core_that_claims_too_early() {
    caught(|restored| broken(Fault::ClaimsOnCut, restored), "D1");
}

#[test]
fn d1_catches_a_core_that_believes_any_receipt() {
    caught(|restored| broken(Fault::BelievesShortReceipts, restored), "D1");
}

#[test]
fn d2_catches_a_core_that_forgets_its_outbox() {
    caught(|restored| super::world::sound(Restored { outstanding: Vec::new(), ..restored }), "D2");
}

#[test]
fn d3_catches_a_core_that_never_retries() {
    caught(|restored| broken(Fault::NeverRetries, restored), "D3");
}

#[test]
fn d1_catches_a_core_that_claims_what_nobody_can_have() {
    caught(|restored| broken(Fault::ClaimsTheGone, restored), "D1");
}

#[test]
fn d3_catches_a_core_that_waits_for_what_is_gone() {
    caught(|restored| broken(Fault::DeafToLosses, restored), "D3");
}

#[test]
fn d1_catches_a_core_that_still_claims_what_is_to_go_again() {
    caught(|restored| broken(Fault::DeafToReopening, restored), "D1");
}

#[test]
fn d5_catches_a_core_that_is_deaf_to_alarms() {
    caught(|restored| broken(Fault::DeafToAlarms, restored), "D5");
}

#[test]
fn d5_catches_a_core_that_lets_others_overtake() {
    caught(|restored| broken(Fault::HoldsAlarms, restored), "D5");
}

#[test]
fn d2_catches_a_core_that_divides_what_only_broke_once() {
    caught(|restored| broken(Fault::DividesAtOnce, restored), "D2");
}

#[test]
fn b1_catches_a_core_that_hedges_without_end() {
    caught(|restored| broken(Fault::HedgesAgain, restored), "B1");
}

#[test]
fn b1_catches_a_core_that_puts_aside_without_end() {
    let mut refusals = vec![Event::Journal { records: 60, alarm: false }];
    for _ in 0..200 {
        refusals.extend([Event::Pass { ms: 40_000 }, Event::Answer { which: 0, how: Answer::Refused }]);
    }
    let played = |make: Make| World::new(make).run(&refusals);
    let why = played(|restored| broken(Fault::ParksAll, restored)).unwrap_err();
    assert!(why.starts_with("B1"), "{why}");
    assert_eq!(played(super::world::sound), Ok(()), "and all that was not put aside arrives at last");
}
