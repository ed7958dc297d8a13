//! How urgent an alarm is.

use serde::{Deserialize, Serialize};

/// As the gateway names it by the alarm's rule: the journal's steps do not tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Look at it this week.
    Low,
    /// Look at it this shift.
    Medium,
    /// Look at it now.
    High,
    /// Leave everything else.
    Critical,
}
