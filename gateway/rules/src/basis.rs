//! What a rule makes of readings before it compares them: one kind a variant.

use std::collections::BTreeSet;

use record::dossier::LifeCycle;
use record::{Decimal, Measure, RuleId, SourceId};

use crate::expression::{Formula, Input};
use crate::{Limit, Series, UtcOffset};

/// Slices of windows below an hour.
pub(crate) const MINUTE_MS: i64 = 60_000;
/// Slices of an hour and more (HJ 212-2017 appendix D.1).
pub(crate) const TEN_MINUTES_MS: i64 = 600_000;
const HOUR_MS: i64 = 3_600_000;

/// What is compared with the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// Each reading.
    Reading {
        /// Another limit in cold water.
        cold: Option<Cold>,
    },
    /// How far a reading is from the lowest (or, where it falls, the highest) within a time.
    Change {
        /// How long before.
        within_ms: u64,
        /// Whether falling is meant.
        falls: bool,
    },
    /// The mean of a clock's minutes, hour or day, judged once when it is over.
    Mean {
        /// Of which time.
        window: Window,
        /// By which flow; none: each slice counts alike.
        weighted_by: Option<Series>,
    },
    /// How much of a substance left in a time, kg.
    Load {
        /// In which time.
        window: Window,
        /// In which flow.
        flow: Series,
    },
    /// That no reading of the quantity came, good or not.
    Silence {
        /// For how long.
        for_ms: u64,
    },
    /// That all good readings were the same.
    Stuck {
        /// For how long.
        for_ms: u64,
        /// Apart by no more than this.
        band: Decimal,
    },
    /// That readings in a row could not be believed.
    Implausible,
    /// How far two sensors of the same are apart.
    Disagreement {
        /// The other one.
        other: Series,
        /// How old its reading may be.
        fresh_ms: u64,
    },
    /// How often readings were beyond a limit within a time.
    Exceedances {
        /// That limit.
        limit: Limit,
        /// Within which time.
        within_ms: u64,
        /// So many good readings in a row end it.
        relax_after: u32,
    },
    /// A reading (of flow, level, conductivity) where nothing should flow, for it has not rained.
    DryWeather(DryWeather),
    /// A reading in the rule's hours above what is usual outside of them.
    Surge {
        /// What is usual is the mean of so long before.
        baseline_ms: i64,
        /// So many times that is too much.
        times: Decimal,
        /// Slices that must have readings, in percent.
        share_min_percent: u8,
    },
    /// A reading at an outfall that is none any more.
    Rebound {
        /// By these states of its dossier.
        states: BTreeSet<LifeCycle>,
    },
    /// That a condition holds when a reading comes: 1, else 0.
    Expression(Formula),
}

/// Another limit in cold water, as GB 18918-2002 table 1 has for NH3-N at 12 °C and below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cold {
    /// The water's temperature.
    pub temperature: Series,
    /// At and below which the other limit holds.
    pub at: Decimal,
    /// How old a reading of it may be; without one the milder limit holds.
    pub fresh_ms: u64,
    /// The other limit.
    pub limit: Limit,
}

/// A time that begins with the local clock's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How long.
    pub ms: i64,
    /// It is judged so long after its end: what comes later is counted and not judged.
    pub late_ms: i64,
    /// Slices that must have readings, in percent; with fewer nothing is judged.
    pub share_min_percent: u8,
    /// By which clock it begins.
    pub offset: UtcOffset,
}

/// What must hold for a discharge to be one in dry weather (绥政办发〔2023〕5号: 晴天排水). Where it cannot be known, nobody is
/// accused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryWeather {
    /// A rain gauge.
    pub rain: Series,
    /// Whether it tells an ever-growing total; else the rain since its last reading.
    pub is_total: bool,
    /// So long it must not have rained.
    pub dry_ms: i64,
    /// Less than this is no rain.
    pub effective: Decimal,
    /// How old the newest reading of any series here may be.
    pub fresh_ms: u64,
    /// Hours of the dry time that must have readings of rain, in percent.
    pub share_min_percent: u8,
    /// When water may come from snow.
    pub melt: Option<Melt>,
    /// When water may come from the river.
    pub backflow: Option<Backflow>,
    /// By which clock months begin.
    pub offset: UtcOffset,
}

/// Snow may melt in these months above this temperature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Melt {
    /// Of air or water.
    pub temperature: Series,
    /// Above which.
    pub above: Decimal,
    /// 1 to 12.
    pub months: BTreeSet<u8>,
}

/// The river may flow back from this level on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backflow {
    /// The river's level.
    pub level: Series,
    /// From which on.
    pub from: Decimal,
}

impl Window {
    /// The length of its slices.
    pub(crate) fn slice_ms(&self) -> i64 {
        if self.ms < HOUR_MS { MINUTE_MS } else { TEN_MINUTES_MS }
    }

    /// When the one of a time began, both in UTC.
    pub(crate) fn start(&self, utc_ms: i64) -> Option<i64> {
        let local = self.offset.to_local(utc_ms)?;
        utc_ms.checked_sub(local.rem_euclid(self.ms))
    }
}

