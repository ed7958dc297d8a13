//! Retained samples (留样), lights and sirens: what alarms switch on the box itself. Journaled first, switched once that is
//! durable.

use std::collections::BTreeMap;

use journal::{Reader, StoreError};
use record::{Act, Actor, AlarmTransition, Audit, RelayId, SampleStep, Seq};
use relay::{Asked, Done, Lit, RELAYS_MAX, Samplers, Signal};
use serde_json::{Value, json};

use super::{Committer, Draft};
use crate::config::Relay;
use crate::relays::Command;

/// Where the journal keeps what is known of samplers, stored with each act that changes it: it outlives the records.
const STATE: &str = "samplers";

/// The samplers that are enabled, and what the journal says of them.
pub(super) fn restore(relays: &[Relay], reader: &Reader) -> Result<Samplers, StoreError> {
    let stored = reader.states()?.remove(STATE);
    let setups = relays.iter().filter(|relay| relay.enabled).filter_map(Relay::sampler);
    if stored.is_some() {
        return Ok(Samplers::new(setups, stored.as_deref()));
    }
    // A journal that was salvaged has its records alone.
    let mut samplers = Samplers::new(setups, None);
    if let Some(last) = reader.position()?.end.0.checked_sub(1) {
        let all = record::SeqRange { first: Seq(0), last: Seq(last) };
        for seq in reader.marks(record::Kind::Audit, all)? {
            let Some(at) = crate::ledger::read_one(reader, seq)? else { continue };
            if let record::Body::Audit(audit) = &at.record.body {
                samplers.apply(&audit.act, at.record.stamp);
            }
        }
    }
    Ok(samplers)
}

impl Committer {
    /// Asks the samplers of its rule for what an alarm wants that this record raised.
    pub(super) fn sample_for(&mut self, alarm: &AlarmTransition, seq: Seq, draft: &mut Draft) {
        let Some(rule) = self.rules.iter().find(|rule| rule.id == alarm.rule) else { return };
        let serves = |id: &&RelayId| {
            let known = self.parts.relays_configured.iter().find(|relay| relay.name == **id);
            known.is_none_or(|relay| relay.serves(&alarm.source))
        };
        let wanted: Vec<RelayId> = rule.sample.iter().filter(serves).take(RELAYS_MAX).cloned().collect();
        let stamp = self.stamp();
        let shelved = self.restored.shelf.until(&alarm.rule, &alarm.source, stamp.wall_ms);
        let is_shelved = shelved.is_some() || alarm.suppression.is_some();
        for id in wanted {
            let act =
                self.samplers.take(&id, Asked::Alarm { seq, is_shelved }, self.parts.relays.is_ready(&id), &stamp);
            self.sampled(Audit { by: Actor::Box, act, reason: String::new() }, draft);
        }
    }

    /// Takes a sample for a person, or journals why not.
    pub(super) fn take_sample(
        &mut self,
        id: &RelayId,
        by: Actor,
        reason: String,
        draft: &mut Draft,
    ) -> Result<Value, String> {
        let act = self.sample_wanted(id)?;
        let (seq, answer) = (self.next_seq(draft), json!(act));
        self.sampled(Audit { by, act, reason }, draft);
        Ok(json!({ "seq": seq, "sampled": answer }))
    }

    /// What is to be journaled of a sample that somebody wants now, at the box or at a platform.
    pub(super) fn sample_wanted(&self, id: &RelayId) -> Result<Act, String> {
        if self.samplers.bottles(id).is_none() {
            return Err(format!("there is no sampler {id} that is enabled · try: weir sampler list"));
        }
        Ok(self.samplers.take(id, Asked::Somebody, self.parts.relays.is_ready(id), &self.stamp()))
    }

    /// Journals what became of a pulse.
    pub(super) fn pulse_done(&mut self, id: &RelayId, done: Done, draft: &mut Draft) -> Result<Value, String> {
        if let Some(act) = self.samplers.done(id, done) {
            self.sampled(Audit { by: Actor::Box, act, reason: String::new() }, draft);
        }
        Ok(json!({}))
    }

    /// Journals that samples were cut short by what ended the program before.
    pub(super) fn tell_cut_short(&mut self, draft: &mut Draft) {
        for act in self.samplers.outstanding() {
            self.sampled(Audit { by: Actor::Box, act, reason: String::new() }, draft);
        }
    }

    /// Journals it, and switches the line once that is durable.
    pub(super) fn sampled(&mut self, audit: Audit, draft: &mut Draft) {
        if let Act::Sampled { sampler, step, bottle, bottles, alarm } = &audit.act {
            log::warn!(
                sampler:% = sampler, step = step.as_str(), bottle, bottles, alarm:? = alarm.map(|seq| seq.0), by:? = audit.by;
                "retained sample"
            );
        }
        draft.pulses.extend(self.samplers.pulse(&audit.act));
        let stamp = self.stamp();
        self.journal_audit(audit, stamp, draft);
    }

    /// Whether bottles may be put in.
    pub(super) fn check_refilled(&self, id: &RelayId, bottles: u16) -> Result<(), String> {
        let Some(view) = self.samplers.view(id, &self.stamp()) else {
            return Err(format!("there is no sampler {id} that is enabled · try: weir sampler list"));
        };
        if view.is_taking {
            return Err(format!("sampler {id} is at work · try: the same again in a moment"));
        }
        if bottles == 0 || bottles > relay::BOTTLES_MAX {
            return Err(format!("a sampler has 1 to {} bottles", relay::BOTTLES_MAX));
        }
        Ok(())
    }

    /// Takes note of an act that is to be journaled.
    pub(super) fn note_sample(&mut self, act: &Act, stamp: record::Stamp, draft: &mut Draft) {
        if self.samplers.apply(act, stamp) {
            draft.transaction.states.insert(STATE.to_owned(), self.samplers.to_bytes());
        }
    }

    /// Switches lights and sirens by the alarms that stand now.
    pub(super) fn light(&mut self) {
        if self.signals.is_empty() {
            return;
        }
        let (now, shelf) = (self.stamp(), &self.restored.shelf);
        let lit = |alarm: rules::ActiveAlarm| Lit {
            state: alarm.state,
            priority: alarm.priority,
            since: alarm.since,
            is_shelved: alarm.suppression.is_some() || shelf.until(&alarm.rule, &alarm.source, now.wall_ms).is_some(),
        };
        let alarms: Vec<Lit> = self.restored.engine.alarms(&now).into_iter().map(lit).collect();
        let wanted = |signal: &Signal| (signal.id.clone(), signal.is_wanted(alarms.iter().copied(), &now));
        let wanted: BTreeMap<RelayId, bool> = self.signals.iter().map(wanted).collect();
        if wanted != self.lit && self.parts.relays.command(Command::Signals(wanted.clone())) {
            self.lit = wanted;
        }
    }
}

/// Why there is no sample, for the platform that ordered it; none if it is taken.
pub(super) fn why_none(act: &Act) -> Option<String> {
    let Act::Sampled { sampler, step, bottle, bottles, .. } = act else { return None };
    let why = match step {
        SampleStep::CoolingDown => "its last sample was taken a short time ago".to_owned(),
        SampleStep::NoBottle => format!("{bottle} of its {bottles} bottles are used"),
        SampleStep::Busy => "it is at work".to_owned(),
        SampleStep::Unavailable => "its line cannot be switched".to_owned(),
        SampleStep::Shelved => "its alarm is set aside".to_owned(),
        SampleStep::Started | SampleStep::Taken | SampleStep::Failed | SampleStep::Uncertain => return None,
    };
    Some(format!("sampler {sampler} takes none: {why}"))
}
