//! From committed records to alarm transitions, and to aggregates.
//!
//! **In:** the text of `rules.toml` and of the files in `rules.d`, and every record of the journal, once, in order. **Out:**
//! [`AlarmTransition`]s to be journaled, and the alarms that stand.
//!
//! ```text
//! rules.toml ─► RuleSet ─► Engine ◄───────────────── every committed record, in order ────┐
//!                            ├─► apply(frame) ─► AlarmTransition ─► journal ─► Body::Alarm ┘
//!                            ├─► tick(now)       what the passing of time alone brings
//!                            ├─► outstanding()   after a restart: what was derived, but is not journaled
//!                            └─► alarms()        what stands, as far as it is journaled (R1)
//!
//! one reading:  Field (what else is known) ─┐
//!               Memory (of rule and device) ┴─► Basis ─► Finding: a value, and how it stands to the limit ─► latch
//! ```
//!
//! A [`Basis`] is what a rule makes of readings before it compares them: the reading itself, a change, a mean or load of the
//! clock's time, silence, ... A new kind is a variant of it, and its keys in `rule_set::kinds`; delays, states and journaling
//! are the same for all.
//!
//! # What is judged, and when
//! - Readings count when they are **journaled**, in that order; only means and loads go by when the **device measured**, if it
//!   says so and its clock is not ahead, and wait `late_s` for what comes late. What comes later still is not judged.
//! - A reading that is not good, or in another unit, neither raises nor clears. A time with too few readings, a temperature or
//!   weather that is not known, is not judged: nobody is accused without knowing.
//! - While the box does not know the time, what goes by the clock (means, loads, hours, dry weather, surges) is not judged;
//!   delays and spans within a boot go by its monotonic clock. Across boots only what surely passed counts.
//! - An on-delay is judged when a sample arrives, not by a timer. The clock's times and silence are judged by [`Engine::tick`];
//!   what they find depends on the readings and on when silence began, not on when it was called.
//! - The alarm of a rule that latches stays active when its value is back, until somebody who has acknowledged it resets it
//!   ([`Engine::reset`]); a value beyond the limit in between has it wait anew.
//! - An expression ([`Formula`]) is judged when a reading of the rule comes, by the newest values of its inputs. Where one is not
//!   known, nothing is found; where there is no answer ([`Fault`]), that is counted, and nothing is found either.
//! - What `suppress_while` names is looked at when an alarm takes a step, which is journaled as suppressed then, and when alarms
//!   are shown. The alarm itself is the same as without it.
//! - Silence counts from a start of the box or its program at the earliest (`Body::Boot`): nobody listened before.
//! - Numbers are decimal: sums have every digit, a mean has two more than its finest reading, rounded half to even, and what
//!   is compared is what is recorded.
//!
//! Beside them and by the same arithmetic, [`Aggregates`] makes the means, extremes and volumes of the clock's times that a
//! platform may want in the place of single readings.
//!
//! A [`Backtest`] is the same fold under other rules, beside what the journal has; [`Scenarios`] are tests of rules that a
//! technician can write.
//!
//! **Deliberately does not know:** where records are kept (`journal`), who is told (`gatewayd`), how a frame was read
//! (`ingest`). It reads no clock, randomness, environment, file or socket (S1).
//!
//! Invariants: **R1** each transition is a legal step of ISA-18.2, and [`Engine::alarms`] shows only journaled ones;
//! **R2** an engine rebuilt from the records continues as the old one would have; **B1** by [`RULES_MAX`],
//! [`STATES_MAX`], [`SERIES_MAX`], [`SLICES_MAX`], [`READINGS_MAX`], [`CONDITIONS_MAX`],
//! [`OUTSTANDING_MAX`], [`INPUTS_MAX`], [`TEXT_BYTES_MAX`], [`NESTING_MAX`], [`STEPS_MAX`].
//!
//! Standards: ISA-18.2 (alarm states, deadband, delays), HJ 212-2017 appendix D.1 (means, loads), GB 18918-2002 table 1 and 4.1.4
//! (limits of the daily mean, cold water), 绥政办发〔2023〕5号 (dry weather, rebound, more frequent monitoring), CEL (cel-spec, langdef.md).
//!
//! [`AlarmTransition`]: record::AlarmTransition

mod aggregates;
mod backtest;
mod basis;
mod dry_weather;
mod engine;
mod exact;
mod expression;
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
mod suppression;
mod surge;

pub use aggregates::{Aggregates, Aggregation, LATE_S_MAX, PERIODS_MAX};
pub use backtest::{Backtest, Outcome, StepAt, TRANSITIONS_MAX};
pub use basis::{Backflow, Basis, Cold, DryWeather, Melt, Window};
pub use engine::{
    ActiveAlarm, Engine, ExpressionFault, NotReset, OUTSTANDING_MAX, OUTSTANDING_RECORDS_MAX, STATES_MAX, UnitMismatch,
};
pub use expression::{
    Expression, ExpressionError, Fact, Fault, Formula, INPUTS_MAX, Input, NESTING_MAX, STEPS_MAX, Statistic,
    TEXT_BYTES_MAX, Value,
};
pub use field::SERIES_MAX;
pub use limit::Limit;
pub use memory::READINGS_MAX;
pub use record::Priority;
pub use rule::{Devices, Keep, Rule, Sampling};
pub use rule_set::{
    BASELINE_H_MAX, DELAY_S_MAX, FILES_MAX, LineAt, RULES_MAX, RuleError, RuleSet, RuleSetError, RulesFile,
    RulesFileError, SPAN_S_MAX, joined,
};
pub use scenario::{SAMPLES_MAX, ScenarioError, Scenarios, TESTS_MAX, Tried};
pub use schedule::{Hours, Schedule, TimeError, UtcOffset, Weekday};
pub use series::{Series, SeriesError};
pub use slices::SLICES_MAX;
pub use suppression::{CONDITIONS_MAX, Condition};
