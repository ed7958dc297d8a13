//! What a rule remembers of one device, and what it finds at a reading.

use std::collections::VecDeque;

use record::{BootNo, Decimal, MonoMs, Stamp, elapsed_ms};

use crate::field::{Field, Value};
use crate::limit::Standing;
use crate::{Basis, Cold, Limit, Rule, dry_weather, surge};

/// Most readings of one device that a rule of change or of exceedances remembers; with more, it looks back less far.
pub const READINGS_MAX: usize = 1_024;
/// Readings that must agree before a sensor counts as stuck.
const STUCK_READINGS: u32 = 3;

/// Memory of one rule and one device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Memory {
    /// Nothing is remembered, or nothing came yet.
    #[default]
    Nothing,
    /// The candidates for the lowest (or highest) reading within the time, the best first.
    Extremes(VecDeque<(Stamp, Decimal)>),
    /// When the quantity came last, and since when silence counts: not before somebody listened again.
    Heard { at: Stamp, since: Stamp },
    /// Readings that agree.
    Run { since: Stamp, low: Decimal, high: Decimal, readings: u32 },
    /// Readings in a row that could not be believed.
    InARow(u32),
    /// When readings were beyond the inner limit, and how many good ones came since.
    Exceedances { at: VecDeque<Stamp>, good: u32 },
}

/// What a rule compares, and how that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) standing: Standing,
    pub(crate) value: Decimal,
    /// The setpoint that it was compared with.
    pub(crate) setpoint: Decimal,
}

impl Finding {
    pub(crate) fn of(limit: &Limit, value: Decimal) -> Finding {
        Finding { standing: limit.standing(value), value, setpoint: limit.setpoint }
    }

    fn is(is_beyond: bool, value: Decimal, setpoint: Decimal) -> Finding {
        let standing = if is_beyond { Standing::Beyond } else { Standing::Back };
        Finding { standing, value, setpoint }
    }
}

impl Memory {
    /// Takes a good reading; nothing is found where nothing can be known.
    pub(crate) fn take(&mut self, rule: &Rule, reading: Value<'_>, stamp: &Stamp, field: &Field) -> Option<Finding> {
        let found = self.find(rule, reading, stamp, field);
        within_hours(rule, found, reading.value, stamp)
    }

    fn find(&mut self, rule: &Rule, reading: Value<'_>, stamp: &Stamp, field: &Field) -> Option<Finding> {
        let value = reading.value;
        match &rule.basis {
            Basis::Reading { cold } => Some(Finding::of(in_force(rule, cold.as_ref(), reading, stamp, field), value)),
            Basis::Change { within_ms, falls } => {
                let change = self.change(value, stamp, *within_ms, *falls)?;
                Some(Finding::of(&rule.limit, change))
            }
            Basis::Stuck { for_ms, band } => self.stuck(rule, value, stamp, (*for_ms, *band)),
            Basis::Silence { .. } | Basis::Implausible => self.believed(rule, stamp),
            Basis::Disagreement { other, fresh_ms } => {
                let other = field.newest(other, reading.source, stamp, *fresh_ms)?;
                let difference = value.checked_add(other.negated()?)?;
                Some(Finding::of(&rule.limit, difference.max(difference.negated()?)))
            }
            Basis::Exceedances { limit, within_ms, relax_after } => {
                self.exceedances(rule, limit.standing(value) == Standing::Beyond, stamp, (*within_ms, *relax_after))
            }
            Basis::DryWeather(dry) => dry_weather::find(rule, dry, reading, stamp, field),
            Basis::Surge { .. } => surge::find(rule, reading, stamp, field),
            Basis::Rebound { states } => {
                let (_, state) = field.outfall_of(reading.source)?;
                match states.contains(&state) {
                    true => Some(Finding::of(&rule.limit, value)),
                    false => Some(Finding { standing: Standing::Back, ..Finding::of(&rule.limit, value) }),
                }
            }
            // Judged when their time is over, and by who knows of other alarms.
            Basis::Mean { .. } | Basis::Load { .. } | Basis::Expression(_) => None,
        }
    }

    /// A reading came that cannot be believed.
    pub(crate) fn doubt(&mut self, rule: &Rule, stamp: &Stamp) -> Option<Finding> {
        match rule.basis {
            Basis::Silence { .. } => self.believed(rule, stamp),
            Basis::Implausible => {
                let before = if let Memory::InARow(before) = self { *before } else { 0 };
                let count = before.saturating_add(1);
                *self = Memory::InARow(count);
                let count = Decimal::from(i64::from(count));
                Some(Finding::is(count >= rule.limit.setpoint, count, rule.limit.setpoint))
            }
            _ => None,
        }
    }

