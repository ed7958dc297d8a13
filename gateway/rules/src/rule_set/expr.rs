//! A rule of kind `expr`: a condition in CEL, and what its names mean.

use std::collections::BTreeMap;

use record::{Decimal, LimitSide, RuleId, SourceId};
use serde::Deserialize;

use super::RuleError;
use super::kinds::{Made, an_hour_s, ms, unit};
use super::section::{Bound, Part};
use crate::Series;
use crate::basis::Basis;
use crate::expression::{Formula, INPUTS_MAX, Input, Statistic};

/// What no other kind says, in CEL.
#[derive(Deserialize)]
pub(super) struct Expr {
    expr: String,
    #[serde(default)]
    inputs: BTreeMap<String, InputKeys>,
    #[serde(default = "an_hour_s")]
    fresh_s: u32,
    #[serde(default)]
    on_delay_s: u32,
    #[serde(default)]
    off_delay_s: u32,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "an input is \"DEVICE/QUANTITY\", or { of = \"DEVICE/QUANTITY\", window_s = 3600, stat = \"mean\" } (or min, max, sum, count), or { alarm = \"RULE\", device = \"DEVICE\" }"
)]
enum InputKeys {
    Newest(Series),
    Window(WindowKeys),
    Alarm(AlarmKeys),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowKeys {
    of: Series,
    window_s: u32,
    stat: Statistic,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlarmKeys {
    alarm: RuleId,
    device: Option<SourceId>,
}

/// Words of CEL, and those that every expression has.
const RESERVED: [&str; 23] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "outfall",
    "package",
    "return",
    "true",
    "value",
    "var",
    "void",
    "while",
];

impl Expr {
    pub(super) fn make(self, part: &Part<'_>) -> Result<Made, RuleError> {
        if self.inputs.len() > INPUTS_MAX {
            return Err(RuleError::Inputs(self.inputs.len()));
        }
        let input = |(name, keys): (String, InputKeys)| {
            let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
            if !begins || !name.bytes().all(legal) || name.len() > 40 || RESERVED.contains(&name.as_str()) {
                return Err(RuleError::InputName(name.chars().take(40).collect()));
            }
            let input = match keys {
                InputKeys::Newest(series) => Input::Newest(series),
                InputKeys::Alarm(AlarmKeys { alarm, device }) => Input::Alarm { rule: alarm, device },
                InputKeys::Window(WindowKeys { of, window_s, stat }) => {
                    let whole_s = match window_s {
                        ..3_600 => 60,
                        _ => 600,
                    };
                    let ms = i64::try_from(ms("window_s", window_s)?).unwrap_or(i64::MAX);
                    if window_s % whole_s != 0 {
                        return Err(RuleError::Window(window_s));
                    }
                    Input::Window { series: of, ms, statistic: stat }
                }
            };
            Ok((name, input))
        };
        let inputs = self.inputs.into_iter().map(input).collect::<Result<Vec<_>, RuleError>>()?;
        let formula = Formula::new(&self.expr, inputs, ms("fresh_s", self.fresh_s)?).map_err(RuleError::Expression)?;
        part.unit()?;
        let delayed = Part { bound: Bound::delayed(self.on_delay_s, self.off_delay_s), ..*part };
        // It holds: 1, which is above 0.
        let limit = delayed.limit_at(LimitSide::High, Decimal::ZERO)?;
        Ok(Made { basis: Basis::Expression(formula), limit, limit_unit: unit("1")? })
    }
}
