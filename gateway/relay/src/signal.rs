//! Lights and sirens: on while an alarm stands that nobody has seen.

use record::{AlarmState, Priority, RelayId, Stamp, elapsed_ms};
use serde::Deserialize;

/// Shortest and longest half of a blink, in milliseconds.
pub const BLINK_MS_MIN: u32 = 100;
/// See [`BLINK_MS_MIN`].
pub const BLINK_MS_MAX: u32 = 60_000;

/// A light or a siren.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Its name.
    pub id: RelayId,
    /// The least urgent alarm that it is for.
    pub priority: Priority,
    /// How it blinks; none: it does not.
    pub blink: Option<Blink>,
    /// It is silent so many seconds after an alarm was raised, seen or not; 0: only when it is seen or over.
    pub for_s: u32,
}

/// On and off in turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blink {
    /// Milliseconds, [`BLINK_MS_MIN`] to [`BLINK_MS_MAX`].
    pub on_ms: u32,
    /// Milliseconds, the same.
    pub off_ms: u32,
}

/// An alarm, as far as a signal minds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lit {
    /// Where it stands.
    pub state: AlarmState,
    /// How urgent it is.
    pub priority: Priority,
    /// Its newest step.
    pub since: Stamp,
    /// Somebody has set it aside.
    pub is_shelved: bool,
}

impl Signal {
    /// Whether it is on now.
    pub fn is_wanted(&self, alarms: impl IntoIterator<Item = Lit>, now: &Stamp) -> bool {
        let for_ms = u64::from(self.for_s) * 1_000;
        // How long it was is unknown where the clock was never set: then it goes on.
        let is_fresh = |since: &Stamp| self.for_s == 0 || elapsed_ms(since, now).is_none_or(|ms| ms < for_ms);
        alarms.into_iter().any(|alarm| {
            alarm.state == AlarmState::Unacknowledged
                && alarm.priority >= self.priority
                && !alarm.is_shelved
                && is_fresh(&alarm.since)
        })
    }
}

#[cfg(test)]
mod tests {
    use record::{BootNo, ClockQuality, MonoMs, UnixMs};

    use super::*;

    fn at(mono_ms: u64) -> Stamp {
        let wall_ms = UnixMs(0);
        Stamp { boot: BootNo(0), mono_ms: MonoMs(mono_ms), wall_ms, clock: ClockQuality::Unset }
    }

    #[test]
    fn it_is_on_for_what_is_urgent_and_nobody_has_seen() {
        let signal =
            |for_s| Signal { id: RelayId::new("siren").unwrap(), priority: Priority::High, blink: None, for_s };
        let check = |for_s, state, priority, is_shelved, expected| {
            let alarm = Lit { state, priority, since: at(0), is_shelved };
            assert_eq!(signal(for_s).is_wanted([alarm], &at(60_000)), expected, "{alarm:?} {for_s}");
        };
        check(0, AlarmState::Unacknowledged, Priority::High, false, true);
        check(0, AlarmState::Unacknowledged, Priority::Critical, false, true);
        check(0, AlarmState::Unacknowledged, Priority::Medium, false, false);
        check(0, AlarmState::Unacknowledged, Priority::Critical, true, false);
        check(0, AlarmState::Acknowledged, Priority::Critical, false, false);
        check(0, AlarmState::ReturnedUnacknowledged, Priority::Critical, false, false);
        check(0, AlarmState::Normal, Priority::Critical, false, false);
        check(61, AlarmState::Unacknowledged, Priority::High, false, true);
        check(60, AlarmState::Unacknowledged, Priority::High, false, false);
        assert!(!signal(0).is_wanted([], &at(0)));
    }
}
