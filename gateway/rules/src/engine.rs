//! The fold over the journal.

mod judging;
mod people;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use record::{
    AlarmState, AlarmTransition, Body, BootNo, Decimal, LimitSide, Measure, MonoMs, Quantity, RecordAt, RuleId, Seq,
    SourceId, Stamp, Suppression, Tier, Unit,
};
use serde::Serialize;

pub use people::NotReset;

use crate::expression::Fault;
use crate::field::Field;
use crate::latch::{Journaled, Latch};
use crate::memory::Memory;
use crate::{Basis, Priority, Rule, RuleSet};

/// Most pairs of rule and device with a state: 100 devices under 200 rules each, about 4 MB.
pub const STATES_MAX: usize = 20_000;

/// Most transitions that wait for their record. Beyond it no sample moves a state until some are journaled; the next
/// sample then decides.
pub const OUTSTANDING_MAX: usize = 4_096;

/// How many records later a transition's own record must have come. The writer journals transitions in the commit after
/// their frames, so this is several of its largest commits. What is older will not come any more: it was derived from
/// rules that were not in force then, and it is forgotten instead of being announced late.
pub const OUTSTANDING_RECORDS_MAX: u64 = 4_096;

/// Judges records by rules. Feed it every committed record once, in the order of the journal, those of its own
/// transitions included: at start the journal so far, then each commit. Nothing else is needed to restore it.
///
/// A journal of a year need not be read whole at start: all alarm records and those of outfalls, and the frames of twice the
/// longest [`Rule::reach_ms`], still in order, give the same engine, except that a run of samples beyond a setpoint that
/// began before them counts from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    rules: Vec<Rule>,
    /// Places in `rules`.
    by_quantity: BTreeMap<Quantity, Arc<[usize]>>,
    /// Of each rule, by its place, the devices that it judges.
    judged: Vec<BTreeMap<SourceId, Judged>>,
    states: usize,
    field: Field,
    /// Of each rule with a window: all that end by then are judged, in UTC milliseconds.
    closed_to: BTreeMap<usize, i64>,
    /// Places of rules of silence.
    silences: Arc<[usize]>,
    /// With the newest record when each was derived.
    outstanding: VecDeque<(Seq, AlarmTransition)>,
    newest: Seq,
    states_refused: u64,
    /// Of each rule with an expression that had no answer, how often, and why the last time.
    faults: BTreeMap<usize, (u64, Fault)>,
}

/// What is known of one rule and one device.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Judged {
    latch: Latch,
    memory: Memory,
    /// The newest record with a reading of the quantity.
    heard: Option<Seq>,
}

/// An alarm that stands: active, or returned and not yet acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActiveAlarm {
    /// The rule that judged.
    pub rule: RuleId,
    /// The device it judged.
    pub source: SourceId,
    /// The quantity it judged.
    pub quantity: Quantity,
    /// What was made of its readings.
    pub measure: Measure,
    /// Over how long, in seconds; 0 where a moment decides.
    pub span_s: u32,
    /// In what limit and value are.
    pub unit: Unit,
    /// How urgent.
    pub priority: Priority,
    /// How much it says.
    pub tier: Tier,
    /// Where it stands.
    pub state: AlarmState,
    /// The setpoint by which it was judged.
    pub limit: Decimal,
    /// Which side of it is bad.
    pub side: LimitSide,
    /// The value that decided; none when a person acknowledged.
    pub value: Option<Decimal>,
    /// When the transition to this state was journaled.
    pub since: Stamp,
    /// The record that decided.
    pub cause: Seq,
    /// Of an alarm that latches: whether its value is back, so that somebody may reset it.
    pub is_cleared: bool,
    /// Why it is not to be shown, if it is not.
    pub suppression: Option<Suppression>,
    /// How often it was raised within the hour before it was raised last, that time included. Many times is chatter
    /// (ISA-18.2): its rule wants a deadband or a delay.
    pub raised: usize,
}

