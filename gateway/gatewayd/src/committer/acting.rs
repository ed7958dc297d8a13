//! What alarms set in motion: a device measures more often while an alarm of it stands, and a sample is retained when it is
//! raised.

use record::{AlarmTransition, Body, Seq};

use super::{Committer, Draft};

impl Committer {
    /// Orders what the alarms of a draft ask for, in the same transaction: what is journaled of an alarm is under way as well.
    pub(super) fn act(&mut self, draft: &mut Draft) {
        let end = self.journal.end();
        let alarms = draft.transaction.records.iter().zip(end.0..).filter_map(|(record, seq)| match &record.body {
            Body::Alarm(alarm) if alarm.from.is_active() != alarm.to.is_active() => Some((alarm.clone(), Seq(seq))),
            _ => None,
        });
        for (alarm, seq) in alarms.collect::<Vec<_>>() {
            if alarm.to.is_active() {
                self.sample_for(&alarm, seq, draft);
            }
            let Some(period_s) = self.period_for(&alarm) else { continue };
            if let Err(why) = self.sample(&alarm.source, period_s, draft) {
                let (rule, source) = (&alarm.rule, &alarm.source);
                log::warn!(rule:% = rule, source:% = source, period_s, why = why.as_str(); "the device is not told to measure so often");
            }
        }
    }

    /// How often the device is to measure from now on, if the rule says anything of it. As long as another alarm wants it
    /// quick it stays so.
    fn period_for(&self, alarm: &AlarmTransition) -> Option<u32> {
        let quick = |rule: &record::RuleId| self.rules.iter().find(|known| known.id == *rule)?.sampling;
        let sampling = quick(&alarm.rule)?;
        if alarm.to.is_active() {
            return Some(sampling.alarm_s);
        }
        let standing = self.restored.engine.alarms(&self.stamp());
        let is_wanted = |other: &rules::ActiveAlarm| {
            other.source == alarm.source && other.state.is_active() && quick(&other.rule).is_some()
        };
        (!standing.iter().any(is_wanted)).then_some(sampling.normal_s)
    }
}
