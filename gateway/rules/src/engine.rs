//! The fold over the journal.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use record::{
    AlarmState, AlarmTransition, Body, BootNo, Decimal, Frame, LimitSide, MonoMs, Quality, Quantity, Reading, RecordAt,
    RuleId, Seq, SourceId, Stamp, Unit,
};
use serde::Serialize;

use crate::latch::{Journaled, Latch};
use crate::{Priority, Rule, RuleSet, invariant};

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
/// A journal of a year need not be read whole at start: all alarm records, and the frames of the last two
/// [`crate::ON_DELAY_S_MAX`], still in order, give the same engine, except that a run of samples beyond a setpoint that
/// began before them counts from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    rules: Vec<Rule>,
    /// Places in `rules`.
    by_quantity: BTreeMap<Quantity, Arc<[usize]>>,
    latches: BTreeMap<(usize, SourceId), Latch>,
    outstanding: VecDeque<AlarmTransition>,
    states_refused: u64,
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
    /// In what.
    pub unit: Unit,
    /// How urgent.
    pub priority: Priority,
    /// Where it stands.
    pub state: AlarmState,
    /// The setpoint as configured now.
    pub limit: Decimal,
    /// Which side of it is bad.
    pub side: LimitSide,
    /// The value that decided; none when a person acknowledged.
    pub value: Option<Decimal>,
    /// When the transition to this state was journaled.
    pub since: Stamp,
    /// The record that decided.
    pub cause: Seq,
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

impl Engine {
    /// Whether this one answers to whatever comes as `unbroken` does, which saw every frame, while this one saw those from
    /// a boot and time on. Where an alarm is active already it does not matter since when the samples are beyond the
    /// setpoint; and who was always normal is as one who was never heard.
    pub fn judges_as(&self, unbroken: &Engine, from: (BootNo, MonoMs)) -> bool {
        let new = Latch::new();
        let latch = |engine: &Engine, key| engine.latches.get(key).unwrap_or(&new).clone();
        let mut keys = self.latches.keys().chain(unbroken.latches.keys());
        (&self.rules, &self.outstanding, self.states_refused)
            == (&unbroken.rules, &unbroken.outstanding, unbroken.states_refused)
            && keys.all(|key| latch(self, key).judges_as(&latch(unbroken, key), from))
    }

    /// An engine that has seen no record.
    pub fn new(rules: RuleSet) -> Engine {
        let rules = rules.into_rules();
        let mut by_quantity: BTreeMap<Quantity, Vec<usize>> = BTreeMap::new();
        for (place, rule) in rules.iter().enumerate() {
            by_quantity.entry(rule.quantity.clone()).or_default().push(place);
        }
        let by_quantity = by_quantity.into_iter().map(|(quantity, places)| (quantity, places.into())).collect();
        Engine { rules, by_quantity, latches: BTreeMap::new(), outstanding: VecDeque::new(), states_refused: 0 }
    }

    /// Takes the next record of the journal; returns the transitions it causes, in order. Journal them in this order,
    /// then apply their records too; while the journal is being replayed, ignore them and ask
    /// [`Engine::outstanding`] afterwards.
    ///
    /// Only accepted frames are samples, and of them only readings of [`Quality::Good`] in the rule's quantity and
    /// unit: a reading that cannot be believed neither raises nor clears, nor does it break an on-delay. An alarm
    /// record confirms the transition it was made from; any other one (an acknowledgement, an alarm under other rules)
    /// sets the state as it says, because the journal is right.
    pub fn apply(&mut self, record: &RecordAt) -> Vec<AlarmTransition> {
        self.forget_before(record.seq);
        match &record.record.body {
            Body::Frame(frame) => self.judge(record.seq, &record.record.stamp, frame),
            Body::Alarm(transition) => {
                self.confirm(&record.record.stamp, transition);
                Vec::new()
            }
            // What a mended codec says of the past raises no alarm today.
            Body::Boot(_) | Body::Rejected(_) | Body::Codec(_) | Body::Redecoded(_) => Vec::new(),
            Body::Clock(_) | Body::Gap(_) | Body::Audit(_) | Body::Outfall(_) => Vec::new(),
        }
    }

