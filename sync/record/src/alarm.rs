//! Alarm states and their legal transitions (ISA-18.2 §5).

use std::sync::Arc;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::dossier::terms::terms;
use crate::{Decimal, Quantity, Seq, SourceId, Unit};

/// The name of a rule in `rules.toml`: 1 to 64 of `a-z 0-9 _ -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(Arc<str>);

/// Why a text is not a [`RuleId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rule name: use 1 to 64 of a-z 0-9 _ -")]
pub struct RuleIdError(String);

impl RuleId {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`RuleIdError`] if it is empty, longer than 64 bytes or has another character.
    pub fn new(name: &str) -> Result<RuleId, RuleIdError> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(legal) {
            return Err(RuleIdError(name.chars().take(64).collect()));
        }
        Ok(RuleId(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

crate::text_type!(RuleId, RuleIdError);

/// Where an alarm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// The process is inside its limit and nobody waits for an acknowledgement.
    #[n(0)]
    Normal,
    /// Outside the limit, not yet acknowledged by a person.
    #[n(1)]
    Unacknowledged,
    /// Outside the limit, acknowledged.
    #[n(2)]
    Acknowledged,
    /// Back inside the limit before anyone acknowledged.
    #[n(3)]
    ReturnedUnacknowledged,
}

impl AlarmState {
    /// Whether ISA-18.2 knows this step (R1). A step to the same state is none.
    pub fn may_become(self, next: AlarmState) -> bool {
        use AlarmState::{Acknowledged, Normal, ReturnedUnacknowledged, Unacknowledged};
        matches!(
            (self, next),
            (Normal, Unacknowledged)
                | (Unacknowledged, Acknowledged | ReturnedUnacknowledged)
                | (Acknowledged, Normal)
                | (ReturnedUnacknowledged, Unacknowledged | Normal)
        )
    }

    /// Whether the process is outside its limit.
    pub fn is_active(self) -> bool {
        matches!(self, AlarmState::Unacknowledged | AlarmState::Acknowledged)
    }

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            AlarmState::Normal => "normal",
            AlarmState::Unacknowledged => "unacknowledged",
            AlarmState::Acknowledged => "acknowledged",
            AlarmState::ReturnedUnacknowledged => "returned_unacknowledged",
        }
    }
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

/// Which side of the limit is the bad one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum LimitSide {
    /// Values above the limit alarm.
    #[n(0)]
    High,
    /// Values below the limit alarm.
    #[n(1)]
    Low,
}

/// One step of one alarm: the record that is shown, sent, and kept.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct AlarmTransition {
    /// The rule that judged.
    #[n(0)]
    pub rule: RuleId,
    /// The device it judged.
    #[n(1)]
    pub source: SourceId,
    /// The quantity it judged.
    #[n(2)]
    pub quantity: Quantity,
    /// From which state.
    #[n(3)]
    pub from: AlarmState,
    /// To which state.
    #[n(4)]
    pub to: AlarmState,
    /// The limit as configured at that moment.
    #[n(5)]
    pub limit: Decimal,
    /// Which side of it is bad.
    #[n(6)]
    pub side: LimitSide,
    /// The value that decided; none when a person acknowledged.
    #[n(7)]
    pub value: Option<Decimal>,
    /// The record that decided.
    #[n(8)]
    pub cause: Seq,
    /// What value and limit are of, where that is not a single reading that only warns.
    #[n(9)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grounds: Option<Grounds>,
    /// Why it was not shown to people at this step, if it was not.
    #[n(10)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppression: Option<Suppression>,
}

/// Why an alarm is judged and journaled, and not shown (ISA-18.2: suppressed by design).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    /// Its rule says so while something else holds.
    #[n(0)]
    ByDesign,
}

impl Suppression {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Suppression::ByDesign => "by_design",
        }
    }
}

/// What an alarm's value and limit are of, and how much they say.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Grounds {
    /// What was made of the readings.
    #[n(0)]
    pub measure: Measure,
    /// In what value and limit are; for [`Measure::Silence`] and its like `s`.
    #[n(1)]
    pub unit: Unit,
    /// Over how long, in seconds; 0 where a single moment decided.
    #[n(2)]
    pub span_s: u32,
    /// How much it says.
    #[n(3)]
    pub tier: Tier,
}

terms! {
    /// What a rule compares with its limit.
    Measure {
        0 Reading "reading" "reading" "读数",
        1 Rise "rise" "rise" "上升量",
        2 Fall "fall" "fall" "下降量",
        3 Mean "mean" "mean" "均值",
        4 FlowWeightedMean "flow_weighted_mean" "flow-weighted mean" "流量加权均值",
        5 Load "load" "load" "排放量",
        6 Silence "silence" "silence" "无数据时长",
        7 Stuck "stuck" "time without a change" "数值不变时长",
        8 Implausible "implausible" "doubtful readings in a row" "连续存疑读数",
        9 Disagreement "disagreement" "disagreement of two sensors" "两台传感器之差",
        10 Exceedances "exceedances" "readings beyond the limit" "超限次数",
        11 DryWeather "dry_weather" "discharge in dry weather" "晴天排水",
        12 Surge "surge" "above what is usual" "高于平时",
        13 Rebound "rebound" "discharge of a closed outfall" "已封堵排口反弹",
        14 Expression "expression" "expression (1: it holds)" "表达式（1 为成立）",
    }
}

terms! {
    /// How much an alarm says: four tiers of warning (绥政办发〔2023〕5号: 监测预警体系). A single value above the limit of a
    /// daily mean is a warning and no exceedance.
    Tier {
        0 Attention "attention" "attention" "关注",
        1 Warning "warning" "warning" "预警",
        2 Exceedance "exceedance" "exceedance" "超标",
        3 Emergency "emergency" "emergency" "应急",
    }
}
