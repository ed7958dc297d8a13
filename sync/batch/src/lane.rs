//! Which queue a batch left in.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// The lane of a batch (D5): alarms before what is new, what is new before what is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Alarm transitions.
    #[n(0)]
    Alarm = 0,
    /// What was journaled lately.
    #[n(1)]
    Live = 1,
    /// What a broken link left behind.
    #[n(2)]
    Backlog = 2,
}

impl Lane {
    /// Every lane, most urgent first.
    pub const ALL: [Lane; 3] = [Lane::Alarm, Lane::Live, Lane::Backlog];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Alarm => "alarm",
            Lane::Live => "live",
            Lane::Backlog => "backlog",
        }
    }
}

impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
