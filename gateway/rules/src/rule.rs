//! One rule of `rules.toml`.

use std::collections::BTreeSet;

use record::{Quantity, RuleId, SourceId, Unit};
use serde::{Deserialize, Serialize};

use crate::Limit;

/// One `[[rule]]` of `kind = "limit"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name in every transition.
    pub id: RuleId,
    /// Whom it judges.
    pub devices: Devices,
    /// What it judges.
    pub quantity: Quantity,
    /// In what. Readings in another unit are counted and not judged: 80 ug/L is no 80 mg/L.
    pub unit: Unit,
    /// What is too much or too little.
    pub limit: Limit,
    /// How urgent its alarm is.
    pub priority: Priority,
}

/// The devices a rule judges, each on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Devices {
    /// `["*"]`: every device that measures the quantity.
    Every,
    /// Those named.
    Named(BTreeSet<SourceId>),
}

/// How urgent an alarm is (ISA-18.2 §10: few classes, told apart at a glance).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Look at it this week.
    Low,
    /// Look at it this shift.
    #[default]
    Medium,
    /// Look at it now.
    High,
    /// Leave everything else.
    Critical,
}

impl Devices {
    /// Whether the rule judges this device.
    pub fn covers(&self, source: &SourceId) -> bool {
        match self {
            Devices::Every => true,
            Devices::Named(names) => names.contains(source),
        }
    }
}
