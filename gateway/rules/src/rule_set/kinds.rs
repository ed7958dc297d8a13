//! The kinds of rules with their own keys.

use std::collections::BTreeSet;
use std::ops::Range;

use record::dossier::LifeCycle;
use record::{Decimal, LimitSide, Unit};
use serde::Deserialize;
use toml::de::DeTable;

use super::expr::Expr;
use super::section::{Part, one_of, read};
use super::{BASELINE_H_MAX, RuleError, SPAN_S_MAX};
use crate::basis::{Backflow, Basis, Cold, DryWeather, Melt, Window};
use crate::mean::{flow_unit, grams_per_m3};
use crate::memory::READINGS_MAX;
use crate::{Limit, Series};

const HOUR_MS: i64 = 3_600_000;

/// What a kind makes.
pub(super) struct Made {
    pub(super) basis: Basis,
    pub(super) limit: Limit,
    pub(super) limit_unit: Unit,
}

/// Each kind: its name, its type, its keys, whether it has those of a limit, and whether it judges by the hour.
macro_rules! kinds {
    ($($variant:ident $name:literal $type:ident bound $bound:literal hours $hours:literal [$($key:ident),*];)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum Kind { $($variant),* }

        impl Kind {
            pub(super) const ALL: &[Kind] = &[$(Kind::$variant),*];

            pub(super) fn named(name: &str) -> Option<Kind> {
                Kind::ALL.iter().copied().find(|kind| kind.as_str() == name)
            }

            pub(super) fn as_str(self) -> &'static str {
                match self { $(Kind::$variant => $name),* }
            }

            pub(super) fn keys(self) -> &'static [&'static str] {
                match self { $(Kind::$variant => &[$(stringify!($key)),*]),* }
            }

            pub(super) fn has_bound(self) -> bool {
                match self { $(Kind::$variant => $bound),* }
            }

            pub(super) fn has_hours(self) -> bool {
                match self { $(Kind::$variant => $hours),* }
            }

            /// Reads what is left of a section.
            pub(super) fn make(
                self, table: DeTable<'_>, span: Range<usize>, part: &Part<'_>,
            ) -> Result<Result<Made, RuleError>, toml::de::Error> {
                Ok(match self { $(Kind::$variant => read::<$type>(table, span)?.make(part)),* })
            }
        }
    };
}

kinds! {
    Limit "limit" Readings bound true hours true [cold];
    Change "change" Change bound false hours true [rise, fall, within_s];
    Mean "mean" Mean bound true hours false [window, weighted_by, share_min_percent];
    Load "load" Load bound true hours false [window, flow, share_min_percent];
    Silence "silence" Silence bound false hours false [for_s];
    Stuck "stuck" Stuck bound false hours false [for_s, band];
    Implausible "implausible" Implausible bound false hours false [readings];
    Disagreement "disagreement" Disagreement bound true hours true [with, fresh_s];
    Unstable "unstable" Unstable bound true hours false [times, within_s, relax_after];
    DryWeather "dry_weather" Dry bound true hours false
        [rain, rain_is, dry_h, effective, fresh_s, share_min_percent, melt, backflow];
    Surge "surge" Surge bound true hours true [times, baseline_h, share_min_percent];
    Rebound "rebound" Rebound bound true hours false [states];
    Expr "expr" Expr bound false hours true [expr, inputs, fresh_s, on_delay_s, off_delay_s];
}

pub(super) fn ms(key: &'static str, seconds: u32) -> Result<u64, RuleError> {
    let legal = (1..=SPAN_S_MAX).contains(&seconds);
    legal.then_some(u64::from(seconds) * 1_000).ok_or(RuleError::Span { key, seconds })
}

fn hours_ms(key: &'static str, hours: u32) -> Result<i64, RuleError> {
    let legal = (1..=BASELINE_H_MAX).contains(&hours);
    legal.then_some(i64::from(hours) * HOUR_MS).ok_or(RuleError::Hours { key, hours })
}

fn count(key: &'static str, count: u32) -> Result<u32, RuleError> {
    let legal = usize::try_from(count).is_ok_and(|count| (1..=READINGS_MAX).contains(&count));
    legal.then_some(count).ok_or(RuleError::Count { key, count })
}

fn share(percent: u8) -> Result<u8, RuleError> {
    (1..=100).contains(&percent).then_some(percent).ok_or(RuleError::Share(percent))
}

fn positive(key: &'static str, value: Decimal) -> Result<Decimal, RuleError> {
    if value > Decimal::ZERO { Ok(value) } else { Err(RuleError::NotPositive { key, value }) }
}

fn three_quarters() -> u8 {
    75
}

/// How old a value beside may be, if nothing is said of it, in seconds.
pub(super) const FRESH_S: u32 = 3_600;

