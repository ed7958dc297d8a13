//! Why a rule cannot work.

use record::{Decimal, RuleId, SourceIdError, Tier, Unit};

use super::{BASELINE_H_MAX, DELAY_S_MAX, SPAN_S_MAX};
use crate::expression::{ExpressionError, INPUTS_MAX};
use crate::memory::READINGS_MAX;
use crate::suppression::CONDITIONS_MAX;

/// Why a `[[rule]]` cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Neither or both of two keys.
    #[error("it has {count} of `{one}` and `{other}`: write one; for both, write two rules")]
    Sides {
        /// `neither` or `both`.
        count: &'static str,
        /// A key.
        one: &'static str,
        /// The other one.
        other: &'static str,
    },
    /// A deadband below 0 would clear an alarm before the value is back.
    #[error("deadband {0} is below 0: write how far the value must come back, as 2")]
    NegativeDeadband(Decimal),
    /// Readings are never closer than the same.
    #[error("band {0} is below 0: write how far readings may be apart and still be the same, as 0.01")]
    NegativeBand(Decimal),
    /// A surge is upwards.
    #[error("it has no `high`, or has `low`: a surge is upwards, and `high` is the least that counts as one")]
    NoHigh,
    /// Setpoint and deadband are too far apart in size to be added exactly.
    #[error("limit {setpoint} and deadband {deadband} cannot be added exactly: use fewer digits")]
    Digits {
        /// As written.
        setpoint: Decimal,
        /// As written.
        deadband: Decimal,
    },
    /// Beyond [`DELAY_S_MAX`].
    #[error("{key} {seconds} is more than {DELAY_S_MAX} (one day): use a shorter delay, or a mean")]
    Delay {
        /// Which.
        key: &'static str,
        /// As written.
        seconds: u32,
    },
    /// 0, or beyond [`SPAN_S_MAX`].
    #[error("{key} {seconds} is 0, or more than {SPAN_S_MAX} (a week)")]
    Span {
        /// Which.
        key: &'static str,
        /// As written.
        seconds: u32,
    },
    /// 0, or beyond [`BASELINE_H_MAX`].
    #[error("{key} {hours} is 0, or more than {BASELINE_H_MAX} (a week)")]
    Hours {
        /// Which.
        key: &'static str,
        /// As written.
        hours: u32,
    },
    /// 0, or beyond [`READINGS_MAX`].
    #[error("{key} {count} is 0, or more than {READINGS_MAX}")]
    Count {
        /// Which.
        key: &'static str,
        /// As written.
        count: u32,
    },
    /// Not 1 to 100.
    #[error("share_min_percent {0} is not 1 to 100")]
    Share(u8),
    /// A number that must be above 0.
    #[error("{key} {value} is not above 0")]
    NotPositive {
        /// Which.
        key: &'static str,
        /// As written.
        value: Decimal,
    },
    /// No faster than usual, or slower than a day.
    #[error(
        "sampling of {alarm_s} s in an alarm and of {normal_s} s else is no faster then, or slower than once a day"
    )]
    Sampling {
        /// As written.
        alarm_s: u32,
        /// As written.
        normal_s: u32,
    },
    /// More than a box has.
    #[error("`sample` names {0} samplers: name at most {max}", max = super::section::SAMPLERS_MAX)]
    Samplers(usize),
    /// More than a day.
    #[error("keep of {before_s} s before and {after_s} s after is more than {DELAY_S_MAX} s (one day)")]
    Keep {
        /// As written.
        before_s: u32,
        /// As written.
        after_s: u32,
    },
    /// Not 1 to 12.
    #[error("month {0} is not 1 to 12")]
    Month(u8),
    /// A unit that neither UCUM nor the SenML registry has.
    #[error("unit `{unit}` is not known: {hint}")]
    UnknownUnit {
        /// As written.
        unit: Unit,
        /// What to write.
        hint: String,
    },
    /// Its kind compares values.
    #[error("it has no `unit`: {0}")]
    NoUnit(String),
    /// No mass comes of it.
    #[error("no load can be made of `{concentration}` and `{flow}`: write a concentration as mg/L, a flow as m3/h")]
    NoMass {
        /// As written.
        concentration: Unit,
        /// As written or usual.
        flow: Unit,
    },
    /// The kind has no other hours to compare with.
    #[error("it has no `hours`, `weekdays` or `holidays`: a surge is one against all other hours")]
    NoHours,
    /// A mean is judged when it is over, whenever that is.
    #[error("`{0}` has no hours, weekdays or holidays")]
    WithHours(&'static str),
    /// A mean and a count of exceedances are judged as they are.
    #[error("`{0}` has no on_delay_s or off_delay_s: it looks back over a time of its own")]
    WithDelay(&'static str),
    /// A claim that a single value cannot bear.
    #[error(
        "tier `{}` is for a mean of 24h, or for pH: whether a discharge exceeds its limit is judged by the daily mean \
         (GB 18918-2002 4.1.4), and a single value above it is a `warning`",
        .0.as_str()
    )]
    Tier(Tier),
    /// Neither an alarm nor a value, or both.
    #[error(
        "a condition of `suppress_while` is {{ alarm = \"RULE\" }}, for another device {{ alarm = \"RULE\", device = \"DEVICE\" }}, or \
         {{ value = \"DEVICE/QUANTITY\", above = 1 }} with `above` or `below`, and `fresh_s` if need be"
    )]
    Condition,
    /// Beyond [`CONDITIONS_MAX`].
    #[error("`suppress_while` has {0} conditions, and {CONDITIONS_MAX} are the most")]
    Conditions(usize),
    /// Nothing may hide an emergency.
    #[error("an alarm of tier `emergency` is always shown: leave `suppress_while` out, or use a lower tier")]
    SuppressedEmergency,
    /// Not an expression.
    #[error(transparent)]
    Expression(ExpressionError),
    /// Beyond [`INPUTS_MAX`].
    #[error("it has {0} inputs, and {INPUTS_MAX} are the most")]
    Inputs(usize),
    /// Not a name that an expression can use.
    #[error("`{0}` is no name of an input: use a lower-case letter, then up to 39 of a-z 0-9 _, and no word of CEL")]
    InputName(String),
    /// No whole minutes.
    #[error("window_s {0} is no whole number of minutes, or from 3600 on of ten minutes")]
    Window(u32),
    /// Another rule that is named is not there.
    #[error("it looks at the alarm of rule `{0}`, which is not there: write the id of a rule of this set")]
    NoSuchRule(RuleId),
    /// Another rule does not judge the device.
    #[error(
        "it looks at the alarm of rule `{rule}` for {device}, which that rule does not judge: name one of its devices"
    )]
    NotJudged {
        /// The other rule.
        rule: RuleId,
        /// The device.
        device: String,
    },
    /// A rule hangs on itself.
    #[error("it looks at its own alarm by way of {}: no rule may hang on itself", shown(.0))]
    Circle(Vec<RuleId>),
    /// No device, or `*` beside names.
    #[error("`devices` is empty, or has `*` beside names: name devices, or write [\"*\"] for every one")]
    Devices,
    /// Not a device's name.
    #[error("`devices`")]
    Device(#[source] SourceIdError),
}

fn shown(rules: &[RuleId]) -> String {
    rules.iter().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(", ")
}