    /// Transitions whose own records have not been applied: after a replay, what a crash kept from being journaled.
    pub fn outstanding(&self) -> impl ExactSizeIterator<Item = &AlarmTransition> + '_ {
        self.outstanding.iter()
    }

    /// What stands according to the journal (R1), the most urgent first.
    pub fn alarms(&self) -> Vec<ActiveAlarm> {
        let mut alarms: Vec<ActiveAlarm> =
            self.latches.iter().filter_map(|((place, source), latch)| self.alarm(*place, source, latch)).collect();
        alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.priority));
        alarms
    }

    /// The step that follows when somebody has seen the alarm of a rule for a device; none where nobody waits for that. Its
    /// cause is that of the alarm.
    pub fn acknowledged(&self, rule: &RuleId, source: &SourceId) -> Option<AlarmTransition> {
        let place = self.rules.iter().position(|known| known.id == *rule)?;
        let (rule, latch) = (&self.rules[place], self.latches.get(&(place, source.clone()))?);
        let from = latch.derived;
        let to = match from {
            AlarmState::Unacknowledged => AlarmState::Acknowledged,
            AlarmState::ReturnedUnacknowledged => AlarmState::Normal,
            AlarmState::Normal | AlarmState::Acknowledged => return None,
        };
        Some(AlarmTransition {
            rule: rule.id.clone(),
            source: source.clone(),
            quantity: rule.quantity.clone(),
            from,
            to,
            limit: rule.limit.setpoint,
            side: rule.limit.side,
            value: None,
            cause: latch.journaled.as_ref().map(|journaled| journaled.cause)?,
        })
    }

    /// Devices whose unit does not fit a rule.
    pub fn unit_mismatches(&self) -> impl Iterator<Item = UnitMismatch> + '_ {
        let counted = self.latches.iter().filter(|(_, latch)| latch.unit_mismatches > 0);
        counted.map(|((place, source), latch)| UnitMismatch {
            rule: self.rules[*place].id.clone(),
            source: source.clone(),
            readings: latch.unit_mismatches,
        })
    }

    /// Readings that were not judged because [`STATES_MAX`] was reached: name fewer devices in the rules.
    pub fn states_refused(&self) -> u64 {
        self.states_refused
    }

    fn alarm(&self, place: usize, source: &SourceId, latch: &Latch) -> Option<ActiveAlarm> {
        let rule = &self.rules[place];
        let journaled = latch.journaled.as_ref().filter(|journaled| journaled.state != AlarmState::Normal)?;
        Some(ActiveAlarm {
            rule: rule.id.clone(),
            source: source.clone(),
            quantity: rule.quantity.clone(),
            unit: rule.unit.clone(),
            priority: rule.priority,
            state: journaled.state,
            limit: rule.limit.setpoint,
            side: rule.limit.side,
            value: journaled.value,
            since: journaled.since,
            cause: journaled.cause,
        })
    }

    fn judge(&mut self, seq: Seq, stamp: &Stamp, frame: &Frame) -> Vec<AlarmTransition> {
        let mut transitions = Vec::new();
        for reading in &frame.readings {
            let Some(value) = reading.value.filter(|_| reading.quality == Quality::Good) else { continue };
            let Some(places) = self.by_quantity.get(&reading.quantity).cloned() else { continue };
            for place in places.iter() {
                let step = self.step(*place, &frame.source, reading, value, stamp);
                let Some((from, to)) = step else { continue };
                let rule = &self.rules[*place];
                let transition = AlarmTransition {
                    rule: rule.id.clone(),
                    source: frame.source.clone(),
                    quantity: rule.quantity.clone(),
                    from,
                    to,
                    limit: rule.limit.setpoint,
                    side: rule.limit.side,
                    value: Some(value),
                    cause: seq,
                };
                debug_assert!(invariant::r1_legal(from, &transition), "R1: {transition:?}");
                self.outstanding.push_back(transition.clone());
                transitions.push(transition);
            }
        }
        transitions
    }

    /// One reading under one rule: the states it leads from and to, if it changes any.
    fn step(
        &mut self,
        place: usize,
        source: &SourceId,
        reading: &Reading,
        value: Decimal,
        stamp: &Stamp,
    ) -> Option<(AlarmState, AlarmState)> {
        let rule = &self.rules[place];
        if !rule.devices.covers(source) {
            return None;
        }
        let Some(latch) = latch(&mut self.latches, place, source) else {
            self.states_refused = self.states_refused.saturating_add(1);
            return None;
        };
        if reading.unit != rule.unit {
            latch.unit_mismatches = latch.unit_mismatches.saturating_add(1);
            return None;
        }
        let from = latch.derived;
        let to = latch.sample(&rule.limit, value, stamp).filter(|_| self.outstanding.len() < OUTSTANDING_MAX)?;
        latch.derived = to;
        Some((from, to))
    }

    /// An alarm record. One of a rule that is gone, or that judges something else by now, says nothing any more.
    fn confirm(&mut self, stamp: &Stamp, alarm: &AlarmTransition) {
        let same = |rule: &Rule| {
            rule.id == alarm.rule
                && rule.quantity == alarm.quantity
                && rule.limit.side == alarm.side
                && rule.devices.covers(&alarm.source)
        };
        let Some(place) = self.rules.iter().position(same) else { return };
        let Some(latch) = latch(&mut self.latches, place, &alarm.source) else {
            self.states_refused = self.states_refused.saturating_add(1);
            return;
        };
        latch.journaled = Some(Journaled { state: alarm.to, since: *stamp, value: alarm.value, cause: alarm.cause });
        match self.outstanding.iter().position(|waiting| concerns(waiting, &alarm.rule, &alarm.source)) {
            Some(first) if self.outstanding[first] == *alarm => drop(self.outstanding.remove(first)),
            _ => {
                latch.derived = alarm.to;
                self.outstanding.retain(|waiting| !concerns(waiting, &alarm.rule, &alarm.source));
            }
        }
    }

    /// Drops what should have been journaled long ago; its state falls back to the journal's.
    fn forget_before(&mut self, now: Seq) {
        let late = |waiting: &AlarmTransition| now.0.saturating_sub(waiting.cause.0) > OUTSTANDING_RECORDS_MAX;
        while let Some(oldest) = self.outstanding.front().filter(|oldest| late(oldest)).cloned() {
            self.outstanding.retain(|waiting| !concerns(waiting, &oldest.rule, &oldest.source));
            if let Some(place) = self.rules.iter().position(|rule| rule.id == oldest.rule)
                && let Some(latch) = self.latches.get_mut(&(place, oldest.source))
            {
                latch.derived = latch.journaled_state();
            }
        }
    }
}

fn concerns(transition: &AlarmTransition, rule: &RuleId, source: &SourceId) -> bool {
    transition.rule == *rule && transition.source == *source
}

/// The state of this rule for this device; `None` if there is no room for another one.
fn latch<'l>(
    latches: &'l mut BTreeMap<(usize, SourceId), Latch>,
    place: usize,
    source: &SourceId,
) -> Option<&'l mut Latch> {
    let full = latches.len() >= STATES_MAX;
    match latches.entry((place, source.clone())) {
        std::collections::btree_map::Entry::Occupied(held) => Some(held.into_mut()),
        std::collections::btree_map::Entry::Vacant(_) if full => None,
        std::collections::btree_map::Entry::Vacant(free) => Some(free.insert(Latch::new())),
    }
}

#[cfg(test)]
mod tests;
