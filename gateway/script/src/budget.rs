//! What one call may work.

use std::cell::Cell;

use crate::STEPS_MAX;

/// Units of the prelude in one step: 32,768 elements or 128 Ki characters take about as long as 10,000 rounds of a loop.
const UNITS_PER_STEP: f64 = 32_768.0;

/// The steps of one call, counted by the engine's interrupt handler and by the prelude.
#[derive(Default)]
pub(crate) struct Budget {
    steps: Cell<f64>,
}

impl Budget {
    /// Counts 10,000 function calls or loop rounds; whether that was too much.
    pub(crate) fn spend_step(&self) -> bool {
        self.spend(1.0)
    }

    /// Counts units of the prelude; whether that was too much.
    pub(crate) fn spend_units(&self, units: f64) -> bool {
        self.spend(units / UNITS_PER_STEP)
    }

    /// Whether the call must end.
    pub(crate) fn is_spent(&self) -> bool {
        self.steps.get() > f64::from(STEPS_MAX)
    }

    fn spend(&self, steps: f64) -> bool {
        self.steps.set(self.steps.get() + steps);
        self.is_spent()
    }
}
