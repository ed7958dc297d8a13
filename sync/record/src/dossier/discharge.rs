//! How an outfall discharges, what has become of it, and what limits hold there.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::terms::terms;
use super::words::{Day, Few, Validity, Words};
use crate::{Decimal, Quantity, Unit};

terms! {
    /// When it discharges.
    DischargePattern {
        0 Continuous "continuous" "continuous" "连续排放",
        1 Intermittent "intermittent" "intermittent" "间歇排放",
        2 Seasonal "seasonal" "seasonal" "季节性排放",
        3 Rain "rain" "when it rains" "雨天排放",
        4 Dry "dry" "no discharge" "无排放",
    }
}

/// How it discharges (排水特征).
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields, default)]
pub struct Discharge {
    /// When.
    #[n(0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<DischargePattern>,
    /// Kind of the sewage (污水类型).
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sewage: Option<Words<200>>,
    /// Form of its mouth (口门形态).
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mouth: Option<Words<200>>,
    /// What it discharges on a day, as registered, in m³.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_m3_per_day: Option<Decimal>,
    /// Whether toxic or harmful pollutants are discharged (有毒有害污染物); none: not known.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toxic: Option<bool>,
    /// Whether it is above the size from which it is registered (规模以上); none: not known.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above_scale: Option<bool>,
    /// Whether samples can be taken there (具备采样条件); none: not known.
    #[n(6)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_be_sampled: Option<bool>,
    /// Approval or registration (审批登记情况).
    #[n(7)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Words<200>>,
}

terms! {
    /// The channel by which the sewage comes (排污通道).
    ChannelKind {
        0 Pipe "pipe" "pipe" "管道",
        1 OpenDitch "open_ditch" "open ditch" "明渠",
        2 Culvert "culvert" "culvert" "暗渠" alias "暗管",
        3 RiverBranch "river_branch" "river branch" "河汊",
        4 Pump "pump" "pumping station" "泵站",
        5 Other "other" "other" "其他",
    }
}

/// The channel from the dischargers to the outfall.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Of which kind.
    #[n(0)]
    pub kind: ChannelKind,
    /// Its code, course or name.
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Words<300>>,
}

terms! {
    /// What has become of an outfall.
    LifeCycle {
        0 Planned "planned" "planned" "拟设置",
        1 InUse "in_use" "in use" "在用",
        2 Suspended "suspended" "suspended" "停用",
        3 Remediating "remediating" "being remediated" "整治中",
        4 Remediated "remediated" "remediated" "整治完成",
        5 Merged "merged" "merged into another" "合并" alias "清理合并",
        6 Abolished "abolished" "abolished" "取缔" alias "依法取缔",
    }
}

impl LifeCycle {
    /// Whether it is no outfall any more.
    pub fn is_closed(self) -> bool {
        matches!(self, LifeCycle::Merged | LifeCycle::Abolished)
    }
}

/// What was done, and is to be done, about it (整治).
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields, default)]
pub struct Remediation {
    /// How (整治类型).
    #[n(0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Words<200>>,
    /// Until when it has to be done.
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Day>,
    /// When it was done.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<Day>,
    /// What proves it (证明材料).
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Words<300>>,
    /// Whether it was built by the rules (规范化建设); none: not known.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standardised: Option<bool>,
}

terms! {
    /// What a limit is compared with.
    Averaging {
        0 AnyTime "any_time" "at any time" "任何时间",
        1 HourlyMean "hourly_mean" "hourly mean" "小时均值",
        2 DailyMean "daily_mean" "daily mean" "日均值",
        3 MonthlyMean "monthly_mean" "monthly mean" "月均值",
        4 DailyTotal "daily_total" "total of a day" "日总量",
        5 YearlyTotal "yearly_total" "total of a year" "年总量",
    }
}

/// The limits of one document (排放标准、排污许可证).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct LimitSet {
    /// The document with its grade, as `GB 18918-2002 一级A`, or the permit's number.
    #[n(0)]
    pub source: Words<200>,
    /// Since when and until when.
    #[n(1)]
    #[serde(skip_serializing_if = "Validity::is_open", default)]
    pub valid: Validity,
    /// The limits.
    #[n(2)]
    #[serde(default)]
    pub limits: Few<Limit, 64>,
}

/// One limit. A value is within it if it is neither below `min` nor above `max`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Of what.
    #[n(0)]
    pub item: Quantity,
    /// In what unit (UCUM).
    #[n(1)]
    pub unit: Unit,
    /// What is compared.
    #[n(2)]
    pub averaging: Averaging,
    /// Not less than this.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Decimal>,
    /// Not more than this.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Decimal>,
    /// Only while this holds.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// What the document says beside it.
    #[n(6)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Words<300>>,
}

/// While another quantity is within bounds: a limit of NH3-N holds for water of at most 12 °C, another above.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Which quantity.
    #[n(0)]
    pub item: Quantity,
    /// In what unit.
    #[n(1)]
    pub unit: Unit,
    /// More than this.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<Decimal>,
    /// Not more than this.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Decimal>,
}
