//! A dossier for people: each fact with its name, in English and in Chinese.

use record::Dossier;
use record::dossier::{Condition, Discharger, Limit, LimitSet, Responsible, RiverChief, Validity, Zone};

/// One fact of a dossier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name in English.
    pub english: &'static str,
    /// Its name in Chinese.
    pub chinese: &'static str,
    /// What it is, in English and in Chinese.
    pub value: [String; 2],
}

fn same(value: impl std::fmt::Display) -> [String; 2] {
    let value = value.to_string();
    [value.clone(), value]
}

fn yes_or_no(value: bool) -> [String; 2] {
    if value { ["yes".into(), "是".into()] } else { ["no".into(), "否".into()] }
}

/// Parts that are there, joined.
fn joined(parts: impl IntoIterator<Item = Option<String>>, by: &str) -> String {
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(by)
}

/// All that a dossier has, in its order. What is not registered has no line.
pub fn facts(dossier: &Dossier) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut tell = |english, chinese, value: Option<[String; 2]>| {
        facts.extend(value.map(|value| Fact { english, chinese, value }));
    };
    let (class, state) = (dossier.class, dossier.state);
    tell("code", "排污口编码", Some(same(&dossier.code)));
    tell("local code", "省市自有编码", dossier.local_code.as_ref().map(same));
    tell("name", "名称", Some(same(&dossier.name)));
    let category = class.category();
    let named = [
        format!("{} ({})", class.english(), category.english()),
        format!("{}（{}）", class.chinese(), category.chinese()),
    ];
    tell("class (HJ 1312-2023)", "分类（HJ 1312-2023）", Some(named));
    let since = dossier.state_since.map(|day| day.to_string()).unwrap_or_default();
    let with_since = |name: &str| joined([Some(name.to_owned()), Some(since.clone())], " · ");
    tell("state", "状态", Some([with_since(state.english()), with_since(state.chinese())]));
    let at = &dossier.position;
    tell("position", "坐标", Some(same(format!("{} E, {} N, {}", at.longitude, at.latitude, at.datum.as_str()))));
    let place = &dossier.place;
    let division = place.division.as_ref().map(ToString::to_string);
    let words = [&place.county, &place.town].map(|words| words.as_ref().map(ToString::to_string));
    let address = place.address.as_ref().map(ToString::to_string);
    let place = joined([division].into_iter().chain(words).chain([address]), " ");
    tell("place", "所在地", (!place.is_empty()).then(|| same(place)));
    let water = &dossier.water;
    let basin = water.basin.as_ref().map(ToString::to_string);
    tell("receiving water", "受纳水体", Some(same(joined([Some(water.name.to_string()), basin], " · "))));
    tell("key water", "重点河湖", Some(yes_or_no(water.key_water)));
    tell("water functional zone", "水功能区", water.functional_zone.as_ref().map(zone));
    tell("water environment zone", "水环境功能区", water.environment_zone.as_ref().map(zone));
    let sections = joined(water.sections.iter().map(|section| Some(section.to_string())), "、");
    tell("assessed sections", "考核断面", (!sections.is_empty()).then(|| same(sections)));
    let channel = dossier.channel.as_ref().map(|channel| {
        let name = channel.name.as_ref().map(ToString::to_string);
        [channel.kind.english(), channel.kind.chinese()].map(|kind| joined([Some(kind.into()), name.clone()], " · "))
    });
    tell("channel", "排污通道", channel);
    let discharge = &dossier.discharge;
    tell(
        "discharge",
        "排放方式",
        discharge.pattern.map(|pattern| [pattern.english().into(), pattern.chinese().into()]),
    );
    tell("sewage", "污水类型", discharge.sewage.as_ref().map(same));
    tell("mouth", "口门形态", discharge.mouth.as_ref().map(same));
    tell("registered volume, m³/d", "登记排放量（m³/d）", discharge.volume_m3_per_day.map(same));
    tell("toxic pollutants", "有毒有害污染物", discharge.toxic.map(yes_or_no));
    tell("above scale", "规模以上", discharge.above_scale.map(yes_or_no));
    tell("can be sampled", "具备采样条件", discharge.can_be_sampled.map(yes_or_no));
    tell("approval", "审批登记", discharge.approval.as_ref().map(same));
    tell("flood safety concerned", "涉及行洪排涝、堤防安全", Some(yes_or_no(dossier.flood_safety)));
    dossier.dischargers.iter().for_each(|one| tell("discharger", "排污单位", Some(same(discharger(one)))));
    dossier.responsible.iter().for_each(|one| tell("responsible party", "责任主体", Some(same(responsible(one)))));
    for set in dossier.limit_sets.iter() {
        tell("limits", "限值依据", Some(same(limit_set(set))));
        set.limits.iter().for_each(|one| tell("limit", "限值", Some(limit(one))));
    }
    dossier.river_chiefs.iter().for_each(|one| tell("river chief", "河长", Some(chief(one))));
    let done = &dossier.remediation;
    tell("remediation", "整治类型", done.kind.as_ref().map(same));
    tell("to be done by", "整治时限", done.due.map(same));
    tell("done on", "整治完成", done.done.map(same));
    tell("proof", "证明材料", done.proof.as_ref().map(same));
    tell("built by the rules", "规范化建设", done.standardised.map(yes_or_no));
    tell("note", "备注", dossier.note.as_ref().map(same));
    facts
}

