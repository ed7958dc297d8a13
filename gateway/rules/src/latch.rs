//! The state of one rule for one device, and its step at one sample.

use std::collections::VecDeque;

use record::{AlarmState, BootNo, Decimal, MonoMs, Seq, Stamp, elapsed_ms};

use crate::Rule;
use crate::limit::Standing;

/// What is known about one rule and one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Latch {
    /// The state that the samples so far lead to, whether journaled yet or not.
    pub(crate) derived: AlarmState,
    /// The newest transition in the journal.
    pub(crate) journaled: Option<Journaled>,
    /// The first of the unbroken run of samples beyond the setpoint, up to now.
    pub(crate) beyond_since: Option<Stamp>,
    /// The first of the unbroken run of samples that are back, up to now.
    pub(crate) back_since: Option<Stamp>,
    /// Of a rule that latches: the newest sample at which the value was back for long enough, if none was beyond since. Then
    /// somebody may reset its alarm.
    pub(crate) cleared: Option<Stamp>,
    /// When the alarm was raised within the hour before it was raised last, that time included; at most [`RAISED_MAX`].
    pub(crate) raised: VecDeque<Stamp>,
    /// Readings of the quantity in another unit than the rule's.
    pub(crate) unit_mismatches: u64,
}

/// Most times that are counted: a hundred an hour is chatter, and so is more.
const RAISED_MAX: usize = 100;
const HOUR_MS: u64 = 3_600_000;

/// The newest journaled transition, as [`crate::Engine::alarms`] shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journaled {
    pub(crate) state: AlarmState,
    pub(crate) since: Stamp,
    pub(crate) limit: Decimal,
    pub(crate) value: Option<Decimal>,
    pub(crate) cause: Seq,
}

impl Latch {
    pub(crate) fn new() -> Latch {
        Latch {
            derived: AlarmState::Normal,
            journaled: None,
            beyond_since: None,
            back_since: None,
            cleared: None,
            raised: VecDeque::new(),
            unit_mismatches: 0,
        }
    }

    /// See [`crate::Engine::judges_as`].
    pub(crate) fn judges_as(&self, unbroken: &Latch, from: (BootNo, MonoMs)) -> bool {
        let is_seen = |since: Option<Stamp>| since.is_none_or(|since| (since.boot, since.mono_ms) >= from);
        let same = |own: Option<Stamp>, other: Option<Stamp>| own == other || !is_seen(other);
        let same_run = match self.derived.is_active() {
            true => same(self.back_since, unbroken.back_since),
            false => same(self.beyond_since, unbroken.beyond_since),
        };
        (self.derived, &self.journaled, self.unit_mismatches)
            == (unbroken.derived, &unbroken.journaled, unbroken.unit_mismatches)
            && same_run
            && same(self.cleared, unbroken.cleared)
    }

    /// Takes the newest journaled transition.
    pub(crate) fn journal(&mut self, journaled: Journaled) {
        if journaled.state == AlarmState::Unacknowledged {
            let is_old = |raised: &Stamp| elapsed_ms(raised, &journaled.since).is_none_or(|ms| ms > HOUR_MS);
            while self.raised.len() >= RAISED_MAX || self.raised.front().is_some_and(is_old) {
                self.raised.pop_front();
            }
            self.raised.push_back(journaled.since);
        }
        self.journaled = Some(journaled);
    }

    /// The state according to the journal.
    pub(crate) fn journaled_state(&self) -> AlarmState {
        self.journaled.as_ref().map_or(AlarmState::Normal, |journaled| journaled.state)
    }

    /// Judges one sample; the state it leads to, if that is another one.
    ///
    /// The runs of samples beyond the setpoint and back are kept apart from the state: they depend on samples alone, so that
    /// they are the same whatever was acknowledged, journaled or restored meanwhile (R2).
    pub(crate) fn take(&mut self, rule: &Rule, standing: Standing, stamp: &Stamp) -> Option<AlarmState> {
        use AlarmState::{Acknowledged, Normal, ReturnedUnacknowledged, Unacknowledged};
        let beyond_ms = run(&mut self.beyond_since, standing == Standing::Beyond, stamp);
        let back_ms = run(&mut self.back_since, standing == Standing::Back, stamp);
        let is_over = back_ms.is_some_and(|ms| ms >= rule.limit.off_delay_ms);
        if rule.latched {
            match standing {
                Standing::Beyond => self.cleared = None,
                _ if is_over => self.cleared = Some(*stamp),
                _ => {}
            }
        }
        match self.derived {
            Normal | ReturnedUnacknowledged if beyond_ms.is_some_and(|ms| ms >= rule.limit.on_delay_ms) => {
                Some(Unacknowledged)
            }
            // It stays until somebody resets it.
            _ if rule.latched => None,
            Unacknowledged if is_over => Some(ReturnedUnacknowledged),
            Acknowledged if is_over => Some(Normal),
            _ => None,
        }
    }
}

/// For how long a run of samples lasts that goes on, or ends, with this one. It begins anew where nobody knows how long it
/// was.
fn run(since: &mut Option<Stamp>, goes_on: bool, stamp: &Stamp) -> Option<u64> {
    if !goes_on {
        *since = None;
        return None;
    }
    let known = since.and_then(|since| elapsed_ms(&since, stamp).map(|ms| (since, ms)));
    let (began, ms) = known.unwrap_or((*stamp, 0));
    *since = Some(began);
    Some(ms)
}
