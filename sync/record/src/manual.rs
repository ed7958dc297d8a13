//! What people found at an outfall and typed in: samples that went to a laboratory (手工监测), and patrols (巡查).

use minicbor::{Decode, Decoder, Encode, decode};
use serde::Serialize;

use crate::dossier::terms::terms;
use crate::dossier::{Few, OutfallCode, Words};
use crate::{Actor, Audit, Decimal, Quantity, Seq, Unit, UnixMs};

const FILES_MAX: usize = 8;

/// Somebody entered something that no device measured. It is no reading: nothing judges, sums or charts it. An entry is never
/// altered; another one may replace it, and says why.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case", tag = "entered")]
pub enum Manual {
    /// What a laboratory found in a sample.
    #[n(0)]
    Sample(#[n(0)] Box<ManualSample>),
    /// What somebody saw.
    #[n(1)]
    Patrol(#[n(0)] Box<Patrol>),
}

impl Manual {
    /// Where it comes from.
    pub fn entry(&self) -> &Entry {
        match self {
            Manual::Sample(sample) => &sample.entry,
            Manual::Patrol(patrol) => &patrol.entry,
        }
    }

    /// The stable name of what was entered.
    pub fn as_str(&self) -> &'static str {
        match self {
            Manual::Sample(_) => "sample",
            Manual::Patrol(_) => "patrol",
        }
    }

    /// Whether texts and lists keep their bounds. Most do by their types.
    pub(crate) fn is_bounded(&self) -> bool {
        let by = match &self.entry().by {
            Actor::User(_) | Actor::Box => true,
            Actor::Platform(platform) => platform.len() <= Audit::TEXT_BYTES_MAX,
        };
        let values = match self {
            Manual::Sample(sample) => is_bounded(&sample.values),
            Manual::Patrol(_) => true,
        };
        by && values
    }
}

/// Where an entry comes from: the word of a person, of which the box knows only who typed it, and when.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Entry {
    /// The outfall.
    #[n(0)]
    pub outfall: OutfallCode,
    /// When the sample was taken, or the patrol was there, as told. When it was entered the record's stamp says.
    #[n(1)]
    pub at_ms: UnixMs,
    /// Who took it or was there, as told.
    #[n(2)]
    pub person: Words<100>,
    /// Who typed it.
    #[n(3)]
    pub by: Actor,
    /// Files that belong to it: reports, photographs. They are not kept here.
    #[n(4)]
    #[serde(skip_serializing_if = "Few::is_empty")]
    pub files: Few<AttachedFile, FILES_MAX>,
    /// Which entry this one takes the place of.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
}

impl Entry {
    /// Most files of one entry.
    pub const FILES_MAX: usize = FILES_MAX;
}

/// A file by which it can be recognised, and not the file.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct AttachedFile {
    /// Its name, without folders.
    #[n(0)]
    pub name: Words<200>,
    /// SHA-256 of what was in it.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(serialize_with = "as_hex")]
    pub sha256: [u8; 32],
}

/// The entry that is not to count any more. It stays, and is shown as replaced.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Replaced {
    /// Its record.
    #[n(0)]
    pub seq: Seq,
    /// Why.
    #[n(1)]
    pub reason: Words<1000>,
}

/// A sample of the water, and what a laboratory found in it (手工监测).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct ManualSample {
    /// Where it comes from.
    #[n(0)]
    pub entry: Entry,
    /// Of each quantity, ascending: 1 to [`ManualSample::VALUES_MAX`].
    #[n(1)]
    #[cbor(decode_with = "bounded")]
    pub values: Vec<ManualValue>,
    /// The laboratory (检测机构).
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub laboratory: Option<Words<200>>,
    /// The sample's number (样品编号).
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<Words<64>>,
    /// What else is to be known.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Words<1000>>,
}

impl ManualSample {
    /// Most values of one sample: GB 3838-2002 lists 109 items, and one report has some dozens of them.
    pub const VALUES_MAX: usize = 64;
}

/// What was found of one quantity.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct ManualValue {
    /// Of what.
    #[n(0)]
    pub quantity: Quantity,
    /// In what unit.
    #[n(1)]
    pub unit: Unit,
    /// How much; of what is below the detection limit (检出限), that limit.
    #[n(2)]
    pub value: Decimal,
    /// Whether the value was found, or is the limit below which nothing was.
    #[n(3)]
    pub detection: Detection,
    /// The method (分析方法), as `HJ 828-2017`.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Words<100>>,
}

terms! {
    /// Whether a method could find as little (HJ 91.1-2019: 未检出).
    Detection {
        0 Found "found" "found" "检出",
        1 BelowLimit "below_limit" "below the detection limit" "低于检出限",
    }
}

/// Somebody went to an outfall and looked (巡查).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Patrol {
    /// Where it comes from.
    #[n(0)]
    pub entry: Entry,
    /// What was found.
    #[n(1)]
    pub finding: Words<1000>,
    /// How the outfall was, if one of the words says it.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<PatrolState>,
}

terms! {
    /// How an outfall was when somebody came.
    PatrolState {
        0 Normal "normal" "normal" "正常",
        1 Discharging "discharging" "discharging" "有排水",
        2 Dry "dry" "dry" "无排水",
        3 Abnormal "abnormal" "abnormal" "异常",
        4 Blocked "blocked" "blocked" "堵塞",
        5 Damaged "damaged" "damaged" "损坏",
        6 Submerged "submerged" "submerged" "淹没",
        7 Unreachable "unreachable" "could not be reached" "无法到达",
    }
}

fn is_bounded(values: &[ManualValue]) -> bool {
    (1..=ManualSample::VALUES_MAX).contains(&values.len())
        && values.is_sorted_by(|one, next| one.quantity < next.quantity)
}

fn bounded<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<ManualValue>, decode::Error> {
    let len = d.array()?.and_then(|len| usize::try_from(len).ok()).filter(|len| *len <= ManualSample::VALUES_MAX);
    let len = len.ok_or_else(|| decode::Error::message("a manual sample has at most 64 values"))?;
    let values: Vec<ManualValue> = (0..len).map(|_| ManualValue::decode(d, ctx)).collect::<Result<_, _>>()?;
    if !is_bounded(&values) {
        return Err(decode::Error::message("the values of a manual sample are none, or not ascending"));
    }
    Ok(values)
}

fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&hex::encode(bytes))
}
