//! A `[[rule]]`: the keys that every kind has, those of limits, and those of its kind.

use std::collections::BTreeSet;
use std::ops::Range;

use record::dossier::Day;
use record::{Decimal, LimitSide, Measure, Quantity, RelayId, RuleId, SourceId, Tier, Unit};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::kinds::{FRESH_S, Kind, Made, ms};
use super::{DELAY_S_MAX, RuleError};
use crate::schedule::{Hours, Weekday};
use crate::suppression::{CONDITIONS_MAX, Condition};
use crate::{Devices, Keep, Limit, Priority, Rule, Sampling, Schedule, Series, UtcOffset};

const COMMON: &[&str] = &[
    "id",
    "kind",
    "devices",
    "quantity",
    "unit",
    "priority",
    "tier",
    "hours",
    "weekdays",
    "holidays",
    "latched",
    "suppress_while",
    "sampling",
    "sample",
    "keep",
];
const BOUND: &[&str] = &["high", "low", "deadband", "on_delay_s", "off_delay_s"];

/// Why a section is no rule.
pub(super) enum Fault {
    /// A key that is missing, or a value of the wrong form.
    Toml(toml::de::Error),
    /// A key that the kind does not have.
    Key { at: usize, why: String },
    /// A rule that cannot work.
    Rule(RuleId, RuleError),
}

impl From<toml::de::Error> for Fault {
    fn from(error: toml::de::Error) -> Fault {
        Fault::Toml(error)
    }
}

/// What holds for all rules.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Clock {
    pub(super) utc_offset: UtcOffset,
    pub(super) late_s: u32,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { utc_offset: UtcOffset::BEIJING, late_s: 120 }
    }
}

#[derive(Deserialize)]
struct Common {
    id: RuleId,
    kind: Kind,
    devices: Vec<String>,
    quantity: Quantity,
    unit: Option<Unit>,
    #[serde(default)]
    priority: Priority,
    #[serde(default = "warning")]
    tier: Tier,
    hours: Option<Hours>,
    #[serde(default)]
    weekdays: BTreeSet<Weekday>,
    #[serde(default)]
    holidays: BTreeSet<Day>,
    #[serde(default)]
    latched: bool,
    #[serde(default)]
    suppress_while: Vec<ConditionKeys>,
    sampling: Option<Sampling>,
    sample: Option<SampleKeys>,
    keep: Option<KeepKeys>,
}

/// The alarm of another rule, or a value beyond a limit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionKeys {
    alarm: Option<RuleId>,
    device: Option<SourceId>,
    value: Option<Series>,
    above: Option<Decimal>,
    below: Option<Decimal>,
    fresh_s: Option<u32>,
}

impl ConditionKeys {
    fn make(self) -> Result<Condition, RuleError> {
        let ConditionKeys { alarm, device, value, above, below, fresh_s } = self;
        match (alarm, value) {
            (Some(rule), None) if above.is_none() && below.is_none() && fresh_s.is_none() => {
                Ok(Condition::Alarm { rule, device })
            }
            (None, Some(series)) if device.is_none() => {
                let (is_above, limit) = one_of(("above", above), ("below", below))?;
                let side = if is_above { LimitSide::High } else { LimitSide::Low };
                let fresh_ms = ms("fresh_s", fresh_s.unwrap_or(FRESH_S))?;
                Ok(Condition::Value { series, side, limit, fresh_ms })
            }
            _ => Err(RuleError::Condition),
        }
    }
}

/// What is kept around an alarm; `false`: nothing.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum KeepKeys {
    Is(bool),
    For(Keep),
}

/// One sampler, or some.
#[derive(Deserialize)]
#[serde(untagged, expecting = "name a sampler, or write [\"east\", \"west\"]; names have A-Z a-z 0-9 _ . -")]
enum SampleKeys {
    By(RelayId),
    ByEach(Vec<RelayId>),
}

impl SampleKeys {
    /// Each once.
    fn named(self) -> Result<Vec<RelayId>, RuleError> {
        let mut named = match self {
            SampleKeys::By(one) => vec![one],
            SampleKeys::ByEach(some) => some,
        };
        named.sort();
        named.dedup();
        if named.len() > SAMPLERS_MAX { Err(RuleError::Samplers(named.len())) } else { Ok(named) }
    }
}

/// Most samplers of a rule: as many relays as a box has.
pub(super) const SAMPLERS_MAX: usize = 16;

fn warning() -> Tier {
    Tier::Warning
}

/// The keys of a limit.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Bound {
    pub(super) high: Option<Decimal>,
    pub(super) low: Option<Decimal>,
    #[serde(default = "zero")]
    deadband: Decimal,
    #[serde(default)]
    on_delay_s: u32,
    #[serde(default)]
    off_delay_s: u32,
}