    /// A reading ends silence, and a good one a row of doubtful ones.
    fn believed(&mut self, rule: &Rule, stamp: &Stamp) -> Option<Finding> {
        *self = if matches!(rule.basis, Basis::Silence { .. }) {
            Memory::Heard { at: *stamp, since: *stamp }
        } else {
            Memory::InARow(0)
        };
        Some(Finding::is(false, Decimal::ZERO, rule.limit.setpoint))
    }

    /// How silence stands now.
    pub(crate) fn silence(&self, rule: &Rule, now: &Stamp) -> Option<Finding> {
        let (Basis::Silence { for_ms }, Memory::Heard { since, .. }) = (&rule.basis, self) else { return None };
        let is_silent = elapsed_ms(since, now).is_some_and(|ms| ms >= *for_ms);
        is_silent.then(|| Finding::is(true, rule.limit.setpoint, rule.limit.setpoint))
    }

    /// Nobody listened before this moment: silence counts from it on.
    pub(crate) fn listen_from(&mut self, stamp: &Stamp) {
        if let Memory::Heard { since, .. } = self {
            *since = *stamp;
        }
    }

    fn change(&mut self, value: Decimal, stamp: &Stamp, within_ms: u64, falls: bool) -> Option<Decimal> {
        if !matches!(self, Memory::Extremes(_)) {
            *self = Memory::Extremes(VecDeque::new());
        }
        let Memory::Extremes(best) = self else { return None };
        let is_within = |(at, _): &(Stamp, Decimal)| elapsed_ms(at, stamp).is_some_and(|ms| ms <= within_ms);
        while best.front().is_some_and(|oldest| !is_within(oldest)) {
            best.pop_front();
        }
        // One that is no better than a newer one never decides any more.
        while best.back().is_some_and(|(_, other)| if falls { *other <= value } else { *other >= value }) {
            best.pop_back();
        }
        best.push_back((*stamp, value));
        if best.len() > READINGS_MAX {
            best.pop_front();
        }
        let (_, extreme) = best.front()?;
        if falls { extreme.checked_add(value.negated()?) } else { value.checked_add(extreme.negated()?) }
    }

    fn stuck(&mut self, rule: &Rule, value: Decimal, stamp: &Stamp, (for_ms, band): (u64, Decimal)) -> Option<Finding> {
        let run = match self {
            Memory::Run { since, low, high, readings } => {
                let (low, high) = ((*low).min(value), (*high).max(value));
                let agrees = high.checked_add(low.negated()?)? <= band && elapsed_ms(since, stamp).is_some();
                agrees.then_some((*since, low, high, readings.saturating_add(1)))
            }
            _ => None,
        };
        let (since, low, high, readings) = run.unwrap_or((*stamp, value, value, 1));
        *self = Memory::Run { since, low, high, readings };
        let lasted = elapsed_ms(&since, stamp)?;
        let is_stuck = lasted >= for_ms && readings >= STUCK_READINGS;
        let seconds = Decimal::from(i64::try_from(lasted / 1_000).ok()?);
        // What agrees, but not for long enough, does not end an alarm either.
        let standing = match (is_stuck, readings) {
            (true, _) => Standing::Beyond,
            (false, 1) => Standing::Back,
            (false, _) => Standing::Between,
        };
        Some(Finding { standing, value: seconds, setpoint: rule.limit.setpoint })
    }

    fn exceedances(
        &mut self,
        rule: &Rule,
        exceeds: bool,
        stamp: &Stamp,
        (within_ms, relax_after): (u64, u32),
    ) -> Option<Finding> {
        if !matches!(self, Memory::Exceedances { .. }) {
            *self = Memory::Exceedances { at: VecDeque::new(), good: 0 };
        }
        let Memory::Exceedances { at, good } = self else { return None };
        while at.front().is_some_and(|oldest| elapsed_ms(oldest, stamp).is_none_or(|ms| ms > within_ms)) {
            at.pop_front();
        }
        if exceeds {
            at.push_back(*stamp);
            *good = 0;
        } else {
            *good = good.saturating_add(1).min(relax_after);
        }
        if at.len() > READINGS_MAX {
            at.pop_front();
        }
        let count = Decimal::from(i64::try_from(at.len()).ok()?);
        let standing = match (count >= rule.limit.setpoint, *good >= relax_after) {
            (true, false) => Standing::Beyond,
            (_, true) => Standing::Back,
            (false, false) => Standing::Between,
        };
        Some(Finding { standing, value: count, setpoint: rule.limit.setpoint })
    }