/// Readings that a rule could not judge, because the device measures in another unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitMismatch {
    /// The rule.
    pub rule: RuleId,
    /// The device.
    pub source: SourceId,
    /// How many readings, since the first record the engine saw.
    pub readings: u64,
}

/// Readings for which the expression of a rule had no answer: nothing was found of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpressionFault {
    /// The rule.
    pub rule: RuleId,
    /// How many, since the first record the engine saw.
    pub readings: u64,
    /// Why, the last time.
    pub why: Fault,
}

impl Engine {
    /// Whether this one answers to whatever comes as `unbroken` does, which saw every frame, while this one saw those from
    /// a boot and time on. Where an alarm is active already it does not matter since when the samples are beyond the
    /// setpoint; and who was always normal is as one who was never heard. Where frames are gone, rules that look back find
    /// something else until they see as far again, and are not compared.
    pub fn judges_as(&self, unbroken: &Engine, from: (BootNo, MonoMs)) -> bool {
        let new = Judged::new();
        let saw_all = from == <(BootNo, MonoMs)>::default();
        let alike = |place: usize, source: &SourceId| {
            let judged = |engine: &Engine| engine.judged[place].get(source).unwrap_or(&new).clone();
            let (own, other) = (judged(self), judged(unbroken));
            own.latch.judges_as(&other.latch, from) && own.memory.leads_as(&other.memory, from)
        };
        let compared = |place: &usize| saw_all || self.rules[*place].basis.looks_at_one_reading();
        // It may have been told a later time since; what that found is in the journal, and both have it from there.
        let closed = |(place, to): (&usize, &i64)| self.closed_to.get(place).map_or(!saw_all, |own| own >= to);
        let wall_from = self.closed_to.values().copied().max().unwrap_or(i64::MAX);
        (&self.rules, self.states_refused) == (&unbroken.rules, unbroken.states_refused)
            && self.outstanding().eq(unbroken.outstanding())
            && self.closed_to.keys().all(|place| unbroken.closed_to.contains_key(place))
            && unbroken.closed_to.iter().all(closed)
            && self.field.knows_as(&unbroken.field, from, wall_from)
            && (0..self.rules.len()).filter(compared).all(|place| {
                let mut sources = self.judged[place].keys().chain(unbroken.judged[place].keys());
                sources.all(|source| alike(place, source))
            })
    }

    /// An engine that has seen no record.
    pub fn new(rules: RuleSet) -> Engine {
        let rules = rules.into_rules();
        let mut by_quantity: BTreeMap<Quantity, Vec<usize>> = BTreeMap::new();
        for (place, rule) in rules.iter().enumerate() {
            by_quantity.entry(rule.quantity.clone()).or_default().push(place);
        }
        let is_silence = |(place, rule): (usize, &Rule)| matches!(rule.basis, Basis::Silence { .. }).then_some(place);
        Engine {
            by_quantity: by_quantity.into_iter().map(|(quantity, places)| (quantity, places.into())).collect(),
            judged: vec![BTreeMap::new(); rules.len()],
            states: 0,
            field: Field::new(&rules),
            closed_to: BTreeMap::new(),
            silences: rules.iter().enumerate().filter_map(is_silence).collect(),
            outstanding: VecDeque::new(),
            newest: Seq(0),
            states_refused: 0,
            faults: BTreeMap::new(),
            rules,
        }
    }

