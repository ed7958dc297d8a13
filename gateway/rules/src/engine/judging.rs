//! From a record, or from the time alone, to transitions.

use record::{AlarmTransition, Decimal, Frame, LimitSide, Quality, Reading, RuleId, Seq, SourceId, Stamp, Suppression};

use super::{Engine, Judged, OUTSTANDING_MAX};
use crate::field::Value;
use crate::memory::{Finding, within_hours};
use crate::{Basis, Condition, invariant, mean};

/// Who is judged by which rule, and by which record.
#[derive(Clone, Copy)]
struct Case<'c> {
    place: usize,
    source: &'c SourceId,
    cause: Seq,
    stamp: &'c Stamp,
}

impl Engine {
    /// Takes note of the time: a clock's hour is over, a device has been silent for too long. Every record does so by its
    /// stamp; call it now and then where none comes. What it finds does not depend on how often it is called, for a time is
    /// judged by the readings in it, and silence by when it began.
    pub fn tick(&mut self, now: &Stamp) -> Vec<AlarmTransition> {
        let mut transitions = self.close_windows(now);
        for place in self.silences.clone().iter().copied() {
            let rule = &self.rules[place];
            let silent = |(source, judged): (&SourceId, &Judged)| {
                Some((source.clone(), judged.memory.silence(rule, now)?, judged.heard?))
            };
            let silent: Vec<(SourceId, Finding, Seq)> = self.judged[place].iter().filter_map(silent).collect();
            for (source, finding, cause) in silent {
                transitions.extend(self.step(Case { place, source: &source, cause, stamp: now }, finding));
            }
        }
        transitions
    }

    pub(super) fn judge(&mut self, seq: Seq, stamp: &Stamp, frame: &Frame) -> Vec<AlarmTransition> {
        let mut transitions = Vec::new();
        for reading in &frame.readings {
            let good = reading.value.filter(|_| reading.quality == Quality::Good);
            if let Some(value) = good {
                self.field.take(value_of(&frame.source, reading, value), seq, stamp);
            }
            let Some(places) = self.by_quantity.get(&reading.quantity).cloned() else { continue };
            for place in places.iter().copied() {
                let case = Case { place, source: &frame.source, cause: seq, stamp };
                let finding = self.find(case, reading);
                transitions.extend(finding.and_then(|finding| self.step(case, finding)));
            }
        }
        transitions
    }

    /// One reading under one rule.
    fn find(&mut self, case: Case<'_>, reading: &Reading) -> Option<Finding> {
        let rule = &self.rules[case.place];
        if !rule.devices.covers(case.source) {
            return None;
        }
        let good = reading.value.filter(|_| reading.quality == Quality::Good);
        let is_expression = matches!(rule.basis, Basis::Expression(_));
        let takes_doubt = matches!(rule.basis, Basis::Silence { .. } | Basis::Implausible);
        if good.is_none() && !takes_doubt {
            return None;
        }
        let fits = rule.unit.as_ref().is_none_or(|unit| *unit == reading.unit);
        let judged = self.judged(case.place, case.source)?;
        judged.heard = Some(case.cause);
        if !fits {
            judged.latch.unit_mismatches = judged.latch.unit_mismatches.saturating_add(1);
            return None;
        }
        if let Some(value) = good.filter(|_| is_expression) {
            return self.evaluate(case, value);
        }
        let mut memory = std::mem::take(&mut judged.memory);
        let rule = &self.rules[case.place];
        let finding = match good {
            Some(value) => memory.take(rule, value_of(case.source, reading, value), case.stamp, &self.field),
            None => memory.doubt(rule, case.stamp),
        };
        if let Some(judged) = self.judged[case.place].get_mut(case.source) {
            judged.memory = memory;
        }
        finding
    }

    /// What an expression says of a reading. A fault is counted, and finds nothing.
    fn evaluate(&mut self, case: Case<'_>, value: Decimal) -> Option<Finding> {
        let rule = &self.rules[case.place];
        let Basis::Expression(formula) = &rule.basis else { return None };
        let stands = |rule: &RuleId, source: &SourceId| self.stands(rule, source);
        let found = match formula.holds((case.source, value), case.stamp, &self.field, stands) {
            None => None,
            Some(Ok(holds)) => Some(Finding::of(&rule.limit, Decimal::from(i64::from(holds)))),
            Some(Err(fault)) => {
                let faults = self.faults.entry(case.place).or_insert((0, fault));
                *faults = (faults.0.saturating_add(1), fault);
                None
            }
        };
        within_hours(&self.rules[case.place], found, Decimal::ZERO, case.stamp)
    }