impl Basis {
    /// What it is called in a record.
    pub fn measure(&self) -> Measure {
        match self {
            Basis::Reading { .. } => Measure::Reading,
            Basis::Change { falls: false, .. } => Measure::Rise,
            Basis::Change { falls: true, .. } => Measure::Fall,
            Basis::Mean { weighted_by: None, .. } => Measure::Mean,
            Basis::Mean { weighted_by: Some(_), .. } => Measure::FlowWeightedMean,
            Basis::Load { .. } => Measure::Load,
            Basis::Silence { .. } => Measure::Silence,
            Basis::Stuck { .. } => Measure::Stuck,
            Basis::Implausible => Measure::Implausible,
            Basis::Disagreement { .. } => Measure::Disagreement,
            Basis::Exceedances { .. } => Measure::Exceedances,
            Basis::DryWeather(_) => Measure::DryWeather,
            Basis::Surge { .. } => Measure::Surge,
            Basis::Rebound { .. } => Measure::Rebound,
            Basis::Expression(_) => Measure::Expression,
        }
    }

    /// The time over which it is made, in milliseconds; 0 where a moment decides.
    pub fn span_ms(&self) -> u64 {
        match self {
            Basis::Change { within_ms, .. } | Basis::Exceedances { within_ms, .. } => *within_ms,
            Basis::Mean { window, .. } | Basis::Load { window, .. } => window.ms.unsigned_abs(),
            Basis::Silence { for_ms } | Basis::Stuck { for_ms, .. } => *for_ms,
            Basis::Surge { baseline_ms, .. } => baseline_ms.unsigned_abs(),
            Basis::DryWeather(dry) => dry.dry_ms.unsigned_abs(),
            Basis::Reading { .. } | Basis::Implausible | Basis::Disagreement { .. } | Basis::Rebound { .. } => 0,
            Basis::Expression(_) => 0,
        }
    }

    /// The same in seconds.
    pub fn span_s(&self) -> u32 {
        u32::try_from(self.span_ms() / 1_000).unwrap_or(u32::MAX)
    }

    /// Whether nothing but the newest reading matters to it.
    pub(crate) fn looks_at_one_reading(&self) -> bool {
        matches!(self, Basis::Reading { cold: None } | Basis::Rebound { .. })
    }

    /// How far back it looks, in milliseconds.
    pub(crate) fn reach_ms(&self) -> u64 {
        let beside = match self {
            Basis::Mean { window, .. } | Basis::Load { window, .. } => window.late_ms.unsigned_abs(),
            Basis::Reading { cold: Some(Cold { fresh_ms, .. }) } | Basis::Disagreement { fresh_ms, .. } => *fresh_ms,
            Basis::DryWeather(dry) => dry.fresh_ms,
            Basis::Expression(formula) => {
                let windows = formula.inputs.iter().filter_map(|(_, input)| input.window());
                windows.map(|(slice, ms)| ms.unsigned_abs() + slice.unsigned_abs()).fold(formula.fresh_ms, u64::max)
            }
            _ => 0,
        };
        self.span_ms().saturating_add(beside)
    }

    /// The clock's time that it judges when it is over, if it does.
    pub(crate) fn window(&self) -> Option<&Window> {
        match self {
            Basis::Mean { window, .. } | Basis::Load { window, .. } => Some(window),
            _ => None,
        }
    }

    /// The rules at whose alarms it looks, each with the device; none: the one that is judged.
    pub(crate) fn looks_at(&self) -> Vec<(&RuleId, Option<&SourceId>)> {
        let Basis::Expression(formula) = self else { return Vec::new() };
        let mut rules = Vec::new();
        for (_, input) in &formula.inputs {
            if let Input::Alarm { rule, device } = input {
                rules.push((rule, device.as_ref()));
            }
        }
        rules
    }

    /// What it looks at beside the readings that it judges.
    pub fn beside(&self) -> Vec<&Series> {
        match self {
            Basis::Reading { cold } => cold.iter().map(|cold| &cold.temperature).collect(),
            Basis::Mean { weighted_by, .. } => weighted_by.iter().collect(),
            Basis::Load { flow, .. } => vec![flow],
            Basis::Disagreement { other, .. } => vec![other],
            Basis::DryWeather(DryWeather { rain, melt, backflow, .. }) => {
                let melt = melt.as_ref().map(|melt| &melt.temperature);
                let backflow = backflow.as_ref().map(|backflow| &backflow.level);
                [rain].into_iter().chain(melt).chain(backflow).collect()
            }
            Basis::Change { .. } | Basis::Silence { .. } | Basis::Stuck { .. } | Basis::Implausible => Vec::new(),
            Basis::Exceedances { .. } | Basis::Surge { .. } | Basis::Rebound { .. } => Vec::new(),
            Basis::Expression(formula) => formula.inputs.iter().filter_map(|(_, input)| input.series()).collect(),
        }
    }
}
