//! Steps of alarms that people take: they have seen one, or let one go.

use record::{AlarmState, AlarmTransition, RuleId, SourceId};

use super::Engine;
use crate::Rule;
use crate::latch::Latch;

impl Engine {
    /// The step that follows when somebody has seen the alarm of a rule for a device; none where nobody waits for that. Its
    /// cause is that of the alarm.
    pub fn acknowledged(&self, rule: &RuleId, source: &SourceId) -> Option<AlarmTransition> {
        let place = self.rules.iter().position(|known| known.id == *rule)?;
        let (rule, latch) = (&self.rules[place], &self.judged[place].get(source)?.latch);
        let to = match latch.derived {
            AlarmState::Unacknowledged => AlarmState::Acknowledged,
            AlarmState::ReturnedUnacknowledged => AlarmState::Normal,
            AlarmState::Normal | AlarmState::Acknowledged => return None,
        };
        by_a_person(rule, source, latch, to)
    }

    /// The step that follows when somebody resets the alarm of a rule that latches. Its cause is that of the alarm.
    ///
    /// # Errors
    /// [`NotReset`]: why there is none.
    pub fn reset(&self, rule: &RuleId, source: &SourceId) -> Result<AlarmTransition, NotReset> {
        let place = self.rules.iter().position(|known| known.id == *rule).ok_or(NotReset::NoAlarm)?;
        let (rule, judged) = (&self.rules[place], self.judged[place].get(source));
        let latch = judged.map(|judged| &judged.latch).ok_or(NotReset::NoAlarm)?;
        match latch.derived {
            _ if !rule.latched => Err(NotReset::NotLatched),
            AlarmState::Normal => Err(NotReset::NoAlarm),
            AlarmState::Unacknowledged | AlarmState::ReturnedUnacknowledged => Err(NotReset::Unacknowledged),
            AlarmState::Acknowledged if latch.cleared.is_none() => Err(NotReset::NotCleared),
            AlarmState::Acknowledged => by_a_person(rule, source, latch, AlarmState::Normal).ok_or(NotReset::NoAlarm),
        }
    }
}

/// Why an alarm cannot be reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReset {
    /// None stands.
    #[error("no such alarm stands · try: weir alarm list")]
    NoAlarm,
    /// It clears by itself.
    #[error("it does not latch and clears by itself once its value is back · try: weir alarm ack")]
    NotLatched,
    /// Nobody has seen it.
    #[error("nobody has acknowledged it yet · try: weir alarm ack, then the same again")]
    Unacknowledged,
    /// The value is not back, or nothing was heard since the start.
    #[error(
        "its value is not back, or has not been heard of since · try: weir alarm list, or wait for the next reading"
    )]
    NotCleared,
}

/// A step that no reading decided.
fn by_a_person(rule: &Rule, source: &SourceId, latch: &Latch, to: AlarmState) -> Option<AlarmTransition> {
    let journaled = latch.journaled.as_ref()?;
    Some(AlarmTransition {
        rule: rule.id.clone(),
        source: source.clone(),
        quantity: rule.quantity.clone(),
        from: latch.derived,
        to,
        limit: journaled.limit,
        side: rule.limit.side,
        value: None,
        cause: journaled.cause,
        grounds: rule.grounds(),
        // Whoever does this has seen it.
        suppression: None,
    })
}
