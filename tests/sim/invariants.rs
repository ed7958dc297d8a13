//! What is demanded of every world, at any time and at its end. The definitions stand in the crates they belong to;
//! here is what they are asked about.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use journal::{Reader, Segment, Stage, Tally};
use record::{
    Aggregate, AlarmState, Body, ClockQuality, Gap, Kind, MonoMs, OutfallCode, Period, Record, RuleId, Seq, SeqRange,
    SeqRanges, SourceId, Stamp, UnixMs,
};
use rules::{ActiveAlarm, Aggregates, Engine};

use crate::broken::Fault;
use crate::filter::Places;
use crate::gateway::Gateway;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// As in the README.
    pub(crate) invariant: &'static str,
    pub(crate) what: String,
}

pub(crate) type Checked<T = ()> = Result<T, Violation>;

pub(crate) fn violation<T>(invariant: &'static str, what: String) -> Checked<T> {
    Err(Violation { invariant, what })
}

/// Demands that an invariant holds; what is wrong is told otherwise.
macro_rules! demand {
    ($invariant:literal, $holds:expr, $($what:tt)*) => {
        if !$holds {
            return $crate::invariants::violation($invariant, format!($($what)*));
        }
    };
}
pub(crate) use demand;

/// The lines in which two engines differ.
fn difference(restarted: &Engine, unbroken: &Engine) -> String {
    let [restarted, unbroken] = [restarted, unbroken].map(|engine| format!("{engine:#?}"));
    let (restarted, unbroken): (Vec<&str>, Vec<&str>) = (restarted.lines().collect(), unbroken.lines().collect());
    let begins = restarted.iter().zip(&unbroken).take_while(|(restarted, unbroken)| restarted == unbroken).count();
    let part = |lines: &[&str]| {
        lines
            .iter()
            .skip(begins.saturating_sub(DIFFERENCE_LINES))
            .take(2 * DIFFERENCE_LINES)
            .map(|line| line.trim())
            .collect::<Vec<_>>()
            .join(" ")
    };
    format!("{}; without {}", part(&restarted), part(&unbroken))
}

/// Lines shown before the first difference, and behind it.
const DIFFERENCE_LINES: usize = 30;

/// What an onlooker knows of the box: all that was ever durable, read through a connection of its own.
#[derive(Debug)]
pub(crate) struct Onlooker {
    fault: Option<Fault>,
    /// Canonical bytes by number (J1, J2).
    records: Vec<Vec<u8>>,
    /// The numbers that records tell to be gone (J2).
    pub(crate) told: SeqRanges,
    /// Records that tell of the clock.
    pub(crate) clocks: u64,
    /// The numbers of alarm records.
    pub(crate) alarms: Vec<Seq>,
    /// Where devices stood.
    pub(crate) places: Places,
    /// Exact bytes of accepted and refused frames, with their record.
    frames: HashMap<Vec<u8>, Seq>,
    /// Where each alarm stands by its records (R1).
    states: BTreeMap<(RuleId, SourceId), AlarmState>,
    /// Rules that were never restarted (R2).
    unbroken: Engine,
    /// Aggregates by a fold that was never restarted (R2), and those that were journaled.
    unbroken_aggregates: Aggregates,
    pub(crate) aggregated: BTreeSet<(SourceId, Option<OutfallCode>, Period, UnixMs)>,
    /// What the box took in, as far as it is durable (A3).
    received: BTreeMap<Option<SourceId>, u64>,
}

impl Onlooker {
    pub(crate) fn new(unbroken: Engine, fault: Option<Fault>) -> Onlooker {
        Onlooker {
            fault,
            records: Vec::new(),
            told: SeqRanges::new(),
            clocks: 0,
            alarms: Vec::new(),
            places: Places::default(),
            frames: HashMap::new(),
            states: BTreeMap::new(),
            unbroken,
            unbroken_aggregates: Aggregates::new(crate::gateway::aggregation()),
            aggregated: BTreeSet::new(),
            received: BTreeMap::new(),
        }
    }

    /// The number that the next durable record will get.
    pub(crate) fn end(&self) -> Seq {
        Seq(self.records.len() as u64)
    }

    /// The record that has these exact bytes.
    pub(crate) fn record_of(&self, frame: &[u8]) -> Option<Seq> {
        self.frames.get(frame).copied()
    }

    pub(crate) fn record(&self, seq: Seq) -> Option<Record> {
        let bytes = self.records.get(usize::try_from(seq.0).ok()?)?;
        Some(Record::from_canonical(bytes).expect("these bytes were a record when they were committed"))
    }