    /// Whether it leads on as the other one does, which saw more: what was before a boot and time does not matter.
    pub(crate) fn leads_as(&self, other: &Memory, from: (BootNo, MonoMs)) -> bool {
        let seen = |stamp: &Stamp| (stamp.boot, stamp.mono_ms) >= from;
        match (self, other) {
            (Memory::Extremes(one), Memory::Extremes(two)) => {
                let newer = |all: &VecDeque<(Stamp, Decimal)>| -> Vec<(Stamp, Decimal)> {
                    all.iter().filter(|(stamp, _)| seen(stamp)).copied().collect()
                };
                newer(one) == newer(two)
            }
            (Memory::Exceedances { at: one, good }, Memory::Exceedances { at: two, good: other_good }) => {
                let newer = |all: &VecDeque<Stamp>| all.iter().filter(|stamp| seen(stamp)).copied().collect::<Vec<_>>();
                newer(one) == newer(two) && (good == other_good || two.iter().any(|stamp| !seen(stamp)))
            }
            (Memory::Run { since, .. }, Memory::Run { since: other_since, .. }) => {
                since == other_since || !seen(other_since)
            }
            (Memory::InARow(one), Memory::InARow(two)) => one <= two,
            (Memory::Nothing, Memory::Heard { at, .. }) => !seen(at),
            (
                Memory::Nothing,
                Memory::Run { .. } | Memory::InARow(_) | Memory::Extremes(_) | Memory::Exceedances { .. },
            ) => true,
            (one, two) => one == two,
        }
    }
}

/// Outside its hours a rule finds nothing wrong.
pub(crate) fn within_hours(rule: &Rule, found: Option<Finding>, value: Decimal, stamp: &Stamp) -> Option<Finding> {
    let Some(schedule) = &rule.during else { return found };
    match schedule.covers(schedule.offset.local_ms(stamp)?) {
        true => found,
        false => Some(Finding { standing: Standing::Back, value, setpoint: rule.limit.setpoint }),
    }
}

/// The limit in force at a reading: where the water's temperature is not known, the one that accuses less.
fn in_force<'r>(rule: &'r Rule, cold: Option<&'r Cold>, reading: Value<'_>, stamp: &Stamp, field: &Field) -> &'r Limit {
    let Some(cold) = cold else { return &rule.limit };
    match field.newest(&cold.temperature, reading.source, stamp, cold.fresh_ms) {
        Some(temperature) if temperature <= cold.at => &cold.limit,
        Some(_) => &rule.limit,
        None => rule.limit.milder(&cold.limit),
    }
}

#[cfg(test)]
mod tests {
    use record::{ClockQuality, UnixMs};

    use super::*;

    const FROM: (BootNo, MonoMs) = (BootNo(1), MonoMs(100));

    fn at(mono_ms: u64) -> Stamp {
        Stamp { boot: BootNo(1), mono_ms: MonoMs(mono_ms), wall_ms: UnixMs(0), clock: ClockQuality::Unset }
    }

    fn extremes(of: &[(u64, i64)]) -> Memory {
        Memory::Extremes(of.iter().map(|(ms, value)| (at(*ms), Decimal::from(*value))).collect())
    }

    fn exceedances(of: &[u64], good: u32) -> Memory {
        Memory::Exceedances { at: of.iter().copied().map(at).collect(), good }
    }

    fn run(since: u64, readings: u32) -> Memory {
        Memory::Run { since: at(since), low: Decimal::ZERO, high: Decimal::ZERO, readings }
    }

    /// What was seen alike must be known alike; what was before, from 100 ms of the boot on, may be unknown.
    #[test]
    fn a_memory_leads_on_as_one_that_saw_more() {
        let heard = |ms: u64| Memory::Heard { at: at(ms), since: at(ms) };
        for (one, other, is_alike) in [
            (extremes(&[(150, 1)]), extremes(&[(99, 9), (150, 1)]), true),
            (extremes(&[(150, 1)]), extremes(&[(100, 9), (150, 1)]), false),
            (extremes(&[(150, 1)]), extremes(&[(150, 2)]), false),
            (exceedances(&[150], 1), exceedances(&[150], 1), true),
            (exceedances(&[150], 1), exceedances(&[150], 2), false),
            (exceedances(&[150], 1), exceedances(&[99, 150], 2), true),
            (exceedances(&[150], 1), exceedances(&[100, 150], 1), false),
            (exceedances(&[150], 1), exceedances(&[99, 160], 1), false),
            (run(150, 1), run(150, 2), true),
            (run(150, 1), run(99, 2), true),
            (run(150, 1), run(100, 2), false),
            (Memory::InARow(1), Memory::InARow(2), true),
            (Memory::InARow(2), Memory::InARow(2), true),
            (Memory::InARow(3), Memory::InARow(2), false),
            (Memory::Nothing, heard(99), true),
            (Memory::Nothing, heard(100), false),
            (heard(150), heard(150), true),
            (heard(150), heard(160), false),
            (Memory::Nothing, Memory::Nothing, true),
            (Memory::Nothing, run(150, 1), true),
            (run(150, 1), Memory::Nothing, false),
        ] {
            assert_eq!(one.leads_as(&other, FROM), is_alike, "{one:?} {other:?}");
        }
    }
}
