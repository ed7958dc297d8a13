//! What an expression is about: the reading that is judged, what else is known, and the outfall.

use std::sync::Arc;

use record::dossier::Dossier;
use record::{Decimal, RuleId, SourceId, Stamp};

use super::value::{Type, Value};
use super::{Expression, ExpressionError, Fault};
use crate::Series;
use crate::basis::{MINUTE_MS, TEN_MINUTES_MS};
use crate::exact::Exact;
use crate::field::Field;
use crate::schedule::UtcOffset;

/// Most inputs of one rule.
pub const INPUTS_MAX: usize = 16;
/// Windows from here on are made of ten minutes each, below of minutes.
const HOUR_MS: i64 = 3_600_000;

/// An expression with what its names mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    /// The condition, over `value`, which is the reading that is judged, and the inputs.
    pub expression: Expression,
    /// By their names.
    pub inputs: Vec<(String, Input)>,
    /// How old the newest reading of an input may be.
    pub fresh_ms: u64,
}

/// Where the value of a name comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The newest reading of a series: a double.
    Newest(Series),
    /// Of the readings of a series within a time up to now: a double.
    Window {
        /// Which.
        series: Series,
        /// Whole minutes; from an hour on whole ten minutes. The one that is under way counts.
        ms: i64,
        /// What is made of them.
        statistic: Statistic,
    },
    /// Whether the alarm of another rule is active: a bool.
    Alarm {
        /// That rule.
        rule: RuleId,
        /// For which device; none: for the one that is judged.
        device: Option<SourceId>,
    },
}

/// What is made of readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Their arithmetic mean.
    Mean,
    /// The lowest.
    Min,
    /// The highest.
    Max,
    /// Their sum.
    Sum,
    /// How many good ones there are.
    Count,
}

/// What an expression may ask of the dossier in force of the outfall at which the device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// As `urban_stormwater`: a string.
    Class,
    /// As `in_use`: a string.
    State,
    /// Whether it must stay open for floods.
    FloodSafety,
    /// Whether its water is a key water.
    KeyWater,
    /// Whether it is a lake or a reservoir.
    Lake,
    /// Whether what flows is toxic; not every dossier says so.
    Toxic,
}

impl Fact {
    /// All of them.
    pub const ALL: [Fact; 6] = [Fact::Class, Fact::State, Fact::FloodSafety, Fact::KeyWater, Fact::Lake, Fact::Toxic];

    /// Behind `outfall.`.
    pub fn as_str(self) -> &'static str {
        match self {
            Fact::Class => "class",
            Fact::State => "state",
            Fact::FloodSafety => "flood_safety",
            Fact::KeyWater => "key_water",
            Fact::Lake => "lake",
            Fact::Toxic => "toxic",
        }
    }

    pub(super) fn kind(self) -> Type {
        if matches!(self, Fact::Class | Fact::State) { Type::Text } else { Type::Bool }
    }

    /// What a dossier says, in the order of [`Fact::ALL`].
    pub(crate) fn of(dossier: &Dossier) -> Arc<[Option<Value>]> {
        let fact = |fact: Fact| match fact {
            Fact::Class => Some(Value::Text(dossier.class.as_str().into())),
            Fact::State => Some(Value::Text(dossier.state.as_str().into())),
            Fact::FloodSafety => Some(Value::Bool(dossier.flood_safety)),
            Fact::KeyWater => Some(Value::Bool(dossier.water.key_water)),
            Fact::Lake => Some(Value::Bool(dossier.water.lake)),
            Fact::Toxic => dossier.discharge.toxic.map(Value::Bool),
        };
        Fact::ALL.map(fact).into()
    }
}

impl Input {
    fn kind(&self) -> Type {
        if matches!(self, Input::Alarm { .. }) { Type::Bool } else { Type::Double }
    }

    /// The series that it looks at.
    pub(crate) fn series(&self) -> Option<&Series> {
        match self {
            Input::Newest(series) | Input::Window { series, .. } => Some(series),
            Input::Alarm { .. } => None,
        }
    }

    /// The length of the slices of its window, and that window.
    pub(crate) fn window(&self) -> Option<(i64, i64)> {
        match self {
            Input::Window { ms, .. } => Some((if *ms < HOUR_MS { MINUTE_MS } else { TEN_MINUTES_MS }, *ms)),
            Input::Newest(_) | Input::Alarm { .. } => None,
        }
    }
}

impl Formula {
    /// Checks an expression over these inputs.
    ///
    /// # Errors
    /// [`ExpressionError`].
    pub fn new(text: &str, inputs: Vec<(String, Input)>, fresh_ms: u64) -> Result<Formula, ExpressionError> {
        let own = [("value".to_owned(), Type::Double)];
        let variables: Vec<(String, Type)> =
            own.into_iter().chain(inputs.iter().map(|(name, input)| (name.clone(), input.kind()))).collect();
        Ok(Formula { expression: Expression::parse(text, &variables)?, inputs, fresh_ms })
    }

