//! A SIM with so many bytes a day and a month: nothing but alarms goes beyond, whatever befalls.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use batch::{BatchId, Lane};
use proptest::prelude::*;
use proptest::test_runner::{Config as RunnerConfig, TestError, TestRunner};
use record::{MonoMs, Seq, SeqRanges};

use super::world::config;
use crate::destination::Restored;
use crate::{Action, Budget, Config, Date, Destination, Input, RestoredBatch, Transient, Usage, invariant};

const DAY: u64 = 100_000;
const MONTH: u64 = 400_000;
const RECORD_BYTES: u64 = 1_000;

#[derive(Debug, Clone)]
enum Event {
    Journal { records: u64, alarm: bool },
    Answer { which: usize, why: Option<Transient> },
    Pass { ms: u64 },
    Days { days: i64 },
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let why = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Transient::Unreachable)),
        1 => Just(Some(Transient::Broken)),
    ];
    prop_oneof![
        4 => (1u64..12, prop::bool::weighted(0.2)).prop_map(|(records, alarm)| Event::Journal { records, alarm }),
        6 => (any::<usize>(), why).prop_map(|(which, why)| Event::Answer { which, why }),
        4 => (1u64..4_000).prop_map(|ms| Event::Pass { ms }),
        // Also back, as a clock that is corrected.
        1 => (-1i64..20).prop_map(|days| Event::Days { days }),
        1 => Just(Event::Restart),
    ]
}

fn metered() -> Config {
    Config { budget: Budget { day_bytes: NonZeroU64::new(DAY), month_bytes: NonZeroU64::new(MONTH) }, ..config() }
}

/// What a SIM's owner sees.
struct World {
    config: Config,
    core: Destination,
    now: MonoMs,
    end: u64,
    day: i64,
    covered: SeqRanges,
    outbox: BTreeMap<BatchId, RestoredBatch>,
    /// With the days that had begun when each left.
    requests: Vec<(BatchId, u32)>,
    days_begun: u32,
    cuts: u64,
    noted: Usage,
    /// Bytes of batches in the day and in the month.
    carried: [u64; 2],
}

impl World {
    fn new(config: Config) -> World {
        World {
            core: Destination::new(config.clone(), 7, Restored::default()),
            config,
            now: MonoMs(0),
            end: 0,
            day: 20_000,
            covered: SeqRanges::new(),
            outbox: BTreeMap::new(),
            requests: Vec::new(),
            days_begun: 0,
            cuts: 0,
            noted: Usage::default(),
            carried: [0, 0],
        }
    }

    fn date(&self) -> Date {
        Date { day: self.day, month: self.day / 30 }
    }

    fn run(mut self, events: &[Event]) -> Result<(), String> {
        self.feed(Input::Calendar { date: Some(self.date()) })?;
        for event in events {
            self.happen(event)?;
        }
        Ok(())
    }

    fn happen(&mut self, event: &Event) -> Result<(), String> {
        match *event {
            Event::Journal { records, alarm } => {
                self.end += records;
                let alarms = alarm.then(|| Seq(self.end - 1)).into_iter().collect();
                self.feed(Input::Journaled { end: Seq(self.end), alarms })
            }
            Event::Answer { which, why } if !self.requests.is_empty() => {
                let (id, days_begun) = self.requests.swap_remove(which % self.requests.len());
                let Some(batch) = self.outbox.get(&id) else { return Ok(()) };
                if why == Some(Transient::Unreachable) && days_begun == self.days_begun {
                    self.carried = self.carried.map(|carried| carried - batch.bytes_len);
                }
                let holds = batch.ranges.clone();
                let retry_after_ms = None;
                self.feed(why.map_or(Input::Acked { id, holds, own_ms: 0 }, |why| Input::Failed {
                    id,
                    retry_after_ms,
                    why,
                }))
            }
            Event::Answer { .. } => Ok(()),
            Event::Pass { ms } => {
                self.now.0 += ms;
                self.feed(Input::Tick)
            }
            Event::Days { days } => {
                // What is under way across midnight is of the day on which it left.
                let before = self.date();
                self.day += days;
                if self.date().month > before.month {
                    self.carried[1] = 0;
                }
                if days > 0 {
                    self.days_begun += 1;
                    self.carried[0] = 0;
                }
                self.feed(Input::Calendar { date: Some(self.date()) })
            }
            Event::Restart => {
                self.requests.clear();
                let outstanding = self.outbox.values().cloned().collect();
                let restored =
                    Restored { covered: self.covered.clone(), outstanding, usage: self.noted, ..Restored::default() };
                self.core = Destination::new(self.config.clone(), 7, restored);
                self.feed(Input::Calendar { date: Some(self.date()) })?;
                let told = self.core.told();
                self.feed(Input::Journaled { end: Seq(self.end).max(told), alarms: Vec::new() })
            }
        }
    }