pub(super) fn an_hour_s() -> u32 {
    FRESH_S
}

/// A unit of this program's own; those here are known ones.
pub(super) fn unit(name: &str) -> Result<Unit, RuleError> {
    Unit::new(name).map_err(|_| RuleError::NoUnit(name.to_owned()))
}

#[derive(Deserialize)]
struct Readings {
    cold: Option<ColdKeys>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ColdKeys {
    temperature: Series,
    at: Decimal,
    high: Option<Decimal>,
    low: Option<Decimal>,
    #[serde(default = "an_hour_s")]
    fresh_s: u32,
}

impl Readings {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        let limit = part.limit()?;
        let cold = |keys: ColdKeys| {
            let (is_high, setpoint) = one_of(("high", keys.high), ("low", keys.low))?;
            let side = if is_high { LimitSide::High } else { LimitSide::Low };
            if side != limit.side {
                return Err(RuleError::Sides { count: "both", one: "high", other: "low" });
            }
            let limit = part.limit_at(side, setpoint)?;
            Ok(Cold { temperature: keys.temperature, at: keys.at, fresh_ms: ms("fresh_s", keys.fresh_s)?, limit })
        };
        let cold = self.cold.map(cold).transpose()?;
        Ok(Made { basis: Basis::Reading { cold }, limit, limit_unit: part.unit()?.clone() })
    }
}

#[derive(Deserialize)]
struct Change {
    rise: Option<Decimal>,
    fall: Option<Decimal>,
    within_s: u32,
}

impl Change {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        let (rises, by) = one_of(("rise", self.rise), ("fall", self.fall))?;
        let limit = part.limit_at(LimitSide::High, positive(if rises { "rise" } else { "fall" }, by)?)?;
        let basis = Basis::Change { within_ms: ms("within_s", self.within_s)?, falls: !rises };
        Ok(Made { basis, limit, limit_unit: part.unit()?.clone() })
    }
}

/// The clock's times of which a mean is made.
#[derive(Clone, Copy, Deserialize)]
enum WindowKey {
    #[serde(rename = "10min")]
    TenMinutes,
    #[serde(rename = "30min")]
    HalfHour,
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "2h")]
    TwoHours,
    #[serde(rename = "4h")]
    FourHours,
    #[serde(rename = "8h")]
    EightHours,
    #[serde(rename = "24h")]
    Day,
}

fn window(key: WindowKey, share_min_percent: u8, part: &Part<'_>) -> Result<Window, RuleError> {
    let minutes = match key {
        WindowKey::TenMinutes => 10,
        WindowKey::HalfHour => 30,
        WindowKey::Hour => 60,
        WindowKey::TwoHours => 120,
        WindowKey::FourHours => 240,
        WindowKey::EightHours => 480,
        WindowKey::Day => 1_440,
    };
    let late_ms = i64::try_from(ms("late_s", part.clock.late_s)?).unwrap_or(i64::MAX);
    let offset = part.clock.utc_offset;
    Ok(Window { ms: minutes * 60_000, late_ms, share_min_percent: share(share_min_percent)?, offset })
}

#[derive(Deserialize)]
struct Mean {
    window: WindowKey,
    weighted_by: Option<Series>,
    #[serde(default = "three_quarters")]
    share_min_percent: u8,
}

impl Mean {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        let basis =
            Basis::Mean { window: window(self.window, self.share_min_percent, part)?, weighted_by: self.weighted_by };
        Ok(Made { basis, limit: part.limit_without_delays("mean")?, limit_unit: part.unit()?.clone() })
    }
}

#[derive(Deserialize)]
struct Load {
    window: WindowKey,
    flow: Series,
    #[serde(default = "three_quarters")]
    share_min_percent: u8,
}

impl Load {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        let own = part.unit()?;
        if grams_per_m3(own.as_str()).is_none() || flow_unit(self.flow.unit.as_str()).is_none() {
            return Err(RuleError::NoMass { concentration: own.clone(), flow: self.flow.unit });
        }
        let basis = Basis::Load { window: window(self.window, self.share_min_percent, part)?, flow: self.flow };
        Ok(Made { basis, limit: part.limit_without_delays("load")?, limit_unit: unit("kg")? })
    }
}

#[derive(Deserialize)]
struct Silence {
    for_s: u32,
}

impl Silence {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        let for_ms = ms("for_s", self.for_s)?;
        let limit = part.limit_at(LimitSide::High, Decimal::from(i64::from(self.for_s)))?;
        Ok(Made { basis: Basis::Silence { for_ms }, limit, limit_unit: unit("s")? })
    }
}

#[derive(Deserialize)]
struct Stuck {
    for_s: u32,
    band: Option<Decimal>,
}