    /// Takes the next record of the journal; returns the transitions it causes, in order. Journal them in this order,
    /// then apply their records too; while the journal is being replayed, ignore them and ask
    /// [`Engine::outstanding`] afterwards.
    ///
    /// Only accepted frames are samples, and of them only readings of [`record::Quality::Good`] in the rule's quantity and
    /// unit: a reading that cannot be believed neither raises nor clears, nor does it break an on-delay; rules of silence and
    /// of implausible readings alone take notice of it. An alarm record confirms the transition it was made from; any other
    /// one (an acknowledgement, an alarm under other rules) sets the state as it says, because the journal is right.
    ///
    /// The stamp of each record but those of alarms and outfalls tells the time as well: [`Engine::tick`].
    pub fn apply(&mut self, record: &RecordAt) -> Vec<AlarmTransition> {
        self.newest = record.seq;
        self.forget_before(record.seq);
        let stamp = &record.record.stamp;
        let mut transitions = match &record.record.body {
            // Read back from long before the frames: they are no sign that the time between was listened to.
            Body::Alarm(_) | Body::Outfall(_) => Vec::new(),
            _ => {
                self.begin_windows(stamp);
                self.tick(stamp)
            }
        };
        match &record.record.body {
            Body::Frame(frame) => transitions.extend(self.judge(record.seq, stamp, frame)),
            Body::Alarm(transition) => self.confirm(stamp, transition),
            Body::Outfall(outfall) => self.field.take_outfall(outfall),
            // Nobody listened before it.
            Body::Boot(_) => self.listen_from(stamp),
            // What a mended codec says of the past raises no alarm today.
            Body::Rejected(_) | Body::Codec(_) | Body::Redecoded(_) => {}
            Body::Clock(_) | Body::Gap(_) | Body::Audit(_) | Body::Aggregate(_) => {}
            // The word of a person is no sample of a device.
            Body::Manual(_) => {}
        }
        transitions
    }

