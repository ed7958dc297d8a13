//! The outfalls that devices stand at, and their dossiers.

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::Facts;
use crate::lang::Lang;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "outfalls.dossier",
        title: words("outfalls have dossiers", "排污口已建档"),
        cause: words("data of devices at an outfall without a dossier are refused", "未建档排污口的设备数据被拒收"),
        cure: words("add its dossier", "建立档案"),
        command: "sudo weir outfall add outfall.toml --reason \"survey\"",
        look: dossier,
    },
    Check {
        id: "outfalls.defects",
        title: words("dossiers are complete", "档案完整"),
        cause: words("an authority has to mend it", "需主管部门补正"),
        cure: words("see what is missing, and complete it", "查看缺项并补充"),
        command: "weir outfall show {}",
        look: defects,
    },
    Check {
        id: "outfalls.chiefs",
        title: words("river chiefs can be called", "河长联系电话"),
        cause: words("at night nobody could be told of an alarm there", "夜间报警时无人可通知"),
        cure: words("enter the numbers of city, town and village", "补充市、镇、村三级河长电话"),
        command: "weir outfall show {} --toml > outfall.toml; sudo weir outfall edit outfall.toml --reason \"numbers\"",
        look: chiefs,
    },
];

fn dossier(facts: &Facts, lang: Lang) -> Looked {
    let dossiers = &facts.journal.as_ref()?.dossiers;
    let mut codes: Vec<&String> = facts.setup.as_ref()?.devices.iter().filter_map(|one| one.outfall.as_ref()).collect();
    codes.sort();
    codes.dedup();
    let count = codes.len();
    let troubles = codes
        .into_iter()
        .filter(|code| !dossiers.contains_key(*code))
        .map(|code| Trouble::fault(code.clone(), say!(lang, "{code} has none", "{code} 未建档")));
    Ok(Seen::unless(troubles, say!(lang, "{count} outfalls with devices", "有设备的排污口 {count} 个")))
}

fn defects(facts: &Facts, lang: Lang) -> Looked {
    let dossiers = &facts.journal.as_ref()?.dossiers;
    let troubles = dossiers.iter().filter(|(_, dossier)| !dossier.defects.is_empty()).map(|(code, dossier)| {
        let told: Vec<&str> = dossier.defects.iter().map(|(en, zh)| lang.pick(en, zh)).collect();
        Trouble::note(code.clone(), format!("{code}: {}", told.join(lang.pick("; ", "；"))))
    });
    Ok(Seen::unless(troubles, dossiers.len().to_string()))
}

fn chiefs(facts: &Facts, lang: Lang) -> Looked {
    let dossiers = &facts.journal.as_ref()?.dossiers;
    let troubles = dossiers
        .iter()
        .filter(|(_, dossier)| dossier.chief_missing)
        .map(|(code, _)| Trouble::warning(code.clone(), say!(lang, "{code}: a number is missing", "{code}：电话不全")));
    Ok(Seen::unless(troubles, dossiers.len().to_string()))
}
