//! What holds elsewhere, while which an alarm is not shown: a gate is closed for repair, the mains failed and took all pumps with
//! it (ISA-18.2: suppressed by design).
//!
//! The alarm is judged and journaled as ever. Where it is not known whether a condition holds, it does not: an alarm too many
//! is a nuisance, and one too few is a danger.

use record::{Decimal, LimitSide, RuleId, SourceId};

use crate::Series;

/// Most conditions of one rule.
pub const CONDITIONS_MAX: usize = 8;

/// Something that holds, or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The alarm of another rule is active.
    Alarm {
        /// That rule.
        rule: RuleId,
        /// For which device; none: for the one that is judged.
        device: Option<SourceId>,
    },
    /// A value is beyond a limit.
    Value {
        /// Which value.
        series: Series,
        /// On which side of the limit.
        side: LimitSide,
        /// The last value at which it does not hold.
        limit: Decimal,
        /// How old the newest reading of it may be.
        fresh_ms: u64,
    },
}

impl Condition {
    /// What it looks at beside the readings that are judged.
    pub(crate) fn series(&self) -> Option<&Series> {
        match self {
            Condition::Alarm { .. } => None,
            Condition::Value { series, .. } => Some(series),
        }
    }

    /// How far back it looks, in milliseconds.
    pub(crate) fn reach_ms(&self) -> u64 {
        match self {
            Condition::Alarm { .. } => 0,
            Condition::Value { fresh_ms, .. } => *fresh_ms,
        }
    }
}