fn zone(zone: &Zone) -> [String; 2] {
    let part = |target: Option<&str>, attained: Option<&str>| {
        joined([Some(zone.name.to_string()), target.map(str::to_owned), attained.map(str::to_owned)], " · ")
    };
    let attained = |yes: &'static str, no: &'static str| zone.attained.map(|attained| if attained { yes } else { no });
    [
        part(zone.target.map(|target| target.english()), attained("attained", "not attained")),
        part(zone.target.map(|target| target.chinese()), attained("达标", "未达标")),
    ]
}

fn validity(valid: &Validity) -> Option<String> {
    let day = |day: Option<record::dossier::Day>| day.map(|day| day.to_string()).unwrap_or_default();
    (!valid.is_open()).then(|| format!("{}…{}", day(valid.from), day(valid.to)))
}

fn discharger(one: &Discharger) -> String {
    let text = |words: Option<&dyn std::fmt::Display>| words.map(|words| words.to_string());
    let parts = [
        Some(one.unit.to_string()),
        text(one.credit_code.as_ref().map(|code| code as _)),
        text(one.permit.as_ref().map(|permit| permit as _)),
        text(one.responsibility.as_ref().map(|words| words as _)),
        text(one.contact.as_ref().map(|words| words as _)),
        text(one.phone.as_ref().map(|phone| phone as _)),
        validity(&one.valid),
    ];
    joined(parts, " · ")
}

fn responsible(one: &Responsible) -> String {
    let contact = one.contact.as_ref().map(ToString::to_string);
    let phone = one.phone.as_ref().map(ToString::to_string);
    joined([Some(one.name.to_string()), contact, phone, validity(&one.valid)], " · ")
}

fn limit_set(set: &LimitSet) -> String {
    joined([Some(set.source.to_string()), validity(&set.valid)], " · ")
}

fn limit(one: &Limit) -> [String; 2] {
    let bounds = match (one.min, one.max) {
        (Some(min), Some(max)) => format!("{min}–{max}"),
        (None, Some(max)) => format!("≤ {max}"),
        (Some(min), None) => format!("≥ {min}"),
        (None, None) => "–".into(),
    };
    let averaging = [one.averaging.english(), one.averaging.chinese()];
    averaging.map(|averaging| {
        let what = format!("{} {bounds} {}", one.item, one.unit);
        let note = one.note.as_ref().map(ToString::to_string);
        joined([Some(what), Some(averaging.to_owned()), one.when.as_ref().map(condition), note], " · ")
    })
}

fn condition(when: &Condition) -> String {
    let above = when.above.map(|above| format!("{} > {above} {}", when.item, when.unit));
    let at_most = when.at_most.map(|most| format!("{} ≤ {most} {}", when.item, when.unit));
    joined([above, at_most], ", ")
}

fn chief(one: &RiverChief) -> [String; 2] {
    [one.level.english(), one.level.chinese()].map(|level| {
        let phone = one.phone.as_ref().map(ToString::to_string);
        joined([Some(level.to_owned()), Some(one.name.to_string()), phone, validity(&one.valid)], " · ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_registered_is_shown() {
        let dossier: Dossier = serde_json::from_str(include_str!("../../record/tests/outfall.json")).unwrap();
        let facts = facts(&dossier);
        let shown: String = facts.iter().map(|fact| format!("{} {}\n", fact.value[0], fact.value[1])).collect();
        let mut leaves = Vec::new();
        texts(&serde_json::to_value(&dossier).unwrap(), &mut leaves);
        assert!(leaves.len() > 50, "{leaves:?}");
        for leaf in leaves {
            let token = [
                "urban_sewage",
                "remediating",
                "III",
                "pipe",
                "intermittent",
                "daily_mean",
                "any_time",
                "city",
                "town",
                "village",
            ];
            assert!(shown.contains(&leaf) || token.contains(&&*leaf), "{leaf} is not shown:\n{shown}");
        }
        assert!(shown.contains("nh3_n ≤ 8 mg/L · daily mean · water_temperature ≤ 12 Cel"), "{shown}");
        assert!(shown.contains("ph 6–9 [pH] · 任何时间"), "{shown}");
    }

    fn texts(value: &serde_json::Value, leaves: &mut Vec<String>) {
        match value {
            serde_json::Value::String(text) => leaves.push(text.clone()),
            serde_json::Value::Array(all) => all.iter().for_each(|value| texts(value, leaves)),
            serde_json::Value::Object(all) => all.values().for_each(|value| texts(value, leaves)),
            _ => {}
        }
    }
}