    /// Takes note of what became durable. `truth` tells the time that it really was at a stamp (T1).
    pub(crate) fn look(&mut self, reader: &Reader, truth: impl Fn(&Stamp) -> UnixMs) -> Checked {
        for (seq, record) in self.read(reader, self.end())? {
            let true_ms = truth(&record.stamp);
            demand!(
                "T1",
                record::invariant::t1_no_false_good_time(&record.stamp, true_ms),
                "record {seq} says {:?}, it was {true_ms}",
                record.stamp
            );
            match &record.body {
                Body::Alarm(step) => {
                    let key = (step.rule.clone(), step.source.clone());
                    let before = self.states.insert(key, step.to).unwrap_or(AlarmState::Normal);
                    let holds = rules::invariant::r1_legal(before, step);
                    demand!("R1", holds, "record {seq}: {step:?} after {before:?}");
                    self.alarms.push(seq);
                }
                Body::Frame(frame) => {
                    let again = self.frames.insert(frame.raw.clone(), seq);
                    // One that was taken away, and told, may come again as a new one.
                    let again = again.filter(|again| !self.told.contains(*again));
                    demand!(
                        "A3",
                        again.is_none(),
                        "a frame of {} is stored twice, as {again:?} and {seq}",
                        frame.source
                    );
                }
                Body::Rejected(rejected) => {
                    self.frames.entry(rejected.raw.clone()).or_insert(seq);
                }
                Body::Gap(gap) => self.hear_of(seq, gap)?,
                Body::Clock(set) => {
                    let clock = ClockQuality::Holdover { error_ms: set.error_ms };
                    let claimed = Stamp { clock, ..record.stamp };
                    let holds = record::invariant::t1_no_false_good_time(&claimed, true_ms);
                    demand!("T1", holds, "record {seq} says {set:?} at {:?}, it was {true_ms}", record.stamp);
                    self.clocks += 1;
                }
                Body::Outfall(outfall) => self.places.hear(seq, outfall),
                Body::Aggregate(aggregate) => self.hear_aggregate(seq, &record.stamp, aggregate)?,
                _ => {}
            }
            self.records.push(record.to_canonical());
            let at = record::RecordAt { seq, record };
            drop(self.unbroken_aggregates.apply(&at));
            drop(self.unbroken.apply(&at));
        }
        Ok(())
    }

    /// Everything that was ever durable still is, and is what it was.
    pub(crate) fn look_again(&self, reader: &Reader) -> Checked {
        let found = self.read(reader, Seq(0))?;
        let end = reader.position().expect("the journal's position").end;
        demand!("J2", end >= self.end(), "{} records were durable, {end} are left", self.end());
        for (seq, record) in &found {
            let bytes = record.to_canonical();
            let Some(known) = self.records.get(usize::try_from(seq.0).expect("a place")) else { break };
            demand!("J1", journal::invariant::j1_unchanged(known, &bytes), "record {seq} is another one now");
        }
        Ok(())
    }

    fn read(&self, reader: &Reader, from: Seq) -> Checked<Vec<(Seq, Record)>> {
        let end = reader.position().expect("the journal's position").end;
        let (mut next, mut found) = (from, Vec::new());
        while let Some(range) = SeqRange::new(next, Seq(end.0.saturating_sub(1))).filter(|_| next < end) {
            let mut page = reader.read(range, 1 << 20).expect("records");
            crate::broken::damage(self.fault, from == Seq(0) && self.end() > from, &mut page);
            if page.is_empty() {
                self.is_told(next, end)?;
                break;
            }
            for at in page {
                self.is_told(next, at.seq)?;
                demand!("J2", at.seq >= next, "record {} stands where {next} belongs", at.seq);
                next = at.seq.next();
                found.push((at.seq, at.record));
            }
        }
        Ok(found)
    }

    /// Where the next record found is not the one that follows, those between are told to be gone.
    fn is_told(&self, expected: Seq, found: Seq) -> Checked {
        if journal::invariant::j2_follows(expected, found) {
            return Ok(());
        }
        let missing: SeqRanges = SeqRange::new(expected, Seq(found.0.saturating_sub(1))).into_iter().collect();
        let holds = journal::invariant::j2_told(&missing, &self.told);
        demand!("J2", holds, "record {found} stands where {expected} belongs, {:?} are told to be gone", self.told);
        Ok(())
    }