impl Stuck {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        let band = self.band.unwrap_or(Decimal::ZERO);
        if band < Decimal::ZERO {
            return Err(RuleError::NegativeBand(band));
        }
        part.unit()?;
        let basis = Basis::Stuck { for_ms: ms("for_s", self.for_s)?, band };
        let limit = part.limit_at(LimitSide::High, Decimal::from(i64::from(self.for_s)))?;
        Ok(Made { basis, limit, limit_unit: unit("s")? })
    }
}

#[derive(Deserialize)]
struct Implausible {
    readings: u32,
}

impl Implausible {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        let limit = part.limit_at(LimitSide::High, Decimal::from(i64::from(count("readings", self.readings)?)))?;
        Ok(Made { basis: Basis::Implausible, limit, limit_unit: unit("{count}")? })
    }
}

#[derive(Deserialize)]
struct Disagreement {
    with: Series,
    #[serde(default = "an_hour_s")]
    fresh_s: u32,
}

impl Disagreement {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        let own = part.unit()?.clone();
        // What the other one says in another unit is not comparable.
        let other = Series { unit: own.clone(), ..self.with };
        let basis = Basis::Disagreement { other, fresh_ms: ms("fresh_s", self.fresh_s)? };
        Ok(Made { basis, limit: part.limit()?, limit_unit: own })
    }
}

#[derive(Deserialize)]
struct Unstable {
    times: u32,
    within_s: u32,
    relax_after: u32,
}

impl Unstable {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        part.unit()?;
        let basis = Basis::Exceedances {
            limit: part.limit_without_delays("unstable")?,
            within_ms: ms("within_s", self.within_s)?,
            relax_after: count("relax_after", self.relax_after)?,
        };
        let times = Decimal::from(i64::from(count("times", self.times)?));
        let limit = Limit::new(LimitSide::High, times, Decimal::ZERO);
        let limit = limit.ok_or(RuleError::Digits { setpoint: times, deadband: Decimal::ZERO })?;
        Ok(Made { basis, limit, limit_unit: unit("{count}")? })
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RainIs {
    /// Since the last reading.
    #[default]
    Amount,
    /// Since the gauge was set up.
    Total,
}

#[derive(Deserialize)]
struct Dry {
    rain: Series,
    #[serde(default)]
    rain_is: RainIs,
    dry_h: u32,
    effective: Decimal,
    #[serde(default = "an_hour_s")]
    fresh_s: u32,
    #[serde(default = "three_quarters")]
    share_min_percent: u8,
    melt: Option<MeltKeys>,
    backflow: Option<BackflowKeys>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeltKeys {
    temperature: Series,
    above: Decimal,
    months: BTreeSet<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackflowKeys {
    level: Series,
    from: Decimal,
}

impl Dry {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        if let Some(month) = self.melt.iter().flat_map(|melt| &melt.months).find(|month| !(1..=12).contains(*month)) {
            return Err(RuleError::Month(*month));
        }
        let melt = |MeltKeys { temperature, above, months }| Melt { temperature, above, months };
        let backflow = |BackflowKeys { level, from }| Backflow { level, from };
        let basis = Basis::DryWeather(DryWeather {
            rain: self.rain,
            is_total: self.rain_is == RainIs::Total,
            dry_ms: hours_ms("dry_h", self.dry_h)?,
            effective: positive("effective", self.effective)?,
            fresh_ms: ms("fresh_s", self.fresh_s)?,
            share_min_percent: share(self.share_min_percent)?,
            melt: self.melt.map(melt),
            backflow: self.backflow.map(backflow),
            offset: part.clock.utc_offset,
        });
        Ok(Made { basis, limit: part.limit()?, limit_unit: part.unit()?.clone() })
    }
}

#[derive(Deserialize)]
struct Surge {
    times: Decimal,
    baseline_h: u32,
    #[serde(default = "three_quarters")]
    share_min_percent: u8,
}

impl Surge {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        let basis = Basis::Surge {
            baseline_ms: hours_ms("baseline_h", self.baseline_h)?,
            times: positive("times", self.times)?,
            share_min_percent: share(self.share_min_percent)?,
        };
        let high = part.bound.high.filter(|_| part.bound.low.is_none());
        let high = high.ok_or(RuleError::NoHigh)?;
        let limit = part.limit_at(LimitSide::High, high)?;
        Ok(Made { basis, limit, limit_unit: part.unit()?.clone() })
    }
}

#[derive(Deserialize)]
struct Rebound {
    #[serde(default = "closed")]
    states: BTreeSet<LifeCycle>,
}

fn closed() -> BTreeSet<LifeCycle> {
    LifeCycle::ALL.iter().copied().filter(|state| state.is_closed()).collect()
}

impl Rebound {
    fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        Ok(Made {
            basis: Basis::Rebound { states: self.states },
            limit: part.limit()?,
            limit_unit: part.unit()?.clone(),
        })
    }
}
