//! A setpoint with its deadband and its delays (ISA-18.2 §3.1).

use record::{Decimal, LimitSide};

/// A limit on one side. All comparisons are exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Which side of the setpoint is the bad one.
    pub side: LimitSide,
    /// The last value that is still good.
    pub setpoint: Decimal,
    /// The value at which an active alarm clears: the setpoint, less the deadband (high) or plus it (low).
    pub reset: Decimal,
    /// How long every sample must be beyond the setpoint before the alarm is raised, in milliseconds.
    pub on_delay_ms: u64,
    /// How long every sample must be back before the alarm clears, in milliseconds.
    pub off_delay_ms: u64,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// On the bad side of the setpoint. The setpoint itself is not.
    Beyond,
    /// Within the deadband.
    Between,
    /// Far enough back that an active alarm clears.
    Back,
}

impl Limit {
    /// A limit with its reset value and without delays; `None` if that has more digits than a [`Decimal`] holds.
    pub fn new(side: LimitSide, setpoint: Decimal, deadband: Decimal) -> Option<Limit> {
        let reset = match side {
            LimitSide::High => setpoint.checked_add(deadband.negated()?)?,
            LimitSide::Low => setpoint.checked_add(deadband)?,
        };
        Some(Limit { side, setpoint, reset, on_delay_ms: 0, off_delay_ms: 0 })
    }

    /// The same deadband and delays at another setpoint.
    pub(crate) fn at(&self, setpoint: Decimal) -> Option<Limit> {
        let width = self.reset.checked_add(self.setpoint.negated()?)?;
        Some(Limit { setpoint, reset: setpoint.checked_add(width)?, ..self.clone() })
    }

    /// Where a value stands.
    pub(crate) fn standing(&self, value: Decimal) -> Standing {
        let (is_beyond, is_back) = match self.side {
            LimitSide::High => (value > self.setpoint, value <= self.reset),
            LimitSide::Low => (value < self.setpoint, value >= self.reset),
        };
        match (is_beyond, is_back) {
            (true, _) => Standing::Beyond,
            (false, true) => Standing::Back,
            (false, false) => Standing::Between,
        }
    }

    /// Which of two limits accuses less.
    pub(crate) fn milder<'l>(&'l self, other: &'l Limit) -> &'l Limit {
        let is_milder = match self.side {
            LimitSide::High => self.setpoint >= other.setpoint,
            LimitSide::Low => self.setpoint <= other.setpoint,
        };
        if is_milder { self } else { other }
    }
}
