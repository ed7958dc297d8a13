//! From committed records to alarm transitions.
//!
//! **In:** the text of `rules.toml`, and every record of the journal, once, in order. **Out:** [`AlarmTransition`]s to
//! be journaled, and the alarms that stand.
//!
//! ```text
//! rules.toml ─► RuleSet ─► Engine ◄───────────────── every committed record, in order ────┐
//!                            ├─► apply(frame) ─► AlarmTransition ─► journal ─► Body::Alarm ┘
//!                            ├─► outstanding()   after a restart: what was derived, but is not journaled
//!                            └─► alarms()        what stands, as far as it is journaled (R1)
//! ```
//!
//! A [`Backtest`] is the same fold under other rules, beside what the journal has; [`Scenarios`] are tests of rules that a
//! technician can write.
//!
//! An engine is a fold over the journal: it has no clock and no file of its own. An on-delay is judged when a sample
//! arrives, not by a timer, so the same records give the same transitions at any speed and after any restart. The price:
//! a sensor that falls silent while its delay runs raises nothing; silence is another rule's work.
//!
//! **Deliberately does not know:** where records are kept (`journal`), who is told (`gatewayd`), how a frame was read
//! (`ingest`). It reads no clock, randomness, environment, file or socket (S1).
//!
//! Invariants: **R1** each transition is a legal step of ISA-18.2, and [`Engine::alarms`] shows only journaled ones;
//! **R2** an engine rebuilt from the records continues as the old one would have; **B1** by [`RULES_MAX`],
//! [`STATES_MAX`], [`OUTSTANDING_MAX`].
//!
//! Standards: ISA-18.2 (alarm states, deadband, on-delay).
//!
//! [`AlarmTransition`]: record::AlarmTransition

mod backtest;
mod basis;
mod dry_weather;
mod elapsed;
mod engine;
mod exact;
mod field;
pub mod invariant;
mod latch;
mod limit;
mod mean;
mod memory;
mod rule;
mod rule_set;
mod scenario;
mod schedule;
mod series;
mod slices;
mod surge;

pub use backtest::{Backtest, Outcome, StepAt, TRANSITIONS_MAX};
pub use basis::{Backflow, Basis, Cold, DryWeather, Melt, Window};
pub use engine::{ActiveAlarm, Engine, OUTSTANDING_MAX, OUTSTANDING_RECORDS_MAX, STATES_MAX, UnitMismatch};
pub use field::SERIES_MAX;
pub use limit::Limit;
pub use memory::READINGS_MAX;
pub use rule::{Devices, Keep, Priority, Rule, Sampling};
pub use rule_set::{BASELINE_H_MAX, DELAY_S_MAX, RULES_MAX, RuleError, RuleSet, RuleSetError, SPAN_S_MAX};
pub use scenario::{SAMPLES_MAX, ScenarioError, Scenarios, TESTS_MAX, Tried};
pub use schedule::{Hours, Schedule, TimeError, UtcOffset, Weekday};
pub use series::{Series, SeriesError};
pub use slices::SLICES_MAX;
