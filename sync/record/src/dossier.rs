//! The dossier of an outfall (一口一档): what the authorities have to know of it, whole.
//!
//! Its items are those of 绥政办发〔2023〕5号 (the chain receiving water, outfall, channel, discharger) and of the registers that
//! provinces and cities keep; classes are those of HJ 1312-2023, zones' targets those of GB 3838-2002. A dossier holds what people
//! registered; what was measured stands in frames.

mod class;
mod code;
mod defect;
mod discharge;
mod party;
mod place;
pub(crate) mod terms;
mod words;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

pub use class::{OutfallCategory, OutfallClass};
pub use code::{OutfallCode, OutfallCodeError};
pub use defect::Defect;
pub use discharge::{
    Averaging, Channel, ChannelKind, Condition, Discharge, DischargePattern, LifeCycle, Limit, LimitSet, Remediation,
};
pub use party::{ChiefLevel, CreditCode, CreditCodeError, Discharger, Phone, PhoneError, Responsible, RiverChief};
pub use place::{Datum, Place, Position, ReceivingWater, WaterClass, Zone};
pub use words::{Day, DayError, Few, FewError, Validity, Words, WordsError};

/// What is registered of one outfall.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct Dossier {
    /// The national code (国家统一赋码); everything that is stored or sent goes by it.
    #[n(0)]
    pub code: OutfallCode,
    /// The province's or city's own code (省市系统自有编码).
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_code: Option<Words<64>>,
    /// Its name.
    #[n(2)]
    pub name: Words<200>,
    /// Its class.
    #[n(3)]
    pub class: OutfallClass,
    /// What has become of it.
    #[n(4)]
    pub state: LifeCycle,
    /// Since when.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_since: Option<Day>,
    /// Where it is.
    #[n(6)]
    pub position: Position,
    /// In which place.
    #[n(7)]
    #[serde(default)]
    pub place: Place,
    /// What it discharges into.
    #[n(8)]
    pub water: ReceivingWater,
    /// By what the sewage comes.
    #[n(9)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// How it discharges.
    #[n(10)]
    #[serde(default)]
    pub discharge: Discharge,
    /// Whether closing it may endanger drainage, flood discharge or dikes: nobody may be advised to block it.
    #[n(11)]
    #[serde(default)]
    pub flood_safety: bool,
    /// Who discharges through it.
    #[n(12)]
    #[serde(skip_serializing_if = "Few::is_empty", default)]
    pub dischargers: Few<Discharger, 64>,
    /// Who answers for it.
    #[n(13)]
    #[serde(skip_serializing_if = "Few::is_empty", default)]
    pub responsible: Few<Responsible, 16>,
    /// What limits hold.
    #[n(14)]
    #[serde(skip_serializing_if = "Few::is_empty", default)]
    pub limit_sets: Few<LimitSet, 16>,
    /// Who watches the river.
    #[n(15)]
    #[serde(skip_serializing_if = "Few::is_empty", default)]
    pub river_chiefs: Few<RiverChief, 16>,
    /// What was done about it.
    #[n(16)]
    #[serde(default)]
    pub remediation: Remediation,
    /// What else is to be known.
    #[n(17)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Words<1000>>,
}

impl Dossier {
    /// Most bytes of a dossier in its stored form: it travels whole with each change.
    pub const BYTES_MAX: usize = 32 * 1024;

    /// Bytes of the stored form.
    pub fn bytes(&self) -> usize {
        minicbor::to_vec(self).map_or(usize::MAX, |bytes| bytes.len())
    }

    /// What the public may see: of river chiefs only numbers that stand on the sign, and no other numbers or contacts.
    #[must_use]
    pub fn public(&self) -> Dossier {
        let mut dossier = self.clone();
        for chief in dossier.river_chiefs.iter_mut().filter(|chief| !chief.on_sign) {
            chief.phone = None;
        }
        for discharger in dossier.dischargers.iter_mut() {
            (discharger.contact, discharger.phone) = (None, None);
        }
        for responsible in dossier.responsible.iter_mut() {
            (responsible.contact, responsible.phone) = (None, None);
        }
        dossier.note = None;
        dossier
    }
}
