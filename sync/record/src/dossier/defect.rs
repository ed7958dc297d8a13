//! What a dossier lacks, or says against itself.

use super::{Day, Dossier, LifeCycle, Validity};

/// Something that an authority has to mend. None of them keeps a dossier from being stored: a register that is complete from
/// the first day does not exist, and its defects are to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// Nobody answers for it.
    Unassigned,
    /// More than one unit discharges through it: one outfall is to have one.
    Shared,
    /// A unit that shares it has no permit number, or its part is not named.
    ShareUnclear,
    /// No unit that discharges is named, and no one says that none does.
    NoDischarger,
    /// A level of city, town and village has no river chief with a number.
    ChiefMissing,
    /// No limit set holds.
    NoLimits,
    /// The water functional zone, or its target, is not named.
    NoTarget,
    /// The zone does not attain its target: new discharge there is to be controlled strictly.
    NotAttained,
    /// A validity ends before it begins.
    Backwards,
    /// A storm-water outfall, which is never to be closed, is said to be closed.
    StormwaterClosed,
    /// A limit has neither a lower nor an upper bound, or a condition that bounds nothing.
    EmptyLimit,
    /// Its remediation was due and is not done.
    Overdue,
}

impl Defect {
    /// In English.
    pub fn english(self) -> &'static str {
        match self {
            Defect::Unassigned => "no responsible party",
            Defect::Shared => "more than one discharger: one outfall is to have one",
            Defect::ShareUnclear => "shared, and a discharger has no permit number or no named responsibility",
            Defect::NoDischarger => "no discharger",
            Defect::ChiefMissing => "a river chief of city, town or village is missing, or a 24-hour number",
            Defect::NoLimits => "no limits in force",
            Defect::NoTarget => "no water functional zone with a target",
            Defect::NotAttained => "receiving zone not attaining its target",
            Defect::Backwards => "a validity ends before it begins",
            Defect::StormwaterClosed => "a storm-water outfall must not be closed or merged",
            Defect::EmptyLimit => "a limit or its condition bounds nothing",
            Defect::Overdue => "remediation is overdue",
        }
    }

    /// In Chinese.
    pub fn chinese(self) -> &'static str {
        match self {
            Defect::Unassigned => "责任主体未落实",
            Defect::Shared => "对应多个排污单位（应一口一单位）",
            Defect::ShareUnclear => "共用排污口，但有单位未载明许可证号或责任划分",
            Defect::NoDischarger => "未登记排污单位",
            Defect::ChiefMissing => "市、镇、村三级河长或其24小时电话不全",
            Defect::NoLimits => "无现行有效的限值",
            Defect::NoTarget => "未登记水功能区或其水质目标",
            Defect::NotAttained => "受纳水功能区未达到水质目标",
            Defect::Backwards => "有效期止于开始之前",
            Defect::StormwaterClosed => "雨洪排口严禁合并、封堵",
            Defect::EmptyLimit => "限值或其条件未给出数值",
            Defect::Overdue => "整治逾期未完成",
        }
    }
}

impl Dossier {
    /// What is to be mended, as of that day.
    pub fn defects(&self, today: Day) -> Vec<Defect> {
        use super::ChiefLevel::{City, Town, Village};
        let holds = |valid: &Validity| valid.holds_on(today);
        let dischargers: Vec<_> = self.dischargers.iter().filter(|one| holds(&one.valid)).collect();
        let shared = dischargers.len() > 1;
        let chief = |level| {
            let of_level = |chief: &&super::RiverChief| chief.level == level && holds(&chief.valid);
            self.river_chiefs.iter().filter(of_level).any(|chief| chief.phone.is_some())
        };
        let zone = self.water.functional_zone.as_ref();
        let limits = || self.limit_sets.iter().flat_map(|set| set.limits.iter());
        let empty = |limit: &super::Limit| {
            let bounds_nothing = |when: &super::Condition| when.above.is_none() && when.at_most.is_none();
            limit.min.is_none() && limit.max.is_none() || limit.when.as_ref().is_some_and(bounds_nothing)
        };
        let late = |due: Day| due < today && self.remediation.done.is_none();
        let closed = self.state.is_closed();
        let unused = closed || self.state == LifeCycle::Planned;
        let found = [
            (Defect::Unassigned, !self.responsible.iter().any(|one| holds(&one.valid))),
            (Defect::Shared, shared),
            (
                Defect::ShareUnclear,
                shared && dischargers.iter().any(|one| one.permit.is_none() || one.responsibility.is_none()),
            ),
            (Defect::NoDischarger, dischargers.is_empty() && !unused),
            (Defect::ChiefMissing, ![City, Town, Village].into_iter().all(chief)),
            (
                Defect::NoLimits,
                !unused && !self.limit_sets.iter().any(|set| holds(&set.valid) && !set.limits.is_empty()),
            ),
            (Defect::NoTarget, zone.is_none_or(|zone| zone.target.is_none())),
            (Defect::NotAttained, zone.is_some_and(|zone| zone.attained == Some(false))),
            (Defect::Backwards, self.validities().any(|valid| valid.is_backwards())),
            (Defect::StormwaterClosed, closed && self.class.is_stormwater()),
            (Defect::EmptyLimit, limits().any(empty)),
            (Defect::Overdue, self.remediation.due.is_some_and(late)),
        ];
        found.into_iter().filter(|(_, is_so)| *is_so).map(|(defect, _)| defect).collect()
    }

    fn validities(&self) -> impl Iterator<Item = &Validity> {
        let dischargers = self.dischargers.iter().map(|one| &one.valid);
        let parties = dischargers.chain(self.responsible.iter().map(|one| &one.valid));
        parties
            .chain(self.limit_sets.iter().map(|one| &one.valid))
            .chain(self.river_chiefs.iter().map(|one| &one.valid))
    }
}