    /// Transitions whose own records have not been applied: after a replay, what a crash kept from being journaled.
    pub fn outstanding(&self) -> impl ExactSizeIterator<Item = &AlarmTransition> + '_ {
        self.outstanding.iter().map(|(_, transition)| transition)
    }

    /// What stands according to the journal (R1), the most urgent first; whether it is to be shown, as of now.
    pub fn alarms(&self, now: &Stamp) -> Vec<ActiveAlarm> {
        let each = |(place, judged): (usize, &'_ BTreeMap<SourceId, Judged>)| -> Vec<ActiveAlarm> {
            judged.iter().filter_map(|(source, judged)| self.alarm(place, source, &judged.latch, now)).collect()
        };
        let mut alarms: Vec<ActiveAlarm> = self.judged.iter().enumerate().flat_map(each).collect();
        alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.priority));
        alarms
    }

    /// Devices whose unit does not fit a rule.
    pub fn unit_mismatches(&self) -> impl Iterator<Item = UnitMismatch> + '_ {
        self.rules.iter().zip(&self.judged).flat_map(|(rule, judged)| {
            let counted = judged.iter().filter(|(_, judged)| judged.latch.unit_mismatches > 0);
            counted.map(|(source, judged)| UnitMismatch {
                rule: rule.id.clone(),
                source: source.clone(),
                readings: judged.latch.unit_mismatches,
            })
        })
    }

    /// Rules whose expressions had no answer.
    pub fn expression_faults(&self) -> impl Iterator<Item = ExpressionFault> + '_ {
        self.faults.iter().map(|(place, (readings, why))| ExpressionFault {
            rule: self.rules[*place].id.clone(),
            readings: *readings,
            why: *why,
        })
    }

    /// Each input of a rule's expression, with what is known of it at a time when a device is judged; empty for other rules.
    pub fn inputs(&self, rule: &RuleId, source: &SourceId, now: &Stamp) -> Vec<(String, Option<String>)> {
        let rule = self.rules.iter().find(|known| known.id == *rule);
        let Some(Basis::Expression(formula)) = rule.map(|rule| &rule.basis) else { return Vec::new() };
        formula.told(source, now, &self.field, |rule, source| self.stands(rule, source))
    }

    /// Readings that were not judged because [`STATES_MAX`] was reached: name fewer devices in the rules.
    pub fn states_refused(&self) -> u64 {
        self.states_refused
    }

    /// Readings that no mean took because they came too late, or because there are too many series.
    pub fn readings_refused(&self) -> u64 {
        self.field.refused
    }

    fn alarm(&self, place: usize, source: &SourceId, latch: &Latch, now: &Stamp) -> Option<ActiveAlarm> {
        let rule = &self.rules[place];
        let journaled = latch.journaled.as_ref().filter(|journaled| journaled.state != AlarmState::Normal)?;
        Some(ActiveAlarm {
            rule: rule.id.clone(),
            source: source.clone(),
            quantity: rule.quantity.clone(),
            measure: rule.basis.measure(),
            span_s: rule.basis.span_s(),
            unit: rule.limit_unit.clone(),
            priority: rule.priority,
            tier: rule.tier,
            state: journaled.state,
            limit: journaled.limit,
            side: rule.limit.side,
            value: journaled.value,
            since: journaled.since,
            cause: journaled.cause,
            is_cleared: journaled.state.is_active() && latch.cleared.is_some(),
            suppression: self.suppression(place, source, now),
            raised: latch.raised.len(),
        })
    }

    /// An alarm record. One of a rule that is gone, or that judges something else by now, says nothing any more.
    fn confirm(&mut self, stamp: &Stamp, alarm: &AlarmTransition) {
        let measure = alarm.grounds.as_ref().map_or(Measure::Reading, |grounds| grounds.measure);
        let same = |rule: &Rule| {
            rule.id == alarm.rule
                && rule.quantity == alarm.quantity
                && rule.basis.measure() == measure
                && rule.limit.side == alarm.side
                && rule.devices.covers(&alarm.source)
        };
        let Some(place) = self.rules.iter().position(same) else { return };
        let Some(Judged { latch, .. }) = self.judged(place, &alarm.source) else { return };
        let AlarmTransition { limit, value, cause, .. } = *alarm;
        latch.journal(Journaled { state: alarm.to, since: *stamp, limit, value, cause });
        let first = self.outstanding().position(|waiting| concerns(waiting, &alarm.rule, &alarm.source));
        match first {
            Some(first) if self.outstanding[first].1 == *alarm => drop(self.outstanding.remove(first)),
            _ => {
                if let Some(Judged { latch, .. }) = self.judged(place, &alarm.source) {
                    latch.derived = alarm.to;
                }
                self.outstanding.retain(|(_, waiting)| !concerns(waiting, &alarm.rule, &alarm.source));
            }
        }
    }

    /// Drops what should have been journaled long ago; its state falls back to the journal's.
    fn forget_before(&mut self, now: Seq) {
        let late = |derived: Seq| now.0.saturating_sub(derived.0) > OUTSTANDING_RECORDS_MAX;
        while let Some((_, oldest)) = self.outstanding.front().filter(|(derived, _)| late(*derived)).cloned() {
            self.outstanding.retain(|(_, waiting)| !concerns(waiting, &oldest.rule, &oldest.source));
            if let Some(place) = self.rules.iter().position(|rule| rule.id == oldest.rule)
                && let Some(Judged { latch, .. }) = self.judged[place].get_mut(&oldest.source)
            {
                latch.derived = latch.journaled_state();
            }
        }
    }

    /// The state of this rule for this device; `None`, counted, if there is no room for another one.
    fn judged(&mut self, place: usize, source: &SourceId) -> Option<&mut Judged> {
        let judged = &mut self.judged[place];
        if !judged.contains_key(source) {
            if self.states >= STATES_MAX {
                self.states_refused = self.states_refused.saturating_add(1);
                return None;
            }
            self.states += 1;
            judged.insert(source.clone(), Judged::new());
        }
        judged.get_mut(source)
    }
}

impl Judged {
    fn new() -> Judged {
        Judged { latch: Latch::new(), memory: Memory::Nothing, heard: None }
    }
}

fn concerns(transition: &AlarmTransition, rule: &RuleId, source: &SourceId) -> bool {
    transition.rule == *rule && transition.source == *source
}

#[cfg(test)]
mod tests;