impl Bound {
    const NONE: Bound = Bound { high: None, low: None, deadband: Decimal::ZERO, on_delay_s: 0, off_delay_s: 0 };

    /// Delays alone.
    pub(super) fn delayed(on_delay_s: u32, off_delay_s: u32) -> Bound {
        Bound { on_delay_s, off_delay_s, ..Bound::NONE }
    }
}

fn zero() -> Decimal {
    Decimal::ZERO
}

/// Reads a table; errors name the place in the file.
pub(super) fn read<T: DeserializeOwned>(table: DeTable<'_>, span: Range<usize>) -> Result<T, toml::de::Error> {
    T::deserialize(ValueDeserializer::from(Spanned::new(span, DeValue::Table(table))))
}

/// Takes these keys out of a table and reads them.
fn take<T: DeserializeOwned>(table: &mut DeTable<'_>, keys: &[&str], span: Range<usize>) -> Result<T, toml::de::Error> {
    let mut taken = DeTable::new();
    for key in keys {
        if let Some((key, value)) = table.remove_entry(*key) {
            taken.insert(key, value);
        }
    }
    read(taken, span)
}

/// The rule of a section.
pub(super) fn rule(mut table: DeTable<'_>, span: Range<usize>, clock: Clock) -> Result<Rule, Fault> {
    // A key that is written wrongly is named before one that is missing for it.
    refuse_unknown_keys(&table)?;
    let common: Common = take(&mut table, COMMON, span.clone())?;
    let bound: Bound = match common.kind.has_bound() {
        true => take(&mut table, BOUND, span.clone())?,
        false => Bound::NONE,
    };
    let id = common.id.clone();
    let part = Part { bound, unit: common.unit.as_ref(), quantity: &common.quantity, clock };
    let made = common.kind.make(table, span, &part)?.map_err(|error| Fault::Rule(id.clone(), error))?;
    common.into_rule(made, clock).map_err(|error| Fault::Rule(id, error))
}

fn refuse_unknown_keys(table: &DeTable<'_>) -> Result<(), Fault> {
    let kind = table.get("kind").and_then(|kind| Kind::named(kind.get_ref().as_str()?));
    let (of, own, has_bound) = match kind {
        Some(kind) => (format!(" of a rule of kind `{}`", kind.as_str()), kind.keys().to_vec(), kind.has_bound()),
        None => (" of a rule".to_owned(), Kind::ALL.iter().flat_map(|kind| kind.keys()).copied().collect(), true),
    };
    let known: Vec<&str> = COMMON.iter().chain(if has_bound { BOUND } else { &[] }).copied().chain(own).collect();
    let Some((key, _)) = table.iter().find(|(key, _)| !known.contains(&key.get_ref().as_ref())) else { return Ok(()) };
    let known = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let why = format!("unknown key `{}`{of}: it has {known}", key.get_ref());
    Err(Fault::Key { at: key.span().start, why })
}

/// What a kind is made of beside its own keys.
#[derive(Clone, Copy)]
pub(super) struct Part<'p> {
    pub(super) bound: Bound,
    pub(super) unit: Option<&'p Unit>,
    pub(super) quantity: &'p Quantity,
    pub(super) clock: Clock,
}

impl Part<'_> {
    /// The one limit of `high` and `low`.
    pub(super) fn limit(&self) -> Result<Limit, RuleError> {
        let (side, setpoint) = one_of(("high", self.bound.high), ("low", self.bound.low))?;
        let side = if side { LimitSide::High } else { LimitSide::Low };
        self.limit_at(side, setpoint)
    }

    /// A limit with the section's deadband and delays.
    pub(super) fn limit_at(&self, side: LimitSide, setpoint: Decimal) -> Result<Limit, RuleError> {
        let Bound { deadband, on_delay_s, off_delay_s, .. } = self.bound;
        if deadband < Decimal::ZERO {
            return Err(RuleError::NegativeDeadband(deadband));
        }
        for (key, seconds) in [("on_delay_s", on_delay_s), ("off_delay_s", off_delay_s)] {
            if seconds > DELAY_S_MAX {
                return Err(RuleError::Delay { key, seconds });
            }
        }
        let limit = Limit::new(side, setpoint, deadband).ok_or(RuleError::Digits { setpoint, deadband })?;
        let ms = |seconds: u32| u64::from(seconds) * 1_000;
        Ok(Limit { on_delay_ms: ms(on_delay_s), off_delay_ms: ms(off_delay_s), ..limit })
    }

    /// The same for a kind that has a time of its own: when its window is noticed to be over must not matter (R2).
    pub(super) fn limit_without_delays(&self, kind: &'static str) -> Result<Limit, RuleError> {
        let limit = self.limit()?;
        let is_delayed = limit.on_delay_ms > 0 || limit.off_delay_ms > 0;
        if is_delayed { Err(RuleError::WithDelay(kind)) } else { Ok(limit) }
    }

    /// The unit, which kinds that compare values need.
    pub(super) fn unit(&self) -> Result<&Unit, RuleError> {
        self.unit.ok_or_else(|| RuleError::NoUnit(unit_hint(self.quantity)))
    }
}

