//! A setpoint with its deadband and on-delay (ISA-18.2 §3.1).

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
}

impl Limit {
    /// A limit with its reset value; `None` if that has more digits than a [`Decimal`] holds.
    pub fn new(side: LimitSide, setpoint: Decimal, deadband: Decimal, on_delay_ms: u64) -> Option<Limit> {
        let reset = match side {
            LimitSide::High => setpoint.checked_add(deadband.negated()?)?,
            LimitSide::Low => setpoint.checked_add(deadband)?,
        };
        Some(Limit { side, setpoint, reset, on_delay_ms })
    }

    /// Whether the value is on the bad side of the setpoint. The setpoint itself is not.
    pub fn is_beyond(&self, value: Decimal) -> bool {
        match self.side {
            LimitSide::High => value > self.setpoint,
            LimitSide::Low => value < self.setpoint,
        }
    }

    /// Whether the value is far enough back that an active alarm clears.
    pub fn is_back(&self, value: Decimal) -> bool {
        match self.side {
            LimitSide::High => value <= self.reset,
            LimitSide::Low => value >= self.reset,
        }
    }
}