    /// Whether it holds. None where an input is not known: nobody is accused, and nobody acquitted.
    pub(crate) fn holds(
        &self,
        (source, value): (&SourceId, Decimal),
        now: &Stamp,
        field: &Field,
        stands: impl Fn(&RuleId, &SourceId) -> bool,
    ) -> Option<Result<bool, Fault>> {
        let mut values = Vec::with_capacity(1 + self.inputs.len());
        values.push(Value::Double(double(value)));
        for (_, input) in &self.inputs {
            values.push(self.value(input, source, now, field, &stands)?);
        }
        let facts = match self.expression.asks_outfall {
            true => field.facts_of(source)?,
            false => Arc::default(),
        };
        Some(self.expression.holds(values, &facts))
    }

    /// Each input with what is known of it.
    pub(crate) fn told(
        &self,
        source: &SourceId,
        now: &Stamp,
        field: &Field,
        stands: impl Fn(&RuleId, &SourceId) -> bool,
    ) -> Vec<(String, Option<String>)> {
        let known = |input: &Input| self.value(input, source, now, field, &stands).map(|value| shown(&value));
        let mut told: Vec<(String, Option<String>)> =
            self.inputs.iter().map(|(name, input)| (name.clone(), known(input))).collect();
        if self.expression.asks_outfall {
            let facts = field.facts_of(source).unwrap_or_default();
            let fact = |place: usize| facts.get(place).and_then(Option::as_ref).map(shown);
            told.extend((0..).zip(Fact::ALL).map(|(place, one)| (format!("outfall.{}", one.as_str()), fact(place))));
        }
        told
    }

    fn value(
        &self,
        input: &Input,
        source: &SourceId,
        now: &Stamp,
        field: &Field,
        stands: &impl Fn(&RuleId, &SourceId) -> bool,
    ) -> Option<Value> {
        match input {
            Input::Newest(series) => {
                field.newest(series, source, now, self.fresh_ms).map(|value| Value::Double(double(value)))
            }
            Input::Window { series, statistic, .. } => {
                let (slice_ms, ms) = input.window()?;
                let value = statistic.of(series, source, now, field, (slice_ms, ms))?;
                Some(Value::Double(double(value)))
            }
            Input::Alarm { rule, device } => Some(Value::Bool(stands(rule, device.as_ref().unwrap_or(source)))),
        }
    }
}

impl Statistic {
    /// None where no reading came, or nobody knows the time.
    fn of(
        self,
        series: &Series,
        judged: &SourceId,
        now: &Stamp,
        field: &Field,
        (slice_ms, ms): (i64, i64),
    ) -> Option<Decimal> {
        UtcOffset::BEIJING.local_ms(now)?;
        let slices = field.slices(slice_ms, series.device_beside(judged), &series.quantity, &series.unit)?;
        let to = now.wall_ms.0.div_euclid(slice_ms).checked_add(1)?.checked_mul(slice_ms)?;
        let (mut sum, mut count, mut exponent) = (Exact::default(), 0u32, 0i32);
        let mut bounds: Option<(Decimal, Decimal)> = None;
        for (_, slice) in slices.within(to.checked_sub(ms)?, to) {
            (sum, count) = (sum.plus(slice.sum()?)?, count.saturating_add(slice.count()));
            exponent = exponent.min(slice.exponent());
            let (low, high) = bounds.unwrap_or((slice.lowest, slice.highest));
            bounds = Some((low.min(slice.lowest), high.max(slice.highest)));
        }
        let (low, high) = bounds?;
        match self {
            Statistic::Mean => sum.over(Exact::from(count), exponent - MEAN_DIGITS)?.to_decimal(),
            Statistic::Min => Some(low),
            Statistic::Max => Some(high),
            Statistic::Sum => sum.to_decimal(),
            Statistic::Count => Some(Decimal::from(i64::from(count))),
        }
    }
}

/// Digits that a mean has more than the finest of its readings.
const MEAN_DIGITS: i32 = 6;

/// Whole numbers up to here, 2^53, are doubles, and so are powers of ten up to 10^22: then one division or product is the nearest.
const EXACT_MAX: u64 = 9_007_199_254_740_992;
const POWER_MAX: i32 = 22;

/// The nearest double.
fn double(value: Decimal) -> f64 {
    let (mantissa, exponent) = (value.mantissa(), i32::from(value.exponent()));
    if mantissa.unsigned_abs() <= EXACT_MAX && exponent.abs() <= POWER_MAX {
        let mantissa = mantissa as f64;
        let power = POWERS[exponent.unsigned_abs() as usize];
        return if exponent.is_negative() { mantissa / power } else { mantissa * power };
    }
    // The text of a decimal is a number.
    value.to_string().parse().unwrap_or(f64::NAN)
}

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

fn shown(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Text(value) => value.to_string(),
        Value::List(_) => "[…]".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_decimal_becomes_the_nearest_double(mantissa in any::<i64>(), small in -100_000i64..100_000, exponent in -40i32..40) {
            for mantissa in [mantissa, small] {
                let Some(value) = Decimal::new(mantissa, exponent) else { continue };
                prop_assert_eq!(double(value), value.to_string().parse::<f64>().unwrap(), "{}", value);
            }
        }
    }
}