/// Whether it is the first of two keys, and its value.
pub(super) fn one_of(
    one: (&'static str, Option<Decimal>),
    other: (&'static str, Option<Decimal>),
) -> Result<(bool, Decimal), RuleError> {
    let sides = |count| RuleError::Sides { count, one: one.0, other: other.0 };
    match (one.1, other.1) {
        (Some(value), None) => Ok((true, value)),
        (None, Some(value)) => Ok((false, value)),
        (Some(_), Some(_)) => Err(sides("both")),
        (None, None) => Err(sides("neither")),
    }
}

impl Common {
    fn into_rule(self, made: Made, clock: Clock) -> Result<Rule, RuleError> {
        if let Some(unit) = self.unit.as_ref().filter(|unit| !unit.is_known()) {
            return Err(RuleError::UnknownUnit { hint: unit_hint(&self.quantity), unit: unit.clone() });
        }
        let measure = made.basis.measure();
        let is_daily = made.basis.window().is_some_and(|window| window.ms == crate::schedule::DAY_MS);
        let is_ph = self.quantity.as_str() == "ph" && measure == Measure::Reading;
        if self.tier == Tier::Exceedance && !is_daily && !is_ph {
            return Err(RuleError::Tier(self.tier));
        }
        if let Some(Sampling { alarm_s, normal_s }) = self.sampling
            && (alarm_s == 0 || alarm_s >= normal_s || normal_s > DELAY_S_MAX)
        {
            return Err(RuleError::Sampling { alarm_s, normal_s });
        }
        let is_grave = self.priority >= Priority::High || self.tier >= Tier::Exceedance;
        let keep = match self.keep {
            Some(KeepKeys::For(keep)) => Some(keep),
            Some(KeepKeys::Is(is_kept)) => is_kept.then_some(Keep::HOURS),
            None => is_grave.then_some(Keep::HOURS),
        };
        if let Some(Keep { before_s, after_s }) = keep.filter(|keep| keep.before_s.max(keep.after_s) > DELAY_S_MAX) {
            return Err(RuleError::Keep { before_s, after_s });
        }
        let devices = devices(&self.devices)?;
        let conditions = self.suppress_while.into_iter().map(ConditionKeys::make);
        let suppress_while = conditions.collect::<Result<Vec<Condition>, RuleError>>()?;
        if suppress_while.len() > CONDITIONS_MAX {
            return Err(RuleError::Conditions(suppress_while.len()));
        }
        if !suppress_while.is_empty() && self.tier == Tier::Emergency {
            return Err(RuleError::SuppressedEmergency);
        }
        let Common {
            id,
            kind,
            quantity,
            unit,
            priority,
            tier,
            hours,
            weekdays,
            holidays,
            latched,
            sampling,
            sample,
            ..
        } = self;
        let sample = sample.map(SampleKeys::named).transpose()?.unwrap_or_default();
        let during = (hours.is_some() || !weekdays.is_empty() || !holidays.is_empty()).then_some(Schedule {
            hours,
            weekdays,
            holidays,
            offset: clock.utc_offset,
        });
        if during.is_some() && !kind.has_hours() {
            return Err(RuleError::WithHours(kind.as_str()));
        }
        if during.is_none() && measure == Measure::Surge {
            return Err(RuleError::NoHours);
        }
        let Made { basis, limit, limit_unit } = made;
        Ok(Rule {
            id,
            devices,
            quantity,
            unit,
            basis,
            during,
            limit,
            limit_unit,
            priority,
            tier,
            latched,
            suppress_while,
            sampling,
            sample,
            keep,
        })
    }
}

fn devices(names: &[String]) -> Result<Devices, RuleError> {
    match names {
        [every] if every == "*" => Ok(Devices::Every),
        names if names.is_empty() || names.iter().any(|name| name == "*") => Err(RuleError::Devices),
        names => {
            let named: Result<BTreeSet<SourceId>, _> = names.iter().map(|name| SourceId::new(name)).collect();
            named.map(Devices::Named).map_err(RuleError::Device)
        }
    }
}

/// What the registry says about the quantity is a better hint than a similar spelling: `mg/L` and `ug/L` are similar.
fn unit_hint(quantity: &Quantity) -> String {
    match Quantity::registry().iter().find(|(name, _)| *name == quantity.as_str()) {
        Some((name, unit)) => format!("`{name}` usually comes in `{unit}`"),
        None => "write it as UCUM does (mg/L, m3/h, uS/cm, Cel)".to_owned(),
    }
}