    fn feed(&mut self, input: Input) -> Result<(), String> {
        self.core.handle(self.now, input);
        while let Some(action) = self.core.poll() {
            match action {
                Action::Cut { lane, ranges, .. } => {
                    self.cuts += 1;
                    let mut id = BatchId([0; 32]);
                    id.0[..8].copy_from_slice(&self.cuts.to_be_bytes());
                    let bytes_len = ranges.len() * RECORD_BYTES;
                    self.outbox.insert(id, RestoredBatch { id, lane, ranges: ranges.clone(), bytes_len });
                    self.core.handle(self.now, Input::Cut { lane, id, ranges, bytes_len, content_len: bytes_len });
                }
                Action::Send { id, .. } => self.send(id)?,
                Action::Note { usage } => self.noted = usage,
                Action::Advance { id } => {
                    let batch = self.outbox.remove(&id).unwrap();
                    batch.ranges.iter().for_each(|range| self.covered.insert(range));
                }
                Action::Split { id, .. } => drop(self.outbox.remove(&id)),
                Action::Hedge { .. } => return Err("B1: a second try on a metered link".into()),
                Action::Park { .. } => return Err("nothing was refused".into()),
            }
        }
        Ok(())
    }

    fn send(&mut self, id: BatchId) -> Result<(), String> {
        let RestoredBatch { lane, bytes_len, .. } = self.outbox[&id];
        // A SIM counts less: no headers, no handshake that could be saved.
        self.carried = self.carried.map(|carried| carried + bytes_len);
        self.requests.push((id, self.days_begun));
        for (carried, limit) in self.carried.into_iter().zip([DAY, MONTH]) {
            if lane != Lane::Alarm && !invariant::b1_within_budget(carried, limit) {
                return Err(format!("B1: a {lane} batch makes it {carried} bytes of {limit}"));
            }
        }
        if self.config.budget != Budget::default() && self.noted.day_bytes < self.carried[0] {
            return Err(format!("B1: {} bytes are carried, {:?} noted", self.carried[0], self.noted));
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]
    #[test]
    fn only_alarms_go_beyond_the_budget(events in prop::collection::vec(event(), 0..120)) {
        World::new(metered()).run(&events).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn b1_catches_a_core_that_knows_no_budget() {
    let runner_config = RunnerConfig { cases: 1_000, failure_persistence: None, ..RunnerConfig::default() };
    let events = prop::collection::vec(event(), 0..120);
    let unlimited = Config { hedge: false, ..config() };
    let found = TestRunner::new(runner_config)
        .run(&events, |events| World::new(unlimited.clone()).run(&events).map_err(TestCaseError::fail));
    match found {
        Err(TestError::Fail(why, _)) => assert!(why.message().starts_with("B1: a "), "{why}"),
        other => panic!("the fault stayed unseen: {other:?}"),
    }
}

/// Answers everything, and says which lanes still leave.
fn leaves(world: &mut World) -> [bool; 3] {
    let before = world.cuts;
    world.happen(&Event::Pass { ms: 5_000 }).unwrap();
    let mut lanes = [false; 3];
    for _ in 0..200 {
        let Some((id, _)) = world.requests.first().copied() else { break };
        lanes[usize::from(world.outbox[&id].lane as u8).min(2)] = true;
        world.happen(&Event::Answer { which: 0, why: None }).unwrap();
    }
    assert!(world.cuts - before < 200);
    lanes
}

#[test]
fn the_backlog_goes_first_then_live_and_alarms_always_leave() {
    let mut world = World::new(metered());
    world.feed(Input::Calendar { date: Some(world.date()) }).unwrap();
    let mut live_after_backlog = false;
    for _ in 0..60 {
        world.happen(&Event::Journal { records: 30, alarm: false }).unwrap();
        leaves(&mut world);
        let [live, backlog] = world.core.standing().budget_allows;
        assert!(live || !backlog, "the backlog never outlives live records");
        live_after_backlog |= live && !backlog;
    }
    assert!(live_after_backlog);
    assert_eq!(world.core.standing().budget_allows, [false, false]);
    let covered = world.covered.len();
    world.happen(&Event::Journal { records: 1, alarm: true }).unwrap();
    leaves(&mut world);
    assert_eq!(world.covered.len(), covered + 1, "the alarm alone");
    world.happen(&Event::Days { days: 1 }).unwrap();
    leaves(&mut world);
    assert!(world.covered.len() > covered + 1, "another day");
}

#[test]
fn without_a_date_a_day_is_so_long_and_a_clock_that_is_put_back_begins_none() {
    let mut core = Destination::new(metered(), 7, Restored::default());
    let usage = Usage { date: Some(Date { day: 9, month: 0 }), day_bytes: DAY, month_bytes: DAY };
    let mut restored = Destination::new(metered(), 7, Restored { usage, ..Restored::default() });
    let allows = |core: &Destination| core.standing().budget_allows;
    assert_eq!((allows(&core), allows(&restored)), ([true; 2], [false; 2]));
    let at = |hours: u64| MonoMs(hours * 3_600_000);
    restored.handle(at(1), Input::Calendar { date: None });
    restored.handle(at(2), Input::Calendar { date: Some(Date { day: 8, month: 0 }) });
    assert_eq!(allows(&restored), [false; 2], "put back");
    restored.handle(at(25), Input::Calendar { date: None });
    assert_eq!(allows(&restored), [false; 2], "23 hours");
    restored.handle(at(27), Input::Calendar { date: None });
    assert_eq!(allows(&restored), [true; 2], "a day has passed");
    core.handle(at(27), Input::Calendar { date: Some(Date { day: 20_000, month: 666 }) });
    assert_eq!(allows(&core), [true; 2]);
}
