//! One rule of `rules.toml`.

use std::collections::BTreeSet;

use record::{Grounds, Measure, Priority, Quantity, RelayId, RuleId, SourceId, Tier, Unit};
use serde::Deserialize;

use crate::{Basis, Condition, Limit, Schedule, Series};

/// One `[[rule]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name in every transition.
    pub id: RuleId,
    /// Whom it judges.
    pub devices: Devices,
    /// What it judges.
    pub quantity: Quantity,
    /// In what its readings must come; none: in whatever. Readings in another unit are counted and not judged: 80 ug/L is no
    /// 80 mg/L.
    pub unit: Option<Unit>,
    /// What it makes of the readings.
    pub basis: Basis,
    /// When it judges; none: always.
    pub during: Option<Schedule>,
    /// What is too much or too little.
    pub limit: Limit,
    /// In what the limit is.
    pub limit_unit: Unit,
    /// How urgent its alarm is.
    pub priority: Priority,
    /// How much its alarm says.
    pub tier: Tier,
    /// Whether its alarm stays once the value is back, until somebody resets it (ISA-18.2: latched).
    pub latched: bool,
    /// While any of these holds, its alarm is judged and journaled, and not shown.
    pub suppress_while: Vec<Condition>,
    /// How often the device is to measure.
    pub sampling: Option<Sampling>,
    /// Samplers of the box that retain a sample when its alarm is raised, if they serve the device.
    pub sample: Vec<RelayId>,
    /// What is kept for evidence of its alarms; none: what is kept of everything.
    pub keep: Option<Keep>,
}

/// Records around an alarm that nothing but a person's word takes away (绥政办发〔2023〕5号: 应留存证据).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Those of so many seconds before it was raised.
    pub before_s: u32,
    /// And of so many after.
    pub after_s: u32,
}

impl Keep {
    /// An hour before and after.
    pub const HOURS: Keep = Keep { before_s: 3_600, after_s: 3_600 };
}

/// How often a device measures while its alarm stands, and otherwise (绥政办发〔2023〕5号: 对不能稳定达标的适当加大监测频次).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// While it stands, seconds.
    pub alarm_s: u32,
    /// Else, seconds.
    pub normal_s: u32,
}

/// The devices a rule judges, each on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Devices {
    /// `["*"]`: every device that measures the quantity.
    Every,
    /// Those named.
    Named(BTreeSet<SourceId>),
}

const HOUR_MS: u64 = 3_600_000;

impl Rule {
    /// How far back a record can matter to it, in milliseconds.
    pub fn reach_ms(&self) -> u64 {
        let own_ms = self.basis.reach_ms().saturating_add(self.limit.on_delay_ms.max(self.limit.off_delay_ms));
        let own_ms = self.suppress_while.iter().map(Condition::reach_ms).fold(own_ms, u64::max);
        // So far back at least it is seen that the value is back.
        if self.latched { own_ms.max(HOUR_MS) } else { own_ms }
    }

    /// The rules at whose alarms it looks, each with the device; none: the one that is judged.
    pub(crate) fn looks_at(&self) -> impl Iterator<Item = (&RuleId, Option<&SourceId>)> + '_ {
        let conditions = self.suppress_while.iter().filter_map(|condition| match condition {
            Condition::Alarm { rule, device } => Some((rule, device.as_ref())),
            Condition::Value { .. } => None,
        });
        self.basis.looks_at().into_iter().chain(conditions)
    }

    /// What it looks at beside the readings that it judges.
    pub fn beside(&self) -> impl Iterator<Item = &Series> + '_ {
        self.basis.beside().into_iter().chain(self.suppress_while.iter().filter_map(Condition::series))
    }

    /// What its alarms say of their value; nothing where that is a reading, and it warns.
    pub(crate) fn grounds(&self) -> Option<Grounds> {
        let measure = self.basis.measure();
        let span_s = self.basis.span_s();
        let plain = measure == Measure::Reading && self.tier == Tier::Warning;
        (!plain).then(|| Grounds { measure, unit: self.limit_unit.clone(), span_s, tier: self.tier })
    }
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
