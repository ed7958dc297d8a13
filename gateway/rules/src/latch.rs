//! The state of one rule for one device, and its step at one sample.

use record::{AlarmState, BootNo, Decimal, MonoMs, Seq, Stamp};

use crate::Limit;
use crate::elapsed::elapsed_ms;

/// What is known about one rule and one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Latch {
    /// The state that the samples so far lead to, whether journaled yet or not.
    pub(crate) derived: AlarmState,
    /// The newest transition in the journal.
    pub(crate) journaled: Option<Journaled>,
    /// The first of the unbroken run of samples beyond the setpoint, up to now.
    pub(crate) beyond_since: Option<Stamp>,
    /// Readings of the quantity in another unit than the rule's.
    pub(crate) unit_mismatches: u64,
}

/// The newest journaled transition, as [`crate::Engine::alarms`] shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journaled {
    pub(crate) state: AlarmState,
    pub(crate) since: Stamp,
    pub(crate) value: Option<Decimal>,
    pub(crate) cause: Seq,
}

impl Latch {
    pub(crate) fn new() -> Latch {
        Latch { derived: AlarmState::Normal, journaled: None, beyond_since: None, unit_mismatches: 0 }
    }

    /// See [`crate::Engine::judges_as`].
    pub(crate) fn judges_as(&self, unbroken: &Latch, from: (BootNo, MonoMs)) -> bool {
        let is_seen = unbroken.beyond_since.is_none_or(|since| (since.boot, since.mono_ms) >= from);
        let same_run = self.beyond_since == unbroken.beyond_since || self.derived.is_active() || !is_seen;
        (self.derived, &self.journaled, self.unit_mismatches)
            == (unbroken.derived, &unbroken.journaled, unbroken.unit_mismatches)
            && same_run
    }

    /// The state according to the journal.
    pub(crate) fn journaled_state(&self) -> AlarmState {
        self.journaled.as_ref().map_or(AlarmState::Normal, |journaled| journaled.state)
    }

    /// Judges one sample; the state it leads to, if that is another one.
    ///
    /// The run of samples beyond the setpoint is kept apart from the state: it depends on samples alone, so that it is
    /// the same whatever was acknowledged, journaled or restored meanwhile (R2).
    pub(crate) fn sample(&mut self, limit: &Limit, value: Decimal, stamp: &Stamp) -> Option<AlarmState> {
        use AlarmState::{Acknowledged, Normal, ReturnedUnacknowledged, Unacknowledged};
        if !limit.is_beyond(value) {
            self.beyond_since = None;
            let back = limit.is_back(value);
            return match self.derived {
                Unacknowledged if back => Some(ReturnedUnacknowledged),
                Acknowledged if back => Some(Normal),
                _ => None,
            };
        }
        let known = self.beyond_since.and_then(|since| elapsed_ms(&since, stamp).map(|ms| (since, ms)));
        let (since, beyond_ms) = known.unwrap_or((*stamp, 0));
        self.beyond_since = Some(since);
        match self.derived {
            Normal | ReturnedUnacknowledged if beyond_ms >= limit.on_delay_ms => Some(Unacknowledged),
            _ => None,
        }
    }
}