    /// Where a finding leads.
    fn step(&mut self, case: Case<'_>, finding: Finding) -> Option<AlarmTransition> {
        let suppression = self.suppression(case.place, case.source, case.stamp);
        let rule = &self.rules[case.place];
        let latch = &mut self.judged[case.place].get_mut(case.source)?.latch;
        let from = latch.derived;
        let to = latch.take(rule, finding.standing, case.stamp)?;
        if self.outstanding.len() >= OUTSTANDING_MAX {
            return None;
        }
        latch.derived = to;
        let transition = AlarmTransition {
            rule: rule.id.clone(),
            source: case.source.clone(),
            quantity: rule.quantity.clone(),
            from,
            to,
            limit: finding.setpoint,
            side: rule.limit.side,
            value: Some(finding.value),
            cause: case.cause,
            grounds: rule.grounds(),
            suppression,
        };
        debug_assert!(invariant::r1_legal(from, &transition), "R1: {transition:?}");
        self.outstanding.push_back((self.newest, transition.clone()));
        Some(transition)
    }

    /// Why the alarm of a rule for a device is not shown now, if it is not.
    pub(super) fn suppression(&self, place: usize, source: &SourceId, now: &Stamp) -> Option<Suppression> {
        let holds = |condition: &Condition| match condition {
            Condition::Alarm { rule, device } => self.stands(rule, device.as_ref().unwrap_or(source)),
            Condition::Value { series, side, limit, fresh_ms } => {
                let value = self.field.newest(series, source, now, *fresh_ms);
                value.is_some_and(|value| match side {
                    LimitSide::High => value > *limit,
                    LimitSide::Low => value < *limit,
                })
            }
        };
        self.rules[place].suppress_while.iter().any(holds).then_some(Suppression::ByDesign)
    }

    /// Whether the alarm of a rule for a device is active.
    pub(super) fn stands(&self, rule: &RuleId, source: &SourceId) -> bool {
        let place = self.rules.iter().position(|known| known.id == *rule);
        let judged = place.and_then(|place| self.judged[place].get(source));
        judged.is_some_and(|judged| judged.latch.derived.is_active())
    }

    /// From the first record on whose time is known the clock's times are judged, but for the one under way: its beginning was
    /// not seen.
    pub(super) fn begin_windows(&mut self, now: &Stamp) {
        for (place, rule) in self.rules.iter().enumerate() {
            let Some(window) = rule.basis.window().filter(|_| !self.closed_to.contains_key(&place)) else { continue };
            let next = window.offset.local_ms(now).and_then(|_| window.start(now.wall_ms.0)?.checked_add(window.ms));
            if let Some(next) = next {
                self.closed_to.insert(place, next);
            }
        }
    }

    /// Judges the clock's times that are over, and for which nothing more is waited.
    fn close_windows(&mut self, now: &Stamp) -> Vec<AlarmTransition> {
        let mut transitions = Vec::new();
        for place in 0..self.rules.len() {
            let Some(window) = self.rules[place].basis.window().copied() else { continue };
            let Some(passed) = window.offset.local_ms(now).and(now.wall_ms.0.checked_sub(window.late_ms)) else {
                continue;
            };
            let (Some(over), Some(closed_to)) = (window.start(passed), self.closed_to.get(&place).copied()) else {
                continue;
            };
            if over <= closed_to {
                continue;
            }
            self.closed_to.insert(place, over);
            let sources: Vec<SourceId> = self.judged[place].keys().cloned().collect();
            for source in sources {
                transitions.extend(self.close(place, &source, (closed_to, over), now));
            }
        }
        transitions
    }

    /// The windows of one device that begin within these bounds.
    fn close(&mut self, place: usize, source: &SourceId, (from, to): (i64, i64), now: &Stamp) -> Vec<AlarmTransition> {
        let rule = &self.rules[place];
        let (Some(window), Some(unit)) = (rule.basis.window(), rule.unit.as_ref()) else { return Vec::new() };
        let Some(slices) = self.field.slices(window.slice_ms(), source, &rule.quantity, unit) else {
            return Vec::new();
        };
        let mut starts: Vec<i64> = slices.within(from, to).filter_map(|(at, _)| window.start(at)).collect();
        starts.dedup();
        let total = |start: i64| mean::total(rule, source, start, &self.field);
        let totals: Vec<(Finding, Seq)> = starts
            .into_iter()
            .filter_map(total)
            .map(|total| (Finding::of(&rule.limit, total.value), total.cause))
            .collect();
        let step = |(finding, cause)| self.step(Case { place, source, cause, stamp: now }, finding);
        totals.into_iter().filter_map(step).collect()
    }

    /// Nobody listened before this moment.
    pub(super) fn listen_from(&mut self, stamp: &Stamp) {
        for place in self.silences.iter() {
            for judged in self.judged[*place].values_mut() {
                judged.memory.listen_from(stamp);
            }
        }
    }
}

fn value_of<'v>(source: &'v SourceId, reading: &'v Reading, value: record::Decimal) -> Value<'v> {
    Value { source, quantity: &reading.quantity, unit: &reading.unit, value, at_ms: reading.at_ms }
}