    /// A record tells a loss: each number once, and exactly what they were.
    fn hear_of(&mut self, seq: Seq, gap: &Gap) -> Checked {
        let mut committed = [0; 4];
        for lost in gap.ranges.iter().flat_map(|range| range.first.0..=range.last.0).map(Seq) {
            demand!("J2", !self.told.contains(lost), "record {seq} tells the loss of {lost} again");
            let record = self.record(lost);
            demand!("J2", record.is_some(), "record {seq} tells the loss of {lost}, which there never was");
            let kind = record.map(|record| record.body.kind());
            committed[kind.map_or(2, |kind| match kind {
                Kind::Frame => 0,
                Kind::Rejected => 1,
                _ => 2,
            })] += 1;
            committed[3] += self.records[usize::try_from(lost.0).expect("a place")].len() as u64;
        }
        let holds = journal::invariant::j2_counted(gap, committed);
        demand!("J2", holds, "record {seq} tells {gap:?}, it was {committed:?}");
        gap.ranges.iter().for_each(|range| self.told.insert(range));
        Ok(())
    }

    /// An aggregate is the one that a fold without restarts makes at that time, and there is no other of its window (R2).
    fn hear_aggregate(&mut self, seq: Seq, stamp: &Stamp, aggregate: &Aggregate) -> Checked {
        drop(self.unbroken_aggregates.tick(stamp));
        let is_due = self.unbroken_aggregates.outstanding().any(|due| due == aggregate);
        demand!("R2", is_due, "record {seq} is {aggregate:?}, which a box without restarts does not make");
        let Aggregate { source, outfall, from_ms, period, .. } = aggregate;
        let is_new = self.aggregated.insert((source.clone(), outfall.clone(), *period, *from_ms));
        demand!("R2", is_new, "record {seq} tells {aggregate:?} again");
        Ok(())
    }

    /// Every aggregate that a box without restarts makes is journaled, where no frame was taken away before a restart.
    pub(crate) fn look_at_aggregates(&self) -> Checked {
        let missing = self.unbroken_aggregates.outstanding().next();
        demand!("R2", missing.is_none() || !self.told.is_empty(), "nobody journaled {missing:?}");
        Ok(())
    }

    /// What a technician is shown is what was journaled (R1).
    pub(crate) fn look_at_board(&self, shown: &[ActiveAlarm]) -> Checked {
        for alarm in shown {
            let journaled = self.states.get(&(alarm.rule.clone(), alarm.source.clone()));
            demand!("R1", journaled == Some(&alarm.state), "{alarm:?} is shown, {journaled:?} is journaled");
        }
        Ok(())
    }

    /// Rules after a restart are as rules without one (R2), as far as frames were left to read back. Where a run of samples
    /// counts anew because its beginning is gone, it counts so from now on.
    pub(crate) fn look_at_rules(&mut self, gateway: &Gateway) -> Checked {
        let (restarted, segments) = (&gateway.ledger.engine, gateway.segments());
        // What it found by the time alone is journaled, and told to the other one as well.
        drop(self.unbroken.tick(&gateway.started));
        let thin = |segment: &&Segment| {
            segment.condemned.is_some() || matches!(segment.stage, Stage::Thinned | Stage::Remnant | Stage::Gone)
        };
        let thinned_to = segments.iter().filter(thin).filter_map(|segment| segment.last).max();
        let last = thinned_to.and_then(|last| self.record(last)).map(|record| record.stamp);
        // After it, and not with the first that is whole: that one may have the same millisecond.
        let from = last.map_or_else(Default::default, |stamp| (stamp.boot, MonoMs(stamp.mono_ms.0 + 1)));
        let holds = rules::invariant::r2_restart_changes_nothing(restarted, &self.unbroken, from);
        demand!("R2", holds, "after a restart {}", difference(restarted, &self.unbroken));
        self.unbroken = restarted.clone();
        Ok(())
    }

    /// A transaction with so many frames of each source became durable (A3).
    pub(crate) fn count(&mut self, received: BTreeMap<Option<SourceId>, u64>, reader: &Reader) -> Checked {
        for (source, count) in received {
            *self.received.entry(source).or_default() += count;
        }
        let rows = reader.devices().expect("devices");
        for (source, received) in &self.received {
            let Tally { accepted, duplicate, rejected, shed } = rows.get(source).cloned().unwrap_or_default().tally;
            let holds = ingest::invariant::a3_conserved(*received, accepted, duplicate, rejected, shed);
            demand!("A3", holds, "{source:?}: received {received}, {accepted} + {duplicate} + {rejected} + {shed}");
        }
        Ok(())
    }
}
