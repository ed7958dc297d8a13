//! Alarms as a page tells of them: from the running gateway, which knows what is set aside, or, where it does not answer, from
//! what it journaled. Pure.

use std::collections::{BTreeMap, VecDeque};

use gatewayd::status::AlarmStatus;
use record::{AlarmState, AlarmTransition, Measure, Quantity, RuleId, Seq, SourceId, Tier, UnixMs};

/// Most steps that are remembered.
pub const STEPS_MAX: usize = 200;
/// Most alarms that stand at once: a set of rules over all devices of a box has fewer.
const STANDING_MAX: usize = 2_000;

/// An alarm that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The rule that judged.
    pub rule: String,
    /// The device that it judged.
    pub source: String,
    /// The quantity.
    pub quantity: String,
    /// In what value and limit are; none where only the reading's own record says it.
    pub unit: Option<String>,
    /// What they are of.
    pub measure: Measure,
    /// Over how long, in seconds; 0 where a single moment decided.
    pub span_s: u32,
    /// How much it says.
    pub tier: Tier,
    /// The limit, exact.
    pub limit: String,
    /// What decided, exact.
    pub value: Option<String>,
    /// Since when; none where nobody knew the time.
    pub since: Option<UnixMs>,
    /// Where it stands.
    pub state: AlarmState,
    /// Somebody set it aside until then.
    pub shelved_until: Option<UnixMs>,
}

impl Standing {
    /// As the gateway tells of it; none for a state that this program does not know, and for what its rule suppresses.
    pub fn told(alarm: &AlarmStatus) -> Option<Standing> {
        let states = [AlarmState::Unacknowledged, AlarmState::Acknowledged, AlarmState::ReturnedUnacknowledged];
        let state = states.into_iter().find(|state| state.as_str() == alarm.state)?;
        alarm.suppression.is_none().then(|| Standing {
            rule: alarm.rule.clone(),
            source: alarm.source.clone(),
            quantity: alarm.quantity.clone(),
            unit: Some(alarm.unit.clone()),
            measure: alarm.measure,
            span_s: alarm.span_s,
            tier: alarm.tier,
            limit: alarm.limit.clone(),
            value: alarm.value.clone(),
            since: alarm.since_error_ms.map(|_| UnixMs(alarm.since_ms)),
            state,
            shelved_until: alarm.shelved_until_ms.map(UnixMs),
        })
    }

    fn journaled(step: &Step) -> Standing {
        let alarm = &step.alarm;
        let grounds = alarm.grounds.as_ref();
        Standing {
            rule: alarm.rule.to_string(),
            source: alarm.source.to_string(),
            quantity: alarm.quantity.to_string(),
            unit: grounds.map(|grounds| grounds.unit.to_string()),
            measure: grounds.map_or(Measure::Reading, |grounds| grounds.measure),
            span_s: grounds.map_or(0, |grounds| grounds.span_s),
            tier: grounds.map_or(Tier::Warning, |grounds| grounds.tier),
            limit: alarm.limit.to_string(),
            value: alarm.value.map(|value| value.to_string()),
            since: step.at,
            state: alarm.to,
            shelved_until: None,
        }
    }

    /// Whether somebody has to look now: not set aside, and not back within its limit.
    pub fn is_urgent(&self) -> bool {
        self.shelved_until.is_none() && self.state.is_active()
    }
}

/// One step of one alarm, as it was journaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its record.
    pub seq: Seq,
    /// When; none where nobody knew the time.
    pub at: Option<UnixMs>,
    /// What it was.
    pub alarm: AlarmTransition,
}

/// The alarms of a journal.
#[derive(Debug, Clone, Default)]
pub struct AlarmBook {
    standing: BTreeMap<(RuleId, SourceId, Quantity), Step>,
    steps: VecDeque<Step>,
}

impl AlarmBook {
    /// Takes in the next step.
    pub fn take(&mut self, step: Step) {
        let key = (step.alarm.rule.clone(), step.alarm.source.clone(), step.alarm.quantity.clone());
        let former = self.standing.get(&key).and_then(|former| former.alarm.value);
        if step.alarm.to == AlarmState::Normal {
            self.standing.remove(&key);
        } else if self.standing.len() < STANDING_MAX || self.standing.contains_key(&key) {
            let mut stands = step.clone();
            // Whoever acknowledges decides about no value: the one before still stands.
            stands.alarm.value = stands.alarm.value.or(former);
            self.standing.insert(key, stands);
        }
        if self.steps.len() == STEPS_MAX {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    /// What stands by the journal alone, without what its rules suppress.
    pub fn standing(&self) -> Vec<Standing> {
        let shown = self.standing.values().filter(|step| step.alarm.suppression.is_none());
        shown.map(Standing::journaled).collect()
    }

    /// The steps that are remembered, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{Decimal, LimitSide};

    fn step(seq: u64, rule: &str, from: AlarmState, to: AlarmState) -> Step {
        let alarm = AlarmTransition {
            rule: RuleId::new(rule).unwrap(),
            source: SourceId::new("cod-1").unwrap(),
            quantity: Quantity::new("cod").unwrap(),
            from,
            to,
            limit: Decimal::from(30),
            side: LimitSide::High,
            value: Some(Decimal::from(41)),
            cause: Seq(seq),
            grounds: None,
            suppression: None,
        };
        Step { seq: Seq(seq), at: Some(UnixMs(5)), alarm }
    }

    #[test]
    fn what_came_back_stands_no_more_and_is_remembered() {
        use AlarmState::{Acknowledged, Normal, Unacknowledged};
        let mut book = AlarmBook::default();
        book.take(step(1, "a", Normal, Unacknowledged));
        book.take(step(2, "b", Normal, Unacknowledged));
        let mut seen = step(3, "a", Unacknowledged, Acknowledged);
        seen.alarm.value = None;
        book.take(seen);
        book.take(step(4, "b", Acknowledged, Normal));
        let standing = book.standing();
        assert_eq!(
            standing.iter().map(|one| (one.rule.as_str(), one.state)).collect::<Vec<_>>(),
            [("a", Acknowledged)]
        );
        assert_eq!(standing[0].value.as_deref(), Some("41"), "what decided, whoever has seen it");
        assert_eq!(book.newest().map(|step| step.seq.0).collect::<Vec<_>>(), [4, 3, 2, 1]);
        for seq in 5..1_000 {
            book.take(step(seq, "c", Normal, Unacknowledged));
        }
        assert_eq!(book.newest().count(), STEPS_MAX);
    }

    #[test]
    fn a_suppressed_alarm_is_not_shown_by_either() {
        let mut hidden = step(1, "a", AlarmState::Normal, AlarmState::Unacknowledged);
        hidden.alarm.suppression = Some(record::Suppression::ByDesign);
        let mut book = AlarmBook::default();
        book.take(hidden);
        assert_eq!(book.standing(), []);
        let told = |more: &str| {
            let text = format!(
                r#"{{"rule":"a","source":"s","quantity":"cod","unit":"mg/L","state":"acknowledged","limit":"30",
                "value":"41","since_ms":5,"since_error_ms":9{more}}}"#
            );
            Standing::told(&serde_json::from_str(&text).unwrap())
        };
        assert!(told(r#","suppression":"by_design""#).is_none());
        let shelved = told(r#","shelved_until_ms":77"#).unwrap();
        assert_eq!(
            (shelved.since, shelved.shelved_until, shelved.is_urgent()),
            (Some(UnixMs(5)), Some(UnixMs(77)), false)
        );
        assert!(told("").unwrap().is_urgent());
    }
}
